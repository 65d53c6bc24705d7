"""Leases and fences: one attempt at a time, and a late one changes nothing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import db, epoch_now
from app.storage import storage
from app.tasks import claims
from app.tasks.claims import LostClaim
from app.tasks.jobs import run_task
from app.tasks.reconcile import ORPHAN_SECONDS, reconcile
from app.videos.models import Status, Task, TaskState, Video
from tests.conftest import run_in_child
from tests.films import made_film, multipart

Work = Callable[[], None]


@pytest.fixture
def task_id(app: APIFlask, signed_in: FlaskClient) -> Iterator[int]:
    """The plan task of a film that was just uploaded, inside an application context."""
    signed_in.post("/api/local-videos/", **multipart(made_film().read_bytes()))
    with app.app_context():
        (found,) = db.session.scalars(db.select(Task.id))
        db.session.rollback()
        yield found


def let_lease_end(task_id: int) -> None:
    db.session.query(Task).where(Task.id == task_id).update({Task.lease_until: epoch_now() - 1})
    db.session.commit()


def test_one_claim_at_a_time(task_id: int) -> None:
    first = claims.claim(task_id, "one")
    assert first is not None
    assert (first.attempts, first.fence) == (1, 1)
    assert claims.claim(task_id, "two") is None
    claims.renew(first)
    claims.finish(first)
    db.session.commit()
    assert claims.claim(task_id, "two") is None
    assert claims.claim(task_id + 1000, "two") is None


def test_a_late_attempt_changes_nothing(task_id: int) -> None:
    late = claims.claim(task_id, "late")
    let_lease_end(task_id)
    now = claims.claim(task_id, "now")
    assert late is not None
    assert now is not None
    assert (now.fence, now.attempts) == (late.fence + 1, 2)
    assert now.attempt != late.attempt
    for step in (claims.renew, claims.hold, claims.finish, lambda mine: claims.give_up(mine, "")):
        with pytest.raises(LostClaim):
            step(late)
        db.session.rollback()
    claims.try_again(late, "")
    db.session.commit()
    claims.renew(now)  # it is still the other's


def test_a_failed_attempt_waits_before_the_next(task_id: int) -> None:
    mine = claims.claim(task_id, "one")
    assert mine is not None
    claims.try_again(mine, "what ffmpeg said")
    db.session.commit()
    assert claims.claim(task_id, "one") is None
    task = db.session.get_one(Task, task_id)
    assert task.log == "what ffmpeg said"
    assert task.not_before > (db.session.scalar(db.select(epoch_now())) or 0)


def test_what_a_dead_worker_held_is_free_at_once(task_id: int) -> None:
    assert claims.claim(task_id, "host:1") is not None
    assert claims.release_worker("host:2") == 0
    assert claims.claim(task_id, "host:2") is None
    assert claims.release_worker("host:1") == 1
    assert claims.claim(task_id, "host:2") is not None


def test_a_film_that_kills_its_worker_fails_in_the_end(
    app: APIFlask, signed_in: FlaskClient, task_id: int
) -> None:
    for _ in range(app.config["TASK_ATTEMPTS"]):  # as if each had been killed
        assert claims.claim(task_id, "victim") is not None
        let_lease_end(task_id)
    run_in_child(lambda: run_task(task_id))
    (video,) = signed_in.get("/api/local-videos/").json
    assert video["status"] == "failed"
    assert video["error"]["code"] == "worker_died"


def test_deleting_waits_for_who_publishes(
    app: APIFlask, signed_in: FlaskClient, task_id: int
) -> None:
    mine = claims.claim(task_id, "one")
    assert mine is not None
    holding, errors = threading.Event(), []

    def publish() -> None:
        with app.app_context():
            try:
                claims.hold(mine)
                holding.set()
                time.sleep(0.5)  # meanwhile the film is being deleted
                db.session.query(Video).update({Video.playable: True})
                db.session.commit()
            except Exception as error:
                errors.append(error)

    thread = threading.Thread(target=publish)
    thread.start()
    assert holding.wait(5)
    answer = signed_in.delete(f"/api/local-videos/{mine.video_id}/")
    thread.join()
    assert (answer.status_code, errors) == (204, [])
    with pytest.raises(LostClaim):
        claims.hold(mine)
    db.session.rollback()


def test_a_film_without_open_work_says_so(signed_in: FlaskClient, task_id: int) -> None:
    db.session.query(Task).update({Task.state: TaskState.FAILED})
    db.session.commit()
    reconcile()
    (video,) = signed_in.get("/api/local-videos/").json
    assert (video["status"], video["error"]["stage"]) == (Status.FAILED, "queue")


def test_files_that_no_row_owns_are_swept_when_they_are_old(app: APIFlask, task_id: int) -> None:
    media = app.config["DATA_DIR"] / "media"
    orphan = media / "films" / ("f" * 32)
    orphan.mkdir()
    (orphan / "original").write_bytes(b"x")
    lost = media / "incoming" / "lost"
    lost.write_bytes(b"x")
    reconcile()
    assert orphan.exists()  # it may belong to a row that is being written
    assert lost.exists()
    old = time.time() - ORPHAN_SECONDS - 60
    os.utime(orphan, (old, old))
    os.utime(lost, (time.time() - 25 * 3600,) * 2)
    reconcile()
    assert not orphan.exists()
    assert not lost.exists()
    film = db.session.scalar(db.select(Video.film))
    assert storage().path(film or "", "original").exists()
