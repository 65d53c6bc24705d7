"""tus-js-client, the client of the upload page, under Node and against a real gunicorn."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from apiflask import APIFlask
from sqlalchemy import select

from app.database import db
from app.storage import storage
from app.videos.models import Video
from tests.films import made_film
from tests.web import UPLOADS, serve, write_token

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "node_modules" / "tus-js-client"


@pytest.mark.skipif(not MODULE.is_dir(), reason="`make assets` has not run")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_client_that_broke_off_goes_on_and_finishes(
    app: APIFlask, member: int, tmp_path: Path
) -> None:
    node = shutil.which("node") or str(Path(sys.executable).with_name("node"))
    film = made_film()
    token = write_token(app, member)
    with serve(app, tmp_path / "web.log", token) as web:
        endpoint = f"http://127.0.0.1:{web.port}{UPLOADS}"
        script = Path(__file__).with_name("tus_client.mjs")
        for broken_off in ([], ["100000"]):
            done = subprocess.run(
                [node, script, MODULE, endpoint, token, film, *broken_off],
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert done.returncode == 0, done.stderr[:800]
            found = json.loads(done.stdout)
            video = web.ask("GET", urlsplit(found["location"]).path).json
            assert video["title"] == "Grüße aus Rom"
            with app.app_context():
                name = db.session.scalar(select(Video.film).where(Video.id == video["id"]))
                stored = storage().path(name or "", "original").read_bytes()
            assert stored == film.read_bytes()
