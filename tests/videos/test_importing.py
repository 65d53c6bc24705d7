"""`flask videos import`: what lies in a folder becomes films, each once, whatever happens."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import Any

import av
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient, FlaskCliRunner
from sqlalchemy import select

from app.database import db
from app.media.binary import ffmpeg_binary
from app.storage import open_source, storage
from app.videos.imports import importing
from app.videos.imports.folders import Found, Skipped, look
from app.videos.imports.importing import Line, Order, Outcome, Way
from app.videos.imports.turns import import_turn
from app.videos.models import Series, Subtitle, Video
from app.videos.names import ORIGINAL, image_file
from tests.conftest import make_user, run_in_child, sign_in
from tests.films import made_film, real_film

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SRT = "1\n00:00:00,100 --> 00:00:01,000\nHello <script>alert(1)</script>\n"

Bring = Callable[..., dict[str, list[dict[str, Any]]]]


@pytest.fixture
def admin(app: APIFlask) -> int:
    return make_user(app, "ada@example.org", role="admin")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    folder.mkdir()
    return folder


@pytest.fixture
def bring(runner: FlaskCliRunner, admin: int, library: Path) -> Bring:
    """Import the library with these options; what the report says."""

    def run(*options: str, fails: bool = False) -> dict[str, list[dict[str, Any]]]:
        done = runner.invoke(args=["videos", "import", str(library), "--json", *options])
        assert done.exit_code == int(fails), done.output
        return dict(json.loads(done.stdout))

    return run


def put(path: Path, extra: bytes = b"") -> Path:
    """A film at this place; `extra` makes its bytes its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(made_film(2).read_bytes() + extra)
    return path


def names(lines: list[dict[str, Any]]) -> list[str]:
    return sorted(Path(line["path"]).name for line in lines)


def films(app: APIFlask) -> list[Video]:
    with app.app_context():
        found = list(db.session.scalars(select(Video).order_by(Video.id)))
        db.session.expunge_all()
        db.session.rollback()
    return found


def original(app: APIFlask, video: Video) -> Path:
    with app.app_context():
        return storage().path(video.film, ORIGINAL)


def found_in(folder: Path) -> Found:
    return next(one for one in look([folder], folder / "none") if isinstance(one, Found))


def assert_nothing_else(app: APIFlask, *, leftover: int = 0) -> None:
    """Each folder of a film has its row, each row its file, and no copy is left half done."""
    media = app.config["DATA_DIR"] / "media"
    owned = films(app)
    assert {place.name for place in (media / "films").iterdir()} == {film.film for film in owned}
    assert len(list((media / "incoming").iterdir())) == leftover
    for film in owned:
        assert original(app, film).stat().st_size == film.size


# folders and side-cars


def test_a_folder_becomes_films_once(app: APIFlask, bring: Bring, library: Path) -> None:
    put(library / "Film.Name.2019.1080p.mkv")
    put(library / "Shows" / "Season 1" / "Show.Name.S01E02.Title.mkv", b"1")
    put(library / "Sample" / "a.mkv")
    put(library / "@eaDir" / "a.mkv")
    put(library / "b-sample.mkv")
    put(library / ".hidden.mkv")
    put(library / "c.mkv.part")
    put(library / "d.mkv.crdownload")
    (library / "empty.mkv").touch()
    (library / "readme.txt").write_text("No film.")
    (library / "outside").symlink_to(made_film(2).parent)
    (library / "link.mkv").symlink_to(made_film(2))
    os.mkfifo(library / "pipe")
    report = bring()
    assert [line["title"] for line in report["imported"]] == [
        "Film Name",
        "Title",
    ]
    left = ["@eaDir", "Sample", "b-sample.mkv", "c.mkv.part", "d.mkv.crdownload", "empty.mkv"]
    left += [".hidden.mkv", "link.mkv", "outside", "pipe", "readme.txt"]
    assert names(report["skipped"]) == sorted(left)
    assert all(line["why"] for line in report["skipped"])
    assert_nothing_else(app)
    with app.app_context():
        named = select(Video.title, Video.year, Series.title, Video.season, Video.episode)
        said = db.session.execute(named.outerjoin(Series).order_by(Video.id)).all()
    assert said == [("Film Name", 2019, None, None, None), ("Title", None, "Show Name", 1, 2)]
    for film in films(app):
        digest = hashlib.sha256(original(app, film).read_bytes()).hexdigest()
        assert film.sha256 == digest
    again = bring()
    assert (len(again["imported"]), len(again["already"])) == (0, 2)
    assert len(films(app)) == 2


@sqlite_only
def test_side_cars_come_along(
    app: APIFlask, bring: Bring, library: Path, client: FlaskClient, work: Callable[[], None]
) -> None:
    put(library / "Film.2019.mkv")
    (library / "Film.2019.srt").write_text(SRT)
    (library / "Film.2019.en.srt").write_text(SRT)
    (library / "Film.2019.en.sdh.srt").write_text(SRT)
    (library / "Film.2019.German.forced.vtt").write_text(f"WEBVTT\n\n{SRT.replace(',', '.')}")
    (library / "movie.nfo").write_text(
        "<movie><title>By &lt;b&gt;its&lt;/b&gt; nfo</title><plot>A plot.</plot>"
        "<genre>Drama</genre></movie>"
    )
    red = ["-f", "lavfi", "-i", "color=red:s=640x360", "-frames:v", "1", library / "poster.jpg"]
    subprocess.run([ffmpeg_binary(None), "-nostdin", "-v", "error", *red], check=True, timeout=60)
    report = bring()
    assert report["skipped"] == []
    assert report["imported"][0]["notes"] == []
    work()
    with app.app_context():
        video = db.session.scalars(select(Video)).one()
        assert (video.title, video.description) == ("By <b>its</b> nfo", "A plot.")
        assert (video.category, video.status) == ("Drama", "ready")
        rows = db.session.scalars(select(Subtitle).order_by(Subtitle.label)).all()
        assert [(row.label, row.language, row.is_forced) for row in rows] == [
            ("Captions", "", False),
            ("Deutsch, forced", "deu", True),
            ("English", "en", False),
            ("English, SDH", "en", False),
        ]
        with av.open(str(storage().path(video.film, image_file("poster.jpg")))) as opened:
            small = next(opened.decode(video=0)).reformat(2, 2, "rgb24")
            pixel = bytes(small.planes[0])[:2]
        assert pixel[0] > 200 > 60 > pixel[1]
    page = sign_in(client, "ada@example.org").get("/my-videos").text
    assert "By &lt;b&gt;its&lt;/b&gt; nfo" in page


@sqlite_only
def test_a_side_car_that_cannot_be_read_stops_no_film(
    app: APIFlask, bring: Bring, library: Path
) -> None:
    put(library / "One.mkv")
    put(library / "One.2.mkv", b"2")
    (library / "One.srt").write_text("nothing")
    (library / "One.2.srt").write_bytes(b"1" * 2_000_000)
    (library / "One.nfo").write_text('<!DOCTYPE a [<!ENTITY b "c">]><movie><title>&b;</title>')
    (library / "One.jpg").write_text("no picture")
    (library / "poster.jpg").write_text("of neither")
    report = bring()
    notes = {line["title"]: line["notes"] for line in report["imported"]}
    assert [note.split(":")[0] for note in notes["One"]] == ["One.nfo", "One.srt", "One.jpg"]
    assert [note.split(":")[0] for note in notes["One 2"]] == ["One.2.srt"]
    assert names(report["skipped"]) == ["poster.jpg"]
    assert_nothing_else(app)


@sqlite_only
def test_any_name_on_a_disk(
    app: APIFlask, bring: Bring, library: Path, client: FlaskClient
) -> None:
    hostile = json.loads(real_film("hostile/names.json").read_text())["on_disk"]
    hostile = [name for name in hostile if not name.startswith(".")]
    for number, name in enumerate(hostile):
        put(library / name, b"%d" % number)
    put(Path(os.fsdecode(os.fsencode(library) + b"/not-utf8-\xff\xfe.mp4")), b"x")
    report = bring("--link")
    assert len(report["imported"]) == len(hostile) + 1
    for film in films(app):
        assert film.title.isprintable()
        assert film.title
        assert len(film.film) == 32
    assert_nothing_else(app)
    for page in ("/my-videos", "/browse"):
        assert "<img src=x" not in sign_in(client, "ada@example.org").get(page).text


@sqlite_only
def test_the_sites_own_films_are_left_alone(
    app: APIFlask, runner: FlaskCliRunner, bring: Bring, library: Path
) -> None:
    put(library / "a.mkv")
    bring()
    done = runner.invoke(args=["videos", "import", str(library.parent)])
    assert "0 imported, 1 already there" in done.stdout
    assert "keeps its own files" in done.stdout


@sqlite_only
def test_words_of_the_command(
    app: APIFlask, runner: FlaskCliRunner, admin: int, library: Path, tmp_path: Path
) -> None:
    film = put(library / "Film.Name.2019.1080p.mkv")
    text = tmp_path / "text.mkv"
    text.write_text("No film.")

    def run(*words: object) -> tuple[int, str]:
        done = runner.invoke(args=["videos", "import", *map(str, words)])
        return done.exit_code, done.output

    code, said = run(library, "--dry-run")
    assert code == 0
    assert "1 would import" in said
    assert films(app) == []
    assert run(text)[0] == 1
    assert "not a film" in run(text)[1]
    assert "Choose --link or --move" in run(library, "--link", "--move")[1]
    assert "no account" in run(library, "--owner", "nobody@example.org")[1]
    code, said = run(film, text, "--title", "<b>\x1b[31m", "--global", "--category", "C")
    assert code == 1  # one of both failed
    assert "\x1b" not in said
    assert "1 imported, 0 already there, 0 skipped, 1 failed." in said
    only = films(app)[0]
    assert (only.is_global, only.category, only.owner_id) == (True, "C", admin)
    put(library / "Another.mkv", b"2")
    assert "single file" in run(library, "--title", "T")[1]


# links and moves


@sqlite_only
def test_a_link_shares_the_bytes(app: APIFlask, bring: Bring, library: Path) -> None:
    source = put(library / "a.mkv")
    app.config["MIN_FREE_BYTES"] = 10**18  # a link needs no room
    bring("--link")
    assert original(app, films(app)[0]).samefile(source)
    assert films(app)[0].sha256 is None  # made in the background
    assert len(bring("--link")["already"]) == 1
    with app.app_context():
        storage().delete_film(films(app)[0].film)
    assert source.read_bytes() == made_film(2).read_bytes()


@sqlite_only
def test_a_move_takes_the_file(app: APIFlask, bring: Bring, library: Path) -> None:
    source = put(library / "a.mkv")
    facts = source.stat()
    bring("--move")
    assert not source.exists()
    assert original(app, films(app)[0]).stat().st_ino == facts.st_ino
    assert_nothing_else(app)


@pytest.fixture
def other_disk(app: APIFlask) -> Iterator[Path]:
    """A folder on another file system."""
    memory = Path("/dev/shm")  # noqa: S108 - the folder made in it has a name of its own
    if not memory.is_dir() or memory.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev:
        pytest.skip("there is no second file system")
    folder = Path(tempfile.mkdtemp(prefix="vf-", dir=memory))
    yield folder
    shutil.rmtree(folder)


@sqlite_only
def test_another_disk(app: APIFlask, runner: FlaskCliRunner, admin: int, other_disk: Path) -> None:
    source = put(other_disk / "a.mkv")
    done = runner.invoke(args=["videos", "import", str(other_disk), "--link"])
    assert done.exit_code == 1
    assert "Leave --link out" in done.stdout
    assert_nothing_else(app)
    done = runner.invoke(args=["videos", "import", str(other_disk), "--move"])
    assert done.exit_code == 0, done.output
    assert not source.exists()
    assert_nothing_else(app)


# room


@sqlite_only
@pytest.mark.parametrize("setting", ["MIN_FREE_BYTES", "USER_QUOTA_BYTES"])
def test_no_more_than_there_is_room(
    app: APIFlask, bring: Bring, library: Path, setting: str
) -> None:
    size = put(library / "a.mkv").stat().st_size
    put(library / "b.mkv", b"2")
    app.config[setting] = 10**18 if setting == "MIN_FREE_BYTES" else size + 10
    report = bring(fails=True)
    assert len(report["failed"]) == (2 if setting == "MIN_FREE_BYTES" else 1)
    assert_nothing_else(app)


# once, whatever happens


def take(found: Found, order: Order, told: Callable[[int], None] = lambda _count: None) -> Line:
    return importing.take(found, order, told)


def die(_count: int = 0) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_killed_in_the_middle_of_a_copy(
    app: APIFlask, admin: int, bring: Bring, library: Path
) -> None:
    put(library / "a.mkv")
    put(library / "b.mkv", os.urandom(3 * 2**20))
    with app.app_context():
        first, second = (one for one in look([library], library / "-") if isinstance(one, Found))

        def job() -> None:
            take(first, Order(admin))
            take(second, Order(admin), die)

        run_in_child(job)
    assert [film.title for film in films(app)] == ["a"]
    assert_nothing_else(app, leftover=1)
    report = bring()
    assert (names(report["already"]), names(report["imported"])) == (["a.mkv"], ["b.mkv"])
    assert_nothing_else(app)
    copied = original(app, films(app)[1]).read_bytes()
    assert copied == (library / "b.mkv").read_bytes()


@sqlite_only
def test_killed_before_a_moved_file_is_removed(
    app: APIFlask, admin: int, bring: Bring, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = put(library / "a.mkv")
    with app.app_context(), monkeypatch.context() as patch:
        patch.setattr(importing, "_remove", die)
        found = found_in(library)

        def job() -> None:
            take(found, Order(admin, Way.MOVE))

        run_in_child(job)
    assert source.exists()
    assert len(bring("--move")["already"]) == 1
    assert not source.exists()
    assert len(films(app)) == 1
    assert_nothing_else(app)


@sqlite_only
def test_interrupted_with_a_report(
    app: APIFlask,
    runner: FlaskCliRunner,
    admin: int,
    library: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(library / "a.mkv")
    put(library / "b.mkv", b"2")

    def interrupted(path: Path) -> BufferedReader:
        if path.name == "b.mkv":
            raise KeyboardInterrupt
        return open_source(path)

    with monkeypatch.context() as patch:
        patch.setattr("app.storage.local.open_source", interrupted)
        done = runner.invoke(args=["videos", "import", str(library)])
    assert done.exit_code == 130
    assert "1 imported" in done.stdout
    assert "again to go on" in done.stderr
    assert [film.title for film in films(app)] == ["a"]
    assert_nothing_else(app)


def test_folders_as_deep_as_a_disk_allows(library: Path) -> None:
    here = os.open(library, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    assert all(isinstance(one, Skipped) for one in look([library], library / "-"))
    subprocess.run(["rm", "-rf", library], check=True)


@sqlite_only
def test_a_file_that_changes_meanwhile_is_no_film_yet(
    app: APIFlask, admin: int, library: Path
) -> None:
    path = put(library / "a.mkv")

    def append(_count: int) -> None:
        path.write_bytes(path.read_bytes() + b"more")

    with app.app_context():
        line = take(found_in(library), Order(admin), append)
    assert line.outcome is Outcome.FAILED
    assert "changed" in line.why
    assert_nothing_else(app)


@sqlite_only
def test_the_same_bytes_under_another_name(app: APIFlask, bring: Bring, library: Path) -> None:
    put(library / "a.mkv")
    bring()
    shutil.copy(library / "a.mkv", library / "b.mkv")
    put(library / "c.mkv", b"another")
    for way in ("--link", "--move"):
        report = bring(way)
        assert "b.mkv" in names(report["already"])
    assert len(films(app)) == 2
    assert (library / "b.mkv").exists()  # it is no film, so it stays


def test_two_imports_take_turns(app: APIFlask, runner: FlaskCliRunner, admin: int) -> None:
    with app.app_context():
        with import_turn() as mine:
            assert mine

            def another() -> None:
                with app.app_context(), import_turn() as theirs:
                    assert not theirs
                    tried.append(theirs)

            tried: list[bool] = []
            thread = threading.Thread(target=another)
            thread.start()
            thread.join()
            assert tried == [False]
        with import_turn() as mine:
            assert mine


@sqlite_only
def test_an_account_that_was_closed_gets_none(app: APIFlask, admin: int, library: Path) -> None:
    put(library / "a.mkv")
    with app.app_context():
        line = take(found_in(library), replace(Order(admin), owner_id=admin + 1))
    assert line.outcome is Outcome.FAILED


@sqlite_only
def test_the_nfo_of_an_episode_names_its_series(app: APIFlask, bring: Bring, library: Path) -> None:
    put(library / "a.mkv")
    (library / "a.nfo").write_text(
        "<episodedetails><title>Pilot</title><showtitle>Show</showtitle><season>2</season>"
        "<episode>3</episode><year>1999</year></episodedetails>"
    )
    put(library / "Show.S02E04.mkv", b"1")
    (library / "Show.S02E04.nfo").write_text(
        "<episodedetails><title>Part two</title><season>2</season><episode>4</episode>"
        "<year>0</year></episodedetails>"
    )
    put(library / "Show.S02E05.1080p.mkv", b"2")
    bring()
    with app.app_context():
        said = select(Video.title, Video.year, Series.title, Video.season, Video.episode)
        found = db.session.execute(said.join(Series).order_by(Video.episode)).all()
    assert found == [
        ("Pilot", 1999, "Show", 2, 3),
        ("Part two", None, "Show", 2, 4),
        ("S02E05", None, "Show", 2, 5),
    ]
