"""Assets, options, logs, mails and checks of `make run`, without any server."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
from email.message import EmailMessage
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from standalone import assets, checks, demo, logs, mailbox, migrations
from standalone.errors import StartError
from standalone.options import read_options


@pytest.mark.parametrize(
    ("source", "place", "expected"),
    [
        ('import Hls from "hls.js";', "a/b.js", 'import Hls from "../hls.js/hls.mjs";'),
        ("import 'media-tracks'", "a/b.js", "import '../media-tracks/index.js'"),
        ('import"media-tracks"', "a/b/c.js", 'import"../../media-tracks/index.js"'),
        ('export * from "hls.js"', "hls.js/x.mjs", 'export * from "./hls.mjs"'),
        ('let a;import{b}from"hls.js";', "a/b.js", 'let a;import{b}from"../hls.js/hls.mjs";'),
        ('await import("hls.js")', "a/b.js", 'await import("../hls.js/hls.mjs")'),
        ('import {\n  a,\n  b\n} from "hls.js"', "a/b.js", None),
        ('import x from "./near.js"', "a/b.js", 'import x from "./near.js"'),
        ('// different from "primary"', "a/b.js", '// different from "primary"'),
        ("code()\n//# sourceMappingURL=x.map\n", "a/b.js", "code()\n\n"),
    ],
)
def test_imported_names_become_relative_paths(source, place, expected):
    expected = expected or source.replace("hls.js", "../hls.js/hls.mjs")
    assert assets.rewritten(source, place) == expected


def test_an_unknown_name_is_an_error_and_not_a_broken_page():
    with pytest.raises(StartError, match="imports react"):
        assets.rewritten('import React from "react";', "a/b.js")


def test_every_vendored_module_finds_what_it_imports(tmp_path):
    if not assets.MODULES.is_dir():
        pytest.skip("node_modules is not there; `make assets` makes it")
    vendor = tmp_path / "static" / "vendor"
    assets.copy_packages(assets.MODULES, vendor, "first")
    assets.copy_packages(assets.MODULES, vendor, "second")
    assert (vendor / ".stamp").read_text() == "second"
    assert [path.name for path in vendor.parent.iterdir()] == ["vendor"]
    for package in assets.PACKAGES:
        assert "Copyright" in (vendor / package.name / "LICENSE.txt").read_text()
    modules = [path for path in vendor.rglob("*.js") if path.is_file()]
    assert len(modules) > 80
    for module in modules:
        for name in re.findall(
            r'^(?:import|export)[^;"]* from "([^"]+)"', module.read_text(), re.M
        ):
            assert (module.parent / name).is_file(), (module, name)


def test_the_lock_file_names_no_registry():
    lock = json.loads((assets.ROOT / "package-lock.json").read_text())
    assert all("resolved" not in entry for entry in lock["packages"].values())
    assert all("integrity" in entry for name, entry in lock["packages"].items() if name)


def test_options_complete_the_environment_of_the_programs(tmp_path):
    given = {"HOST": "0.0.0.0", "PORT": "9001", "DATA_DIR": str(tmp_path)}  # noqa: S104 - no start
    options = read_options(given, tmp_path)
    assert options.environment["PUBLIC_URL"] == "http://127.0.0.1:9001"
    assert options.environment["EMBEDDED"] == "1"
    assert options.environment["LOG_FORMAT"] == "text"
    assert options.own_redis
    assert not options.loopback


def test_given_values_stay(tmp_path):
    (tmp_path / "settings").write_text("PUBLIC_URL=https://films.example.org\nLOG_FORMAT=json\n")
    given = {"DATA_DIR": str(tmp_path), "REDIS_URL": "redis://127.0.0.1:1/0", "HOST": "::1"}
    options = read_options(given, tmp_path / "settings")
    assert options.settings.PUBLIC_URL == "https://films.example.org"
    assert options.settings.LOG_FORMAT == "json"
    assert not options.own_redis
    assert options.loopback


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "8.5"])
def test_a_port_that_is_none_is_refused(port, tmp_path):
    with pytest.raises(StartError, match="PORT must be a number"):
        read_options({"PORT": port, "DATA_DIR": str(tmp_path)}, tmp_path)


def test_a_port_in_use_gets_a_sentence_with_another_port():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(StartError, match=f"Port {port} is in use .* make run PORT="):
            checks.check_port("127.0.0.1", port)
    checks.check_port("127.0.0.1", port)


def test_a_data_dir_below_a_file_gets_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match="Cannot write to DATA_DIR"):
        checks.prepare_data_dir(tmp_path / "file" / "data", 0)


def test_a_full_disk_gets_a_sentence(tmp_path):
    with pytest.raises(StartError, match="Make room"):
        checks.prepare_data_dir(tmp_path, 2**60)


def test_ffmpeg_runs_or_gets_a_sentence():
    checks.check_ffmpeg("")
    with pytest.raises(StartError, match="FFMPEG_BINARY"):
        checks.check_ffmpeg("/nowhere/ffmpeg")


def test_a_log_shows_warnings_once_and_stays_bounded(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(logs, "LOG_BYTES", 1000)
    log = logs.Log(tmp_path / "log" / "web.log")
    with log.open() as file:
        file.write(b"12:00:00 INFO    - fine\n12:00:01 WARNING - disk is slow\n12:00:02 ERR")
        file.flush()
        log.follow()
        log.follow()
        assert capsys.readouterr().out == "  web: 12:00:01 WARNING - disk is slow\n"
        file.write(b"OR   - broken\n" + b"x" * 2000)
        file.flush()
        log.follow()
        assert "ERROR   - broken" in capsys.readouterr().out
        assert log.path.stat().st_size == 0
        assert log.path.with_name("web.log.1").stat().st_size > 2000
        file.write(b"after the turn\n")
        file.flush()
        assert log.last_lines() == "after the turn"


def test_a_flood_of_warnings_is_shortened(tmp_path, capsys):
    log = logs.Log(tmp_path / "web.log")
    log.path.write_text("".join(f"WARNING {number}\n" for number in range(100)))
    log.follow()
    assert len(capsys.readouterr().out.splitlines()) == 10


def test_a_new_mail_is_announced_with_its_link(tmp_path, capsys):
    mail = EmailMessage()
    mail["To"], mail["Subject"] = "ada@example.org", "Your Videoflix address"
    mail.set_content("Hello,\nopen http://127.0.0.1:8000/verify/1/abc-def to confirm.\n")
    mail.add_alternative("<a href='http://elsewhere.example/'>x</a>", subtype="html")
    (tmp_path / "old.eml").write_bytes(bytes(mail))
    box = mailbox.Mailbox(tmp_path)
    (tmp_path / "new.eml").write_bytes(bytes(mail))
    box.announce()
    box.announce()
    assert capsys.readouterr().out == (
        "  Mail to ada@example.org: Your Videoflix address\n"
        "    http://127.0.0.1:8000/verify/1/abc-def\n"
    )


def test_a_mail_cannot_move_the_cursor():
    shown = mailbox.describe(
        b"To: a@b.example\r\nSubject: =?utf-8?q?=1B[2Jgone?=\r\n\r\nno link\r\n"
    )
    assert "\x1b" not in shown


def test_a_database_is_up_to_date_at_the_newest_migration(tmp_path):
    versions = tmp_path / "versions"
    versions.mkdir()
    (versions / "a.py").write_text('revision = "aaa"\ndown_revision = None\n')
    (versions / "b.py").write_text("revision: str = 'bbb'\ndown_revision: str | None = 'aaa'\n")
    path = tmp_path / "films.sqlite"
    assert not migrations.up_to_date(f"sqlite:///{path}", versions)
    assert not path.exists()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('aaa')")
        database.commit()
        assert not migrations.up_to_date(f"sqlite:///{path}", versions)
        database.execute("UPDATE alembic_version SET version_num = 'bbb'")
    database.close()
    assert migrations.up_to_date(f"sqlite:///{path}", versions)
    assert not migrations.up_to_date("postgresql://host/films", versions)


class Commands:
    """Stands in for `flask --app wsgi`; fails where told to."""

    def __init__(self, failing=""):
        self.failing = failing
        self.calls = []

    def __call__(self, arguments, text=""):
        self.calls.append((" ".join(arguments[:2]), text))
        failed = self.failing == arguments[0]
        return CompletedProcess(arguments, int(failed), "{}", "Traceback\nIt broke." * failed)


@pytest.fixture
def data_dir(tmp_path):
    checks.prepare_data_dir(tmp_path, 0)
    return tmp_path


@pytest.fixture(autouse=True)
def film(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "FILM", Path(__file__))


def test_a_demo_that_failed_half_way_is_continued(data_dir):
    first = Commands(failing="videos")
    with pytest.raises(StartError, match=r"The demo film failed: It broke\."):
        demo.Demo(data_dir).set_up(first, loopback=True)
    assert demo.Demo(data_dir).wanted
    second = Commands()
    demo.Demo(data_dir).set_up(second, loopback=True)
    assert [call for call, _ in second.calls] == ["videos import"]
    assert not demo.Demo(data_dir).wanted
    assert demo.Demo(data_dir).login() == (demo.EMAIL, demo.PASSWORD)


def test_a_site_that_others_reach_gets_a_password_of_its_own(data_dir):
    commands = Commands()
    demo.Demo(data_dir).set_up(commands, loopback=False)
    _, password = demo.Demo(data_dir).login()
    assert commands.calls[0] == ("users create", f"{password}\n")
    assert password != demo.PASSWORD
    assert len(password) >= 16
    assert (data_dir / "run" / "demo-login").stat().st_mode & 0o077 == 0
    assert not demo.Demo(data_dir).protect(commands, loopback=False)


def test_the_known_password_never_meets_the_outside(data_dir):
    demo.Demo(data_dir).set_up(Commands(), loopback=True)
    with pytest.raises(StartError):
        demo.Demo(data_dir).protect(Commands(failing="users"), loopback=False)
    commands = Commands()
    assert demo.Demo(data_dir).protect(commands, loopback=False)
    assert commands.calls == [("users disable", "")]
    assert demo.Demo(data_dir).login() is None
