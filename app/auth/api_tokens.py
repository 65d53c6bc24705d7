"""API tokens: bearer secrets for programs, named and withdrawn by their owners.

The secret is shown once; the table keeps its SHA-256, which is enough for 256 random bits.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import bindparam, delete, or_, select, update

from app.auth.models import ApiToken, Scope, User
from app.database import db, now
from app.errors import Conflict

PREFIX = "vf_"
"""Lets people, and scanners of leaked secrets, see what it is."""

MOST = 50
"""How many tokens one account may have."""

TOUCH = timedelta(minutes=5)
"""How stale `used_at` may be."""


_USED = (
    select(ApiToken, User)
    .join(User, User.id == ApiToken.user_id)
    .where(ApiToken.secret_hash == bindparam("secret_hash"), User.disabled_at.is_(None))
)
"""Made once, as those of `sessions`."""


def create(user: User, name: str, scope: Scope) -> tuple[ApiToken, str]:
    """A new token and its secret. Flushes. Raises Conflict for one too many."""
    if len(owned(user.id)) >= MOST:
        raise Conflict(
            f"You have {MOST} API tokens already. Remove one that is no longer used.",
            code="too_many_tokens",
        )
    secret = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken(user_id=user.id, name=name, scope=scope, secret_hash=_hash(secret))
    db.session.add(token)
    db.session.flush()
    return token, secret


def find(secret: str) -> tuple[ApiToken, User] | None:
    """The token with this secret, and whose it is; None if that account is shut."""
    row = db.session.execute(_USED, {"secret_hash": _hash(secret)}).first()
    return None if row is None else (row[0], row[1])


def owned(user_id: int) -> list[ApiToken]:
    """All tokens of an account, newest first."""
    return list(
        db.session.scalars(
            select(ApiToken).where(ApiToken.user_id == user_id).order_by(ApiToken.id.desc())
        )
    )


def withdraw(user_id: int, token_id: int) -> bool:
    """End a token; False if the account has none with this id. Flushes."""
    found = db.session.get(ApiToken, token_id)
    if found is None or found.user_id != user_id:
        return False
    db.session.delete(found)
    db.session.flush()
    return True


def withdraw_all(user_id: int) -> None:
    """End every token of the account."""
    db.session.execute(delete(ApiToken).where(ApiToken.user_id == user_id))


def is_stale(token: ApiToken) -> bool:
    """Whether it is time to note that the token is in use."""
    return token.used_at is None or token.used_at < _recently()


def touch(token_id: int) -> None:
    """Note that the token is in use: one statement that may stand in any transaction."""
    db.session.execute(
        update(ApiToken)
        .where(
            ApiToken.id == token_id,
            or_(ApiToken.used_at.is_(None), ApiToken.used_at < _recently()),
        )
        .values(used_at=now())
        .execution_options(synchronize_session=False)
    )


def _recently() -> datetime:
    return now() - TOUCH


def _hash(secret: str) -> str:
    return sha256(secret.encode("utf-8", "replace")).hexdigest()
