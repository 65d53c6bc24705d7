"""Redis is gone for a while, with all that was queued: nothing that was accepted is lost."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from redis import Redis
from redis.exceptions import ConnectionError

from app.database import db
from app.videos.models import Task
from standalone.redis import find_redis_server

from .test_converters import REAL, converter, states, upload, workers
from .test_faults import encoders, filled, upload_long, wait_for

pytestmark = pytest.mark.slow


class RedisServer:
    """A Redis that keeps nothing on the disk, and can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self._command = [find_redis_server(), "--port", "0", "--unixsocket", str(self.socket)]
        self._command += ["--save", "", "--dir", str(folder)]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        wait_for(self._answers, 10)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self.socket.unlink(missing_ok=True)

    def _answers(self) -> bool:
        with Redis(unix_socket_path=str(self.socket)) as client:
            try:
                return bool(client.ping())
            except ConnectionError:
                return False


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    folder = Path(tempfile.mkdtemp(prefix="vf-redis-"))
    server = RedisServer(folder)
    yield server
    server.kill()
    shutil.rmtree(folder)


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """In place of the Redis of all tests: one that this test may kill."""
    return f"unix://{redis_server.socket}"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_no_accepted_film_is_lost_while_redis_is_gone(
    app: APIFlask, signed_in: FlaskClient, redis_server: RedisServer, tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    with workers(app, log) as pool:
        films = [upload_long(signed_in)]
        wait_for(lambda: bool(encoders(app)) and filled(signed_in, films[0]) > 0.05)
        films += [upload(signed_in) for _ in range(4)]
        redis_server.kill()
        for path in ("/api/local-videos/", "/api/global-videos/", f"/api/videos/{films[0]}/"):
            assert signed_in.get(path).status_code == 200, path
        for path in ("/browse", "/my-videos", "/healthz"):
            assert signed_in.get(path).status_code == 200, path
        films.append(upload(signed_in))
        wait_for(lambda: b"reconcile failed" in log.read_bytes(), 30)
        assert states(signed_in).keys() == set(films)
        redis_server.start()
        wait_for(lambda: states(signed_in) == dict.fromkeys(films, "ready"), 100)
        assert pool.poll() is None
    with app.app_context():
        attempts = [task.attempts for task in db.session.query(Task)]
    assert sum(attempts) - len(attempts) <= 2  # at most what was in flight was done again


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_in_hand_is_finished_without_redis(
    app: APIFlask, signed_in: FlaskClient, redis_server: RedisServer, tmp_path: Path
) -> None:
    log, begun, gate = (tmp_path / name for name in ("worker.log", "begun", "gate"))
    wait = f'echo >> "{begun}"; while [ ! -e "{gate}" ]; do sleep 0.1; done'
    slow = converter(tmp_path, f"{wait}\n{REAL}")
    with workers(app, log, patch="worker.MONITOR_SECONDS = 1", FFMPEG_BINARY=slow):
        video_id = upload(signed_in)
        wait_for(lambda: begun.exists() and begun.stat().st_size == 2)
        redis_server.kill()
        wait_for(lambda: log.read_bytes().count(b"the job goes on") >= 4)
        gate.touch()
        wait_for(lambda: filled(signed_in, video_id) > 0, 20)
        redis_server.start()
        wait_for(lambda: states(signed_in) == {video_id: "ready"})
    with app.app_context():
        assert {task.attempts for task in db.session.query(Task)} == {1}
