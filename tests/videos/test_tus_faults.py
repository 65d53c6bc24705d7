"""Uploads in pieces when something goes wrong: deaths, two writers, full disks, lies."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from apiflask import APIFlask
from sqlalchemy import select, update

from app.auth.models import User
from app.auth.profile import delete_account
from app.database import db
from app.storage import storage
from app.tasks.audit import Checked, examine
from app.tasks.reconcile import reconcile
from app.videos.models import Upload, Video
from app.videos.uploads import leases
from tests.conftest import make_user
from tests.films import made_film, real_film
from tests.web import CHUNK, UPLOADS, Web, creation, serve, write_token

from .test_tus import path_of, size_of, sum_of, wait_for
from .test_uploads import NO_FILMS

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def web(app: APIFlask, member: int, tmp_path: Path) -> Iterator[Web]:
    with serve(app, tmp_path / "web.log", write_token(app, member), workers=2) as running:
        yield running


@pytest.fixture
def film() -> bytes:
    return made_film().read_bytes()


def kill_workers(web: Web) -> None:
    """kill -9, and wait until others are there."""
    killed = web.workers
    for worker in killed:
        worker.kill()
    wait_for(lambda: not any(worker.is_running() for worker in killed) and bool(web.workers))


def send_when_free(web: Web, path: str, offset: int, data: bytes) -> None:
    """As clients do: try again while the upload is busy."""
    answers: list[int] = []

    def sent() -> bool:
        with contextlib.suppress(OSError):
            answers.append(web.send(path, offset, data).status)
        return answers[-1:] != [423] and bool(answers)

    wait_for(sent, 30)
    assert answers[-1] == 204, answers


def test_what_was_written_before_a_kill_counts_and_the_rest_follows(
    app: APIFlask, web: Web, film: bytes
) -> None:
    path = web.create(len(film), filename="a.mp4")
    with web.half_sent(path, 0, film[:150_000], len(film)):
        wait_for(lambda: size_of(app, path) >= 65536)
        busy = web.send(path, 0, film)  # a second writer
        assert (busy.status, busy.code) == (423, "upload_busy")
        kill_workers(web)
    offset = web.offset(path)
    assert offset == size_of(app, path) >= 65536
    send_when_free(web, path, offset, film[offset:])
    with app.app_context():
        (video,) = db.session.scalars(select(Video)).all()
        original = storage().path(video.film, "original")
        assert original.read_bytes() == film
        assert db.session.scalars(select(Upload.video_id)).all() == [video.id]


@sqlite_only
def test_bytes_that_no_checksum_confirmed_are_gone_after_a_kill(
    app: APIFlask, web: Web, film: bytes
) -> None:
    path = web.create(len(film))
    assert web.send(path, 0, film[:2000]).status == 204
    head = "".join(f"{name}: {value}\r\n" for name, value in web.headers().items())
    connection = web.connect()
    connection.connect()
    connection.sock.sendall(
        f"PATCH {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}Content-Type: {CHUNK}\r\n"
        f"Upload-Checksum: {sum_of('sha1', film[2000:])}\r\nUpload-Offset: 2000\r\n"
        f"Content-Length: {len(film) - 2000}\r\n\r\n".encode()
        + film[2000:150_000]
    )
    wait_for(lambda: size_of(app, path) > 2000)
    assert web.offset(path) == 2000
    kill_workers(web)
    connection.close()
    assert web.offset(path) == 2000
    send_when_free(web, path, 2000, film[2000:])
    with app.app_context():
        (video,) = db.session.scalars(select(Video)).all()
        assert storage().path(video.film, "original").read_bytes() == film


@sqlite_only
@pytest.mark.parametrize("asked_by", ["client", "reconciler"])
@pytest.mark.parametrize("died", ["before", "after"])
def test_whoever_died_after_the_last_byte_is_finished_for(
    app: APIFlask, web: Web, film: bytes, died: str, asked_by: str
) -> None:
    path = web.create(len(film), filename="a.mp4")
    name = path_of(app, path).name
    with app.app_context():
        incoming = storage().receive(name)
        incoming.write(film)
        if died == "after":  # the file has become the film's, its row was never committed
            incoming.keep(name)
        incoming.close()
        assert db.session.scalars(select(Video)).all() == []
        db.session.rollback()
        if asked_by == "reconciler":
            reconcile()
    answer = web.ask("HEAD", path)
    assert answer.headers["Upload-Offset"] == str(len(film))
    location = urlsplit(answer.headers["Video-Location"]).path
    assert web.ask("GET", location).json["size"] == len(film)
    with app.app_context():
        assert storage().path(name, "original").read_bytes() == film
    assert not path_of(app, path).exists()


@sqlite_only
def test_who_was_silent_and_lost_the_upload_writes_nothing_more(
    app: APIFlask, web: Web, film: bytes
) -> None:
    path = web.create(len(film), filename="a.mp4")
    with web.half_sent(path, 0, film[:70_000], len(film)) as silent:
        wait_for(lambda: size_of(app, path) >= 65536)
        with app.app_context():  # its lease has run out
            db.session.execute(update(Upload).values(lease_until=0.0, fence=Upload.fence))
            db.session.commit()
        offset = web.offset(path)
        middle = offset + 4000
        assert web.send(path, offset, film[offset:middle]).status == 204
        threading.Event().wait(leases.RENEW_SECONDS)
        silent.sendall(film[70_000:])
        assert b" 423 " in silent.recv(200)
    assert web.offset(path) == middle
    assert web.send(path, middle, film[middle:]).status == 204


def test_twenty_claims_on_the_last_gigabyte_never_promise_more(
    app: APIFlask, member: int, tmp_path: Path
) -> None:
    with app.app_context():  # claims so large that what others write meanwhile matters little
        size = storage().free_bytes() * 2 // 21
    app.config["MIN_FREE_BYTES"] = size // 2
    app.config["USER_QUOTA_BYTES"] = 7 * size + 5
    app.config["MAX_UPLOAD_BYTES"] = size
    tokens = [
        write_token(app, make_user(app, f"{n}@example.org") if n else member) for n in range(2)
    ]
    answers: list[tuple[int, str]] = []
    with serve(app, tmp_path / "web.log", workers=2) as web:

        def claim(token: str) -> None:
            answer = web.ask("POST", UPLOADS, creation(size), token=token)
            answers.append((answer.status, answer.code if answer.status > 300 else ""))

        threads = [threading.Thread(target=claim, args=[tokens[n % 2]]) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    promised = [answer for answer in answers if answer[0] == 201]
    assert len(answers) == 20
    assert {answer for answer in answers if answer[0] != 201} <= {(507, "no_room"), (507, "quota")}
    assert 7 <= len(promised) <= 10, answers
    with app.app_context():
        taken = db.session.scalars(select(Upload.owner_id)).all()
        assert len(taken) == len(promised)
        assert max(taken.count(owner) for owner in set(taken)) <= 7


@sqlite_only
def test_what_is_no_film_ends_with_its_first_bytes(app: APIFlask, web: Web) -> None:
    for kind, data in NO_FILMS.items():
        path = web.create(max(len(data), 10**7), filename=f"{kind}.mp4")
        sent = data + bytes(max(0, 2000 - len(data)))
        answer = web.send(path, 0, sent)
        assert (answer.status, answer.code) == (415, "not_a_video"), kind
        assert web.ask("HEAD", path).status == 404
        assert not path_of(app, path).exists()
        short = web.create(len(data), filename=f"{kind}.mp4")
        assert web.send(short, 0, data).status == 415, kind
        assert web.ask("HEAD", short).status == 404
    assert web.ask("GET", UPLOADS).json == []
    bit_by_bit = web.create(10**7)
    assert web.send(bit_by_bit, 0, b"A letter").status == 204
    assert web.send(bit_by_bit, 8, b" to a friend.\n" * 100).status == 415
    assert web.ask("HEAD", bit_by_bit).status == 404


@sqlite_only
def test_names_from_anywhere_never_touch_the_disk(app: APIFlask, web: Web, film: bytes) -> None:
    names = json.loads(real_film("hostile/names.json").read_text())
    texts = [one if isinstance(one, str) else json.dumps(one) for one in names]
    for text in texts:
        name = text.encode("utf-8", "replace").decode()[:1500]
        answer = web.ask("POST", UPLOADS, creation(len(film), filename=name))
        assert answer.status == 201, (text, answer)
        path = answer.headers["Location"]
        assert web.send(path, 0, film[:1500]).status == 204
        assert web.ask("HEAD", path).status == 200
    assert len(web.ask("GET", UPLOADS).json) == len(texts)
    data = Path(app.config["DATA_DIR"])
    for file in (data / "media").rglob("*"):
        if file.is_file():
            assert file.parent.name == "incoming"
            assert len(file.name) == 32
            assert set(file.name) <= set("0123456789abcdef")


@sqlite_only
def test_an_account_that_goes_takes_its_uploads_along(
    app: APIFlask, web: Web, member: int, film: bytes
) -> None:
    path = web.create(len(film))
    with web.half_sent(path, 0, film[:70_000], len(film)) as open_one:
        wait_for(lambda: size_of(app, path) >= 65536)
        with app.app_context():
            delete_account(db.session.get_one(User, member))
            db.session.commit()
        assert not path_of(app, path).exists()
        open_one.sendall(film[70_000:])
        assert open_one.recv(200)
    assert not path_of(app, path).exists()
    with app.app_context():
        assert db.session.scalars(select(Video)).all() == []
        reconcile()
    media = Path(app.config["DATA_DIR"]) / "media"
    assert [file for file in media.rglob("*") if file.is_file()] == []


@sqlite_only
def test_the_audit_leaves_what_is_still_coming(
    app: APIFlask, member: int, film: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("app.tasks.audit.SETTLE_SECONDS", 0)
    with serve(app, tmp_path / "web.log", write_token(app, member)) as web:
        path = web.create(len(film))
        web.send(path, 0, film[:2000])
    mine = path_of(app, path)
    held = mine.with_name(mine.name + ".counts")
    held.write_text("1500")
    lost = mine.with_name("f" * 32)
    lost.write_bytes(b"x")
    for file in (mine, held, lost):
        os.utime(file, (10**9, 10**9))
    with app.app_context():
        found = [finding.name for group in examine(Checked()) for finding in group]
        assert found == [f"incoming/{lost.name}"]
        reconcile()
    assert mine.exists()
    assert held.exists()
    assert not lost.exists()


@pytest.fixture
def small_disk(app: APIFlask) -> Iterator[Path]:
    """A file system of its own for the films."""
    folder = Path(app.config["DATA_DIR"]) / "media"
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@sqlite_only
def test_a_disk_that_fills_in_the_middle_is_507_and_it_goes_on_later(
    app: APIFlask, member: int, small_disk: Path, tmp_path: Path
) -> None:
    app.config["MIN_FREE_BYTES"] = 0
    data = made_film().read_bytes()[:4096] + bytes(5 << 20)
    with serve(app, tmp_path / "web.log", write_token(app, member)) as web:
        path = web.create(len(data))
        filler = small_disk / "filler"
        filler.write_bytes(bytes(5 << 20))
        answer = web.send(path, 0, data)
        assert (answer.status, answer.code) == (507, "no_room")
        offset = web.offset(path)
        assert offset == size_of(app, path) > 10**6
        checked = web.send(path, offset, data[offset:], Upload_Checksum=sum_of("sha1", b""))
        assert checked.status == 507
        assert web.offset(path) == offset
        refused = web.ask("POST", UPLOADS, creation(5 << 20))
        assert (refused.status, refused.code) == (507, "no_room")
        filler.unlink()
        done = web.send(path, offset, data[offset:])
        assert (done.status, "Video-Location" in done.headers) == (204, True)
        with app.app_context():
            film = db.session.scalars(select(Video.film)).one()
            assert storage().path(film, "original").read_bytes() == data


@sqlite_only
def test_hostile_files_come_in_or_are_refused_and_leave_only_films(app: APIFlask, web: Web) -> None:
    folder = real_film("hostile")
    files = [file for file in sorted(folder.iterdir()) if file.is_file()]
    for file in files:
        data = file.read_bytes()
        if not data or len(data) > 20 * 10**6 or file.name == "names.json":
            continue
        begun = {"Content-Type": CHUNK, **creation(len(data), filename=file.name)}
        answer = web.ask("POST", UPLOADS, begun, data)
        assert answer.status in {201, 415}, (file.name, answer)
    with app.app_context():
        films = set(db.session.scalars(select(Video.film)))
    media = Path(app.config["DATA_DIR"]) / "media"
    assert {one.parent.name for one in media.rglob("*") if one.is_file()} == films
