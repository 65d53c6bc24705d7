"""Early start: what can be made of a film is made while its file still comes in."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient, FlaskCliRunner

from app.database import db, now
from app.media.binary import ffmpeg_binary
from app.media.filing import decodes
from app.tasks.queue import QUEUES, queue
from app.videos.models import Cell, Grid, Rendition, Task, Upload, Video
from app.videos.uploads import early, resumable
from tests.films import made_film, multipart

Work = Callable[[], None]

TUS = {"Tus-Resumable": "1.0.0"}

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early, "SMALLEST_BYTES", 1 << 20)


def remuxed(tmp_path: Path, codec: str, name: str, *options: str) -> bytes:
    made = made_film(30, "640x360", codec)
    path = tmp_path / name
    command = [ffmpeg_binary(None), "-nostdin", "-v", "error", "-i", made, "-c", "copy", *options]
    subprocess.run([*command, path], check=True)
    return path.read_bytes()


def begin(client: FlaskClient, film: bytes) -> str:
    name = base64.b64encode(b"film.mp4").decode()
    headers = {**TUS, "Upload-Length": str(len(film)), "Upload-Metadata": f"filename {name}"}
    answer = client.post("/api/uploads/", headers=headers)
    assert answer.status_code == 201, answer.text
    return urlsplit(answer.headers["Location"]).path


def send(client: FlaskClient, address: str, film: bytes, start: int, end: int) -> dict[str, str]:
    headers = {**TUS, "Upload-Offset": str(start)}
    answer = client.patch(
        address,
        data=film[start:end],
        headers=headers,
        content_type="application/offset+octet-stream",
    )
    assert answer.status_code == 204, answer.text
    return dict(answer.headers)


def listed(client: FlaskClient) -> list[dict[str, Any]]:
    return list(client.get("/api/local-videos/").json)


def cells(app: APIFlask, video_id: int) -> dict[tuple[str, int], Any]:
    with app.app_context():
        rows = db.session.execute(
            db.select(Rendition.name, Cell.chunk, Cell.segments)
            .join(Cell, Cell.rendition_id == Rendition.id)
            .join(Grid, Grid.id == Rendition.grid_id)
            .where(Grid.video_id == video_id, Cell.filled_at.is_not(None))
        )
        return {(name, chunk): segments for name, chunk, segments in rows}


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_it_is_watched_before_its_last_byte_and_ends_as_if_it_had_come_at_once(
    app: APIFlask, signed_in: FlaskClient, work: Work, tmp_path: Path, codec: str
) -> None:
    film = remuxed(tmp_path, codec, "film.mp4", "-movflags", "+faststart")
    address, most = begin(signed_in, film), len(film) * 7 // 10
    headers = send(signed_in, address, film, 0, most)
    assert "Video-Location" in headers
    work()
    (video,) = listed(signed_in)
    assert (video["status"], video["playable"], video["error"]) == ("processing", True, None)
    assert video["uploaded"] == pytest.approx(0.7, abs=0.01)
    assert video["size"] == len(film)
    assert 0.1 < video["progress"] < 0.9
    hls = urlsplit(signed_in.get(f"/api/videos/{video['id']}/playback/").json["hls_url"]).path
    row = video["renditions"][-1]["height"]
    with (
        signed_in.get(hls.replace("master.m3u8", f"{row}p/init.mp4")) as init,
        signed_in.get(hls.replace("master.m3u8", f"{row}p/0.m4s")) as segment,
    ):
        assert decodes(init.data + segment.data)
    before = cells(app, video["id"])

    send(signed_in, address, film, most, len(film))
    work()
    (video,) = listed(signed_in)
    assert (video["status"], video["uploaded"], video["error"]) == ("ready", None, None)
    whole = signed_in.post("/api/local-videos/", **multipart(film)).json["id"]
    work()
    at_once = cells(app, whole)
    assert cells(app, video["id"]) == at_once
    assert {place: at_once[place] for place in before} == before
    assert list((Path(app.config["DATA_DIR"]) / "media" / "incoming").iterdir()) == []


@sqlite_only
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("index-at-the-end.mp4", ()),
        ("matroska.mkv", ()),
        ("fragmented.mp4", ("-movflags", "+frag_keyframe+empty_moov")),
    ],
)
def test_without_an_index_at_the_front_it_begins_with_the_last_byte(
    signed_in: FlaskClient, work: Work, tmp_path: Path, name: str, options: tuple[str, ...]
) -> None:
    film = remuxed(tmp_path, "mpeg4", name, *options)
    address = begin(signed_in, film)
    send(signed_in, address, film, 0, len(film) - 1)
    work()
    assert listed(signed_in) == []
    headers = send(signed_in, address, film, len(film) - 1, len(film))
    assert "Video-Location" in headers
    work()
    assert listed(signed_in)[0]["status"] == "ready"


@pytest.mark.parametrize("end", ["film", "upload", "expired"])
def test_nothing_is_left_of_one_that_is_given_up(
    app: APIFlask,
    signed_in: FlaskClient,
    runner: FlaskCliRunner,
    work: Work,
    tmp_path: Path,
    end: str,
) -> None:
    film = remuxed(tmp_path, "mpeg4", "film.mp4", "-movflags", "+faststart")
    address = begin(signed_in, film)
    send(signed_in, address, film, 0, len(film) // 2)
    work()
    audit = json.loads(runner.invoke(args=["storage", "audit", "--json"]).output)
    assert audit["findings"] == []
    if end == "film":
        video_id = listed(signed_in)[0]["id"]
        assert signed_in.delete(f"/api/local-videos/{video_id}/").status_code == 204
    elif end == "upload":
        assert signed_in.delete(address, headers=TUS).status_code == 204
    else:
        with app.app_context():
            db.session.scalars(db.select(Upload)).one().expires_at = now()
            db.session.commit()
            resumable.sweep()
    assert signed_in.head(address, headers=TUS).status_code == 404
    media = Path(app.config["DATA_DIR"]) / "media"
    assert [path for path in media.rglob("*") if path.is_file()] == []
    with app.app_context():
        for model in (Video, Upload, Task, Cell):
            assert db.session.scalars(db.select(model)).all() == []


@sqlite_only
def test_what_waits_in_the_queue_is_not_announced_with_each_piece(
    app: APIFlask, signed_in: FlaskClient, tmp_path: Path
) -> None:
    film = remuxed(tmp_path, "mpeg4", "film.mp4", "-movflags", "+faststart")
    address, piece = begin(signed_in, film), len(film) // 10
    for number in range(5, 10):
        send(signed_in, address, film, (number - 5) * piece, (number - 4) * piece)
    with app.app_context():  # nobody works: the plan waits
        announced = sum(queue(name).count for name in QUEUES)
        assert 1 <= announced <= 2
        assert len(db.session.scalars(db.select(Task)).all()) == 1


@sqlite_only
def test_bytes_that_turn_out_broken_are_judged_only_when_all_are_there(
    signed_in: FlaskClient, work: Work, tmp_path: Path
) -> None:
    film = bytearray(remuxed(tmp_path, "mpeg4", "film.mp4", "-movflags", "+faststart"))
    at = film.index(b"mdat")
    film[at + 100 : at + 4 * len(film) // 10] = bytes(4 * len(film) // 10 - 100)
    address = begin(signed_in, bytes(film))
    send(signed_in, address, bytes(film), 0, len(film) // 2)
    work()
    (video,) = listed(signed_in)
    assert (video["status"], video["error"]) == ("processing", None)
    send(signed_in, address, bytes(film), len(film) // 2, len(film))
    work()
    (video,) = listed(signed_in)
    assert video["status"] in {"failed", "ready"}
    assert video["uploaded"] is None
