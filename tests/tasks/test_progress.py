"""What a film becomes when its tasks end, also at the same moment."""

from __future__ import annotations

import threading

import pytest
from apiflask import APIFlask

from app.database import db
from app.media.plan import make_plan
from app.media.probe import probe
from app.storage import storage
from app.tasks import claims
from app.tasks.jobs import run_task
from app.tasks.progress import review
from app.videos.models import Grid, Status, Task, TaskKind, TaskState, Video
from app.videos.names import ORIGINAL
from tests.conftest import run_in_child
from tests.films import made_film
from tests.videos.test_lists import add_films


def test_two_tasks_that_end_at_once_make_the_film_ready(app: APIFlask, member: int) -> None:
    (film,) = add_films(app, member, 1, status=Status.PROCESSING, playable=False)
    with app.app_context():
        tasks = [Task(video_id=film, kind=TaskKind.CHUNK) for _ in range(2)]
        db.session.add_all(tasks)
        db.session.commit()
        mine = [claims.claim(task.id, "worker") for task in tasks]
        db.session.remove()
    first_reviewed, second_begun = threading.Event(), threading.Event()

    def end(number: int) -> None:
        with app.app_context():
            claim = mine[number]
            assert claim is not None
            if number == 1:
                assert first_reviewed.wait(10)
                second_begun.set()
            claims.hold(claim)
            claims.finish(claim)
            review(film)
            if number == 0:
                first_reviewed.set()
                assert second_begun.wait(10)
                threading.Event().wait(0.3)  # the second now waits for this one's commit
            db.session.commit()
            db.session.remove()

    threads = [threading.Thread(target=end, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with app.app_context():
        assert db.session.get_one(Video, film).status == Status.READY


@pytest.mark.parametrize("kind", [TaskKind.POSTER, TaskKind.TEXT])
def test_an_extra_that_fails_last_leaves_the_film_ready(
    app: APIFlask, member: int, kind: TaskKind
) -> None:
    (film,) = add_films(app, member, 1, status=Status.PROCESSING, playable=True)
    with app.app_context():
        task = Task(video_id=film, kind=kind, attempts=app.config["TASK_ATTEMPTS"] - 1)
        plan = make_plan(probe(made_film(1)))
        original = storage().path(db.session.get_one(Video, film).film, ORIGINAL)
        original.parent.mkdir(parents=True)
        original.write_text("no film any more")
        db.session.add_all([task, Grid(video_id=film, plan=plan.to_json())])
        db.session.commit()
        task_id = task.id
        run_in_child(lambda: run_task(task_id))
        db.session.expire_all()
        assert db.session.get_one(Task, task_id).state == TaskState.FAILED
        assert db.session.get_one(Video, film).status == Status.READY
