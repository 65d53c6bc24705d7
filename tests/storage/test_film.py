"""A film whose files are in a bucket, from its upload to its deletion."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient, FlaskCliRunner
from sqlalchemy import select

from app.database import db
from app.storage import storage
from app.storage.bucket import Bucket
from app.storage.s3_state import read_state
from app.tasks import audit
from app.tasks.jobs import run_task
from app.tasks.reconcile import reconcile
from app.videos.models import Cell, Status, Task, TaskState, Video
from config import Settings
from tests.conftest import run_in_child
from tests.films import made_film, multipart
from tests.tasks.test_faults import wait_for
from tests.web import CHUNK, UPLOADS, creation, serve, write_token

from . import servers
from .servers import Server

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

Work = Callable[[], None]


def upload(client: FlaskClient, data: bytes) -> int:
    answer = client.post("/api/local-videos/", **multipart(data))
    assert answer.status_code == 201, answer.text
    return int(answer.json["id"])


def segments(client: FlaskClient, video_id: int) -> dict[str, bytes]:
    """Every file of every picture and sound row, as a player gets them."""
    root = client.get(f"/api/videos/{video_id}/playback/").json["hls_url"]
    folder = root.removesuffix("master.m3u8")
    rows = re.findall(r"([\w-]+)/index\.m3u8", client.get(root).text)
    found = {}
    for row in dict.fromkeys(rows):
        playlist = client.get(f"{folder}{row}/index.m3u8").text
        for name in ["init.mp4", *re.findall(r"^(\d+\.m4s)$", playlist, re.MULTILINE)]:
            with client.get(f"{folder}{row}/{name}") as answer:
                if answer.status_code == 302:
                    assert answer.headers["Cache-Control"] == "private, no-store"
                    with urllib.request.urlopen(answer.headers["Location"]) as got:  # noqa: S310
                        found[f"{row}/{name}"] = got.read()
                        assert "immutable" in got.headers["Cache-Control"]
                        assert got.headers["Content-Type"].startswith("video/")
                else:
                    assert answer.status_code == 200, answer.text
                    found[f"{row}/{name}"] = answer.data
    return found


def promised(app: APIFlask) -> set[str]:
    """The hashes of all filled cells."""
    with app.app_context():
        cells = db.session.scalars(select(Cell.segments)).all()
        assert all(cells)
        return {segment[1] for cell in cells for segment in cell or []}


def hashes(files: dict[str, bytes]) -> set[str]:
    return {
        hashlib.sha256(data).hexdigest() for name, data in files.items() if name.endswith(".m4s")
    }


def keys(bucket: Bucket, prefix: str) -> list[str]:
    return [found.key for found in bucket.objects(prefix)]


def audited(runner: FlaskCliRunner) -> list[dict[str, Any]]:
    done = runner.invoke(args=["storage", "audit", "--json"])
    return list(json.loads(done.output)["findings"])


def test_from_upload_to_deletion(
    app: APIFlask,
    signed_in: FlaskClient,
    runner: FlaskCliRunner,
    work: Work,
    objects: Bucket,
    prefix: str,
    rclone: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audit, "SETTLE_SECONDS", 0.05)
    film = made_film(9, "640x360").read_bytes()
    answer = signed_in.post(UPLOADS, headers={"Tus-Resumable": "1.0.0", **creation(len(film))})
    address, offset = answer.headers["Location"], 0
    for part in (film[:70_000], film[70_000:]):
        sent = signed_in.patch(
            address,
            data=part,
            headers={"Tus-Resumable": "1.0.0", "Upload-Offset": str(offset), "Content-Type": CHUNK},
        )
        offset += len(part)
        assert (sent.status_code, sent.headers["Upload-Offset"]) == (204, str(offset)), sent.text
        asked = signed_in.head(address, headers={"Tus-Resumable": "1.0.0"})
        assert asked.headers["Upload-Offset"] == str(offset)
    video_id = int(sent.headers["Video-Location"].rstrip("/").rsplit("/", 1)[1])
    work()
    video = signed_in.get(f"/api/videos/{video_id}/").json
    assert (video["status"], video["error"]) == ("ready", None)
    with app.app_context():
        row = db.session.get_one(Video, video_id)
        assert row.storage == "s3"
        name = row.film
    assert all(key.startswith(f"{prefix}films/{name}/") for key in keys(objects, prefix))
    assert objects.read(f"{prefix}films/{name}/original") == film
    assert hashes(segments(signed_in, video_id)) == promised(app)
    root = signed_in.get(f"/api/videos/{video_id}/playback/").json["hls_url"]
    asked = root.replace("master.m3u8", "audio-0/0.m4s/where")
    assert signed_in.get(asked).status_code == 404
    with monkeypatch.context() as meanwhile:
        meanwhile.setitem(app.config, "S3_DELIVERY", "nginx")
        told = signed_in.get(asked)
    assert (told.status_code, told.data) == (303, b"")
    with urllib.request.urlopen(rclone.endpoint + told.headers["X-Film-Object"]) as got:  # noqa: S310
        assert hashlib.sha256(got.read()).hexdigest() in promised(app)
    with signed_in.get(video["thumbnail_url"]) as picture:
        assert (picture.status_code, picture.mimetype) == (200, "image/jpeg")
        assert picture.data.startswith(b"\xff\xd8")
        assert picture.headers["Cache-Control"] == "private, max-age=3600"
        tag = picture.headers["ETag"]
    with signed_in.get(video["thumbnail_url"], headers={"If-None-Match": tag}) as again:
        assert (again.status_code, again.data) == (304, b"")
    page = signed_in.get(f"/watch/{video_id}")
    assert f"connect-src 'self' {rclone.endpoint};" in page.headers["Content-Security-Policy"]
    assert not (app.config["DATA_DIR"] / "media" / "films" / name).exists()
    assert audited(runner) == []
    first = next(key for key in keys(objects, prefix) if key.endswith("/0.m4s"))
    objects.put(first, b"changed")
    assert [(f["kind"], f["action"]) for f in audited(runner)] == [("changed", "remake")]
    runner.invoke(args=["storage", "audit", "--fix"])
    work()
    assert hashes(segments(signed_in, video_id)) == promised(app)
    assert audited(runner) == []
    assert list(app.config["DATA_DIR"].glob(f"scratch/*/copies/{name}/original"))
    assert signed_in.delete(f"/api/local-videos/{video_id}/").status_code == 204
    assert keys(objects, prefix) == []
    assert objects.uploads(prefix) == []
    with app.app_context():
        reconcile()
    assert not list(app.config["DATA_DIR"].glob("scratch/*/copies/*"))
    assert not list(app.config["DATA_DIR"].glob("scratch/*/attempts/*"))


class TestAway:
    """The server goes away, and comes back."""

    @pytest.fixture
    def own(self) -> Iterator[Server]:
        with servers.rclone() as server:
            yield server

    @pytest.fixture
    def settings(self, settings: Settings, own: Server) -> Settings:
        return dataclasses.replace(settings, S3_ENDPOINT=own.endpoint, S3_DELIVERY="proxy")

    def test_everyone_waits_and_goes_on(
        self,
        app: APIFlask,
        own: Server,
        signed_in: FlaskClient,
        runner: FlaskCliRunner,
        work: Work,
    ) -> None:
        film = made_film()
        ready = upload(signed_in, film.read_bytes())
        work()
        assert hashes(segments(signed_in, ready)) == promised(app), "through this machine"
        waiting = upload(signed_in, film.read_bytes())
        picture = signed_in.get(f"/api/videos/{ready}/").json["thumbnail_url"]
        own.stop()
        with signed_in.get(picture) as answer:
            assert (answer.status_code, answer.json["code"]) == (503, "storage_away")
            assert int(answer.headers["Retry-After"]) > 0
        assert signed_in.get("/readyz").json["parts"]["storage"] != "ok"
        done = runner.invoke(args=["doctor", "--json"])
        assert "S3_ENDPOINT" in json.loads(done.output)["storage"]["detail"]
        sent = signed_in.post("/api/local-videos/", **multipart(film.read_bytes()))
        assert (sent.status_code, sent.json["code"]) == (503, "storage_away")
        assert signed_in.get("/api/local-videos/").status_code == 200
        with app.app_context():
            tasks = select(Task.id).where(Task.video_id == waiting)
            task_id = db.session.scalars(tasks).one()
            run_in_child(lambda: run_task(task_id))
            task = db.session.get_one(Task, task_id)
            assert (task.state, task.attempts, task.fence) == (TaskState.WAITING, 0, 1)
            assert task.lease_until == 0.0
            assert db.session.get_one(Video, waiting).status == Status.PROCESSING
            task.not_before = 0.0
            db.session.commit()
            own.start()
            reconcile()
        work()
        assert signed_in.get(f"/api/videos/{waiting}/").json["status"] == "ready"
        with signed_in.get(picture) as answer:
            assert answer.status_code == 200


def test_an_import_goes_to_the_bucket(
    app: APIFlask,
    runner: FlaskCliRunner,
    member: int,
    objects: Bucket,
    prefix: str,
    tmp_path: Path,
) -> None:
    film = made_film().read_bytes()
    (tmp_path / "film.mp4").write_bytes(film)
    words = ["videos", "import", str(tmp_path / "film.mp4"), "--owner", "mara@example.org"]
    assert runner.invoke(args=[*words, "--link"]).exit_code == 1, "there is no link to a bucket"
    assert keys(objects, prefix) == []
    done = runner.invoke(args=[*words, "--move"])
    assert done.exit_code == 0, done.output
    assert not (tmp_path / "film.mp4").exists()
    with app.app_context():
        video = db.session.scalars(select(Video)).one()
        assert storage().read(video.film, "original") == film


def test_another_machine_goes_on_where_one_was_killed(
    app: APIFlask, member: int, tmp_path: Path, objects: Bucket, prefix: str
) -> None:
    film = made_film().read_bytes() + bytes(20 << 20)
    token = write_token(app, member)
    with serve(app, tmp_path / "first.log", token) as web:
        path = web.create(len(film))
        place = f"{prefix}incoming/{path.strip('/').rsplit('/', 1)[1]}/"

        def two_parts() -> bool:
            state = read_state(objects, place)
            return state is not None and len(state.parts) == 2

        with web.half_sent(path, 0, film[: 19 << 20], len(film)):
            wait_for(two_parts)
            for process in web.workers:
                process.kill()
    app.config["DATA_DIR"] = tmp_path / "other"
    with serve(app, tmp_path / "second.log", token) as web:
        offset = web.offset(path)
        assert offset == 16 << 20, "what is in full parts"
        wait_for(lambda: web.send(path, offset, b"").status == 204)  # the dead one's claim ends
        answer = web.send(path, offset, film[offset:])
        assert answer.status == 204, answer
    assert "Video-Location" in answer.headers
    assert objects.read(f"{prefix}films/{place.split('/')[-2]}/original") == film
    assert keys(objects, f"{prefix}incoming/") == []
    assert objects.uploads(prefix) == []
