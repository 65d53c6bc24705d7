"""The client that docs/api.md shows works, as it stands there."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from apiflask import APIFlask
from sqlalchemy import func, select

from app.database import db
from app.videos.models import Video
from tests.conftest import PASSWORD
from tests.films import made_film
from tests.web import serve

CLIENT = Path(__file__).parents[1] / "docs" / "example_client.py"

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_the_example_is_short() -> None:
    assert len(CLIENT.read_text().splitlines()) <= 60


@sqlite_only
def test_the_example_uploads_a_film_and_prints_its_stream(
    app: APIFlask, member: int, tmp_path: Path, work: Callable[[], None]
) -> None:
    with serve(app, tmp_path / "web.log") as web:
        site = f"http://127.0.0.1:{web.port}"
        client = subprocess.Popen(
            [sys.executable, CLIENT, site, "mara@example.org", PASSWORD, made_film(2)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 60
        while _films(app) == 0:
            assert client.poll() is None, client.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        work()
        printed, said = client.communicate(timeout=60)
        assert client.returncode == 0, said
        assert "sent 100%" in said
        assert printed.startswith(f"{site}/stream/")
        with urllib.request.urlopen(printed.strip()) as answer:  # noqa: S310 - our own
            assert answer.read().startswith(b"#EXTM3U")


@sqlite_only
def test_the_example_tells_what_went_wrong(app: APIFlask, member: int, tmp_path: Path) -> None:
    with serve(app, tmp_path / "web.log") as web:
        site = f"http://127.0.0.1:{web.port}"
        told = subprocess.run(
            [sys.executable, CLIENT, site, "mara@example.org", "wrong one", made_film(2)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert told.returncode == 1
    assert told.stderr.startswith("wrong_credentials: ")


def _films(app: APIFlask) -> int:
    with app.app_context():
        count = db.session.scalar(select(func.count()).select_from(Video))
        db.session.rollback()
        return count or 0
