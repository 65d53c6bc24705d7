"""A film from upload to ready, by real RQ workers and the real ffmpeg."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import db, epoch_now
from app.storage import storage
from app.tasks.dispatch import dispatch
from app.tasks.jobs import run_task
from app.tasks.queue import SOON, VIDEOS, queue
from app.tasks.reconcile import reconcile
from app.videos.models import Cell, Grid, Rendition, Task, TaskKind, TaskState, Video
from app.videos.names import grid_file
from tests.conftest import Convert, make_user, run_in_child, sign_in
from tests.films import made_film, multipart, real_film

Work = Callable[[], None]


def upload(client: FlaskClient, data: bytes, **fields: str) -> int:
    answer = client.post("/api/local-videos/", **multipart(data, **fields))
    assert answer.status_code == 201, answer.text
    return int(answer.json["id"])


def test_a_copyable_film_becomes_ready(signed_in: FlaskClient, ready: Convert) -> None:
    video_id = ready(made_film(9, "640x360"))
    video = signed_in.get(f"/api/videos/{video_id}/").json
    assert (video["status"], video["playable"], video["progress"]) == ("ready", True, 1.0)
    assert video["error"] is None
    assert video["duration"] == pytest.approx(9, abs=0.05)
    assert (video["width"], video["height"]) == (640, 360)
    assert [row["height"] for row in video["renditions"]] == [360, 240]
    assert all(row["bitrate"] and row["bytes"] for row in video["renditions"])
    assert video["thumbnail_url"].startswith("http://localhost/stream/")
    with signed_in.get(video["thumbnail_url"]) as picture:
        assert picture.data[:2] == b"\xff\xd8"
        assert picture.content_type == "image/jpeg"


def test_every_filled_cell_has_the_bytes_that_its_row_says(app: APIFlask, ready: Convert) -> None:
    ready(made_film(9, "640x360", "mpeg4"))
    with app.app_context():
        checked = 0
        for cell in db.session.query(Cell):
            rendition = db.session.get_one(Rendition, cell.rendition_id)
            grid = db.session.get_one(Grid, rendition.grid_id)
            film = db.session.get_one(Video, grid.video_id).film
            assert cell.segments
            before = sum(
                len(other.segments or [])
                for other in db.session.query(Cell).where(
                    Cell.rendition_id == cell.rendition_id, Cell.chunk < cell.chunk
                )
            )
            for offset, (size, sha256, seconds, _key) in enumerate(cell.segments):
                name = grid_file(grid.id, rendition.name, f"{before + offset}.m4s")
                data = storage().path(film, name).read_bytes()
                assert len(data) == size
                assert hashlib.sha256(data).hexdigest() == sha256
                assert seconds > 0
                checked += 1
        assert checked >= 7
        folder = storage().path(film, "attempts")
        assert not any(folder.iterdir())


def test_what_only_looks_like_a_film_fails_with_a_sentence(
    app: APIFlask, signed_in: FlaskClient, work: Work
) -> None:
    video_id = upload(signed_in, b"\0\0\0\x18ftypisom" + b"\0" * 5000)
    work()
    video = signed_in.get(f"/api/videos/{video_id}/").json
    assert (video["status"], video["playable"]) == ("failed", False)
    assert video["error"]["code"] == "not_a_film"
    assert video["error"]["message"].endswith(("?", "."))
    assert video["error"]["hint"]
    assert "/" not in video["error"]["message"]
    media = app.config["DATA_DIR"] / "media"
    assert [path for path in media.rglob("*") if path.is_file()] == []
    assert signed_in.get(f"/api/videos/{video_id}/playback/").status_code == 409
    assert signed_in.get(f"/watch/{video_id}").status_code == 409


def test_a_poisonous_film_does_not_hold_up_the_others(
    app: APIFlask, signed_in: FlaskClient, work: Work
) -> None:
    bad = upload(signed_in, b"\x1a\x45\xdf\xa3" + b"\xff" * 9000)
    good = [upload(signed_in, made_film().read_bytes()) for _ in range(3)]
    work()
    states = {video["id"]: video["status"] for video in signed_in.get("/api/local-videos/").json}
    assert states[bad] == "failed"
    assert [states[video_id] for video_id in good] == ["ready"] * 3


def test_a_flushed_redis_loses_nothing(app: APIFlask, signed_in: FlaskClient, work: Work) -> None:
    films = [upload(signed_in, made_film().read_bytes()) for _ in range(3)]
    with app.app_context():
        app.extensions["redis"].flushdb()
        assert queue(SOON).count == 0
        reconcile()
        assert queue(SOON).count > 0
    work()
    found = signed_in.get("/api/local-videos/").json
    assert {video["id"]: video["status"] for video in found} == dict.fromkeys(films, "ready")


def test_the_same_job_many_times_gives_one_result(
    app: APIFlask, signed_in: FlaskClient, work: Work
) -> None:
    video_id = upload(signed_in, made_film().read_bytes())
    with app.app_context():
        task_id = db.session.query(Task.id).scalar()
        for _ in range(10):
            queue(VIDEOS).enqueue("app.tasks.jobs.run_task", task_id)
    work()
    with app.app_context():
        assert db.session.query(Grid).count() == 1
        assert {task.attempts for task in db.session.query(Task)} == {1}
    assert signed_in.get(f"/api/videos/{video_id}/").json["status"] == "ready"


def test_deleting_leaves_nothing(app: APIFlask, signed_in: FlaskClient, ready: Convert) -> None:
    video_id = ready(made_film())
    assert signed_in.delete(f"/api/local-videos/{video_id}/").status_code == 204
    with app.app_context():
        for model in (Video, Grid, Rendition, Cell, Task):
            assert db.session.query(model).count() == 0
    media = app.config["DATA_DIR"] / "media"
    assert [path for path in media.rglob("*") if path.is_file()] == []
    assert list((media / "films").iterdir()) == []
    assert signed_in.get(f"/api/videos/{video_id}/").status_code == 404


def test_deleting_before_the_work_begins(app: APIFlask, signed_in: FlaskClient, work: Work) -> None:
    video_id = upload(signed_in, made_film().read_bytes())
    assert signed_in.delete(f"/api/local-videos/{video_id}/").status_code == 204
    work()  # its job is still in the queue, and finds nothing to do
    assert list((app.config["DATA_DIR"] / "media" / "films").iterdir()) == []


def test_owners_take_turns(app: APIFlask, signed_in: FlaskClient, work: Work) -> None:
    for _ in range(4):
        upload(signed_in, made_film().read_bytes())
    make_user(app, "late@example.org")
    other = sign_in(app.test_client(), "late@example.org")
    late = upload(other, made_film().read_bytes())
    with app.app_context():
        queue(SOON).empty()
        dispatch()
        order = [db.session.get_one(Task, job.args[0]).video_id for job in queue(SOON).get_jobs()]
    assert late in order[:2]


def test_a_wanted_cell_goes_first(app: APIFlask, signed_in: FlaskClient, work: Work) -> None:
    upload(signed_in, made_film(30, "320x180", "mpeg4").read_bytes())
    with app.app_context():
        (plan,) = db.session.scalars(db.select(Task.id))
        run_in_child(lambda: run_task(plan))
        queue(SOON).empty()
        db.session.query(Task).update({Task.queued_until: 0.0})
        last = (
            db.session.query(Task)
            .where(Task.kind == TaskKind.CHUNK)
            .order_by(Task.id.desc())
            .first()
        )
        assert last is not None
        last.wanted_at = db.session.scalar(db.select(epoch_now()))
        wanted = last.id
        db.session.commit()
        dispatch()
        assert queue(SOON).get_jobs()[0].args[0] == wanted


@pytest.mark.parametrize(
    "name",
    ["audio_only_aac.mp4", "mediarecorder_vp9_opus_noduration.webm", "iphone_portrait_rot90.MOV"],
)
def test_real_films_become_ready(signed_in: FlaskClient, work: Work, name: str) -> None:
    video_id = upload(signed_in, real_film(f"real/{name}").read_bytes())
    work()
    video = signed_in.get(f"/api/videos/{video_id}/").json
    assert (video["status"], video["error"]) == ("ready", None)
    playback = signed_in.get(f"/api/videos/{video_id}/playback/").json
    assert "#EXT-X-STREAM-INF" in signed_in.get(playback["hls_url"]).text


def test_a_film_whose_copy_breaks_is_encoded_instead(
    app: APIFlask, signed_in: FlaskClient, work: Work
) -> None:
    video_id = upload(signed_in, real_film("real/broken_invalid_nalu.mp4").read_bytes())
    work()
    video = signed_in.get(f"/api/videos/{video_id}/").json
    assert (video["status"], video["error"]) == ("ready", None)
    with app.app_context():
        assert db.session.scalar(db.select(Video.may_copy)) is False
        folders = storage().path(db.session.scalar(db.select(Video.film)) or "", "").iterdir()
        assert len([folder for folder in folders if folder.name.startswith("grid-")]) == 1


def test_task_states_end_as_done(app: APIFlask, ready: Convert) -> None:
    ready(made_film(9, "640x360"))
    with app.app_context():
        assert {task.state for task in db.session.query(Task)} == {TaskState.DONE}
        assert {task.lease_until for task in db.session.query(Task)} == {0.0}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sound_has_its_loudness_and_an_even_form(
    app: APIFlask, signed_in: FlaskClient, work: Work
) -> None:
    app.config["NORMALISE_LUFS"] = -23.0
    video_id = upload(signed_in, made_film(9, "640x360").read_bytes())
    work()
    own, even = signed_in.get(f"/api/videos/{video_id}/").json["audio"]
    assert (own["label"], own["default"]) == ("Track 1", True)
    assert (even["label"], even["default"]) == ("Track 1, even volume", False)
    # A sine of 1/8 is 18.1 dB below full scale at its peak; one channel of it is 3 LU quieter.
    assert own["loudness"] == pytest.approx(-21.7, abs=0.5)
    assert -18.2 < own["true_peak"] < -10  # coarse encoding overshoots where the sine begins
    assert own["loudness_range"] == pytest.approx(0, abs=0.5)
    assert even["loudness"] == pytest.approx(-23, abs=1)
    playback = signed_in.get(f"/api/videos/{video_id}/playback/").json
    assert playback["audio"] == [own, even]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_row_that_goes_on_ends_with_its_loudness(
    app: APIFlask, signed_in: FlaskClient, ready: Convert, work: Work
) -> None:
    video_id = ready(made_film(9, "640x360"))
    (whole,) = signed_in.get(f"/api/videos/{video_id}/").json["audio"]
    with app.app_context():  # as it is left by a crash before the last cell was filled
        rendition = db.session.query(Rendition).where(Rendition.kind == "audio").one()
        rendition.loudness = rendition.loudness_range = rendition.true_peak = None
        last = db.session.query(Cell).where(
            Cell.rendition_id == rendition.id, Cell.chunk == rendition.chunks - 1
        ).one()  # fmt: skip
        assert last.chunk > 0
        last.filled_at = last.segments = last.bytes = None
        db.session.get_one(Task, last.task_id).state = TaskState.WAITING
        db.session.commit()
        dispatch()
    work()
    assert signed_in.get(f"/api/videos/{video_id}/").json["audio"] == [whole]
    assert whole["loudness"] is not None
