"""Slow senders, and a proxy in between: others are served, and nothing is kept twice."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from apiflask import APIFlask

from app.storage import storage
from app.videos.uploads import bodies
from tests.conftest import make_user
from tests.films import made_film
from tests.web import UPLOADS, Web, serve, write_token

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NGINX = shutil.which("nginx") or next(
    (path for path in ("/usr/sbin/nginx", "/usr/local/sbin/nginx") if Path(path).exists()), None
)

SENDERS = 500

CONFIG = """
daemon off; worker_processes 1; pid {place}/nginx.pid; error_log {place}/error.log;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  client_body_temp_path {place}/body; proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;
  server {{
    listen 127.0.0.1:{port};
    client_max_body_size 0;
    location / {{
      proxy_pass http://127.0.0.1:{target};
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_set_header Host 127.0.0.1;
    }}
  }}
}}
"""


@pytest.fixture
def web(app: APIFlask, member: int, tmp_path: Path) -> Iterator[Web]:
    with serve(app, tmp_path / "web.log", write_token(app, member)) as running:
        yield running


@sqlite_only
def test_many_slow_senders_leave_room_for_others(app: APIFlask, web: Web, tmp_path: Path) -> None:
    other = write_token(app, make_user(app, "other@example.org"))
    film = made_film().read_bytes()
    with contextlib.ExitStack() as open_ones:
        paths = [web.create(len(film), filename="slow.mp4") for _ in range(SENDERS // 10)]
        for path in paths * 10:  # each has promised more than it will ever send
            open_ones.enter_context(web.half_sent(path, 0, film[:100], len(film)))
        refused = None
        while refused is None or refused.status != 503:  # until all have arrived
            assert refused is None or refused.status == 423
            with contextlib.suppress(ConnectionError):  # it is answered before it is read
                refused = web.send(paths[-1], 0, film[:1000])
        assert (refused.code, refused.headers["Retry-After"]) == ("busy", "5")
        for _ in range(20):
            assert web.ask("GET", UPLOADS).status == 200
        path = web.create(len(film), token=other, filename="quick.mp4")
        headers = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        assert web.ask("PATCH", path, headers, film, token=other).status == 204


def test_no_account_takes_all_places() -> None:
    with contextlib.ExitStack() as taken:
        for _ in range(bodies.MOST_OF_ONE):
            taken.enter_context(bodies.one_body(1))
        with pytest.raises(bodies.Unavailable), bodies.one_body(1):
            pass
        for owner in range(2, 2 + bodies.MOST - bodies.MOST_OF_ONE):
            taken.enter_context(bodies.one_body(owner))
        with pytest.raises(bodies.Unavailable), bodies.one_body(99):
            pass
    with bodies.one_body(1):
        pass


@sqlite_only
@pytest.mark.skipif(NGINX is None, reason="there is no nginx")
def test_through_nginx_each_byte_arrives_as_it_is_sent(
    app: APIFlask, web: Web, tmp_path: Path
) -> None:
    film = made_film(10, "640x360", "mpeg4").read_bytes()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    config = tmp_path / "nginx.conf"
    config.write_text(CONFIG.format(place=tmp_path, port=port, target=web.port))
    nginx = subprocess.Popen([str(NGINX), "-e", str(tmp_path / "error.log"), "-c", str(config)])
    try:
        front = Web(port, web.process, web.token)
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                front.ask("GET", UPLOADS)
                break
            assert time.monotonic() < deadline
            time.sleep(0.1)
        path = front.create(len(film), filename="film.mkv")
        half = len(film) // 2 // 2**16 * 2**16
        with front.half_sent(path, 0, film[:half], len(film)):
            while front.offset(path) < half - 2**17:  # while the client still sends
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert not any((tmp_path / "body").rglob("*[0-9]"))
        while True:  # the claim of the lost connection ends
            start = front.offset(path)
            answer = front.send(path, start, film[start:])
            if answer.status == 204:
                break
            assert answer.status == 423
            time.sleep(0.5)
        assert "Video-Location" in answer.headers
    finally:
        nginx.terminate()
        nginx.wait(10)
    with app.app_context():
        kept = storage().path(path.strip("/").split("/")[-1], "original").read_bytes()
    assert hashlib.sha256(kept).digest() == hashlib.sha256(film).digest()
