from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.auth.admin import disable
from app.auth.models import User
from app.auth.profile import delete_account
from app.database import db
from app.storage import storage
from app.videos.models import Video
from app.videos.uploads import room
from tests.conftest import make_user, sign_in
from tests.films import made_film

URL = "/api/local-videos/"

NO_FILMS = {
    "text": b"Just a letter to a friend.\n" * 100,
    "png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\x00" * 2000,
    "gif": b"GIF89a" + b"\x00" * 2000,
    "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\x00" * 2000,
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>',
    "playlist": b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:4,\nfile:///etc/passwd\n",
    "concat": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "dash": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"/>',
    "program": b"\x7fELF\x02\x01\x01" + b"\x00" * 2000,
    "one byte": b"x",
}


def form(data: bytes, name: str = "film.mp4", **fields: str) -> dict[str, object]:
    return {"file": (io.BytesIO(data), name), **fields}


def files_below(app: APIFlask) -> list[Path]:
    return [path for path in (app.config["DATA_DIR"] / "media").rglob("*") if path.is_file()]


def count_films(app: APIFlask) -> int:
    with app.app_context():
        return db.session.query(Video).count()


def test_a_film_is_taken_in_under_a_generated_name(app: APIFlask, signed_in: FlaskClient) -> None:
    data = made_film().read_bytes()
    answer = signed_in.post(URL, data=form(data, "../../etc/Holiday_in Rome.mp4"))
    assert answer.status_code == 201
    video = answer.json
    assert video["title"] == "Holiday in Rome"
    assert (video["status"], video["playable"], video["progress"]) == ("processing", False, 0.0)
    assert video["size"] == len(data)
    assert answer.headers["Location"].endswith(f"/api/local-videos/{video['id']}/")
    (stored,) = files_below(app)
    assert stored.read_bytes() == data
    assert stored.name == "original"
    assert len(stored.parent.name) == 32
    assert signed_in.get(URL).json[0]["id"] == video["id"]


def test_what_is_said_of_it_is_kept(signed_in: FlaskClient) -> None:
    said = {
        "title": "  A <b>bold</b> title ",
        "description": "“Quotes” & such",
        "category": "Family",
    }
    video = signed_in.post(URL, data=form(made_film().read_bytes(), **said)).json
    assert video["title"] == "A <b>bold</b> title"
    assert video["description"] == "“Quotes” & such"
    assert video["category"] == "Family"
    page = signed_in.get("/my-videos").text
    assert "A <b>bold</b>" not in page
    assert "A &lt;b&gt;bold&lt;/b&gt; title" in page


@pytest.mark.parametrize("kind", NO_FILMS)
def test_what_is_no_film_is_refused_and_leaves_nothing(
    app: APIFlask, signed_in: FlaskClient, kind: str
) -> None:
    answer = signed_in.post(URL, data=form(NO_FILMS[kind]))
    assert answer.status_code == 415
    assert answer.content_type == "application/problem+json"
    assert answer.json["code"] == "not_a_video"
    assert files_below(app) == []
    assert count_films(app) == 0


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "file"),
        ({"title": "No file"}, "file"),
        ({"file": b""}, "file"),
    ],
)
def test_a_form_without_a_film_is_400(
    app: APIFlask, signed_in: FlaskClient, data: dict[str, object], field: str
) -> None:
    if "file" in data:
        data = form(b"", "empty.mp4")
    answer = signed_in.post(URL, data=data, content_type="multipart/form-data")
    assert answer.status_code == 400
    assert field in answer.json["errors"]
    assert files_below(app) == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": "x" * 10_000}, "title"),
        ({"category": "y" * 61}, "category"),
        ({"title": "a\0b"}, "title"),
        ({"description": "a\0b"}, "description"),
    ],
)
def test_a_text_that_cannot_be_kept_names_its_field(
    app: APIFlask, signed_in: FlaskClient, fields: dict[str, str], field: str
) -> None:
    answer = signed_in.post(URL, data=form(made_film().read_bytes(), **fields))
    assert answer.status_code == 400
    assert list(answer.json["errors"]) == [field]
    assert files_below(app) == []
    assert count_films(app) == 0


def test_two_films_in_one_form_are_refused(app: APIFlask, signed_in: FlaskClient) -> None:
    data = made_film().read_bytes()
    both = {"file": [(io.BytesIO(data), "a.mp4"), (io.BytesIO(data), "b.mp4")]}
    assert signed_in.post(URL, data=both).status_code == 400
    assert files_below(app) == []


def test_a_film_over_the_limit_is_413(app: APIFlask, signed_in: FlaskClient) -> None:
    data = made_film().read_bytes()
    app.config["MAX_UPLOAD_BYTES"] = len(data) - 1
    answer = signed_in.post(URL, data=form(data))
    assert (answer.status_code, answer.json["code"]) == (413, "too_large")
    app.config["MAX_UPLOAD_BYTES"] = 1000
    promised = {"CONTENT_LENGTH": "5000000", "CONTENT_TYPE": "multipart/form-data; boundary=b"}
    assert signed_in.post(URL, environ_overrides=promised).status_code == 413
    assert files_below(app) == []


def test_a_lying_length_does_not_get_past_the_limit(app: APIFlask, signed_in: FlaskClient) -> None:
    app.config["MAX_UPLOAD_BYTES"] = 100_000

    def body() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
        yield b"\0\0\0\x18ftypisom" + b"\0" * 1012
        for _ in range(100):
            yield b"\0" * 20_000

    answer = signed_in.post(
        URL,
        input_stream=_Stream(body()),
        content_type="multipart/form-data; boundary=b",
        environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
    )
    assert answer.status_code == 413
    assert files_below(app) == []


def test_a_full_disk_is_507(app: APIFlask, signed_in: FlaskClient) -> None:
    app.config["MIN_FREE_BYTES"] = 2**60
    answer = signed_in.post(URL, data=form(made_film().read_bytes()))
    assert (answer.status_code, answer.json["code"]) == (507, "no_room")
    assert files_below(app) == []


def test_a_field_of_a_megabyte_and_many_parts_are_413(
    app: APIFlask, signed_in: FlaskClient
) -> None:
    data = made_film().read_bytes()
    assert signed_in.post(URL, data=form(data, title="x" * 300_000)).status_code == 413
    many = {f"field{n}": "x" for n in range(1000)}
    assert signed_in.post(URL, data={**many, **form(data)}).status_code == 413
    assert files_below(app) == []


def test_who_may_not_upload(app: APIFlask, client: FlaskClient) -> None:
    data = made_film().read_bytes()
    assert client.post(URL, data=form(data)).status_code == 401
    make_user(app, "new@example.org", verified=False)
    member = make_user(app, "some@example.org")
    assert member
    sign_in(client, "some@example.org")
    answer = client.post("/api/global-videos/", data=form(data))
    assert answer.status_code == 403
    assert files_below(app) == []


def test_the_plain_form_of_a_browser_without_scripts(app: APIFlask, signed_in: FlaskClient) -> None:
    page = signed_in.get("/upload")
    assert 'enctype="multipart/form-data"' in page.text
    answer = signed_in.post("/upload", data=form(made_film().read_bytes(), title="Plain"))
    assert answer.status_code == 302
    assert answer.location.endswith("/my-videos")
    assert "Plain" in signed_in.get("/my-videos").text
    bad = signed_in.post("/upload", data=form(b"no film at all"))
    assert bad.status_code == 415
    assert "not a film that we can read" in bad.text


def test_free_space_is_asked_of_the_disk_that_holds_the_films(app: APIFlask) -> None:
    with app.app_context():
        assert storage().free_bytes() > 0


class _Stream(io.RawIOBase):
    """A body that comes in pieces and has no length."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def seek(self, _offset: int, _whence: int = 0) -> int:
        return 0

    def tell(self) -> int:
        return 0

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        if not self._rest:
            self._rest = next(self._pieces, b"")
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


@pytest.mark.parametrize("end", [delete_account, disable])
def test_an_account_that_ends_during_the_upload_leaves_no_film(
    app: APIFlask,
    signed_in: FlaskClient,
    member: int,
    monkeypatch: pytest.MonkeyPatch,
    end: Callable[[User], None],
) -> None:
    real = room.require_room

    def meanwhile(size: int) -> None:  # asked for when the first bytes of the film are here
        with app.app_context():
            end(db.session.get_one(User, member))
            db.session.commit()
            db.session.remove()
        monkeypatch.setattr(room, "require_room", real)

    monkeypatch.setattr(room, "require_room", meanwhile)
    answer = signed_in.post(URL, data=form(made_film().read_bytes()))
    assert (answer.status_code, answer.json["code"]) == (401, "not_signed_in")
    assert files_below(app) == []
    assert count_films(app) == 0
