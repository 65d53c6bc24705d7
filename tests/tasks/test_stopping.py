"""Stopping a conversion and taking it up again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient, FlaskCliRunner

from app.database import db
from app.storage import storage
from app.videos.models import Cell, Grid, Status, Task, Video
from tests.conftest import Convert
from tests.films import made_film, multipart

from .conftest import Start
from .test_faults import encoders, filled, status, upload_long, wait_for

Work = Callable[[], None]


def files(app: APIFlask) -> list[Path]:
    with app.app_context():
        root = Path(app.config["DATA_DIR"]) / "media"
    return sorted(path for path in root.rglob("*") if path.is_file())


@pytest.mark.slow
def test_cancel_ends_ffmpeg_within_two_seconds_and_frees_the_disk(
    app: APIFlask,
    signed_in: FlaskClient,
    start_worker: Start,
) -> None:
    start_worker()
    video_id = upload_long(signed_in)
    wait_for(lambda: bool(encoders(app)) and filled(signed_in, video_id) > 0.1)
    answer = signed_in.post(f"/api/videos/{video_id}/cancel/")
    cancelled = time.monotonic()
    assert answer.status_code == 202
    assert (answer.json["status"], answer.json["playable"]) == ("cancelled", False)
    wait_for(lambda: not encoders(app), 2)
    assert time.monotonic() - cancelled < 2
    wait_for(lambda: [path.name for path in files(app)] == ["original"], 3)
    with app.app_context():
        for model in (Grid, Cell, Task):
            assert db.session.scalars(db.select(model)).all() == []
    assert signed_in.post(f"/api/videos/{video_id}/cancel/").status_code == 409
    assert signed_in.get(f"/api/videos/{video_id}/playback/").status_code == 409

    assert signed_in.post(f"/api/videos/{video_id}/retry/").status_code == 202
    wait_for(lambda: status(signed_in, video_id) == "ready", 120)


def test_retry_goes_on_from_the_filled_cells(
    app: APIFlask, signed_in: FlaskClient, ready: Convert, work: Work
) -> None:
    video_id = ready(made_film(20, "320x180", "mpeg4"))
    with app.app_context():  # as if the last chunk had failed after all its attempts
        cells = db.session.scalars(db.select(Cell).order_by(Cell.id)).all()
        task = db.session.get_one(Task, max(cell.task_id for cell in cells))
        lost = [cell for cell in cells if cell.task_id == task.id]
        for cell in lost:
            cell.filled_at = None
        task.state, task.attempts = "failed", 4
        video = db.session.get_one(Video, video_id)
        video.status, video.playable, video.has_images = Status.FAILED, False, False
        video.error_code, video.error_message = "encoder_failed", "It broke off."
        kept = {cell.id: cell.filled_at for cell in cells if cell not in lost}
        db.session.commit()
    assert signed_in.get(f"/api/videos/{video_id}/").json["error"]["code"] == "encoder_failed"
    answer = signed_in.post(f"/api/videos/{video_id}/retry/")
    assert (answer.status_code, answer.json["status"]) == (202, "processing")
    assert answer.json["error"] is None
    assert answer.json["thumbnail_url"], "its pictures were there already"
    work()
    found = signed_in.get(f"/api/videos/{video_id}/").json
    assert (found["status"], found["playable"], found["progress"]) == ("ready", True, 1.0)
    with app.app_context():
        after = {cell.id: cell.filled_at for cell in db.session.scalars(db.select(Cell))}
        assert {number: after[number] for number in kept} == kept, "not made again"
        assert all(after.values())
    assert signed_in.post(f"/api/videos/{video_id}/retry/").json["code"] == "not_stopped"


def test_what_is_no_film_cannot_be_tried_again(
    app: APIFlask, signed_in: FlaskClient, work: Work
) -> None:
    broken = made_film(1).read_bytes()[:600]
    video_id = signed_in.post("/api/local-videos/", **multipart(broken)).json["id"]
    work()
    assert status(signed_in, video_id) == "failed"
    answer = signed_in.post(f"/api/videos/{video_id}/retry/")
    assert (answer.status_code, answer.json["code"]) == (409, "original_gone")
    assert status(signed_in, video_id) == "failed"
    with app.app_context():
        assert list(storage().films()) == []


def test_commands_cancel_and_retry(
    app: APIFlask, signed_in: FlaskClient, runner: FlaskCliRunner, work: Work
) -> None:
    film = made_film(2).read_bytes()
    video_id = str(signed_in.post("/api/local-videos/", **multipart(film)).json["id"])
    assert runner.invoke(args=["videos", "cancel", video_id]).exit_code == 0
    again = runner.invoke(args=["videos", "cancel", video_id])
    assert again.exit_code == 1
    assert "not being converted" in again.output
    work()
    assert status(signed_in, int(video_id)) == "cancelled"
    done = runner.invoke(args=["videos", "retry", video_id, "--json"])
    assert '"status": "processing"' in done.output
    work()
    assert status(signed_in, int(video_id)) == "ready"
