"""What happens when things are killed: with the real `flask worker` in processes of its own."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.auth.models import User
from app.database import db, now
from app.videos.models import Task
from tests.conftest import PASSWORD, make_user, sign_in
from tests.films import made_film, multipart

from .conftest import Start

pytestmark = pytest.mark.slow


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def encoders(app: APIFlask) -> list[list[str]]:
    """The command lines of the ffmpegs that read one of this application's films."""
    media = str(app.config["DATA_DIR"])
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        is_ffmpeg = bool(words) and "ffmpeg" in Path(words[0]).name
        alive = process.info["status"] != psutil.STATUS_ZOMBIE
        if is_ffmpeg and alive and any(media in word for word in words):
            found.append(words)
    return found


def status(client: FlaskClient, video_id: int) -> str:
    return str(client.get(f"/api/videos/{video_id}/").json["status"])


def upload_long(client: FlaskClient) -> int:
    """A film whose conversion takes long enough to disturb it."""
    film = made_film(60, "640x360", "mpeg4", 30)
    answer = client.post("/api/local-videos/", **multipart(film.read_bytes()))
    assert answer.status_code == 201
    return int(answer.json["id"])


def filled(client: FlaskClient, video_id: int) -> float:
    return float(client.get(f"/api/videos/{video_id}/").json["progress"])


def worker_and_job(pool: psutil.Process) -> tuple[psutil.Process, psutil.Process]:
    """A worker of the pool and the job it has in hand, waited for: one may just have ended."""
    found: list[tuple[psutil.Process, psutil.Process]] = []

    def look() -> bool:
        found.extend((worker, job) for worker in pool.children() for job in worker.children())
        return bool(found)

    wait_for(look)
    return found[0]


@pytest.mark.parametrize(
    ("database_url", "victim"),
    [("sqlite", "job"), ("sqlite", "pool"), ("postgresql", "worker"), ("postgresql", "pool")],
    indirect=["database_url"],
)
def test_a_kill_in_mid_encode_costs_the_cells_in_flight_only(
    app: APIFlask, signed_in: FlaskClient, start_worker: Start, victim: str
) -> None:
    pool = start_worker()
    video_id = upload_long(signed_in)
    wait_for(lambda: bool(encoders(app)) and filled(signed_in, video_id) > 0.2)
    parent = psutil.Process(pool.pid)

    def kill() -> bool:
        worker, job = worker_and_job(parent)
        try:
            {"job": job, "worker": worker, "pool": parent}[victim].send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:  # it ended a moment ago
            return False
        return True

    wait_for(kill)
    if victim == "pool":
        pool.wait(10)
        wait_for(lambda: not encoders(app), 5)
        start_worker()
    seen_twice: list[str] = []

    def ready() -> bool:
        targets = [_target(words) for words in encoders(app)]
        seen_twice.extend(name for name in targets if targets.count(name) > 1)
        return status(signed_in, video_id) == "ready"

    wait_for(ready, 120)
    assert seen_twice == []
    with app.app_context():
        attempts = [task.attempts for task in db.session.query(Task)]
    assert sum(attempts) - len(attempts) <= 2  # only what was in flight was done again


@pytest.mark.parametrize(
    ("database_url", "what"),
    [("sqlite", "the film"), ("postgresql", "its owner's account")],
    indirect=["database_url"],
)
def test_deleting_in_mid_encode_leaves_no_file_and_no_ffmpeg(
    app: APIFlask, signed_in: FlaskClient, start_worker: Start, what: str
) -> None:
    start_worker()
    video_id = upload_long(signed_in)
    wait_for(lambda: bool(encoders(app)) and filled(signed_in, video_id) > 0.1)
    if what == "the film":
        assert signed_in.delete(f"/api/local-videos/{video_id}/").status_code == 204
    else:
        assert signed_in.delete("/api/me/", json={"password": PASSWORD}).status_code == 204
        make_user(app, "other@example.org")
        signed_in = sign_in(signed_in, "other@example.org")
    wait_for(lambda: not encoders(app), 5)
    media = app.config["DATA_DIR"] / "media"
    wait_for(lambda: not [path for path in media.rglob("*") if path.is_file()], 5)
    assert list((media / "films").iterdir()) == []
    other = upload_long(signed_in)
    wait_for(lambda: filled(signed_in, other) > 0)  # the workers live on


def test_sigterm_hands_back_and_another_pool_goes_on(
    app: APIFlask, signed_in: FlaskClient, start_worker: Start
) -> None:
    pool = start_worker()
    video_id = upload_long(signed_in)
    wait_for(lambda: bool(encoders(app)) and filled(signed_in, video_id) > 0.1)
    pool.send_signal(signal.SIGTERM)
    assert pool.wait(15) == 0
    assert encoders(app) == []
    before = filled(signed_in, video_id)
    start_worker()
    wait_for(lambda: status(signed_in, video_id) == "ready", 120)
    assert before > 0


def test_workers_remove_accounts_that_were_never_confirmed(
    app: APIFlask, member: int, start_worker: Start
) -> None:
    make_user(app, "late@example.org", verified=False)
    with app.app_context():
        db.session.execute(update(User).values(created_at=now() - timedelta(days=8)))
        db.session.commit()
    start_worker()

    def only_the_member() -> bool:
        with app.app_context():
            return db.session.scalars(select(User.id)).all() == [member]

    wait_for(only_the_member, 20)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_redis_away_for_a_moment(
    app: APIFlask, signed_in: FlaskClient, start_worker: Start
) -> None:
    start_worker()
    video_id = upload_long(signed_in)
    wait_for(lambda: filled(signed_in, video_id) > 0.05)
    with app.app_context():
        app.extensions["redis"].flushall()
    wait_for(lambda: status(signed_in, video_id) == "ready", 120)


def _target(words: list[str]) -> str:
    """What an ffmpeg writes, without its attempt: the same for two that do the same cell."""
    start = words[words.index("-ss") + 1] if "-ss" in words else "0"
    return f"{Path(words[-1]).name}@{start}"
