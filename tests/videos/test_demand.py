"""What a viewer waits for is filled first, and by itself."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient, FlaskCliRunner

from app.database import db
from app.tasks import claims
from app.tasks.dispatch import dispatch
from app.tasks.fallback import give_back_sound
from app.tasks.jobs import run_task
from app.tasks.layout import FIRST
from app.tasks.queue import SOON, queue
from app.videos import playback
from app.videos.models import Cell, Rendition, Task, TaskKind, Video
from tests.conftest import Once, run_in_child
from tests.films import made_film, multipart

Work = Callable[[], None]


@pytest.fixture
def begun(
    app: APIFlask, signed_in: FlaskClient, once: Once, monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str]:
    """A film of which only the first picture and the sound are there: its id and its stream."""
    monkeypatch.setattr(playback, "WAIT_SECONDS", 0.3)
    film = made_film(25, "640x360", "mpeg4").read_bytes()

    def begin() -> int:
        video_id = int(signed_in.post("/api/local-videos/", **multipart(film)).json["id"])
        with app.app_context():
            run_in_child(lambda: run_task(db.session.scalars(db.select(Task.id)).one()))
            for task_id in db.session.scalars(
                db.select(Task.id).where(Task.tier == FIRST, Task.kind != TaskKind.PLAN)
            ).all():
                run_in_child(lambda task_id=task_id: run_task(task_id))
            queue(SOON).empty()
        return video_id

    video_id = once("begun with picture and sound", begin)
    url = signed_in.get(f"/api/videos/{video_id}/playback/").json["hls_url"]
    return video_id, url.removeprefix("http://localhost").removesuffix("master.m3u8")


def cell(row: str, chunk: int) -> Cell:
    return db.session.scalars(
        db.select(Cell)
        .join(Rendition, Rendition.id == Cell.rendition_id)
        .where(Rendition.name == row, Cell.chunk == chunk)
    ).one()


def test_a_cell_is_taken_out_of_its_task_and_goes_first(
    app: APIFlask, signed_in: FlaskClient, begun: tuple[int, str], work: Work
) -> None:
    video_id, stream = begun
    with app.app_context():
        before = db.session.query(Task).count()
        together = cell("360p", 2).task_id
        assert cell("240p", 2).task_id == together
        work_together = db.session.get_one(Task, together).work
    for _ in range(3):  # asking again changes nothing
        answer = signed_in.get(f"{stream}240p/3.m4s")
        assert (answer.status_code, answer.json["code"]) == (503, "pending")
    with app.app_context():
        assert db.session.query(Task).count() == before + 1
        own = cell("240p", 2).task_id
        assert own != together
        assert cell("360p", 2).task_id == together
        assert db.session.get_one(Task, own).wanted_at is not None
        left, taken = (db.session.get_one(Task, number).work for number in (together, own))
        assert taken / left == pytest.approx(426 * 240 / (640 * 360))
        assert left + taken == pytest.approx(work_together)
        assert queue(SOON).get_jobs()[0].args == [own]
        run_in_child(lambda: run_task(own))
    with signed_in.get(f"{stream}240p/3.m4s") as segment:
        assert segment.status_code == 200
    assert signed_in.get(f"{stream}360p/3.m4s").status_code == 503
    work()
    video = signed_in.get(f"/api/videos/{video_id}/").json
    assert (video["status"], video["progress"]) == ("ready", 1.0)
    with app.app_context():
        assert {task.attempts for task in db.session.query(Task)} == {1}


def test_the_last_cell_of_a_task_keeps_it(
    app: APIFlask, signed_in: FlaskClient, begun: tuple[int, str]
) -> None:
    _, stream = begun
    signed_in.get(f"{stream}240p/3.m4s")
    with app.app_context():
        before = db.session.query(Task).count()
        left = cell("360p", 2).task_id
    signed_in.get(f"{stream}360p/3.m4s")
    with app.app_context():
        assert db.session.query(Task).count() == before
        assert cell("360p", 2).task_id == left
        assert db.session.get_one(Task, left).wanted_at is not None


def test_the_grid_says_when_each_cell_begins(
    signed_in: FlaskClient, begun: tuple[int, str]
) -> None:
    video_id, _ = begun
    rows = {row["name"]: row for row in signed_in.get(f"/api/videos/{video_id}/grid/").json["rows"]}
    assert rows["240p"]["starts"] == [0, 4, 12]
    assert len(rows["240p"]["cells"]) == 3
    assert rows["240p"]["cells"][0] == 2
    assert rows["audio-0"]["cells"] == [2] * len(rows["audio-0"]["starts"])


@pytest.fixture
def silent_yet(
    app: APIFlask, signed_in: FlaskClient, once: Once, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A film of which only the first picture is there; the address of its stream."""
    monkeypatch.setattr(playback, "WAIT_SECONDS", 0.3)
    film = made_film(60, "320x180", "mpeg4").read_bytes()

    def begin() -> int:
        video_id = int(signed_in.post("/api/local-videos/", **multipart(film)).json["id"])
        with app.app_context():
            run_in_child(lambda: run_task(db.session.scalars(db.select(Task.id)).one()))
            first = db.select(Task.id).where(Task.tier == FIRST, Task.kind == TaskKind.CHUNK)
            run_in_child(lambda: run_task(db.session.scalars(first).one()))
            db.session.execute(db.update(Video).values(playable=True))
            db.session.commit()
            queue(SOON).empty()
        return video_id

    video_id = once("begun with picture alone", begin)
    url = signed_in.get(f"/api/videos/{video_id}/playback/").json["hls_url"]
    return str(url.removeprefix("http://localhost").removesuffix("master.m3u8"))


def test_sound_far_ahead_is_made_by_itself_and_its_row_leaves_it_alone(
    app: APIFlask, signed_in: FlaskClient, silent_yet: str, work: Work, runner: FlaskCliRunner
) -> None:
    assert signed_in.get(f"{silent_yet}audio-0/10.m4s").status_code == 503
    with app.app_context():
        own = cell("audio-0", 4).task_id
        task = db.session.get_one(Task, own)
        assert (task.kind, task.wanted_at is not None) == (TaskKind.CHUNK, True)
        assert queue(SOON).get_jobs()[0].args == [own]
        run_in_child(lambda: run_task(own))
    with signed_in.get(f"{silent_yet}audio-0/10.m4s") as ahead:
        assert ahead.status_code == 200
        data = ahead.data
    work()
    with app.app_context():
        video = db.session.scalars(db.select(Video)).one()
        assert (video.status, cell("audio-0", 4).task_id) == ("ready", own)
        row = db.session.scalars(db.select(Rendition).where(Rendition.name == "audio-0")).one()
        assert row.loudness is not None
    with signed_in.get(f"{silent_yet}audio-0/10.m4s") as again:
        assert again.data == data
    assert json.loads(runner.invoke(args=["storage", "audit", "--json"]).output)["findings"] == []


def test_sound_that_cannot_be_made_ahead_is_left_to_its_row(
    app: APIFlask, signed_in: FlaskClient, silent_yet: str, work: Work
) -> None:
    signed_in.get(f"{silent_yet}audio-0/10.m4s")
    with app.app_context():
        mine = claims.claim(cell("audio-0", 4).task_id, "here")
        assert mine is not None
        assert give_back_sound(mine)
        assert cell("audio-0", 4).task_id != mine.task_id
        dispatch()
    work()
    with app.app_context():
        assert db.session.scalars(db.select(Video.status)).one() == "ready"
        assert cell("audio-0", 4).filled_at is not None


def test_a_sound_row_that_begins_with_a_cell_made_apart_has_its_init_segment(
    app: APIFlask, signed_in: FlaskClient, silent_yet: str, work: Work
) -> None:
    assert signed_in.get(f"{silent_yet}audio-0/init.mp4").status_code == 503
    with app.app_context():
        own = cell("audio-0", 0).task_id
        row = db.session.scalars(db.select(Task).where(Task.kind == TaskKind.ROW)).one()
        assert row.id != own
        run_in_child(lambda: run_task(row.id))
        run_in_child(lambda: run_task(own))
    with signed_in.get(f"{silent_yet}audio-0/init.mp4") as init:
        assert init.status_code == 200
        assert init.data[4:8] == b"ftyp"
