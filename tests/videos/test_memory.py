"""A large upload through the real web server stays out of memory, whichever way it comes."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from apiflask import APIFlask

from tests.web import UPLOADS, Web, serve, write_token

pytestmark = pytest.mark.slow

FILM_BYTES = 256 * 2**20
GROWTH_BYTES = 32 * 2**20

START = b"\0\0\0\x18ftypisom" + b"\0" * 12
ZEROS = bytes(2**20)


def pieces() -> list[bytes]:
    """A film's first bytes and then zeros."""
    left = FILM_BYTES - len(START)
    return [START, *[ZEROS] * (left // len(ZEROS)), ZEROS[: left % len(ZEROS)]]


def send_form(web: Web) -> None:
    start = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
    headers = "Content-Type: multipart/form-data; boundary=b\r\n"
    body = [start, *pieces(), b"\r\n--b--\r\n"]
    status, answer = _exchange(web, "POST", "/api/local-videos/", headers, body)
    assert status == 201, answer
    assert json.loads(answer)["size"] == FILM_BYTES


def send_piece(web: Web) -> None:
    path = web.create(FILM_BYTES, filename="a.mp4")
    headers = (
        "Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
        "Content-Type: application/offset+octet-stream\r\n"
    )
    status, answer = _exchange(web, "PATCH", path, headers, pieces())
    assert status == 204, answer
    assert web.ask("GET", UPLOADS).json[0]["video_id"]


@pytest.mark.parametrize("send", [send_form, send_piece])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_quarter_of_a_gigabyte_leaves_memory_flat(
    app: APIFlask, member: int, tmp_path: Path, send: Callable[[Web], None]
) -> None:
    with serve(app, tmp_path / "web.log", write_token(app, member)) as web:
        web.ask("GET", UPLOADS)
        (worker,) = web.workers
        before = worker.memory_info().rss
        peak = [before]
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.01):
                peak[0] = max(peak[0], worker.memory_info().rss)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            send(web)
        finally:
            ended.set()
            watcher.join()
        assert peak[0] - before < GROWTH_BYTES


def _exchange(web: Web, method: str, path: str, headers: str, body: list[bytes]) -> tuple[int, str]:
    with socket.create_connection(("127.0.0.1", web.port)) as connection:
        connection.sendall(
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{headers}"
            f"Authorization: Bearer {web.token}\r\n"
            f"Content-Length: {sum(map(len, body))}\r\n\r\n".encode()
        )
        for piece in body:
            connection.sendall(piece)
        answer = b""
        while block := connection.recv(65536):
            answer += block
    head, _, rest = answer.decode().partition("\r\n\r\n")
    return int(head.split()[1]), rest
