"""Converters that hang or kill: one film's trouble is not the others'."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import db
from app.media.binary import ffmpeg_binary
from app.storage import storage
from app.videos.models import Task, Video
from tests.films import made_film, multipart

from .test_faults import status, wait_for

pytestmark = pytest.mark.slow

POOL = """
{before}
import app.media.cells, app.media.landlock, app.media.rows, app.tasks.worker as worker
{patch}
from wsgi import app as application
with application.app_context():
    worker.Pool(application, {count}).run()
"""

REAL = f'exec {shlex.quote(ffmpeg_binary(None))} "$@"'
"""The last line of a converter's script: become the real ffmpeg."""

FREE = "app.media.landlock.abi = lambda: 0"
"""As on a kernel without Landlock: in there a shell could not even start."""

IMPATIENT = """
import app.media.images
app.media.cells.STALL_SECONDS = app.media.rows.STALL_SECONDS = app.media.images.SECONDS = 3
"""


@contextmanager
def workers(
    app: APIFlask, log: Path, *, count: int = 2, before: str = "", patch: str = "", **settings: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The pool of `flask worker` on the application's parts, with more settings, or changed.

    `before` runs before anything is imported, `patch` before the pool starts.
    """
    kept = ("DATA_DIR", "DATABASE_URL", "REDIS_URL", "SECRET_KEY", "PUBLIC_URL", "LEASE_SECONDS")
    given = {name: str(app.config[name]) for name in (*kept, "MIN_FREE_BYTES")}
    if "FFMPEG_BINARY" in settings:
        patch = f"{patch}\n{FREE}"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", POOL.format(before=before, patch=patch, count=count)],
            env={**os.environ, **given, **settings},
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def converter(folder: Path, script: str) -> str:
    """A converter that is this shell script; its arguments are ffmpeg's."""
    path = folder / "converter"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def upload(client: FlaskClient, seconds: float = 2) -> int:
    answer = client.post("/api/local-videos/", **multipart(made_film(seconds).read_bytes()))
    assert answer.status_code == 201, answer.text
    return int(answer.json["id"])


def states(client: FlaskClient) -> dict[int, str]:
    """The status of each of one's own films."""
    found = client.get("/api/local-videos/").json
    return {video["id"]: video["status"] for video in found}


def ffmpegs(app: APIFlask) -> list[psutil.Process]:
    """The ffmpegs that read one of this application's films."""
    media = str(app.config["DATA_DIR"])
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or [""]
        if "ffmpeg" in Path(words[0]).name and any(media in word for word in words):
            found.append(process)
    return found


def halt_one(app: APIFlask) -> psutil.Process:
    """Stop an ffmpeg that fills cells for good, as if it hung, as soon as there is one.

    One that looks for a poster is left alone: where that hangs, the next moment is looked at.
    """
    halted: list[psutil.Process] = []

    def try_it() -> bool:
        filling = [one for one in ffmpegs(app) if one.info["cmdline"][-1].endswith(".part")]
        halted.extend(process for process in filling[:1] if _halt(process))
        return bool(halted)

    wait_for(try_it)
    return halted[0]


def _halt(process: psutil.Process) -> bool:
    try:
        process.send_signal(signal.SIGSTOP)
        wait_for(lambda: process.status() in {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}, 5)
        return bool(process.status() == psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return False  # it came to its end before the signal


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_conversion_stands_back_and_what_a_viewer_waits_for_does_so_less(
    app: APIFlask, tmp_path: Path
) -> None:
    def niceness() -> list[int]:
        return sorted(worker.nice() for worker in psutil.Process(pool.pid).children())

    with workers(app, tmp_path / "worker.log", WORKER_NICE="12") as pool:
        wait_for(lambda: niceness() == [0, 4, 4, 12, 12])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_ffmpeg_that_hangs_is_killed_and_its_cells_are_made_again(
    app: APIFlask, signed_in: FlaskClient, tmp_path: Path
) -> None:
    film = made_film(20, "640x360", "mpeg4").read_bytes()
    with workers(app, tmp_path / "worker.log", patch=IMPATIENT):
        video_id = signed_in.post("/api/local-videos/", **multipart(film)).json["id"]
        halted = halt_one(app)
        wait_for(lambda: not halted.is_running(), 15)
        wait_for(lambda: status(signed_in, video_id) == "ready")
    with app.app_context():
        attempts = [task.attempts for task in db.session.query(Task)]
    assert sorted(attempts, reverse=True)[:2] == [2, 1]


@pytest.mark.parametrize(
    ("database_url", "deed", "code"),
    [
        ("postgresql", "kill -9 $PPID", "worker_died"),
        ("sqlite", "kill -9 $$", "encoder_failed"),
    ],
    indirect=["database_url"],
)
def test_a_film_that_breaks_its_converter_each_time_holds_up_no_other(
    app: APIFlask, signed_in: FlaskClient, tmp_path: Path, deed: str, code: str
) -> None:
    bad = upload(signed_in)
    with app.app_context():
        poison = db.session.scalar(db.select(Video.film)) or ""
    good = [upload(signed_in) for _ in range(5)]
    script = converter(tmp_path, f'case "$*" in *{poison}*) {deed};; esac\n{REAL}')
    settings = {"FFMPEG_BINARY": script, "TASK_ATTEMPTS": "3"}
    with workers(app, tmp_path / "worker.log", patch=IMPATIENT, **settings) as pool:
        wait_for(lambda: [states(signed_in)[number] for number in good] == ["ready"] * 5)
        assert status(signed_in, bad) == "processing", "it is still being tried"
        wait_for(lambda: status(signed_in, bad) == "failed")
        assert pool.poll() is None
        wait_for(lambda: not ffmpegs(app), 5)
    error = signed_in.get(f"/api/videos/{bad}/").json["error"]
    assert (error["code"], bool(error["message"] and error["hint"])) == (code, True)
    with app.app_context():
        assert max(task.attempts for task in db.session.query(Task)) <= 4
        assert storage().path(poison, "original").exists(), "it may be tried again"
    assert signed_in.post(f"/api/videos/{bad}/retry/").status_code == 202
    with workers(app, tmp_path / "worker.log"):  # the converter was to blame, after all
        wait_for(lambda: status(signed_in, bad) == "ready")
