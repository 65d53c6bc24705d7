"""A large upload through the real web server stays out of memory."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from apiflask import APIFlask

from tests.conftest import PASSWORD

pytestmark = pytest.mark.slow

FILM_BYTES = 512 * 2**20
GROWTH_BYTES = 50 * 2**20


@pytest.fixture
def web(app: APIFlask, tmp_path: Path) -> Iterator[tuple[int, psutil.Process]]:
    """gunicorn with one worker: its port and its process."""
    names = ("DATA_DIR", "DATABASE_URL", "REDIS_URL", "SECRET_KEY", "PUBLIC_URL")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    with (tmp_path / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "wsgi:app", "--worker-class", "gthread",
             "--threads", "4", "--bind", f"127.0.0.1:{port}", "--no-control-socket"],
            env={
                **os.environ,
                **{name: str(app.config[name]) for name in names},
                "PUBLIC_URL": "http://127.0.0.1",
            },
            stdout=log,
            stderr=log,
        )  # fmt: skip
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    yield port, psutil.Process(process.pid)
    process.terminate()
    process.wait(20)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_half_a_gigabyte_leaves_memory_flat(
    app: APIFlask, member: int, web: tuple[int, psutil.Process]
) -> None:
    port, process = web
    cookie = _sign_in(port)
    worker = max(process.children(), key=lambda child: child.memory_info().rss)
    before = worker.memory_info().rss
    peak = [before]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.01):
            peak[0] = max(peak[0], worker.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    status, body = _send_film(port, cookie)
    ended.set()
    watcher.join()
    assert status == 201, body
    assert json.loads(body)["size"] == FILM_BYTES
    assert peak[0] - before < GROWTH_BYTES


def _sign_in(port: int) -> str:
    sent = json.dumps({"email": "mara@example.org", "password": PASSWORD}).encode()
    head, _ = _exchange(port, "/api/login/", "application/json", len(sent), [sent])
    cookies = [line for line in head.split("\r\n") if line.lower().startswith("set-cookie:")]
    return "; ".join(line.split(":", 1)[1].split(";")[0].strip() for line in cookies)


def _send_film(port: int, cookie: str) -> tuple[int, str]:
    """A film's first bytes and then zeros, in pieces."""
    start = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
        b"\0\0\0\x18ftypisom" + b"\0" * 12
    )
    end = b"\r\n--b--\r\n"
    zeros = b"\0" * 2**20
    left = FILM_BYTES - 24
    pieces = [start, *[zeros] * (left // len(zeros)), zeros[: left % len(zeros)], end]
    kind = "multipart/form-data; boundary=b"
    head, body = _exchange(port, "/api/local-videos/", kind, sum(map(len, pieces)), pieces, cookie)
    return int(head.split()[1]), body


def _exchange(
    port: int, path: str, kind: str, length: int, pieces: list[bytes], cookie: str = ""
) -> tuple[str, str]:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            f"Content-Type: {kind}\r\nContent-Length: {length}\r\nCookie: {cookie}\r\n\r\n".encode()
        )
        for piece in pieces:
            connection.sendall(piece)
        answer = b""
        while block := connection.recv(65536):
            answer += block
    head, _, body = answer.decode().partition("\r\n\r\n")
    return head, body
