"""Taking films of this machine in, one by one: copied, as a hard link, or moved.

Each is one transaction, so whoever is killed leaves whole films behind: a half copy lies in
`incoming/` under a name made of its source and is written over by the next try, and a moved file is
removed after the commit. A file is known again by its path, size and time of change, or by
its bytes where a film of the same owner has as many and was hashed.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from sqlalchemy import select

from app.auth.admin import by_email
from app.auth.models import Role, User
from app.database import db
from app.errors import DomainError, NotFound, NotSignedIn
from app.storage import open_source, storage
from app.videos import service
from app.videos.imports.attachments import add_sidecars, describe, reason_of
from app.videos.imports.folders import Found
from app.videos.models import Video
from app.videos.names import ORIGINAL, new_film
from app.videos.uploads import room

ROOM_CHECK_BYTES = 64 * 2**20
"""A copy asks for room again each time so many bytes were written."""

_NO_LINKS = {errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class Way(StrEnum):
    """How a file becomes a film."""

    COPY = "copy"
    LINK = "link"
    MOVE = "move"


class Outcome(StrEnum):
    """What became of a file."""

    IMPORTED = "imported"
    ALREADY = "already"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Order:
    """For whom films are taken in, how, and what is said of them; what is empty is found out."""

    owner_id: int
    way: Way = Way.COPY
    is_global: bool = False
    title: str = ""
    description: str = ""
    category: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the report. `why` explains what was not imported, `notes` what is missing of it.

    `passing` says that the reason lies outside of the file, such as a full disk.
    """

    path: Path
    outcome: Outcome
    title: str = ""
    video_id: int | None = None
    why: str = ""
    notes: list[str] = field(default_factory=list)
    passing: bool = False


class NotTaken(Exception):
    """The file cannot be a film in this way; the text says why."""


NO_LINK = (
    "There can be no link to this file: it lies on another disk, or its disk or its owner does not "
    "allow it. Leave --link out to copy it."
)
CHANGING = "The file was changed meanwhile. Import it again once it is complete."


def owner_of(email: str | None) -> User:
    """Whose films they will be: the account named, else the first administrator.

    Raises NotFound, and NotTaken where the account may own none.
    """
    if email:
        user = by_email(email)
    else:
        admins = select(User).where(User.role == Role.ADMIN, User.disabled_at.is_(None))
        first = db.session.scalars(admins.order_by(User.id)).first()
        if first is None:
            raise NotFound("There is no administrator. Name an owner.")
        user = first
    if not user.is_verified:
        raise NotTaken(f"{user.email} is not confirmed yet, and so owns no films.")
    return user


def foresee(found: Found, order: Order) -> Line:
    """What `take` would do, as far as it can be known. Leaves no transaction open."""
    details, notes = describe(found, order.title, order.description, order.category)
    try:
        known = _known(found, order.owner_id)
        if known is not None:
            return _already(found, known)
        _require_quota(found, order)
    except (DomainError, OSError) as error:
        return Line(found.path, Outcome.FAILED, details.title, why=reason_of(error))
    finally:
        db.session.rollback()
    return Line(found.path, Outcome.IMPORTED, details.title, notes=notes)


def take(found: Found, order: Order, told: Callable[[int], None]) -> Line:
    """Make the file a film, unless it is one already. Commits.

    `told` hears how many bytes were dealt with, until those are all of the file's.
    """
    left = found.size

    def tell(count: int) -> None:
        nonlocal left
        left -= count
        told(count)

    try:
        return _take(found, order, tell)
    except (room.NoRoom, room.QuotaReached) as error:
        return Line(found.path, Outcome.FAILED, why=error.detail, passing=True)
    except (NotTaken, DomainError) as error:
        return Line(found.path, Outcome.FAILED, why=reason_of(error))
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        why = f"{error.strerror}."
        return Line(found.path, Outcome.FAILED, why=why, passing=full)
    finally:
        db.session.rollback()
        told(left)


def _take(found: Found, order: Order, tell: Callable[[int], None]) -> Line:
    known = _known(found, order.owner_id)
    if known is not None:
        line = _already(found, known)
        if order.way is Way.MOVE and known.source == found.source:  # who moved it was killed
            kept = storage().entry(known.film, ORIGINAL)
            if kept is not None and kept.bytes == found.size:
                line.notes.extend(_remove(found))
        return line
    _require_quota(found, order)
    details, notes = describe(found, order.title, order.description, order.category)
    film = new_film()
    try:
        digest = _bring(found, order.way, film, tell)
        if not found.is_unchanged():
            raise NotTaken(CHANGING)
        room.lock_promises()
        room.require_quota(order.owner_id, found.size)
        video = service.take_over(
            film,
            found.size,
            order.owner_id,
            details,
            is_global=order.is_global,
            source=found.source,
            sha256=digest,
        )
        notes += add_sidecars(video, found.sidecars)
        video_id = video.id
    except BaseException:
        db.session.rollback()
        storage().delete_film(film)
        raise
    db.session.commit()  # should the answer get lost, the reconciler knows whose files these are
    if order.way is Way.MOVE:
        notes += _remove(found)
    return Line(found.path, Outcome.IMPORTED, details.title, video_id, notes=notes)


def _known(found: Found, owner_id: int) -> Video | None:
    """The owner's film that was made of this file, or of the same bytes. Leaves no transaction."""
    owned = select(Video).where(Video.owner_id == owner_id)
    film = db.session.scalars(owned.where(Video.source == found.source)).first()
    alike = owned.where(Video.size == found.size, Video.sha256.is_not(None))
    films = [film] if film else list(db.session.scalars(alike.order_by(Video.id)))
    db.session.expunge_all()
    db.session.rollback()
    if film is not None or not films:
        return film
    with open_source(found.path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return next((film for film in films if film.sha256 == digest), None)


def _already(found: Found, video: Video) -> Line:
    return Line(found.path, Outcome.ALREADY, video.title, video.id, f"It is film {video.id}.")


def _require_quota(found: Found, order: Order) -> None:
    """Raise where the owner is gone or may not have the film. Leaves no transaction open."""
    owner = db.session.get(User, order.owner_id)
    if owner is None or not owner.is_active:
        raise NotSignedIn("The account is no longer open.")
    room.require_quota(order.owner_id, found.size)
    db.session.rollback()


def _bring(found: Found, way: Way, film: str, tell: Callable[[int], None]) -> str | None:
    """Make the file the film's original. Its SHA-256 where it was copied, else None."""
    if way is not Way.COPY:
        try:
            storage().link(found.path, film)
            return None
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if way is Way.LINK:
                raise NotTaken(NO_LINK) from error
    left, next_check = found.size, found.size - ROOM_CHECK_BYTES
    _require_room(left)

    def count(copied: int) -> None:
        nonlocal left, next_check
        left -= copied
        if left < 0:  # it grows, perhaps for ever
            raise NotTaken(CHANGING)
        if left <= next_check:
            _require_room(left)
            next_check = left - ROOM_CHECK_BYTES
        tell(copied)

    return storage().adopt(found.path, film, found.source[:32], count)


def _require_room(size: int) -> None:
    room.require_room(size)
    db.session.rollback()


def _remove(found: Found) -> list[str]:
    """Remove a file that is a film now; what hinders that."""
    try:
        if found.is_unchanged():
            found.path.unlink()
            return []
    except FileNotFoundError:
        return []
    except OSError as error:
        return [f"The file itself could not be removed: {error.strerror}."]
    return ["The file was changed meanwhile and stays."]
