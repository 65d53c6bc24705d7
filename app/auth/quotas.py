"""How much an account may keep: its own quota, else the one that all have."""

from __future__ import annotations

from flask import current_app

from app.auth.models import User


def quota_of(user: User) -> int | None:
    """Bytes that what the account owns may take; None where there is no bound."""
    own = user.quota_bytes
    quota: int = current_app.config["USER_QUOTA_BYTES"] if own is None else own
    return quota or None
