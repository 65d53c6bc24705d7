"""Room for films: the disk's, less what unfinished uploads were promised, and the owner's quota.

An upload is promised its whole length when it begins. Promises are given one after the other, under
a lock that lasts until the commit, so that twenty at once never promise the same gigabyte. Nothing
here commits.
"""

from __future__ import annotations

from flask import current_app
from sqlalchemy import ColumnElement, and_, func, select

from app.auth.models import User
from app.auth.quotas import quota_of
from app.database import db, now
from app.errors import DomainError
from app.formatting import bytesize
from app.storage import storage
from app.videos.models import Upload, Video

_LOCK = 0x0F11_0001
"""Number of PostgreSQL's advisory lock; SQLite has one writer at a time anyway."""


class TooLarge(DomainError):
    """The film is larger than MAX_UPLOAD_BYTES."""

    status = 413
    code = "too_large"


class NoRoom(DomainError):
    """There is no room on the disk."""

    status = 507
    code = "no_room"

    def __init__(self) -> None:
        super().__init__(
            "There is no room for this film at the moment. Try again later, or delete a film."
        )


class QuotaReached(DomainError):
    """The owner's films would take more than they may."""

    status = 507
    code = "quota"

    def __init__(self, left: int) -> None:
        super().__init__(
            f"This film does not fit. You have {bytesize(left)} left. Delete a film to make room."
        )


def promise_room(owner_id: int, length: int) -> None:
    """Raise TooLarge, NoRoom or QuotaReached unless a film of this length may begin to come in.

    Whoever adds its row before the commit has the promise.
    """
    require_small_enough(length)
    lock_promises()
    require_room(length)
    require_quota(owner_id, length)


def lock_promises() -> None:
    """Let nobody else promise room or use up a quota until the commit."""
    if db.engine.dialect.name == "postgresql":
        db.session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def require_small_enough(size: int) -> None:
    """Raise TooLarge beyond MAX_UPLOAD_BYTES."""
    if size > current_app.config["MAX_UPLOAD_BYTES"]:
        raise too_large()


def too_large() -> TooLarge:
    """The refusal of a film that is too large, with the limit in words."""
    limit = current_app.config["MAX_UPLOAD_BYTES"]
    return TooLarge(f"This film is larger than the {bytesize(limit)} that may be uploaded.")


def require_room(size: int) -> None:
    """Raise NoRoom unless so many bytes fit beside the reserve and all that was promised."""
    promised = db.session.scalar(
        select(func.coalesce(func.sum(Upload.length - Upload.received), 0)).where(is_live())
    )
    require_disk(size + int(promised or 0))


def require_disk(size: int) -> None:
    """Raise NoRoom unless so many bytes, that were promised before, fit beside the reserve."""
    if storage().free_bytes() - size < current_app.config["MIN_FREE_BYTES"]:
        raise NoRoom


def require_quota(owner_id: int, size: int) -> None:
    """Raise QuotaReached unless the owner may have so many bytes more."""
    owner = db.session.get(User, owner_id)
    quota = quota_of(owner) if owner is not None else None
    if quota is None:
        return
    left = quota - used_bytes(owner_id)
    if size > left:
        raise QuotaReached(max(left, 0))


def used_bytes(owner_id: int) -> int:
    """What counts against a quota: films as they came, and unfinished uploads in full."""
    return films_bytes(owner_id) + promised_bytes(owner_id)


def films_bytes(owner_id: int) -> int:
    """Bytes of the owner's films, as they came; one that still comes in counts as an upload."""
    films = select(func.coalesce(func.sum(Video.size), 0)).where(
        Video.owner_id == owner_id, Video.received.is_(None)
    )
    return int(db.session.scalar(films) or 0)


def promised_bytes(owner_id: int) -> int:
    """The full length of the owner's unfinished uploads, of which no film counts yet."""
    coming = select(func.coalesce(func.sum(Upload.length), 0)).where(
        Upload.owner_id == owner_id, Upload.video_id.is_(None), is_live()
    )
    return int(db.session.scalar(coming) or 0)


def is_live() -> ColumnElement[bool]:
    """The condition of an upload that can still be finished."""
    return and_(Upload.finished_at.is_(None), Upload.expires_at > now())
