"""An application in this process, with an account and a full catalogue, for what HTTP would hide.

Its database is its own; its Redis is another database of that of a running site.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apiflask import APIFlask
from sqlalchemy import insert

from app import create_app
from app.auth.models import User
from app.auth.passwords import hash_password
from app.database import Base, db, now
from app.videos.models import Cell, Grid, Rendition, Status, Task, TaskKind, TaskState, Video
from bench.site import EMAIL, PASSWORD, Site
from config import Settings, embedded_redis_socket

FILMS = 50
"""As many as one answer of the API lists."""
HEIGHTS = (1080, 720, 480, 360, 240)
ROWS = ("audio", *(f"{height}p" for height in HEIGHTS))
CHUNKS = 4
BATCH = 1000


@contextmanager
def full_catalogue(
    site: Site, settings: Mapping[str, str], films: int = FILMS, categories: int = 1
) -> Iterator[APIFlask]:
    """The application with so many ready films, all owned by the account EMAIL."""
    with tempfile.TemporaryDirectory(prefix="videoflix-bench-") as place:
        own = {
            "DATA_DIR": place,
            "DATABASE_URL": f"sqlite:///{Path(place) / 'videoflix.sqlite'}",
            "REDIS_URL": f"unix://{embedded_redis_socket(site.data_dir)}?db=1",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "PUBLIC_URL": "http://localhost",
            "LOG_LEVEL": "WARNING",
        }
        app = create_app(Settings.load(own | dict(settings), env_file=None))
        with app.app_context():
            app.extensions["redis"].flushdb()
            db.create_all()
            _fill(films, categories)
        yield app
        with app.app_context():
            db.engine.dispose()
            app.extensions["redis"].close()


def _fill(films: int, categories: int) -> None:
    owner = User(
        email=EMAIL,
        username="bench",
        password_hash=hash_password(PASSWORD),
        verified_at=now(),
    )
    db.session.add(owner)
    db.session.commit()
    for first in range(1, films + 1, BATCH):
        rows: dict[type[Base], list[dict[str, Any]]] = {
            model: [] for model in (Video, Grid, Rendition, Task, Cell)
        }
        for number in range(first, min(first + BATCH, films + 1)):
            for model, found in _film(number, owner.id, categories).items():
                rows[model] += found
        for model, found in rows.items():
            db.session.execute(insert(model), found)
        db.session.commit()


def _film(number: int, owner_id: int, categories: int) -> dict[type[Base], list[dict[str, Any]]]:
    """The rows of a film whose every cell is filled. Its files do not exist: no list needs them."""
    at = now()
    renditions = [
        {
            "id": number * len(ROWS) + place,
            "grid_id": number,
            "kind": "video" if place else "audio",
            "name": name,
            "width": HEIGHTS[place - 1] * 16 // 9 if place else None,
            "height": HEIGHTS[place - 1] if place else None,
            "codecs": "avc1" if place else "mp4a.40.2",
            "chunks": CHUNKS,
        }
        for place, name in enumerate(ROWS)
    ]
    video = {
        "id": number,
        "owner_id": owner_id,
        "film": f"{number:032x}",
        "title": f"The long way home, part {number}",
        "description": f"What became of number {number}, told by those who were there. " * 3,
        "category": f"Collection {number % categories}",
        "is_global": True,
        "size": 1,
        "status": Status.READY,
        "playable": True,
        "playable_at": at,
        "ready_at": at,
        "duration": 30.0 + number,
        "width": 1920,
        "height": 1080,
        "has_images": True,
        # As incompressible as a real one, which is a picture of a few hundred bytes.
        "placeholder": f"data:image/webp;base64,{secrets.token_urlsafe(150)}",
    }
    task = {"id": number, "video_id": number, "kind": TaskKind.CHUNK, "state": TaskState.DONE}
    return {
        Video: [video],
        Grid: [{"id": number, "video_id": number, "plan": "{}"}],
        Rendition: renditions,
        Task: [task],
        Cell: [
            {"rendition_id": row["id"], "chunk": chunk, "task_id": number, "filled_at": at}
            for row in renditions
            for chunk in range(CHUNKS)
        ],
    }
