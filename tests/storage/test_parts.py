"""Films in a bucket that are worked on by their parts: before their end, far from their front."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import Select, select

import app.storage as storages
from app.database import db
from app.media import arrivals
from app.media.grid import Plan
from app.storage import growing
from app.storage.bucket import Bucket
from app.tasks.jobs import run_task
from app.videos.demand import want
from app.videos.models import Grid, Task, TaskState, Video
from app.videos.uploads import early
from tests.conftest import run_in_child
from tests.videos.test_early import begin, cells, listed, remuxed, send

from .test_film import hashes, keys, promised, segments, upload

Work = Callable[[], None]

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts and ranges that are small against a film of seconds."""
    monkeypatch.setattr(early, "SMALLEST_BYTES", 1 << 20)
    monkeypatch.setattr(storages, "PART_BYTES", 1 << 18)
    monkeypatch.setattr(growing, "RANGE_BYTES", 1 << 16)
    monkeypatch.setattr(arrivals, "ENTRANCE_BYTES", 1 << 16)
    monkeypatch.setattr(arrivals, "AHEAD_BYTES", 1 << 16)


@pytest.fixture
def film(tmp_path: Path) -> bytes:
    return remuxed(tmp_path, "mpeg4", "film.mp4", "-movflags", "+faststart")


@pytest.fixture(params=["index first", "index last"])
def stored(request: pytest.FixtureRequest, film: bytes, tmp_path: Path) -> bytes:
    """A film of which all has come."""
    return film if request.param == "index first" else remuxed(tmp_path, "mpeg4", "last.mp4")


def test_it_is_watched_before_its_last_byte_and_ends_as_if_it_had_come_at_once(
    app: APIFlask,
    signed_in: FlaskClient,
    work: Work,
    film: bytes,
    objects: Bucket,
    prefix: str,
) -> None:
    address, most = begin(signed_in, film), len(film) * 7 // 10
    assert "Video-Location" in send(signed_in, address, film, 0, most)
    work()
    (video,) = listed(signed_in)
    assert (video["status"], video["playable"], video["error"]) == ("processing", True, None)
    assert 0.5 < video["uploaded"] <= 0.7, "whole parts"
    before = cells(app, video["id"])
    assert before
    send(signed_in, address, film, most, len(film))
    work()
    (video,) = listed(signed_in)
    assert (video["status"], video["uploaded"], video["error"]) == ("ready", None, None)
    assert hashes(segments(signed_in, video["id"])) == promised(app)
    assert keys(objects, f"{prefix}incoming/") == []
    at_once = cells(app, converted(signed_in, work, film))
    assert cells(app, video["id"]) == at_once
    assert {place: at_once[place] for place in before} == before


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_cell_far_on_takes_the_bytes_that_it_is_made_of(
    app: APIFlask,
    signed_in: FlaskClient,
    stored: bytes,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, fetched = last_cell(app, signed_in, stored, kind)
    assert fetched < len(stored) // 3, "of what others may need only the front"
    monkeypatch.setattr(arrivals, "_first", lambda *_: 0)
    of_all, fetched = last_cell(app, signed_in, stored, kind)
    assert fetched == len(stored)
    assert made == of_all


def last_cell(
    app: APIFlask, client: FlaskClient, film: bytes, kind: str
) -> tuple[dict[tuple[str, int], object], int]:
    """Make a row's last cell before all others: the cell, and how far this machine's copy is."""
    video_id = upload(client, film)
    with app.app_context():
        name = db.session.get_one(Video, video_id).film
        run_in_child(partial(run_task, db.session.scalars(open_tasks(video_id)).one()))
        grid = db.session.scalars(select(Grid).where(Grid.video_id == video_id)).one()
        plan = Plan.from_json(grid.plan)
        row = (plan.video if kind == "video" else plan.audio)[-1].name
        chunk = len(plan.row_chunks(row)) - 1
        want(grid.id, row, chunk, needs=plan.needs[row][chunk], excerpt=True)
        wanted = open_tasks(video_id).where(Task.wanted_at.is_not(None))
        run_in_child(partial(run_task, db.session.scalars(wanted).one()))
    (reach,) = app.config["DATA_DIR"].glob(f"scratch/*/copies/{name}/original.reach")
    made = cells(app, video_id)
    assert list(made) == [(row, chunk)]
    return made, int(reach.read_text())


def test_what_does_not_go_well_with_a_part_is_made_of_the_whole_file(
    app: APIFlask,
    signed_in: FlaskClient,
    work: Work,
    stored: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = cells(app, converted(signed_in, work, stored))
    monkeypatch.setattr(arrivals, "_first", lambda *_: len(stored) * 9 // 10)
    video_id = converted(signed_in, work, stored)
    assert signed_in.get(f"/api/videos/{video_id}/").json["error"] is None
    assert cells(app, video_id) == whole


def converted(client: FlaskClient, work: Work, film: bytes) -> int:
    video_id = upload(client, film)
    work()
    assert client.get(f"/api/videos/{video_id}/").json["status"] == "ready"
    return video_id


def open_tasks(video_id: int) -> Select[tuple[int]]:
    return select(Task.id).where(Task.video_id == video_id, Task.state == TaskState.WAITING)
