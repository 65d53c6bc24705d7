"""Session rows: a sign-in lives here, so that ending the row ends it wherever its cookie went.

Times compare with this process's clock; limits are days, so seconds between machines do not matter.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import Select, bindparam, delete, or_, select, update

from app.auth.models import Session, SessionKind, User
from app.database import db, now, update_rows

ABSOLUTE_DAYS = 180
"""Days after which even a session in daily use ends."""

TOUCH = timedelta(minutes=5)
"""How stale `seen_at` may be: a person's clicks cost one write in this time, not one each."""

REMEMBER = timedelta(days=30)
"""How long a session's row stays after its end, for its owner's data export."""


_ALIVE = (
    Session.ended_at.is_(None),
    Session.expires_at > bindparam("now"),
    Session.seen_at > bindparam("idle_since"),
)
"""What is true of a session that has neither ended nor reached a limit; `_moments` has the values.

These statements are made once: each request asks one, and to make it would cost more than to ask.
"""

_USED = (
    select(Session, User)
    .join(User, User.id == Session.user_id)
    .where(*_ALIVE, User.disabled_at.is_(None))
)
_OF_PAGES = _USED.where(
    Session.secret_hash == bindparam("secret_hash"), Session.kind == SessionKind.PAGE
)
_OF_API = _USED.where(
    Session.id == bindparam("session_id"),
    Session.user_id == bindparam("user_id"),
    Session.kind == SessionKind.API,
)


def idle_limit() -> timedelta:
    """How long a session may be unused."""
    return timedelta(days=current_app.config["SESSION_DAYS"])


def start(user: User, kind: SessionKind, address: str, agent: str) -> tuple[Session, str]:
    """A new session and its secret, which is not kept."""
    secret = secrets.token_urlsafe(32)
    begun = now()
    session = Session(
        user_id=user.id,
        kind=kind,
        secret_hash=_hash(secret),
        refresh_generation=0,
        created_at=begun,
        seen_at=begun,
        expires_at=begun + max(timedelta(days=ABSOLUTE_DAYS), idle_limit()),
        address=_line(address, 64),
        agent=_line(agent, 200),
    )
    db.session.add(session)
    db.session.flush()
    return session, secret


def find_page(secret: str) -> tuple[Session, User] | None:
    """The living session of the pages with this secret, and whose it is."""
    return _find(_OF_PAGES, {"secret_hash": _hash(secret)})


def find_api(session_id: int, user_id: int) -> tuple[Session, User] | None:
    """The living session of the API with this id, and whose it is."""
    return _find(_OF_API, {"session_id": session_id, "user_id": user_id})


def page_id(secret: str) -> int | None:
    """The id of the pages' session with this secret, living or not."""
    return db.session.scalar(select(Session.id).where(Session.secret_hash == _hash(secret)))


def touch(session_id: int) -> None:
    """Note that the session is in use: one statement that may stand in any transaction."""
    db.session.execute(
        update(Session)
        .where(Session.id == session_id, Session.seen_at < now() - TOUCH)
        .values(seen_at=now())
        .execution_options(synchronize_session=False)
    )


def living(user_id: int) -> list[Session]:
    """The account's sessions that have not ended, the one used last first."""
    return list(
        db.session.scalars(
            select(Session)
            .where(Session.user_id == user_id, *_ALIVE)
            .order_by(Session.seen_at.desc(), Session.id.desc()),
            _moments(),
        )
    )


def all_of(user_id: int) -> list[Session]:
    """Every session of the account that is still remembered, newest first."""
    wanted = select(Session).where(Session.user_id == user_id).order_by(Session.id.desc())
    return list(db.session.scalars(wanted))


def forget_old() -> int:
    """Remove sessions that ended, or reached a limit, over REMEMBER ago; how many."""
    moment = now() - REMEMBER
    return update_rows(
        delete(Session).where(
            or_(
                Session.ended_at < moment,
                Session.expires_at < moment,
                Session.seen_at < moment - idle_limit(),
            )
        )
    )


def is_stale(session: Session) -> bool:
    """Whether it is time to touch the session."""
    return session.seen_at < now() - TOUCH


def rotate(session_id: int, generation: int) -> bool:
    """Retire this generation of refresh tokens; False if another call had done so already."""
    changed = update_rows(
        update(Session)
        .where(Session.id == session_id, Session.refresh_generation == generation)
        .values(refresh_generation=generation + 1, seen_at=now())
    )
    return changed == 1


def end(session_ids: Iterable[int]) -> None:
    """End these sessions; those that have ended stay as they are."""
    ids = list(session_ids)
    if ids:
        update_rows(
            update(Session)
            .where(Session.id.in_(ids), Session.ended_at.is_(None))
            .values(ended_at=now())
        )


def end_all(user_id: int, keep: int | None = None) -> None:
    """End every session of the account but the one to keep."""
    wanted = update(Session).where(Session.user_id == user_id, Session.ended_at.is_(None))
    if keep is not None:
        wanted = wanted.where(Session.id != keep)
    update_rows(wanted.values(ended_at=now()))


def _moments() -> dict[str, datetime]:
    moment = now()
    return {"now": moment, "idle_since": moment - idle_limit()}


def _find(
    statement: Select[Session, User], values: dict[str, int | str]
) -> tuple[Session, User] | None:
    row = db.session.execute(statement, {**values, **_moments()}).first()
    return None if row is None else (row[0], row[1])


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _line(text: str, length: int) -> str:
    """Text from a request, fit to be stored and shown: one line of bounded length."""
    return "".join(c if c.isprintable() else " " for c in text[:length])
