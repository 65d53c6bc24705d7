"""Captions and chapters, from a film or a file to a player; and posters that owners choose."""

from __future__ import annotations

import io
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from app.database import db
from app.media.binary import ffmpeg_binary
from app.storage import storage
from app.videos.models import Subtitle, Video
from tests.conftest import Convert, make_user, sign_in
from tests.films import made_film, multipart

from .test_streams import base, status

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

Work = Callable[[], None]

SRT = b"1\n00:00:00,500 --> 00:00:01,500\n<b>Hi</b> <script>alert(1)</script>\n"

CHAPTERS = """;FFMETADATA1
[CHAPTER]
TIMEBASE=1/1000
START=0
END=1000
title=Begin <b>
[CHAPTER]
TIMEBASE=1/1000
START=1000
END=2000
"""


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short film that has its say."""
    return talking_film(tmp_path_factory.mktemp("talking"), 3)


def talking_film(folder: Path, seconds: float) -> Path:
    """A Matroska film with two text tracks and two chapters."""
    (folder / "en.srt").write_bytes(SRT)
    (folder / "fr.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nBonjour\n")
    (folder / "chapters.txt").write_text(CHAPTERS)
    path = folder / "talking.mkv"
    words = ["-nostdin", "-v", "error", "-i", made_film(seconds), "-i", folder / "en.srt"]
    words += ["-i", folder / "fr.srt", "-i", folder / "chapters.txt"]
    words += ["-map", "0", "-map", "1", "-map", "2", "-map_metadata", "3", "-c", "copy"]
    words += ["-c:s:0", "srt", "-c:s:1", "ass", "-metadata:s:s:0", "language=eng"]
    words += ["-metadata:s:s:1", "language=fre", "-metadata:s:s:1", 'title=Fran"ç"ais']
    words += ["-disposition:s:0", "default", path]
    subprocess.run([ffmpeg_binary(None), *words], check=True, timeout=60)
    return path


def upload(client: FlaskClient, path: Path, work: Work) -> int:
    answer = client.post("/api/local-videos/", **multipart(path.read_bytes(), path.name))
    assert answer.status_code == 201
    work()
    assert client.get(f"/api/videos/{answer.json['id']}/").json["status"] == "ready"
    return int(answer.json["id"])


def read(client: FlaskClient, url: str) -> str:
    with client.get(url) as answer:
        assert answer.status_code == 200, url
        return answer.text


def test_a_films_own_text_tracks_and_chapters_reach_the_player(
    app: APIFlask, signed_in: FlaskClient, work: Work, talking: Path
) -> None:
    film = upload(signed_in, talking, work)
    playback = signed_in.get(f"/api/videos/{film}/playback/").json
    assert [(row["language"], row["label"], row["default"]) for row in playback["subtitles"]] == [
        ("eng", "English", True),
        ("fre", "Français", False),
    ]
    assert read(signed_in, playback["subtitles"][0]["url"]) == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:01.500\n<b>Hi</b> alert(1)\n"
    )
    assert read(signed_in, playback["chapters_url"]) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nBegin &lt;b&gt;\n\n"
        "00:00:01.000 --> 00:00:02.000\nChapter 2\n"
    )
    root = base(signed_in, film)
    master = read(signed_in, f"{root}master.m3u8")
    tracks = re.findall(r'TYPE=SUBTITLES.*NAME="([^"]+)".*DEFAULT=(\w+).*URI="([^"]+)"', master)
    assert [track[:2] for track in tracks] == [("English", "NO"), ("Français", "NO")]
    assert master.count('SUBTITLES="captions"') == master.count("#EXT-X-STREAM-INF")
    playlist = root.rsplit("/", 2)[0] + tracks[0][2].removeprefix("..")
    text = read(signed_in, playlist)
    assert "#EXT-X-ENDLIST" in text
    assert read(signed_in, playlist.replace("index.m3u8", "captions.vtt")).startswith("WEBVTT")
    listed = signed_in.get("/api/local-videos/").json[0]["subtitles"]
    assert [row["label"] for row in listed] == ["English", "Français"]


def add(client: FlaskClient, film: int, data: bytes = SRT, **fields: Any) -> Any:
    form = {"language": "en", "file": (io.BytesIO(data), "x.srt")} | fields
    return client.post(f"/api/videos/{film}/subtitles/", data=form)


@pytest.fixture
def film(ready: Convert) -> int:
    return ready(made_film(3))


def test_an_owner_adds_and_removes_captions(
    app: APIFlask, signed_in: FlaskClient, film: int
) -> None:
    added = add(signed_in, film, label='Mine "too"')
    assert added.status_code == 201
    assert (added.json["language"], added.json["label"]) == ("en", "Mine too")
    assert add(signed_in, film, b"WEBVTT\n\n00:01.000 --> 00:02.000\nHi\n").status_code == 201
    with signed_in.get(added.json["url"]) as answer:
        assert answer.content_type == "text/vtt; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "script>" not in answer.text
    assert "SUBTITLES" in read(signed_in, f"{base(signed_in, film)}master.m3u8")
    removed = f"/api/videos/{film}/subtitles/{added.json['id']}/"
    assert signed_in.delete(removed).status_code == 204
    assert signed_in.delete(removed).status_code == 404
    assert status(signed_in, added.json["url"]) == 404
    with app.app_context():
        (row,) = db.session.scalars(db.select(Subtitle))
        folder = storage().path(db.session.get_one(Video, film).film, "text")
        assert [path.stem for path in folder.iterdir()] == [row.name]
    assert signed_in.delete(f"/api/local-videos/{film}/").status_code == 204
    with app.app_context():
        assert db.session.scalars(db.select(Subtitle)).all() == []
        assert list(storage().films()) == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"language": ""}, "language"),
        ({"language": "../../x"}, "language"),
        ({"language": 'en",X="'}, "language"),
        ({"file": (io.BytesIO(b"no captions"), "x.srt")}, "file"),
        ({"file": (io.BytesIO(b""), "x.srt")}, "file"),
    ],
)
def test_wrong_captions_name_their_field_and_leave_nothing(
    app: APIFlask, signed_in: FlaskClient, film: int, fields: dict[str, Any], field: str
) -> None:
    fields = {
        name: (io.BytesIO(value[0].getvalue()), value[1]) if isinstance(value, tuple) else value
        for name, value in fields.items()
    }
    answer = add(signed_in, film, **fields)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_input")
    assert list(answer.json["errors"]) == [field]
    with app.app_context():
        assert not storage().path(db.session.get_one(Video, film).film, "text").exists()


def test_too_much_is_413(signed_in: FlaskClient, film: int) -> None:
    for name, path, size in (("file", "subtitles", 10**6), ("image", "thumbnail", 10**7)):
        for much in (size + 1, 3 * size):
            large = FileStorage(io.BytesIO(b"\xff\xd8\xff" + b"x" * much), "x.jpg")
            boundary, body = encode_multipart({name: large, "language": "en"})
            answer = signed_in.post(
                f"/api/videos/{film}/{path}/",
                data=body,
                content_type=f"multipart/form-data; boundary={boundary}",
            )
            assert (answer.status_code, answer.json["code"]) == (413, "too_large")


def test_captions_are_for_the_owner_to_change(
    app: APIFlask, signed_in: FlaskClient, film: int
) -> None:
    added = add(signed_in, film).json
    make_user(app, "other@example.org")
    other = sign_in(app.test_client(), "other@example.org")
    assert add(other, film).status_code == 404
    assert other.delete(f"/api/videos/{film}/subtitles/{added['id']}/").status_code == 404
    foreign = added["url"].replace(added["url"].split("/")[4], "x")
    assert status(other, foreign) == 404


# posters


def thumbnail(client: FlaskClient, film: int) -> tuple[str, av.VideoFrame]:
    url = client.get(f"/api/videos/{film}/").json["thumbnail_url"]
    with client.get(url) as answer:
        assert answer.status_code == 200
        with av.open(io.BytesIO(answer.data)) as container:
            return url, next(container.decode(video=0))


def widths(client: FlaskClient, film: int) -> set[int]:
    """The widths that the film's pictures are said to have, and have."""
    described = client.get(f"/api/videos/{film}/").json
    assert len(described["placeholder"]) <= 400
    for image in described["images"]:
        with client.get(image["url"]) as answer:
            assert answer.content_type == f"image/{image['format']}"
            with av.open(io.BytesIO(answer.data)) as container:
                frame = next(container.decode(video=0))
        assert (frame.width, frame.height) == (image["width"], image["height"])
    assert {image["format"] for image in described["images"]} == {"jpeg", "webp", "avif"}
    return {image["width"] for image in described["images"]}


def test_a_chosen_moment_and_an_own_image_win(
    app: APIFlask, signed_in: FlaskClient, film: int, work: Work, tmp_path: Path
) -> None:
    before, _ = thumbnail(signed_in, film)
    assert widths(signed_in, film) == {320}
    answer = signed_in.post(f"/api/videos/{film}/thumbnail/", json={"time": 2.9})
    assert answer.status_code == 202
    work()
    moment, _ = thumbnail(signed_in, film)
    assert moment != before, "no cache shows the old one"

    image = tmp_path / "red.png"
    words = ["-nostdin", "-v", "error", "-f", "lavfi", "-i", "color=red:s=900x1600", "-frames:v"]
    subprocess.run([ffmpeg_binary(None), *words, "1", image], check=True, timeout=60)
    form = {"image": (io.BytesIO(image.read_bytes()), "red.png")}
    assert signed_in.post(f"/api/videos/{film}/thumbnail/", data=form).status_code == 202
    work()
    own, picture = thumbnail(signed_in, film)
    assert own != moment
    assert (picture.width, picture.height) == (480, 854)
    assert widths(signed_in, film) == {480, 900}
    red = picture.to_ndarray(format="rgb24")[400, 200] if _has_numpy() else None
    assert red is None or (red[0] > 200 and red[1] < 50)
    assert signed_in.get(f"/api/videos/{film}/").json["status"] == "ready"

    signed_in.post(f"/api/videos/{film}/thumbnail/", json={"time": 0})
    work()
    assert thumbnail(signed_in, film)[1].width == 320
    assert widths(signed_in, film) == {320}, "nothing is left of the larger one"
    with app.app_context():
        images = storage().path(db.session.scalars(db.select(Video.film)).one(), "images")
    assert len([path for path in images.iterdir() if path.suffix in {".webp", ".avif"}]) == 2


def _has_numpy() -> bool:
    try:
        import numpy  # noqa: F401
    except ImportError:
        return False
    return True


def test_pages_offer_every_size(app: APIFlask, signed_in: FlaskClient, film: int) -> None:
    with app.app_context():
        db.session.get_one(Video, film).is_global = True
        db.session.commit()
    described = signed_in.get(f"/api/videos/{film}/").json
    both = ("avif", "webp")
    kinds = {"/browse": both, f"/videos/{film}": both, "/my-videos": ("avif",)}  # cards name few
    for page in kinds:
        text = signed_in.get(page).text
        for kind in kinds[page]:
            (source,) = set(
                re.findall(rf'<source type="image/{kind}" sizes="[^"]+" srcset="([^"]+)"', text)
            )
            assert re.fullmatch(rf"/stream/[^ ]+/images/480\.{kind}\?v=1 320w", source)
        assert f'<img class="placeholder" src="{described["placeholder"]}" alt=""' in text
        assert " style=" not in text, "the policy bars it"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"json": {"time": 99}}, "invalid_input"),
        ({"json": {"time": -1}}, "invalid_input"),
        ({"json": {"time": "x"}}, "invalid_input"),
        ({"json": {}}, "invalid_input"),
        ({"data": {}}, "unsupported_media_type"),
        ({"data": {"image": (io.BytesIO(b"<svg onload=alert(1)>"), "x.png")}}, "not_an_image"),
        ({"data": {"image": (io.BytesIO(b"GIF89a" + b"x" * 20), "x.png")}}, "not_an_image"),
    ],
)
def test_a_wrong_poster_changes_nothing(
    signed_in: FlaskClient, film: int, work: Work, body: dict[str, Any], code: str
) -> None:
    before, _ = thumbnail(signed_in, film)
    if "image" in body.get("data", {}):
        stream, name = body["data"]["image"]
        body = {"data": {"image": (io.BytesIO(stream.getvalue()), name)}}
    answer = signed_in.post(f"/api/videos/{film}/thumbnail/", **body)
    assert answer.status_code in {400, 415}
    assert answer.json["code"] == code
    work()
    assert thumbnail(signed_in, film)[0] == before


def test_a_broken_image_leaves_the_film_as_it_was(
    signed_in: FlaskClient, film: int, work: Work
) -> None:
    before, _ = thumbnail(signed_in, film)
    form = {"image": (io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"x" * 100), "x.png")}
    assert signed_in.post(f"/api/videos/{film}/thumbnail/", data=form).status_code == 202
    work()
    assert thumbnail(signed_in, film)[0] == before
    assert signed_in.get(f"/api/videos/{film}/").json["status"] == "ready"
