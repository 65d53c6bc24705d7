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

from app.auth.models import User
from app.database import db
from app.errors import DomainError, NotSignedIn
from app.media.captions import NotCaptions, read_captions
from app.storage import open_source, storage
from app.videos import room, service
from app.videos.adornments import bring_image, keep_captions
from app.videos.filenames import read_name
from app.videos.folders import Found
from app.videos.models import CATEGORY_LENGTH, DESCRIPTION_LENGTH, TITLE_LENGTH, Video
from app.videos.names import ORIGINAL, new_film
from app.videos.nfo import MAX_BYTES, Nfo, NotNfo, read_nfo
from app.videos.schemas import VideoDetails
from app.videos.sidecars import CaptionsFile, Sidecars
from app.videos.uploads import MAX_CAPTIONS_BYTES, MAX_IMAGE_BYTES, title_from

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


def foresee(found: Found, order: Order) -> Line:
    """What `take` would do, as far as it can be known. Leaves no transaction open."""
    details, notes = describe(found, order)
    try:
        known = _known(found, order.owner_id)
        if known is not None:
            return _already(found, known)
        _require_quota(found, order)
    except DomainError as error:
        return Line(found.path, Outcome.FAILED, details.title, why=error.detail)
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
        return Line(found.path, Outcome.FAILED, why=_said(error))
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        why = f"{error.strerror}."
        return Line(found.path, Outcome.FAILED, why=why, passing=full)
    finally:
        db.session.rollback()
        told(left)


def describe(found: Found, order: Order) -> tuple[VideoDetails, list[str]]:
    """What is said of the film: what was ordered, else its `.nfo`, else its name. And notes."""
    said, notes = Nfo(), []
    path = found.sidecars.nfo
    if path is not None:
        try:
            said = read_nfo(_read(path, MAX_BYTES))
        except NotNfo as error:
            notes.append(_note(path, str(error)))
        except OSError as error:
            notes.append(_note(path, f"{error.strerror}."))
    name = found.path.name
    title = order.title or said.title or read_name(name).title or title_from(name)
    details = VideoDetails(
        title=title[:TITLE_LENGTH],
        description=(order.description or said.plot)[:DESCRIPTION_LENGTH],
        category=(order.category or said.genre)[:CATEGORY_LENGTH],
    )
    return details, notes


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
    details, notes = describe(found, order)
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
        notes += _add_sidecars(video, found.sidecars)
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
    since = ROOM_CHECK_BYTES
    _require_room(found.size)

    def count(copied: int) -> None:
        nonlocal since
        since -= copied
        if since <= 0:
            _require_room(0)
            since = ROOM_CHECK_BYTES
        tell(copied)

    return storage().adopt(found.path, film, found.source[:32], count)


def _require_room(size: int) -> None:
    room.require_room(size)
    db.session.rollback()


def _add_sidecars(video: Video, sidecars: Sidecars) -> list[str]:
    """Give the film what lies beside it; what cannot be read is told and left out."""
    notes = []
    labels: set[str] = set()
    for captions in sidecars.captions:
        try:
            _add_captions(video, captions, labels)
        except (NotCaptions, DomainError, OSError) as error:
            notes.append(_note(captions.path, _said(error)))
    if sidecars.picture is not None:
        try:
            bring_image(video, _read(sidecars.picture, MAX_IMAGE_BYTES))
        except (DomainError, OSError) as error:
            notes.append(_note(sidecars.picture, _said(error)))
    return notes


def _add_captions(video: Video, captions: CaptionsFile, labels: set[str]) -> None:
    cues = read_captions(_read(captions.path, MAX_CAPTIONS_BYTES))
    label = captions.label
    if label in labels:
        label = f"{label} {len(labels) + 1}"
    keep_captions(video, cues, captions.language, label, is_forced=captions.forced)
    labels.add(label)


def _read(path: Path, limit: int) -> bytes:
    """A small file. Raises OSError, EFBIG where it is larger."""
    with open_source(path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, "It is too large")
    return data


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


def _note(path: Path, why: str) -> str:
    return f"{path.name}: {why}"


def _said(error: Exception) -> str:
    if isinstance(error, DomainError):
        return error.detail
    return f"{error.strerror}." if isinstance(error, OSError) else str(error)
