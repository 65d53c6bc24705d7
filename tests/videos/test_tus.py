"""tus 1.0.0 over a real gunicorn, each MUST of the specification by a raw client."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from apiflask import APIFlask
from sqlalchemy import update

from app import create_app
from app.database import db, now
from app.tasks.reconcile import reconcile
from app.videos.models import Upload, Video
from config import Settings
from tests.conftest import make_user
from tests.databases import make_tables
from tests.films import made_film
from tests.web import CHUNK, UPLOADS, Web, creation, serve, write_token

ORIGIN = "https://app.example.org"


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> Iterator[tuple[APIFlask, Web]]:
    folder = tmp_path_factory.mktemp("tus")
    settings = Settings.load(
        {
            "DATA_DIR": str(folder / "data"),
            "DATABASE_URL": f"sqlite:///{folder / 'test.sqlite'}",
            "REDIS_URL": redis_url,
            "SECRET_KEY": "a-key-for-tests-only-0123456789abcdef",
            "MIN_FREE_BYTES": "1M",
            "MAX_UPLOAD_BYTES": "50M",
            "CORS_ORIGINS": ORIGIN,
        },
        env_file=None,
    )
    make_tables(settings.DATABASE_URL)
    app = create_app(settings)
    token = write_token(app, make_user(app, "mara@example.org"))
    with serve(app, folder / "web.log", token) as running:
        yield app, running
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def app(site: tuple[APIFlask, Web]) -> APIFlask:
    return site[0]


@pytest.fixture
def web(site: tuple[APIFlask, Web]) -> Web:
    return site[1]


@pytest.fixture
def film() -> bytes:
    return made_film().read_bytes()


def path_of(app: APIFlask, upload: str) -> Path:
    return Path(app.config["DATA_DIR"]) / "media" / "incoming" / upload.strip("/").split("/")[-1]


def size_of(app: APIFlask, upload: str) -> int:
    path = path_of(app, upload)
    return path.stat().st_size if path.exists() else -1


def sum_of(algorithm: str, data: bytes) -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


# core


def test_a_film_in_pieces_becomes_the_film_byte_by_byte(
    app: APIFlask, web: Web, film: bytes
) -> None:
    path = web.create(len(film), filename="Holiday_in Rome.mp4", category="Family")
    middle = len(film) // 3
    first = web.send(path, 0, film[:middle])
    assert (first.status, first.headers["Upload-Offset"], first.body) == (204, str(middle), b"")
    assert "Video-Location" not in first.headers
    assert web.offset(path) == middle
    last = web.send(path, middle, film[middle:])
    assert (last.status, last.headers["Upload-Offset"]) == (204, str(len(film)))
    location = last.headers["Video-Location"]
    site = f"http://127.0.0.1:{web.port}"
    assert location.startswith(f"{site}/api/local-videos/")
    video = web.ask("GET", location.removeprefix(site)).json
    assert (video["title"], video["category"]) == ("Holiday in Rome", "Family")
    assert video["size"] == len(film)
    with app.app_context():
        name = db.session.get_one(Video, video["id"]).film
    original = Path(app.config["DATA_DIR"]) / "media" / "films" / name / "original"
    assert original.read_bytes() == film
    # who missed the last answer asks, or sends nothing more
    missed = web.ask("HEAD", path)
    assert missed.headers["Upload-Offset"] == missed.headers["Upload-Length"] == str(len(film))
    assert missed.headers["Video-Location"] == location
    again = web.send(path, len(film), b"")
    assert (again.status, again.headers["Video-Location"]) == (204, location)
    assert web.send(path, middle, film[middle:]).status == 409
    (listed,) = [one for one in web.ask("GET", UPLOADS).json if one["url"] == path]
    assert (listed["video_id"], listed["offset"]) == (video["id"], len(film))
    assert web.ask("DELETE", f"/api/local-videos/{video['id']}/").status == 204
    (listed,) = [one for one in web.ask("GET", UPLOADS).json if one["url"] == path]
    assert listed["video_id"] is None
    assert web.ask("HEAD", path).headers["Upload-Offset"] == str(len(film))


def test_head_tells_offset_length_and_metadata_and_is_not_kept(web: Web, film: bytes) -> None:
    words = {"title": "“Eins”", "filename": "a.mp4", "mood": "of its own"}
    path = web.create(len(film), **words)
    answer = web.ask("HEAD", path)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Upload-Offset"] == "0"
    assert answer.headers["Upload-Length"] == str(len(film))
    said = creation(1, **words)["Upload-Metadata"]
    assert answer.headers["Upload-Metadata"] == said, "as it was given, what is unknown to us too"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    nothing = web.ask("HEAD", f"{UPLOADS}{'f' * 32}/")
    assert nothing.status == 404
    assert "Upload-Offset" not in nothing.headers


@pytest.mark.parametrize("offset", ["-1", "1.5", "", "nan", "0x10", "9" * 30, None])
def test_an_offset_is_a_whole_number(web: Web, film: bytes, offset: str | None) -> None:
    path = web.create(len(film))
    given = {} if offset is None else {"Upload-Offset": offset}
    answer = web.ask("PATCH", path, {"Content-Type": CHUNK, **given}, film)
    assert (answer.status, answer.code) == (400, "invalid_input")
    assert web.offset(path) == 0


def test_a_wrong_offset_is_409_and_changes_nothing(web: Web, film: bytes) -> None:
    path = web.create(len(film))
    assert web.send(path, 0, film[:2000]).status == 204
    for offset in (0, 1999, 2001, len(film), 10**15):
        answer = web.send(path, offset, film[2000:3000])
        assert (answer.status, answer.code) == (409, "wrong_offset")
        assert web.offset(path) == 2000


def test_only_the_types_of_tus_are_taken(web: Web, film: bytes) -> None:
    path = web.create(len(film))
    for kind in ("application/octet-stream", "multipart/form-data; boundary=b", "text/plain"):
        answer = web.send(path, 0, film, Content_Type=kind)
        assert (answer.status, answer.code) == (415, "unsupported_media_type")
    assert web.offset(path) == 0


def test_another_version_is_412_and_nothing_is_done(web: Web, film: bytes) -> None:
    path = web.create(len(film))
    for given in ({}, {"Tus-Resumable": "0.2.2"}):
        headers = {"Authorization": f"Bearer {web.token}", **given}
        for method in ("HEAD", "PATCH", "DELETE"):
            answer = web.ask(method, path, headers, plain=True)
            assert answer.status == 412
            assert answer.headers["Tus-Version"] == "1.0.0"
            assert answer.headers["Tus-Resumable"] == "1.0.0"
        begun = {**headers, **creation(1000)}
        assert web.ask("POST", UPLOADS, begun, plain=True).status == 412
    assert web.offset(path) == 0


def test_options_tell_what_is_spoken_to_anyone(web: Web) -> None:
    for path in (UPLOADS, f"{UPLOADS}{'a' * 32}/"):
        answer = web.ask("OPTIONS", path, plain=True)
        assert answer.status == 204
        assert answer.headers["Tus-Version"] == "1.0.0"
        assert answer.headers["Tus-Max-Size"] == "50000000"
        extensions = answer.headers["Tus-Extension"].split(",")
        assert set(extensions) == {
            "creation", "creation-with-upload", "checksum", "termination", "expiration",
        }  # fmt: skip
        assert "sha1" in answer.headers["Tus-Checksum-Algorithm"].split(",")


def test_a_page_of_another_origin_may_speak_it(web: Web) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "PATCH"}
    answer = web.ask("OPTIONS", UPLOADS, asked, plain=True)
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
    told = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {
        "Tus-Resumable", "Upload-Length", "Upload-Offset", "Upload-Metadata", "Upload-Checksum",
        "Content-Type", "X-HTTP-Method-Override",
    } <= set(allowed)  # fmt: skip
    assert {
        "Location", "Upload-Offset", "Upload-Length", "Upload-Expires", "Tus-Resumable",
        "Tus-Version", "Tus-Extension", "Tus-Max-Size", "Video-Location",
    } <= set(told)  # fmt: skip


def test_the_method_may_be_named_in_a_header(web: Web, film: bytes) -> None:
    path = web.create(len(film))
    sent = {"X-HTTP-Method-Override": "PATCH", "Upload-Offset": "0", "Content-Type": CHUNK}
    assert web.ask("POST", path, sent, film[:2000]).status == 204
    asked = web.ask("POST", path, {"X-HTTP-Method-Override": "HEAD"})
    assert (asked.status, asked.headers["Upload-Offset"]) == (200, "2000")
    nothing = web.ask("POST", f"{UPLOADS}none/", {"X-HTTP-Method-Override": "HEAD"})
    assert (nothing.status, nothing.body) == (404, b"")
    assert web.ask("POST", path, {"X-HTTP-Method-Override": "DELETE"}).status == 204
    assert web.ask("HEAD", path).status == 404
    assert web.ask("POST", UPLOADS, {"X-HTTP-Method-Override": "TRACE"}).status == 400


def test_a_lost_connection_keeps_what_came(app: APIFlask, web: Web, film: bytes) -> None:
    path = web.create(len(film))
    with web.half_sent(path, 0, film[:150_000], len(film)):
        wait_for(lambda: size_of(app, path) > 0)
    wait_for(lambda: web.send(path, 10**12, b"").status == 409)  # and no longer 423
    offset = web.offset(path)
    assert 0 < offset <= 150_000
    assert path_of(app, path).read_bytes() == film[:offset]
    assert web.send(path, offset, film[offset:]).status == 204


def test_a_body_in_chunks_needs_no_length(web: Web, film: bytes) -> None:
    path = web.create(len(film))
    pieces = [film[start : start + 7000] for start in range(0, len(film), 7000)]
    answer = web.send(path, 0, iter(pieces))
    assert (answer.status, answer.headers["Upload-Offset"]) == (204, str(len(film)))
    assert "Video-Location" in answer.headers


def test_more_bytes_than_the_rest_are_413_and_none_counts(
    app: APIFlask, web: Web, film: bytes
) -> None:
    path = web.create(len(film))
    assert web.send(path, 0, film[:2000]).status == 204
    answer = web.send(path, 2000, film[2000:] + b"x")
    assert (answer.status, answer.code) == (413, "too_long")
    answer = web.send(path, 2000, iter([film[2000:], b"x"]))
    assert (answer.status, answer.code) == (413, "too_long")
    assert web.offset(path) == path_of(app, path).stat().st_size == 2000
    assert web.send(path, 2000, film[2000:]).status == 204


# creation


@pytest.mark.parametrize("length", [None, "-1", "many", "1e6", "9" * 30])
def test_an_upload_says_its_length(web: Web, length: str | None) -> None:
    given = {} if length is None else {"Upload-Length": length}
    answer = web.ask("POST", UPLOADS, given)
    assert (answer.status, answer.code) == (400, "invalid_input")
    assert list(answer.json["errors"]) == ["Upload-Length"]


def test_a_length_that_cannot_be_is_refused_at_once(web: Web) -> None:
    assert web.ask("POST", UPLOADS, creation(50_000_001)).status == 413
    assert web.ask("POST", UPLOADS, creation(0)).status == 400
    assert web.ask("POST", UPLOADS, {"Upload-Defer-Length": "1"}).status == 400


def test_creation_may_bring_the_first_bytes_or_all(web: Web, film: bytes) -> None:
    begun = {"Content-Type": CHUNK, **creation(len(film), filename="b.mp4")}
    some = web.ask("POST", UPLOADS, begun, film[:3000])
    assert (some.status, some.headers["Upload-Offset"]) == (201, "3000")
    assert web.offset(some.headers["Location"]) == 3000
    checked = {**begun, "Upload-Checksum": sum_of("sha256", film)}
    whole = web.ask("POST", UPLOADS, checked, film)
    assert (whole.status, whole.headers["Upload-Offset"]) == (201, str(len(film)))
    assert "Video-Location" in whole.headers
    before = len(web.ask("GET", UPLOADS).json)
    wrong = {**begun, "Upload-Checksum": sum_of("sha256", b"other")}
    assert web.ask("POST", UPLOADS, wrong, film).status == 460
    assert web.ask("POST", UPLOADS, begun, film + b"x").status == 413
    assert web.ask("POST", UPLOADS, begun, b"A letter." * 1000).status == 415
    assert len(web.ask("GET", UPLOADS).json) == before


@pytest.mark.parametrize(
    "metadata",
    [
        "filename !!!",
        "filename YQ==,filename Yg==",
        "fi\tlename YQ==",
        ",,,",
        "title " + base64.b64encode(b"a\0b").decode(),
        "title " + base64.b64encode(b"x" * 201).decode(),
        "category " + base64.b64encode(b"y" * 61).decode(),
    ],
)
def test_metadata_that_cannot_be_kept_are_400(web: Web, metadata: str) -> None:
    before = len(web.ask("GET", UPLOADS).json)
    answer = web.ask("POST", UPLOADS, {"Upload-Length": "10", "Upload-Metadata": metadata})
    assert (answer.status, answer.code) == (400, "invalid_input")
    assert len(web.ask("GET", UPLOADS).json) == before


# checksum


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
def test_bytes_that_were_changed_on_their_way_do_not_count(
    app: APIFlask, web: Web, film: bytes, algorithm: str
) -> None:
    path = web.create(len(film))
    assert web.send(path, 0, film[:2000]).status == 204
    right = sum_of(algorithm, film[2000:9000])
    wrong = web.send(path, 2000, film[2000:8999] + b"?", Upload_Checksum=right)
    assert (wrong.status, wrong.code) == (460, "checksum_mismatch")
    assert web.offset(path) == path_of(app, path).stat().st_size == 2000
    assert web.send(path, 2000, film[2000:9000], Upload_Checksum=right).status == 204
    assert path_of(app, path).read_bytes() == film[:9000]


@pytest.mark.parametrize("given", ["crc32 AAAA", "sha1", "sha1 ???", "sha1 AAAA", ""])
def test_a_checksum_we_cannot_make_is_400(web: Web, film: bytes, given: str) -> None:
    path = web.create(len(film))
    answer = web.send(path, 0, film, Upload_Checksum=given)
    assert (answer.status, answer.code) == (400, "bad_checksum")
    assert web.offset(path) == 0


def test_a_lost_connection_with_a_checksum_keeps_nothing(
    app: APIFlask, web: Web, film: bytes
) -> None:
    path = web.create(len(film))
    checksum = f"{CHUNK}\r\nUpload-Checksum: {sum_of('sha1', film)}"
    head = "".join(f"{name}: {value}\r\n" for name, value in web.headers().items())
    connection = web.connect()
    connection.connect()
    connection.sock.sendall(
        f"PATCH {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}Content-Type: {checksum}\r\n"
        f"Upload-Offset: 0\r\nContent-Length: {len(film)}\r\n\r\n".encode()
        + film[:150_000]
    )
    wait_for(lambda: size_of(app, path) > 0)
    assert web.offset(path) == 0
    connection.close()
    wait_for(lambda: size_of(app, path) == 0)
    assert not path_of(app, path).with_name(path_of(app, path).name + ".counts").exists()


# termination and expiration


def test_an_upload_that_is_ended_is_gone_with_its_bytes(
    app: APIFlask, web: Web, film: bytes
) -> None:
    path = web.create(len(film))
    web.send(path, 0, film[:2000])
    assert path_of(app, path).exists()
    assert web.ask("DELETE", path).status == 204
    assert web.ask("HEAD", path).status == 404
    assert web.send(path, 2000, film[2000:]).status == 404
    assert not path_of(app, path).exists()


def test_an_upload_tells_when_it_expires_and_is_gone_then(
    app: APIFlask, web: Web, film: bytes
) -> None:
    begun = web.ask("POST", UPLOADS, creation(len(film)))
    until = parsedate_to_datetime(begun.headers["Upload-Expires"])
    assert timedelta(hours=23) < until - now() <= timedelta(hours=24)
    path = begun.headers["Location"]
    with app.app_context():
        name = path_of(app, path).name
        soon = now() + timedelta(minutes=5)
        db.session.execute(update(Upload).where(Upload.name == name).values(expires_at=soon))
        db.session.commit()
        sent = web.send(path, 0, film[:2000])
        until = parsedate_to_datetime(sent.headers["Upload-Expires"])
        assert until - now() > timedelta(hours=23)
        db.session.execute(update(Upload).where(Upload.name == name).values(expires_at=now()))
        db.session.commit()
    for answer in (web.send(path, 2000, film[2000:]), web.ask("DELETE", path)):
        assert (answer.status, answer.code) == (410, "upload_expired")
    assert web.ask("HEAD", path).status == 410
    assert path_of(app, path).exists()
    with app.app_context():
        reconcile()
    assert not path_of(app, path).exists()
    assert web.ask("HEAD", path).status == 404


# whose it is


def test_an_upload_is_its_owners_alone(app: APIFlask, web: Web, film: bytes) -> None:
    path = web.create(len(film))
    other = write_token(app, make_user(app, "other@example.org"))
    sent = {"Upload-Offset": "0", "Content-Type": CHUNK}
    assert web.ask("HEAD", path, token=other).status == 404
    assert web.ask("PATCH", path, sent, film, token=other).status == 404
    assert web.ask("DELETE", path, token=other).status == 404
    assert web.ask("GET", UPLOADS, token=other).json == []
    given = {"Content-Type": "application/json"}
    assert web.ask("POST", f"{path}details/", given, b"{}", token=other).status == 404
    assert web.ask("POST", UPLOADS, {"Tus-Resumable": "1.0.0"}, plain=True).status == 401
    assert web.offset(path) == 0
    unverified = write_token(app, make_user(app, "new@example.org", verified=False))
    assert web.ask("POST", UPLOADS, creation(1000), token=unverified).status == 403


def test_only_curators_send_films_into_the_catalogue(app: APIFlask, web: Web, film: bytes) -> None:
    begun = {"Content-Type": CHUNK, **creation(len(film), **{"global": "1", "title": "All"})}
    assert web.ask("POST", UPLOADS, begun, film).status == 403
    curator = write_token(app, make_user(app, "curator@example.org", role="curator"))
    answer = web.ask("POST", UPLOADS, begun, film, token=curator)
    assert answer.status == 201
    assert "/api/global-videos/" in answer.headers["Video-Location"]


def test_what_is_said_of_it_can_change_meanwhile_and_afterwards(web: Web, film: bytes) -> None:
    path = web.create(len(film), filename="raw_cut.mov")
    given = {"Content-Type": "application/json"}
    said = web.ask("POST", f"{path}details/", given, b'{"title": "Rome", "category": "Travel"}')
    assert (said.status, said.json["title"], said.json["offset"]) == (200, "Rome", 0)
    assert web.ask("POST", f"{path}details/", given, b'{"title": ""}').status == 400
    location = urlsplit(web.send(path, 0, film).headers["Video-Location"]).path
    video = web.ask("GET", location).json
    assert (video["title"], video["category"]) == ("Rome", "Travel")
    web.ask("POST", f"{path}details/", given, b'{"description": "In May."}')
    assert web.ask("GET", location).json["description"] == "In May."


def wait_for(happens: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.05)
