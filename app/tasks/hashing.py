"""The SHA-256 of originals, by which the same film is known again.

It is made once a film can be watched, so that nobody waits for it; reading it while it comes in
would not do, since what comes in pieces passes through many processes.
"""

from __future__ import annotations

import hashlib
import os

from sqlalchemy import select, update

from app.database import db
from app.extensions import redis_client
from app.storage import storage
from app.tasks.parent import die_with_parent
from app.tasks.queue import VIDEOS, enqueue
from app.videos.models import Video
from app.videos.names import ORIGINAL

HASH_ORIGINAL = "app.tasks.hashing.hash_original"

BATCH = 20
"""Films that are announced at a time."""

AGAIN_SECONDS = 3600
"""A job that was not done in this time is announced again."""


def announce_originals() -> None:
    """Announce films that can be watched and were never hashed. Leaves no transaction open."""
    waiting = db.session.scalars(
        select(Video.id)
        .where(Video.sha256.is_(None), Video.playable.is_(True), Video.received.is_(None))
        .order_by(Video.id.desc())
        .limit(BATCH)
    ).all()
    db.session.rollback()
    for video_id in waiting:
        if redis_client().set(f"videoflix:hash:{video_id}", 1, nx=True, ex=AGAIN_SECONDS):
            enqueue(VIDEOS, HASH_ORIGINAL, video_id)


def hash_original(video_id: int) -> None:
    """Read the film's original and note its hash. Does nothing for a film that is gone."""
    die_with_parent(os.getppid())
    film = db.session.scalar(select(Video.film).where(Video.id == video_id))
    db.session.rollback()
    if film is None:
        return
    try:
        with storage().reading(film, ORIGINAL) as source, source.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return
    db.session.execute(update(Video).where(Video.id == video_id).values(sha256=digest))
    db.session.commit()
