"""The watched folder: what is complete becomes a film, once, and by itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from apiflask import APIFlask
from sqlalchemy import select

from app.database import db
from app.tasks.watching import Watch
from app.videos import service
from app.videos.imports.importing import Outcome
from app.videos.imports.turns import import_turn
from app.videos.models import Video
from tests.conftest import make_user
from tests.films import made_film

from .test_converters import workers
from .test_faults import wait_for

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def folder(app: APIFlask, tmp_path: Path) -> Path:
    """The watched folder of a site that has an administrator."""
    make_user(app, "ada@example.org", role="admin")
    place = tmp_path / "watched"
    place.mkdir()
    app.config.update(WATCH_FOLDER=place)
    return place


@pytest.fixture
def watch(app: APIFlask, folder: Path) -> Iterator[Watch]:
    with app.app_context():
        yield new_watch(app)
        db.session.rollback()


def new_watch(app: APIFlask) -> Watch:
    return Watch(app.config["WATCH_FOLDER"], app.config["DATA_DIR"] / "imports" / "watched.jsonl")


def put(path: Path, extra: bytes = b"") -> Path:
    path.write_bytes(made_film(2).read_bytes() + extra)
    return path


def outcomes(watch: Watch) -> list[str]:
    return [line.outcome for line in watch.look()]


def titles() -> list[str]:
    found = list(db.session.scalars(select(Video.title).order_by(Video.id)))
    db.session.rollback()
    return found


def test_a_file_is_taken_once_it_is_complete(app: APIFlask, folder: Path, watch: Watch) -> None:
    path = folder / "Film.Name.2019.mkv"
    path.write_bytes(made_film(2).read_bytes()[:2000])
    assert outcomes(watch) == []
    put(path)
    assert outcomes(watch) == []  # it changed since
    assert outcomes(watch) == [Outcome.IMPORTED]
    assert titles() == ["Film Name"]
    assert outcomes(watch) == []
    assert path.exists()
    another = new_watch(app)
    assert outcomes(another) == outcomes(another) == []


@sqlite_only
def test_a_film_that_was_deleted_does_not_come_back(
    app: APIFlask, folder: Path, watch: Watch
) -> None:
    path = put(folder / "a.mkv")
    assert [*outcomes(watch), *outcomes(watch)] == [Outcome.IMPORTED]
    service.remove(db.session.scalars(select(Video)).one())
    db.session.commit()
    again = new_watch(app)
    assert [*outcomes(again), *outcomes(again)] == []
    put(path, b"another cut")
    assert [*outcomes(again), *outcomes(again)] == [Outcome.IMPORTED]


@sqlite_only
def test_a_failure_is_told_once_and_tried_again_when_the_file_changes(
    app: APIFlask,
    folder: Path,
    watch: Watch,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    path = put(folder / "a.mkv")
    path.chmod(0o600)
    watch.look()

    def unreadable(*_arguments: object) -> str:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("app.storage.local.LocalStorage.adopt", unreadable)
        assert outcomes(watch) == [Outcome.FAILED]
    assert outcomes(watch) == []
    assert sum("Permission denied" in record.getMessage() for record in caplog.records) == 1
    put(path, b"2")
    assert [*outcomes(watch), *outcomes(watch)] == [Outcome.IMPORTED]


@sqlite_only
def test_what_had_no_room_waits_for_it(
    app: APIFlask, folder: Path, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    put(folder / "a.mkv")
    reserve, app.config["MIN_FREE_BYTES"] = app.config["MIN_FREE_BYTES"], 10**18
    watch.look()
    assert [*outcomes(watch), *outcomes(watch)] == [Outcome.FAILED] * 2
    assert sum("no room" in record.getMessage() for record in caplog.records) == 1
    app.config["MIN_FREE_BYTES"] = reserve
    assert outcomes(watch) == [Outcome.IMPORTED]


@sqlite_only
def test_one_at_a_time_and_for_whom_it_was_said(
    app: APIFlask, folder: Path, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    path = put(folder / "a.mkv")
    watch.look()
    with import_turn():
        assert outcomes(watch) == []
    app.config.update(WATCH_OWNER="mara@example.org", WATCH_GLOBAL=True, WATCH_ACTION="move")
    assert outcomes(watch) == outcomes(watch) == []
    assert sum("nobody can own" in record.getMessage() for record in caplog.records) == 1
    member = make_user(app, "mara@example.org")
    assert outcomes(watch) == [Outcome.IMPORTED]
    video = db.session.scalars(select(Video)).one()
    assert (video.owner_id, video.is_global) == (member, True)
    assert not path.exists()


@sqlite_only
def test_the_journal_may_be_cut_off(app: APIFlask, folder: Path, watch: Watch) -> None:
    put(folder / "a.mkv")
    assert [*outcomes(watch), *outcomes(watch)] == [Outcome.IMPORTED]
    journal = app.config["DATA_DIR"] / "imports" / "watched.jsonl"
    journal.write_text(journal.read_text()[:-5])
    assert outcomes(watch) == [Outcome.ALREADY]  # the film's row knows
    assert outcomes(watch) == []
    put(folder / "b.mkv", b"2")
    assert [*outcomes(watch), *outcomes(watch)] == [Outcome.IMPORTED]


@sqlite_only
def test_a_folder_that_is_away(
    folder: Path, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    folder.rmdir()
    assert outcomes(watch) == outcomes(watch) == []
    assert sum("not mounted" in record.getMessage() for record in caplog.records) == 1
    folder.mkdir()
    put(folder / "a.mkv")
    assert [*outcomes(watch), *outcomes(watch)] == [Outcome.IMPORTED]


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_pools_take_each_film_once(app: APIFlask, folder: Path, tmp_path: Path) -> None:
    settings = {"WATCH_FOLDER": str(folder), "WATCH_SECONDS": "1"}
    log = tmp_path / "worker.log"
    with (
        app.app_context(),
        workers(app, log, count=1, **settings),
        workers(app, log, count=1, **settings),
    ):
        for number in range(4):
            put(folder / f"film {number}.mkv", b"%d" % number)
            time.sleep(0.3)
        wait_for(lambda: len(titles()) == 4, 60)
        time.sleep(2.5)  # two more looks of each
        assert sorted(titles()) == [f"film {number}" for number in range(4)]
        incoming = app.config["DATA_DIR"] / "media" / "incoming"
        assert list(incoming.iterdir()) == []
