"""Uploads that come in pieces: their rows and files, from the first promise of room to the end.

A row is live until it is finished or expires. Its `name` is its address, the name of its file while
that comes in, and of the film's folder afterwards: whoever died between the two is understood. A
finished row stays until it expires, so that who missed the last answer can ask. Services flush.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import delete, func, or_, select

from app.auth.models import User
from app.database import after_commit, db, epoch_now, now
from app.errors import Conflict, DomainError, NotFound
from app.storage import storage
from app.videos import service
from app.videos.models import Upload, Video
from app.videos.names import ORIGINAL, new_film
from app.videos.schemas import UploadChange, VideoDetails
from app.videos.uploads import early
from app.videos.uploads.intake import empty_file
from app.videos.uploads.room import is_live, promise_room

MAX_LIVE = 200
"""Unfinished uploads of one account."""


class Expired(DomainError):
    """The upload waited too long for its rest."""

    status = 410
    code = "upload_expired"

    def __init__(self) -> None:
        super().__init__("This upload waited too long for its rest. Begin it again.")


def create(
    owner: User, length: int, filename: str, details: VideoDetails, *, is_global: bool = False
) -> Upload:
    """Promise room to a film of so many bytes. Flushes.

    Raises TooLarge, NoRoom, QuotaReached, Conflict `too_many_uploads`, InvalidInput for no bytes.
    """
    if length == 0:
        raise empty_file()
    promise_room(owner.id, length)
    live = select(func.count()).select_from(Upload).where(Upload.owner_id == owner.id, is_live())
    if (db.session.scalar(live) or 0) >= MAX_LIVE:
        raise Conflict(
            f"You have {MAX_LIVE} unfinished uploads. Finish or remove some first.",
            code="too_many_uploads",
        )
    upload = Upload(
        name=new_film(),
        owner_id=owner.id,
        filename=filename,
        title=details.title,
        description=details.description,
        category=details.category,
        is_global=is_global,
        length=length,
        expires_at=expiry(),
    )
    db.session.add(upload)
    db.session.flush()
    return upload


def find(name: str, owner_id: int) -> Upload:
    """One's own upload, also a finished one. Raises NotFound, Expired."""
    upload = db.session.scalars(
        select(Upload).where(Upload.name == name, Upload.owner_id == owner_id)
    ).one_or_none()
    if upload is None:
        raise NotFound("There is no such upload.")
    if upload.expires_at <= now():
        raise Expired
    return upload


def listed(owner_id: int) -> Sequence[Upload]:
    """One's own uploads that are live or lately finished, newest first."""
    return db.session.scalars(
        select(Upload)
        .where(Upload.owner_id == owner_id, Upload.expires_at > now())
        .order_by(Upload.id.desc())
    ).all()


def offset_of(upload: Upload) -> int:
    """How many bytes are there, true to the byte."""
    if upload.finished_at is not None:
        return upload.length
    coming = storage().received(upload.name)
    if coming is not None:
        return coming
    kept = storage().entry(upload.name, ORIGINAL)
    return 0 if kept is None else kept.bytes


def is_whole(upload: Upload) -> bool:
    """Whether every byte is there; it need not be a film yet."""
    return upload.finished_at is not None or offset_of(upload) == upload.length


def change(upload: Upload, wanted: UploadChange) -> None:
    """Change what is said of the film, also of the one that it has become. Flushes."""
    video = db.session.get(Video, upload.video_id) if upload.video_id is not None else None
    if video is not None:
        service.change(video, wanted)
    for name, value in wanted.model_dump(exclude_none=True).items():
        setattr(upload, name, value)
    db.session.flush()


def remove(upload: Upload) -> None:
    """End the upload; its bytes go once that is committed, unless they are a film. Flushes.

    A film that has begun with the first of them goes too.
    """
    name = upload.name
    if (begun := early.film_of(upload)) is not None:
        service.remove(begun)
        return
    db.session.execute(delete(Upload).where(Upload.id == upload.id))
    files = storage()
    after_commit(lambda: files.drop_received(name))


def remove_all(owner_id: int) -> None:
    """End every upload of an account. Flushes."""
    for upload in db.session.scalars(select(Upload).where(Upload.owner_id == owner_id)).all():
        remove(upload)


def sweep() -> None:
    """Remove rows that have expired, with what came of them. Commits."""
    expired = select(Upload).where(
        Upload.expires_at <= now(),
        or_(Upload.finished_at.is_not(None), Upload.lease_until < epoch_now()),
    )
    for upload in db.session.scalars(expired.with_for_update(skip_locked=True)).all():
        remove(upload)
    db.session.commit()


def names() -> set[str]:
    """The names of all uploads that may still grow. Leaves no transaction open."""
    found = set(db.session.scalars(select(Upload.name).where(Upload.finished_at.is_(None))))
    db.session.rollback()
    return found


def expiry() -> datetime:
    """When an upload expires of which a byte comes now."""
    return now() + timedelta(hours=current_app.config["UPLOAD_HOURS"])
