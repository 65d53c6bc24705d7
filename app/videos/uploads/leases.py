"""The right to write to an upload, which one request at a time has.

A claim is one conditional UPDATE that sets a lease, by the database's clock, and raises the fence.
It is renewed while bytes come, and always before bytes are written when it may have run out: who
lost it writes nothing more. A connection that went silent keeps its upload for LEASE_SECONDS.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Update, select, update
from sqlalchemy.exc import OperationalError

from app.database import db, epoch_now, update_rows
from app.errors import DomainError
from app.videos.models import Upload
from app.videos.uploads.resumable import expiry

LEASE_SECONDS = 8
"""Less than the nine seconds over which tus clients spread their tries by default."""

RENEW_SECONDS = 2.0


class Locked(DomainError):
    """Another request writes to this upload."""

    status = 423
    code = "upload_busy"

    def __init__(self) -> None:
        super().__init__(
            "This upload is being written to by another request. Try again in a moment.",
            headers={"Retry-After": "2"},
        )


@dataclass(slots=True)
class Claim:
    """The right to write, of one request. `renew_at` is in this process's monotonic seconds."""

    upload_id: int
    name: str
    length: int
    fence: int
    renew_at: float


def claim(upload: Upload) -> Claim:
    """Take the upload, or raise Locked. Commits."""
    renew_at = time.monotonic() + RENEW_SECONDS
    upload_id, name, length = upload.id, upload.name, upload.length
    moment = epoch_now()
    taken = update_rows(
        update(Upload)
        .where(Upload.id == upload_id, Upload.finished_at.is_(None), Upload.lease_until < moment)
        .values(fence=Upload.fence + 1, lease_until=moment + LEASE_SECONDS, expires_at=expiry())
    )
    if not taken:
        db.session.rollback()
        raise Locked
    fence = db.session.scalar(select(Upload.fence).where(Upload.id == upload_id))
    db.session.commit()
    return Claim(upload_id, name, length, fence or 0, renew_at)


def renew(mine: Claim, size: int, *, at_once: bool = False) -> bool:
    """Prolong the lease when it is time, and say whether it was. Raises Locked. Commits."""
    moment = time.monotonic()
    if moment < mine.renew_at and not at_once:
        return False
    kept = update_rows(
        still_mine(mine).values(
            lease_until=epoch_now() + LEASE_SECONDS, received=size, expires_at=expiry()
        )
    )
    db.session.commit()
    if not kept:
        raise Locked
    mine.renew_at = moment + RENEW_SECONDS
    return True


def release(mine: Claim, size: int | None) -> None:
    """Let others write, and note how far it is. Commits.

    Where the database is away, the lease ends by itself.
    """
    values = {} if size is None else {"received": size}
    try:
        db.session.rollback()
        update_rows(
            still_mine(mine)
            .where(Upload.finished_at.is_(None))
            .values(lease_until=0.0, expires_at=expiry(), **values)
        )
        db.session.commit()
    except OperationalError:
        db.session.rollback()


def still_mine(mine: Claim) -> Update:
    """A change of the row by whoever has the claim, and by nobody else."""
    return update(Upload).where(Upload.id == mine.upload_id, Upload.fence == mine.fence)
