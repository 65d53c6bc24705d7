"""Workers on machines that share only PostgreSQL, Redis and the bucket."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psutil
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient, FlaskCliRunner
from sqlalchemy import select

from app.database import db, epoch_now
from app.storage.bucket import Bucket
from app.tasks import audit
from app.videos.models import Cell, Grid, Task, TaskState, Video
from tests.films import made_film
from tests.tasks.test_faults import status, wait_for

from .hosts import Host, host, socket_of
from .servers import Server
from .test_film import audited, hashes, promised, segments, upload

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
]

Start = Callable[[Host, str], "subprocess.Popen[bytes]"]


@pytest.fixture
def hosts() -> Iterator[list[Host]]:
    with host() as first, host() as second:
        yield [first, second]


@pytest.fixture
def start(
    app: APIFlask, database_url: str, redis_url: str, rclone: Server, tmp_path: Path
) -> Iterator[Start]:
    """Starts `flask worker` on a host, with a folder of its own and the shared parts by TCP."""
    started: list[subprocess.Popen[bytes]] = []
    redis_socket = redis_url.removeprefix("unix://")

    def run(machine: Host, folder: str) -> subprocess.Popen[bytes]:
        database = machine.offer(socket_of(database_url))
        cache = machine.offer(redis_socket)
        bucket = machine.offer((rclone.host, rclone.port))
        parts = urlsplit(database_url)
        user = f"{parts.username or 'postgres'}:{parts.password or ''}"
        tcp = parts._replace(netloc=f"{user}@{database}", query="sslmode=disable")
        config = app.config
        kept = (
            "SECRET_KEY", "PUBLIC_URL", "LEASE_SECONDS", "STORAGE", "S3_BUCKET", "S3_PREFIX",
            "S3_ACCESS_KEY", "S3_SECRET_KEY",
        )  # fmt: skip
        environment = {
            **os.environ,
            **{name: str(config[name]) for name in kept},
            "DATA_DIR": str(tmp_path / folder),
            "DATABASE_URL": urlunsplit(tcp),
            "REDIS_URL": f"redis://{cache}/0",
            "S3_ENDPOINT": f"http://{bucket}",
        }
        words = [sys.executable, "-m", "flask", "--app", "wsgi", "worker", "--count", "1"]
        with (tmp_path / f"{folder}.log").open("ab") as log:
            process = machine.run(words, environment, log.fileno())
        started.append(process)
        return process

    yield run
    for process in started:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """As when a machine loses its power."""
    if process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.send_signal(signal.SIGKILL)
        process.kill()
    process.wait()


def encoding(app: APIFlask, folder: Path) -> bool:
    """Whether an ffmpeg works on this host's copy."""
    return any(
        "ffmpeg" in Path(words[0]).name and any(str(folder) in word for word in words)
        for process in psutil.process_iter(["cmdline"])
        if (words := process.info["cmdline"])
    )


def test_a_film_becomes_ready_once_whatever_happens_to_its_workers(
    app: APIFlask,
    signed_in: FlaskClient,
    runner: FlaskCliRunner,
    hosts: list[Host],
    start: Start,
    tmp_path: Path,
    objects: Bucket,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audit, "SETTLE_SECONDS", 0.05)
    first, second = hosts
    film = upload(signed_in, made_film(40, "640x360", "mpeg4", 30).read_bytes())
    cut_off, killed = start(first, "first"), start(second, "second")
    wait_for(lambda: encoding(app, tmp_path / "first") and encoding(app, tmp_path / "second"))
    first.cut()
    wait_for(lambda: encoding(app, tmp_path / "second"))
    kill(killed)
    assert status(signed_in, film) == "processing"
    start(second, "second-again")
    wait_for(lambda: status(signed_in, film) == "ready", 200)
    assert cut_off.poll() is None
    files = {found.key: found for found in objects.objects(prefix)}
    made = promised(app)
    with app.app_context():
        grids = db.session.scalars(select(Grid.id)).all()
        ready_at = db.session.get_one(Video, film).ready_at
    assert len(grids) == 1
    first.mend()

    def settled() -> bool:
        """The host that was cut off has seen that its work is another's."""
        with app.app_context():
            held = select(Task.id).where(
                (Task.state == TaskState.WAITING) | (Task.lease_until > epoch_now())
            )
            return not db.session.scalars(held).all() and not any(
                (tmp_path / "first").glob("scratch/*/attempts/*")
            )

    wait_for(settled)
    now = {found.key: found for found in objects.objects(prefix)}
    changed = [key for key in files if now.get(key) != files[key]]
    assert changed == [], "what came late changed nothing"
    assert promised(app) == made == hashes(segments(signed_in, film))
    with app.app_context():
        assert db.session.get_one(Video, film).ready_at == ready_at
        filled = select(Cell.id).where(Cell.filled_at.is_(None))
        assert db.session.scalars(filled).all() == []
    assert audited(runner) == []
