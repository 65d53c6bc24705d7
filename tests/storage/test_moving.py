"""`flask storage move`: films change their place while they are watched."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient, FlaskCliRunner
from sqlalchemy import select

from app.database import db
from app.storage import both, forms
from app.storage.s3 import S3Storage
from app.tasks import audit, moving
from app.tasks.reconcile import reconcile
from app.videos.models import Status, Video
from config import Settings
from tests.films import made_film

from .test_film import audited, hashes, promised, segments, upload

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

Work = Callable[[], None]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """New films stay on this disk; there is a bucket."""
    return dataclasses.replace(settings, STORAGE="local")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "GRACE_SECONDS", 0.0)
    monkeypatch.setattr(both, "KNOWN_SECONDS", 0.0)
    monkeypatch.setattr(audit, "SETTLE_SECONDS", 0.05)


def run(runner: FlaskCliRunner, to: str) -> tuple[int, dict[str, Any]]:
    done = runner.invoke(args=["storage", "move", "--to", to, "--json"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, json.loads(done.output)


def places(app: APIFlask) -> dict[str, set[str]]:
    """What lies in each place, film and name."""
    with app.app_context():
        return {
            place: {
                f"{film}/{entry.name}"
                for film in form.films()
                for entry in form.entries(film)
                if not entry.is_folder
            }
            for place, form in forms().items()
        }


def test_there_and_back_again(
    app: APIFlask,
    signed_in: FlaskClient,
    runner: FlaskCliRunner,
    work: Work,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    films = [upload(signed_in, made_film().read_bytes()) for _ in range(2)]
    work()
    wanted = promised(app)
    assert hashes(segments(signed_in, films[0])) == wanted
    everything = places(app)
    assert everything["s3"] == set()

    write, count = S3Storage.write_blocks, 0

    def stopped(self: S3Storage, film: str, name: str, blocks: Any) -> None:
        nonlocal count
        count += 1
        if count == len(everything["local"]) * 3 // 4:
            raise KeyboardInterrupt
        write(self, film, name, blocks)
        assert hashes(segments(signed_in, films[0])) == wanted, "it is watched all the while"

    with monkeypatch.context() as patched:
        patched.setattr(S3Storage, "write_blocks", stopped)
        code, told = run(runner, "s3")
    assert (code, told["stopped"]) == (1, True)
    assert hashes(segments(signed_in, films[0])) == wanted
    code, told = run(runner, "s3")
    assert (code, told["left"]) == (0, [])
    assert places(app) == {"local": set(), "s3": everything["local"]}
    for video_id in films:
        assert hashes(segments(signed_in, video_id)) == wanted
    assert audited(runner) == []
    code, told = run(runner, "local")
    assert (code, len(told["moved"])) == (0, 2)
    assert places(app) == everything
    assert hashes(segments(signed_in, films[0])) == wanted
    for video_id in films:
        assert signed_in.delete(f"/api/local-videos/{video_id}/").status_code == 204
    assert places(app) == {"local": set(), "s3": set()}


def test_what_is_worked_on_or_damaged_stays(
    app: APIFlask, signed_in: FlaskClient, runner: FlaskCliRunner, work: Work
) -> None:
    damaged = upload(signed_in, made_film().read_bytes())
    work()
    busy = upload(signed_in, made_film().read_bytes())
    with app.app_context():
        film = db.session.get_one(Video, damaged).film
        segment = next((app.config["DATA_DIR"] / "media/films" / film).rglob("0.m4s"))
        data = segment.read_bytes()
        segment.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    code, told = run(runner, "s3")
    assert code == 1
    assert {line["video_id"]: line["fate"] for line in told["left"]} == {
        damaged: "changed",
        busy: "busy",
    }
    assert places(app)["s3"] == set()
    work()
    segment.write_bytes(data)
    assert run(runner, "s3")[0] == 0
    with app.app_context():
        assert set(db.session.scalars(select(Video.storage))) == {"s3"}
        assert set(db.session.scalars(select(Video.status))) == {Status.READY}


def test_what_a_stopped_run_left_is_swept(
    app: APIFlask,
    signed_in: FlaskClient,
    runner: FlaskCliRunner,
    monkeypatch: pytest.MonkeyPatch,
    work: Work,
) -> None:
    upload(signed_in, made_film().read_bytes())
    work()
    before = places(app)
    monkeypatch.setattr(moving, "_forget_old", lambda _switched: [])  # it is killed before that
    assert run(runner, "s3")[0] == 0
    assert places(app) == {"local": before["local"], "s3": before["local"]}
    monkeypatch.setattr(audit, "LEFTOVER_SECONDS", -10)
    assert [found["action"] for found in audited(runner)] == ["remove"]
    with app.app_context():
        monkeypatch.setattr("app.tasks.reconcile.LEFTOVER_SECONDS", -10)
        reconcile()
    assert places(app) == {"local": set(), "s3": before["local"]}
    assert audited(runner) == []
