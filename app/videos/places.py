"""Where a film's files are: its row says so, and whoever moves them changes the row."""

from __future__ import annotations

from sqlalchemy import select

from app.database import db
from app.videos.models import Video


def place_of(film: str) -> str | None:
    """The place in a film's row; None where there is none. Leaves transactions as they were."""
    session = db.session()
    was_open = session.in_transaction()
    with session.no_autoflush:
        found: str | None = session.scalar(select(Video.storage).where(Video.film == film))
    if not was_open:
        session.rollback()
    return found
