"""What counts as an attempt, and that no attempt costs a film its file."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import delete, update
from sqlalchemy.exc import OperationalError

from app.database import db, epoch_now, update_rows
from app.storage import storage
from app.tasks import claims
from app.tasks.jobs import run_task
from app.tasks.pipeline import HANDLERS
from app.tasks.reconcile import reconcile
from app.videos.models import Task, TaskKind, Video
from tests.conftest import run_in_child

from .test_converters import states, upload

ATTEMPTS = 4


@pytest.fixture
def task_id(app: APIFlask, signed_in: FlaskClient) -> Iterator[int]:
    """The plan task of a film that was just uploaded, inside an application context."""
    upload(signed_in)
    with app.app_context():
        assert app.config["TASK_ATTEMPTS"] == ATTEMPTS
        (found,) = db.session.scalars(db.select(Task.id))
        db.session.rollback()
        yield found


def test_handing_back_on_a_stop_of_ours_is_no_attempt(task_id: int) -> None:
    for _ in range(ATTEMPTS + 1):  # so many releases are deployed while it is being worked on
        mine = claims.claim(task_id, "host:1")
        assert mine is not None
        assert mine.attempts == 1
        assert claims.release_worker("host:1", counts=False) == 1


def test_a_death_counts_and_after_the_first_the_next_attempt_waits(task_id: int) -> None:
    pauses = []
    for attempt in range(1, ATTEMPTS + 2):
        mine = claims.claim(task_id, "host:1")
        assert mine is not None
        assert mine.attempts == attempt
        assert claims.release_worker("host:1") == 1
        pause = db.session.scalar(
            db.select(Task.not_before - epoch_now()).where(Task.id == task_id)
        )
        pauses.append(round(pause or 0.0))
        assert (claims.claim(task_id, "host:2") is None) is (attempt > 1)
        update_rows(
            update(Task).values(not_before=0.0, lease_until=0.0, attempts=attempt, worker="host:1")
        )
        db.session.commit()
    assert pauses == [0, 5, 20, 60, 60]


@pytest.mark.parametrize("deleted", [True, False])
def test_no_error_is_told_of_a_film_that_was_deleted_meanwhile(
    signed_in: FlaskClient,
    task_id: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    deleted: bool,
) -> None:
    def miss(mine: claims.Claim, _stop: Callable[[], bool]) -> None:
        if deleted:
            update_rows(delete(Video).where(Video.id == mine.video_id))
            db.session.commit()
        raise FileNotFoundError("There is no such object")

    def job() -> None:
        logging.getLogger("app").addHandler(logging.FileHandler(tmp_path / "log"))
        run_task(task_id)

    monkeypatch.setitem(HANDLERS, TaskKind.PLAN, miss)
    run_in_child(job)
    said = (tmp_path / "log").read_text()
    assert ("task stopped" in said, "task failed" in said) == (deleted, not deleted)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (OperationalError("UPDATE tasks", {}, Exception("terminated")), "conversion_failed"),
        (RuntimeError("a mistake of ours"), "conversion_failed"),
    ],
    ids=["disk", "database", "mistake"],
)
def test_an_error_that_is_not_the_films_is_tried_again_and_keeps_its_file(
    signed_in: FlaskClient,
    task_id: int,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    code: str,
) -> None:
    def fail(_mine: object, _stop: Callable[[], bool]) -> None:
        raise error

    monkeypatch.setitem(HANDLERS, TaskKind.PLAN, fail)
    for attempt in range(1, ATTEMPTS + 1):
        assert set(states(signed_in).values()) == {"processing"}, attempt
        run_in_child(lambda: run_task(task_id))
        update_rows(update(Task).values(not_before=0.0))
        db.session.commit()
    (video,) = signed_in.get("/api/local-videos/").json
    assert (video["status"], video["error"]["code"]) == ("failed", code)
    film = db.session.scalar(db.select(Video.film)) or ""
    db.session.rollback()
    assert storage().path(film, "original").exists()
    reconcile()
    goes_on = code == "disk_full"  # there is room
    assert set(states(signed_in).values()) == {"processing" if goes_on else "failed"}
