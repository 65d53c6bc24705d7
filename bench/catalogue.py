"""An application in this process, with an account and a full catalogue, for what HTTP would hide.

Its database is its own; its Redis is that of a running site.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from apiflask import APIFlask

from app import create_app
from app.auth.models import User
from app.auth.passwords import hash_password
from app.database import db, now
from app.videos.models import Cell, Grid, Rendition, Status, Task, TaskKind, TaskState, Video
from bench.site import EMAIL, PASSWORD, Site
from config import Settings, embedded_redis_socket

FILMS = 50
"""As many as one answer of the API lists."""
HEIGHTS = (1080, 720, 480, 360, 240)
CHUNKS = 4


@contextmanager
def full_catalogue(site: Site, settings: Mapping[str, str]) -> Iterator[APIFlask]:
    """The application with FILMS ready films, all owned by the account EMAIL."""
    with tempfile.TemporaryDirectory(prefix="videoflix-bench-") as place:
        own = {
            "DATA_DIR": place,
            "DATABASE_URL": f"sqlite:///{Path(place) / 'videoflix.sqlite'}",
            "REDIS_URL": f"unix://{embedded_redis_socket(site.data_dir)}",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "PUBLIC_URL": "http://localhost",
            "LOG_LEVEL": "WARNING",
        }
        app = create_app(Settings.load(own | dict(settings), env_file=None))
        with app.app_context():
            db.create_all()
            _fill()
        yield app
        with app.app_context():
            db.engine.dispose()
            app.extensions["redis"].close()


def _fill() -> None:
    owner = User(
        email=EMAIL,
        username="bench",
        password_hash=hash_password(PASSWORD),
        verified_at=now(),
    )
    db.session.add(owner)
    for number in range(FILMS):
        _add_film(owner, f"Film {number}")
    db.session.commit()


def _add_film(owner: User, title: str) -> None:
    """A film whose every cell is filled. Its files do not exist: no list looks for them."""
    rows = [Rendition(kind="audio", name="audio", codecs="mp4a.40.2", chunks=CHUNKS)]
    rows += [
        Rendition(
            kind="video", name=f"{h}p", width=h * 16 // 9, height=h, codecs="avc1", chunks=CHUNKS
        )
        for h in HEIGHTS
    ]
    video = Video(
        owner=owner,
        film=secrets.token_hex(16),
        title=title,
        category="Bench",
        is_global=True,
        size=1,
        status=Status.READY,
        playable=True,
        playable_at=now(),
        ready_at=now(),
        duration=30.0,
        width=1920,
        height=1080,
        has_images=True,
        grid=Grid(plan="{}", renditions=rows),
    )
    db.session.add(video)
    db.session.flush()
    task = Task(video_id=video.id, kind=TaskKind.CHUNK, state=TaskState.DONE)
    db.session.add(task)
    db.session.flush()
    for row in rows:
        for chunk in range(CHUNKS):
            cell = Cell(rendition_id=row.id, chunk=chunk, task_id=task.id, filled_at=now())
            db.session.add(cell)
