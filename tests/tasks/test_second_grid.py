"""Converting a ready film again: a second grid, swapped in whole, viewers undisturbed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient, FlaskCliRunner

from app.database import db, now
from app.storage import storage
from app.tasks import claims, takeover
from app.tasks.dispatch import dispatch
from app.tasks.jobs import run_task
from app.videos.models import Cell, Grid, GridRole, Rendition, Task, Video
from tests.conftest import Convert
from tests.films import made_film, multipart

Work = Callable[[], None]

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def video_id(ready: Convert) -> int:
    """A ready film of two chunks and two rungs."""
    return ready(made_film(9, "640x360", "mpeg4"))


def shown(client: FlaskClient, video_id: int) -> dict[str, Any]:
    return client.get(f"/api/videos/{video_id}/").json


def master_path(client: FlaskClient, video_id: int) -> str:
    return urlsplit(client.get(f"/api/videos/{video_id}/playback/").json["hls_url"]).path


def test_new_settings_swap_in_whole_and_who_watches_the_old_grid_is_not_disturbed(
    app: APIFlask,
    signed_in: FlaskClient,
    runner: FlaskCliRunner,
    video_id: int,
    work: Work,
) -> None:
    old = master_path(signed_in, video_id)
    app.config["LADDER_HEIGHTS"], app.config["X264_CRF"] = (240,), 40
    answer = signed_in.post(f"/api/videos/{video_id}/convert/")
    assert (answer.status_code, answer.json["status"]) == (202, "ready")
    again = signed_in.post(f"/api/videos/{video_id}/convert/")
    assert (again.status_code, again.json["code"]) == (409, "converting_again")

    with app.app_context():  # the plan alone: nothing of the new grid is there yet
        plan = db.session.scalars(db.select(Task).where(Task.state == "waiting")).one()
        run_task(plan.id)
    between = shown(signed_in, video_id)
    assert (between["status"], between["playable"], between["progress"]) == ("ready", True, 1.0)
    assert between["converting_again"] == 0.0
    assert [row["height"] for row in between["renditions"]] == [360, 240]
    assert master_path(signed_in, video_id).split("/")[3] == old.split("/")[3]

    work()
    after = shown(signed_in, video_id)
    assert after["converting_again"] is None
    assert [row["height"] for row in after["renditions"]] == [240]
    assert after["renditions"][0]["bytes"] < between["renditions"][1]["bytes"]
    new = master_path(signed_in, video_id)
    assert new.split("/")[3] != old.split("/")[3]
    for master, row in ((old, "360p"), (old, "240p"), (new, "240p")):
        with signed_in.get(master.replace("master.m3u8", f"{row}/1.m4s")) as segment:
            assert segment.status_code == 200
            assert len(segment.data) > 1000
    audit = json.loads(runner.invoke(args=["storage", "audit", "--json"]).output)
    assert audit["findings"] == []

    with app.app_context():  # the last grant that could name the old grid has ended
        retired = db.session.scalars(db.select(Grid).where(Grid.role == GridRole.RETIRED)).one()
        film = db.session.get_one(Video, video_id).film
        folder = storage().path(film, f"grid-{retired.id}")
        takeover.sweep_retired()
        assert folder.exists()
        retired.retired_at = now() - timedelta(hours=app.config["GRANT_HOURS"], minutes=1)
        db.session.commit()
        takeover.sweep_retired()
        assert not folder.exists()
        assert db.session.scalars(db.select(Grid.role)).all() == [GridRole.CURRENT]
    assert signed_in.get(old).status_code == 404
    assert signed_in.get(new).status_code == 200


@sqlite_only
def test_stopping_it_leaves_the_film_as_it_is(
    app: APIFlask, signed_in: FlaskClient, runner: FlaskCliRunner, video_id: int, work: Work
) -> None:
    before = master_path(signed_in, video_id)
    done = runner.invoke(args=["videos", "convert", str(video_id), "--json"])
    assert json.loads(done.output) == {"begun": [video_id], "left": {}}
    with app.app_context():
        run_task(db.session.scalars(db.select(Task.id).where(Task.state == "waiting")).one())
        first = db.session.scalars(
            db.select(Task.id).where(Task.state == "waiting").order_by(Task.id)
        ).first()
        run_task(first)
        film = db.session.get_one(Video, video_id).film
        coming = db.session.scalars(db.select(Grid.id).where(Grid.role == GridRole.NEXT)).one()
        assert storage().path(film, f"grid-{coming}").exists()
    answer = signed_in.post(f"/api/videos/{video_id}/cancel/")
    assert (answer.status_code, answer.json["status"], answer.json["playable"]) == (
        202,
        "ready",
        True,
    )
    assert answer.json["converting_again"] is None
    with app.app_context():
        assert not storage().path(film, f"grid-{coming}").exists()
    work()
    assert master_path(signed_in, video_id).split("/")[3] == before.split("/")[3]
    assert signed_in.post(f"/api/videos/{video_id}/cancel/").status_code == 409


def test_one_that_fails_says_so_and_can_be_tried_again(
    app: APIFlask, signed_in: FlaskClient, video_id: int, work: Work
) -> None:
    with app.app_context():
        original = storage().path(db.session.get_one(Video, video_id).film, "original")
    whole = original.read_bytes()
    original.write_bytes(whole[:60] + b"\xff" * (len(whole) - 60))
    signed_in.post(f"/api/videos/{video_id}/convert/")
    work()
    failed = shown(signed_in, video_id)
    assert (failed["status"], failed["playable"]) == ("ready", True)
    assert failed["error"]["message"].endswith("The film stays as it is.")
    assert original.exists()
    with signed_in.get(master_path(signed_in, video_id).replace("master.m3u8", "240p/0.m4s")) as it:
        assert it.status_code == 200

    original.write_bytes(whole)
    assert signed_in.post(f"/api/videos/{video_id}/retry/").json["error"] is None
    work()
    assert shown(signed_in, video_id)["error"] is None
    with app.app_context():
        assert set(db.session.scalars(db.select(Grid.role))) == {"current", "retired"}


@sqlite_only
def test_a_cell_that_another_ffmpeg_would_fill_brings_a_new_grid(
    app: APIFlask, signed_in: FlaskClient, video_id: int, work: Work
) -> None:
    with app.app_context():  # as if the row had been made by an ffmpeg that writes other headers
        row = db.session.scalars(db.select(Rendition).where(Rendition.name == "240p")).one()
        row.init_sha256 = "0" * 64
        cell = db.session.scalars(
            db.select(Cell).where(Cell.rendition_id == row.id, Cell.chunk == 1)
        ).one()
        cell.filled_at, cell.segments = None, None
        task = db.session.get_one(Task, cell.task_id)
        task.state, task.attempts = "waiting", 0
        video = db.session.get_one(Video, video_id)
        video.status = "processing"
        db.session.commit()
        dispatch()
    work()
    after = shown(signed_in, video_id)
    assert (after["status"], after["error"]) == ("ready", None)
    with app.app_context():
        assert set(db.session.scalars(db.select(Grid.role))) == {"current", "retired"}
        empty = db.select(Cell.id).join(Rendition).join(Grid).where(Grid.role == "current")
        assert db.session.scalars(empty.where(Cell.filled_at.is_(None))).all() == []


@sqlite_only
def test_a_film_that_is_not_ready_is_not_converted_again(
    signed_in: FlaskClient,
) -> None:
    film = made_film().read_bytes()
    waiting = signed_in.post("/api/local-videos/", **multipart(film)).json["id"]
    answer = signed_in.post(f"/api/videos/{waiting}/convert/")
    assert (answer.status_code, answer.json["code"]) == (409, "not_ready")


@sqlite_only
def test_a_lost_claim_cannot_finish_for_a_grid_that_is_gone(
    app: APIFlask, signed_in: FlaskClient, video_id: int
) -> None:
    signed_in.post(f"/api/videos/{video_id}/convert/")
    with app.app_context():
        run_task(db.session.scalars(db.select(Task.id).where(Task.state == "waiting")).one())
        task_id = db.session.scalars(db.select(Task.id).where(Task.state == "waiting")).first()
        mine = claims.claim(task_id or 0, "here")
        assert mine is not None
        assert takeover.is_for_next(mine)
    signed_in.post(f"/api/videos/{video_id}/cancel/")
    with app.app_context(), pytest.raises(claims.LostClaim):
        claims.hold(mine)
