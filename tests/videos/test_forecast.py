"""How long a film still takes and when its turn comes, told from what was measured."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import db, epoch_now
from app.videos.forecast import ENOUGH, Forecast, Place, forecasts_of
from app.videos.models import Status, Task, TaskKind, TaskState, Video
from app.videos.names import new_film
from bench.statements import statements
from tests.conftest import make_user
from tests.films import made_film, multipart

SITE_SPEED = 50.0
"""Millions of encoded pixels a second, of the chunks that `measured` adds."""


def measured(video_id: int, *, speed: float = SITE_SPEED, chunks: int = 1) -> None:
    """Chunks of a film that are done, at this speed."""
    db.session.add_all(
        Task(
            video_id=video_id,
            kind=TaskKind.CHUNK,
            state=TaskState.DONE,
            work=speed * 2,
            seconds=2.0,
        )
        for _ in range(chunks)
    )
    db.session.flush()


def film(owner_id: int, *works: float, status: Status = Status.PROCESSING) -> Video:
    """A film with a waiting chunk for each of these amounts of work."""
    video = Video(owner_id=owner_id, film=new_film(), title="Film", size=1, status=status)
    db.session.add(video)
    db.session.flush()
    db.session.add_all(Task(video_id=video.id, kind=TaskKind.CHUNK, work=work) for work in works)
    db.session.flush()
    return video


def taken_up(video: Video, **facts: object) -> None:
    """Let a worker be at one of the film's tasks."""
    task = db.session.scalars(db.select(Task).where(Task.video_id == video.id)).first()
    assert task is not None
    for name, value in (facts or {"lease_until": epoch_now() + 60}).items():
        setattr(task, name, value)
    db.session.flush()


def test_an_owners_films_follow_each_other(app: APIFlask, member: int) -> None:
    with app.app_context():
        measured(film(member, status=Status.READY).id)
        first, second, third = film(member, 100, 200), film(member, 300), film(member, 50)
        taken_up(first)
        assert forecasts_of([first, second, third]) == {
            first.id: Forecast(300 / SITE_SPEED, None),
            second.id: Forecast(600 / SITE_SPEED, Place(1, 2)),
            third.id: Forecast(650 / SITE_SPEED, Place(2, 2)),
        }


def test_owners_share_and_more_workers_do_more(app: APIFlask, member: int) -> None:
    other = make_user(app, "other@example.org")
    with app.app_context():
        measured(film(member, status=Status.READY).id)
        long, later, short = film(member, 1000), film(member, 100), film(other, 200)
        taken_up(long)
        # The other owner has every second turn; then all that is left is the first one's.
        found = forecasts_of([long, later, short])
        assert [found[each.id].eta for each in (long, later, short)] == [
            1200 / SITE_SPEED,
            1300 / SITE_SPEED,
            400 / SITE_SPEED,
        ]
        assert found[short.id].queue == Place(1, 2)  # an owner's first film before a second one
        assert found[later.id].queue == Place(2, 2)
        taken_up(short)
        assert forecasts_of([long])[long.id].eta == 1200 / SITE_SPEED / 2


def test_what_viewers_wait_for_goes_before_it(app: APIFlask, member: int) -> None:
    other = make_user(app, "other@example.org")
    with app.app_context():
        measured(film(member, status=Status.READY).id)
        mine, watched = film(member, 100), film(other, 400, status=Status.READY)
        taken_up(watched, wanted_at=epoch_now())
        assert forecasts_of([mine])[mine.id] == Forecast(500 / SITE_SPEED, Place(1, 1))


def test_a_films_own_speed_counts_once_there_is_enough_of_it(app: APIFlask, member: int) -> None:
    with app.app_context():
        measured(film(member, status=Status.READY).id, chunks=10)
        mine = film(member, 100)
        measured(mine.id, speed=10, chunks=ENOUGH - 1)
        assert forecasts_of([mine])[mine.id].eta != 10.0
        measured(mine.id, speed=10)
        assert forecasts_of([mine])[mine.id].eta == 10.0


def test_nothing_is_foretold_of_what_is_unknown(app: APIFlask, member: int) -> None:
    with app.app_context():
        mine = film(member, 100)
        assert forecasts_of([mine])[mine.id] == Forecast(None, Place(1, 1))  # nothing was measured
        measured(film(member, status=Status.READY).id)
        assert forecasts_of([mine])[mine.id].eta == 100 / SITE_SPEED
        db.session.add(Task(video_id=mine.id, kind=TaskKind.PLAN))
        db.session.flush()
        assert forecasts_of([mine])[mine.id].eta is None  # nobody knows how much it is
        assert forecasts_of([film(member, status=Status.FAILED)]) == {}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_list_takes_one_statement_more_while_films_are_converted(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    counts = []
    for status, films in ((Status.READY, 3), (Status.PROCESSING, 3), (Status.PROCESSING, 30)):
        with app.app_context():
            measured(film(member, status=Status.READY).id)
            for _ in range(films):
                film(member, *([SITE_SPEED] * (status == Status.PROCESSING)), status=status)
            db.session.commit()
        with statements(app, "SELECT") as said:
            answer = signed_in.get("/api/local-videos/?limit=50")
        counts.append(len(said))
    assert counts[1:] == [counts[0] + 1] * 2
    newest = answer.json[0]
    assert (newest["eta"], newest["queue"]) == (33.0, {"place": 33, "films": 33})
    page = signed_in.get("/my-videos").text
    assert "33rd in the queue" in page
    assert "about 30 seconds left" in page


def test_conversion_is_measured(
    app: APIFlask, signed_in: FlaskClient, work: Callable[[], None]
) -> None:
    film = made_film(2, "640x360", "mpeg4").read_bytes()
    uploaded = signed_in.post("/api/local-videos/", **multipart(film)).json
    assert (uploaded["eta"], uploaded["queue"]) == (None, {"place": 1, "films": 1})
    work()
    with app.app_context():
        tasks = db.session.scalars(db.select(Task)).all()
        assert all(task.seconds is not None and task.seconds > 0 for task in tasks)
        pixels = 640 * 360 + 426 * 240
        chunks = [task.work for task in tasks if task.kind == TaskKind.CHUNK]
        assert sum(chunks) == pytest.approx(50 * pixels / 1e6)
        assert all(work > 0 for work in chunks)
        (sound,) = [task.work for task in tasks if task.kind == TaskKind.ROW]
        assert sound > 0
    ready = signed_in.get(f"/api/videos/{uploaded['id']}/").json
    assert (ready["status"], ready["eta"], ready["queue"]) == ("ready", None, None)
