"""Early start: a film is planned, and its first cells are filled, while its file still comes in.

That needs an index at the front of the file (`app.media.arrivals`), as MP4 and MOV have that were
made for the web. A film that begins early is a row like any other whose `received` grows; whatever
fails meanwhile is tried again once the file is whole.
"""

from __future__ import annotations

import logging
from io import BytesIO
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from app.auth.models import User
from app.database import db, update_rows
from app.media.arrivals import can_begin, needed_to_begin
from app.storage import HEAD_BYTES, Incoming
from app.videos import policy, service
from app.videos.catalogue_cache import UNSEEN
from app.videos.models import Upload, Video
from app.videos.schemas import VideoDetails
from app.videos.work import announce_next

log = logging.getLogger(__name__)

SMALLEST_BYTES: Final = 8 << 20
"""Of a smaller film the rest is there before anything could be made of the first part."""


def expect(coming: Incoming, length: int) -> None:
    """The first HEAD_BYTES have come: if the film may begin early, let its bytes be read."""
    if length >= SMALLEST_BYTES and needed_to_begin(BytesIO(coming.head(HEAD_BYTES))) is not None:
        coming.share()


def follow(upload_id: int, coming: Incoming) -> None:
    """Bytes have come: begin the film if that is possible now, or let it go on. Commits.

    What fails here does not harm the upload; its end begins the film in any case.
    """
    try:
        _follow(upload_id, coming)
    except (OSError, SQLAlchemyError):
        db.session.rollback()
        log.warning("could not go on with a film that comes in", exc_info=True)


def _follow(upload_id: int, coming: Incoming) -> None:
    upload = db.session.get_one(Upload, upload_id)
    size = coming.shared
    if upload.video_id is not None:
        update_rows(
            update(Video)
            .where(Video.id == upload.video_id, Video.received.is_not(None))
            .values(received=size)
            .execution_options(**UNSEEN)
        )
        announce_next(upload.video_id)
    elif upload.length >= SMALLEST_BYTES and size < upload.length and _can_begin(coming):
        owner = db.session.get_one(User, upload.owner_id)
        video = service.begin_early(
            coming,
            upload.length,
            owner.id,
            details_of(upload),
            is_global=upload.is_global and policy.may_fill_catalogue(owner),
            film=upload.name,
        )
        video.received = size
        upload.video_id = video.id
    db.session.commit()


def _can_begin(coming: Incoming) -> bool:
    """Whether what can be read of it says where all lies."""
    needed = needed_to_begin(BytesIO(coming.head(HEAD_BYTES)))
    return (
        needed is not None and needed <= coming.shared and can_begin(BytesIO(coming.head(needed)))
    )


def details_of(upload: Upload) -> VideoDetails:
    """What was said of the film."""
    return VideoDetails(
        title=upload.title, description=upload.description, category=upload.category
    )


def film_of(upload: Upload) -> Video | None:
    """The film that an unfinished upload has begun."""
    return db.session.scalars(
        select(Video).where(Video.id == upload.video_id, Video.received.is_not(None))
    ).one_or_none()
