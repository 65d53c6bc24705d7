"""Mailed links: what each is for, what kills it, and whose it is.

A link's token carries a fingerprint of what using it changes (`app.auth.tokens`). It works once,
because using it changes that, and dies with whatever else changes it: a new password, a newer
request, another address.
"""

from __future__ import annotations

from datetime import timedelta

from flask import current_app

from app.auth import tokens
from app.auth.errors import LinkExpired, LinkInvalid
from app.auth.models import User
from app.auth.tokens import Purpose, TokenExpired, TokenInvalid
from app.database import db

_HOURS = {
    Purpose.VERIFY: "VERIFY_HOURS",
    Purpose.NEW_ADDRESS: "VERIFY_HOURS",
    Purpose.RESET: "RESET_HOURS",
}


def make(purpose: Purpose, user: User) -> tuple[str, str]:
    """`uid` and `token` of a link for this account as it is now."""
    return tokens.link_parts(purpose, user.id, _state(purpose, user))


def user_of(purpose: Purpose, uid: str, token: str) -> User:
    """The account that a link is about, if the link still holds.

    Raises LinkInvalid, LinkExpired.
    """
    age = timedelta(hours=current_app.config[_HOURS[purpose]])
    try:
        user_id, fingerprint = tokens.read_link(purpose, uid, token, age)
    except TokenExpired:
        raise LinkExpired from None
    except TokenInvalid:
        raise LinkInvalid from None
    user = db.session.get(User, user_id)
    if user is None or not user.is_active:
        raise LinkInvalid
    if not tokens.same_state(purpose, fingerprint, _state(purpose, user)):
        raise LinkInvalid
    return user


def _state(purpose: Purpose, user: User) -> str:
    """What using a link of this purpose changes, and what else must kill it."""
    changes = {
        Purpose.VERIFY: user.is_verified,
        Purpose.NEW_ADDRESS: user.pending_email,
    }.get(purpose)
    return f"{user.email}|{user.password_hash}|{changes}"
