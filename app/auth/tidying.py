"""What nobody will ask for again: accounts that were never confirmed, sessions long ended."""

from __future__ import annotations

from datetime import timedelta

from flask import current_app
from sqlalchemy import CursorResult, delete

from app.auth import sessions
from app.auth.models import User
from app.database import db, now


def tidy() -> dict[str, int]:
    """Remove them; how many of each. The caller commits.

    An account goes UNVERIFIED_DAYS after its registration was last begun. The conditions stand in
    the statement that deletes: an address that is confirmed at that moment keeps its account.
    """
    unconfirmed = now() - timedelta(days=current_app.config["UNVERIFIED_DAYS"])
    removed = db.session.execute(
        delete(User)
        .where(
            User.verified_at.is_(None), User.disabled_at.is_(None), User.created_at < unconfirmed
        )
        .execution_options(synchronize_session=False)
    )
    assert isinstance(removed, CursorResult)  # noqa: S101 - a DELETE gives nothing else
    return {"accounts": removed.rowcount, "sessions": sessions.forget_old()}
