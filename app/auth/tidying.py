"""What nobody will ask for again: accounts that were never confirmed, sessions long ended."""

from __future__ import annotations

from datetime import timedelta

from flask import current_app
from sqlalchemy import delete

from app.auth import sessions
from app.auth.models import User
from app.database import now, update_rows


def tidy() -> dict[str, int]:
    """Remove them; how many of each. The caller commits.

    An account goes UNVERIFIED_DAYS after its registration was last begun. The conditions stand in
    the statement that deletes: an address that is confirmed at that moment keeps its account.
    """
    unconfirmed = now() - timedelta(days=current_app.config["UNVERIFIED_DAYS"])
    removed = update_rows(
        delete(User).where(
            User.verified_at.is_(None), User.disabled_at.is_(None), User.created_at < unconfirmed
        )
    )
    return {"accounts": removed, "sessions": sessions.forget_old()}
