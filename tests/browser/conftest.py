"""A site started by `make run`, and a real Chromium that visits it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from apiflask import APIFlask
from playwright.sync_api import Browser, BrowserContext, Page

from app import create_app
from app.database import db, reading_afresh
from app.videos.models import Video
from config import Settings

ROOT = Path(__file__).resolve().parents[2]

START_SECONDS = 90


@dataclass(frozen=True)
class Site:
    """A running site: its address, its DATA_DIR, and the `make run` that started it."""

    url: str
    data: Path
    process: subprocess.Popen[bytes]

    def flask(self, *arguments: str, typed: str | None = None) -> str:
        """What `flask --app wsgi …` of this site prints, given what is typed into it."""
        with self.opened() as app:
            run = app.test_cli_runner()
            said = run.invoke(args=arguments, input=typed, catch_exceptions=False)
        assert said.exit_code == 0, said.output
        return said.stdout

    @contextlib.contextmanager
    def opened(self) -> Iterator[APIFlask]:
        """Its application in this process: a command's own takes seconds to begin."""
        app = create_app(Settings.load({**os.environ, "DATA_DIR": str(self.data)}, env_file=None))
        with app.app_context():
            try:
                yield app
            finally:
                db.session.remove()
                db.engine.dispose()
                app.extensions["redis"].close()

    def wait_for_films(
        self, reached: Callable[[Sequence[Video]], bool], seconds: float = 240
    ) -> None:
        """Until this is so of its films, the oldest first."""
        deadline = time.monotonic() + seconds
        with self.opened():
            while True:
                with reading_afresh():
                    films = db.session.scalars(db.select(Video).order_by(Video.id)).all()
                    if reached(films):
                        return
                assert time.monotonic() < deadline, "the films did not get there in time"
                time.sleep(0.5)

    def mail(self, to: str, subject: str, seconds: float = 60) -> str:
        """The text of the first mail to this address whose subject contains these words."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for path in sorted((self.data / "mail").glob("*.eml")):
                found = message_from_bytes(path.read_bytes(), policy=policy.default)
                if to in str(found["To"]) and subject.lower() in str(found["Subject"]).lower():
                    body = found.get_body(("plain",))
                    assert body is not None
                    return str(body.get_content())
            time.sleep(0.1)
        raise AssertionError(f"no mail to {to} about {subject}")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def with_tables() -> bool:
    """`make run` makes them."""
    return False


@pytest.fixture
def site(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[Site]:
    """`make run` with a DATA_DIR of its own, on SQLite and on PostgreSQL.

    A parameter may be a dict of variables of make, such as {"DEMO": "1"}.
    """
    with running(database_url, tmp_path, **getattr(request, "param", {})) as site:
        yield site


@pytest.fixture(scope="session")
def demo_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site with the demo film for all tests that ask for it; each has accounts of its own."""
    with running("sqlite", tmp_path_factory.mktemp("demo"), DEMO="1") as site:
        yield site


@contextlib.contextmanager
def running(database_url: str, folder: Path, **variables: str) -> Iterator[Site]:
    """`make run` with these variables, its DATA_DIR and its log in the folder, until it ends."""
    given = {"DEMO": "0", "WORKERS": "2", **variables}
    port, data = free_port(), folder / "data"
    environment = {k: v for k, v in os.environ.items() if k not in {"MAKEFLAGS", "MAKELEVEL"}}
    if database_url.startswith("postgresql"):
        environment["DATABASE_URL"] = database_url
    words = [f"{name}={value}" for name, value in given.items()]
    log = folder / "make-run.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["make", "run", f"PORT={port}", f"DATA_DIR={data}", *words],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + START_SECONDS
    while not (_ready(url) and b"Ctrl-C" in log.read_bytes()):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)
    try:
        yield Site(url, data, process)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(30)


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A fresh browser profile."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page on which any error, and any breach of the content policy, fails the test."""
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "console",
        lambda message: (
            problems.append(message.text) if "Content Security Policy" in message.text else None
        ),
    )
    yield page
    assert problems == []


def _ready(url: str) -> bool:
    try:
        with urlopen(f"{url}/readyz", timeout=2) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
