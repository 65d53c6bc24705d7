"""Jobs that are announced many times, or by another release."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import db
from app.tasks.jobs import run_task
from app.tasks.queue import RUN_TASK, SOON, VIDEOS, queue
from app.tasks.reconcile import reconcile
from app.videos.models import Task, TaskKind
from tests.conftest import run_in_child
from tests.films import made_film, multipart

from .test_converters import REAL, converter, states, upload, workers
from .test_faults import wait_for


@pytest.mark.slow
def test_the_same_jobs_ten_times_among_four_workers_fill_each_cell_once(
    app: APIFlask, signed_in: FlaskClient, tmp_path: Path
) -> None:
    film = made_film(20, "640x360", "mpeg4").read_bytes()
    video_id = signed_in.post("/api/local-videos/", **multipart(film)).json["id"]
    with app.app_context():
        (plan,) = db.session.scalars(db.select(Task.id))
        run_in_child(lambda: run_task(plan))
        for name in (SOON, VIDEOS):
            queue(name).empty()
        tasks = db.session.scalars(db.select(Task.id)).all()
        for task_id in [*tasks] * 10:
            queue(VIDEOS).enqueue(RUN_TASK, task_id)
        db.session.rollback()
    calls = tmp_path / "calls"
    script = converter(tmp_path, f'echo "$*" >> "{calls}"\n{REAL}')
    with workers(app, tmp_path / "worker.log", count=4, FFMPEG_BINARY=script):
        wait_for(lambda: states(signed_in) == {video_id: "ready"})
        wait_for(lambda: _waiting(app) == 0)
    with app.app_context():
        done = db.session.scalars(db.select(Task)).all()
        assert {task.attempts for task in done} == {1}
        chunks = [task for task in done if task.kind == TaskKind.CHUNK]
    encoded = [line for line in calls.read_text().splitlines() if ".part" in line]
    assert len(encoded) == len(chunks)


def test_a_job_with_a_parameter_of_another_release_is_announced_again(
    app: APIFlask, signed_in: FlaskClient, work: Callable[[], None]
) -> None:
    video_id = upload(signed_in)
    with app.app_context():
        (task_id,) = db.session.scalars(db.select(Task.id))
        queue(SOON).empty()
        queue(SOON).enqueue(RUN_TASK, task_id, "of a later release")
        db.session.rollback()
    work()
    assert states(signed_in) == {video_id: "processing"}
    with app.app_context():
        reconcile()
    work()
    assert states(signed_in) == {video_id: "ready"}


def _waiting(app: APIFlask) -> int:
    with app.app_context():
        return sum(int(queue(name).count) for name in (SOON, VIDEOS))
