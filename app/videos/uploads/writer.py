"""Appending to an upload: what came stays, whatever becomes of the request.

Between its short transactions a writer holds no database session, and it writes only under its
claim (`leases`).
"""

from __future__ import annotations

import contextlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import delete, select

from app.auth.models import User
from app.database import db, epoch_now, now, update_rows
from app.errors import Conflict, DomainError, NotSignedIn
from app.storage import HEAD_BYTES, Incoming, StorageAway, storage
from app.videos import policy, service
from app.videos.models import Upload
from app.videos.uploads import early
from app.videos.uploads.bodies import one_body
from app.videos.uploads.intake import Intake, Interrupted, NotAFilm, Readable
from app.videos.uploads.leases import Claim, Locked, claim, release, renew, still_mine
from app.videos.uploads.resumable import expiry, is_whole
from app.videos.uploads.room import NoRoom, TooLarge, require_disk

BLOCK_BYTES = 2**16


class ChecksumMismatch(DomainError):
    """The bytes are not those that the checksum was made of; none of them counts."""

    status = 460
    code = "checksum_mismatch"

    def __init__(self) -> None:
        super().__init__("These bytes were changed on their way. Send them again.")


class Digest(Protocol):
    """A hash of hashlib."""

    def update(self, data: bytes, /) -> None:
        """Take the next bytes."""
        ...

    def digest(self) -> bytes:
        """The hash of all of them."""
        ...


@dataclass(frozen=True, slots=True)
class Checksum:
    """A hash that begins empty, and what it must be in the end."""

    digest: Digest
    wanted: bytes


@dataclass(frozen=True, slots=True)
class Body:
    """What a request brings; `length` is what it says of itself, None where it does not."""

    stream: Readable
    length: int | None
    checksum: Checksum | None = None


def append(upload: Upload, offset: int, body: Body) -> None:
    """Write the body behind what is there; the last byte makes it a film. Commits.

    Raises Locked, Conflict `wrong_offset`, TooLarge, NotAFilm (the upload is gone then),
    ChecksumMismatch, NoRoom, Interrupted, Unavailable `busy`. Whatever is raised, the bytes that
    are there count.
    """
    if is_whole(upload):
        settle(upload)
        length = upload.length
        db.session.rollback()  # no session is held while the body is read
        if offset != length:
            raise _wrong_offset(length)
        if body.length or (body.length is None and body.stream.read(1)):
            raise _too_long()
        return
    with one_body(upload.owner_id), _claimed(upload) as (mine, intake):
        if offset != intake.size:
            raise _wrong_offset(intake.size)
        if body.length is not None and body.length > mine.length - offset:
            raise _too_long()
        _receive(mine, intake, body)
        if intake.size == mine.length:
            _finish(mine, intake)
        else:
            early.follow(mine.upload_id, intake.incoming)


def settle(upload: Upload) -> None:
    """Finish an upload of which every byte is there, since whoever brought the last one died.

    Nothing is done for others. Raises Locked while it is being finished. Commits.
    """
    if upload.finished_at is not None or not is_whole(upload):
        return
    with _claimed(upload) as (mine, intake):
        _finish(mine, intake)


def settle_all() -> None:
    """Finish all uploads of which every byte is there. Commits."""
    waiting = db.session.scalars(
        select(Upload)
        .join(User, User.id == Upload.owner_id)
        .where(
            Upload.finished_at.is_(None),
            Upload.lease_until < epoch_now(),
            User.disabled_at.is_(None),
        )
    ).all()
    for upload in [one for one in waiting if is_whole(one)]:
        with contextlib.suppress(DomainError):
            settle(upload)
    db.session.rollback()


@contextlib.contextmanager
def _claimed(upload: Upload) -> Iterator[tuple[Claim, Intake]]:
    """The right to write to the upload, and its file, until the block ends."""
    mine = claim(upload)
    size = None
    try:
        with contextlib.closing(storage().receive(mine.name)) as incoming:
            try:
                yield mine, Intake(incoming, require_disk)
            except NotAFilm:
                _give_up(mine, incoming)
                raise
            finally:
                size = incoming.size
    except StorageAway:
        raise
    except OSError as error:
        raise NoRoom from error
    finally:
        release(mine, size)


def _receive(mine: Claim, intake: Intake, body: Body) -> None:
    """Write the body's bytes; with a checksum, or when there are too many, all of them or none."""
    start, checksum = intake.size, body.checksum
    left = mine.length - start
    if checksum is not None:
        intake.incoming.hold_back()
    try:
        while left and (block := body.stream.read(min(BLOCK_BYTES, left))):
            size = intake.size if checksum is None else start
            if renew(mine, size):
                early.follow(mine.upload_id, intake.incoming)
            before = intake.size
            intake.write(block)
            if before < HEAD_BYTES <= intake.size:
                early.expect(intake.incoming, mine.length)
            left -= len(block)
            if checksum is not None:
                checksum.digest.update(block)
        if body.length is not None and intake.size - start < body.length:
            raise Interrupted
        if checksum is not None:
            if not hmac.compare_digest(checksum.digest.digest(), checksum.wanted):
                raise ChecksumMismatch
            renew(mine, start, at_once=True)
        if body.length is None and not left and body.stream.read(1):
            raise _too_long()
    except Exception as error:
        if checksum is not None or isinstance(error, TooLarge):
            renew(mine, start, at_once=True)  # who lost the claim must not cut another's file
            intake.incoming.rewind(start)
        raise
    intake.incoming.accept()


def _finish(mine: Claim, intake: Intake) -> None:
    """Make the bytes a film. Raises NotAFilm, NoRoom, Locked. Commits."""
    if intake.size == mine.length:  # else the film's folder holds the bytes already
        intake.finish()
    if not update_rows(still_mine(mine).values(lease_until=Upload.lease_until)):
        raise Locked
    upload = db.session.get_one(Upload, mine.upload_id)
    owner = db.session.get(User, upload.owner_id)
    if owner is None:
        raise NotSignedIn("Your account is no longer open.")
    video = early.film_of(upload)
    if video is not None:
        service.complete(video, intake.incoming)
    else:
        video = service.take_in(
            intake.incoming,
            mine.length,
            owner.id,
            early.details_of(upload),
            is_global=upload.is_global and policy.may_fill_catalogue(owner),
            film=mine.name,
        )
    upload.video_id, upload.finished_at, upload.expires_at = video.id, now(), expiry()
    upload.received, upload.lease_until = mine.length, 0.0
    db.session.commit()
    storage().drop_received(mine.name)


def _give_up(mine: Claim, incoming: Incoming) -> None:
    """Remove row and bytes: nothing can become of them. Commits."""
    gone = update_rows(
        delete(Upload).where(Upload.id == mine.upload_id, Upload.fence == mine.fence)
    )
    db.session.commit()
    if gone:
        incoming.discard()


def _wrong_offset(offset: int) -> Conflict:
    return Conflict(
        f"The upload is at byte {offset}. Ask where it is, and go on from there.",
        code="wrong_offset",
    )


def _too_long() -> TooLarge:
    return TooLarge("There are more bytes than the upload has room for.", code="too_long")
