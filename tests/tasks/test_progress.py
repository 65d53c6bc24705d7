"""What a film becomes when its tasks end, also at the same moment."""

from __future__ import annotations

import threading

from apiflask import APIFlask

from app.database import db
from app.tasks import claims
from app.tasks.progress import review
from app.videos.models import Status, Task, TaskKind, Video
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
