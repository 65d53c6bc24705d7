"""Changing films: taking one in, changing what is said of it, removing it. Nothing here commits."""

from __future__ import annotations

from sqlalchemy import delete

from app.auth.models import User
from app.database import after_commit, db
from app.errors import NotSignedIn
from app.storage import Incoming, storage
from app.videos.locking import lock_tasks
from app.videos.models import Upload, Video
from app.videos.names import ORIGINAL, new_film
from app.videos.schemas import VideoChange, VideoDetails
from app.videos.work import announce_next, begin


def take_in(
    received: Incoming,
    size: int,
    owner_id: int,
    details: VideoDetails,
    *,
    is_global: bool = False,
    film: str | None = None,
) -> Video:
    """Make received bytes a film and announce its planning after the commit. Flushes.

    `film` names its folder, and may hold the bytes already. Raises NotSignedIn where the account
    was shut or deleted while they came in.
    """
    owner = db.session.get(User, owner_id)
    if owner is None or not owner.is_active:
        raise NotSignedIn("Your account is no longer open.")
    film = film or new_film()
    if storage().entry(film, ORIGINAL) is None:
        received.keep(film)
    return _add(film, size, owner_id, details, is_global)


def begin_early(
    coming: Incoming, size: int, owner_id: int, details: VideoDetails, *, is_global: bool, film: str
) -> Video:
    """Make a film of bytes of which the rest still comes in, and announce its planning. Flushes.

    Its folder takes the name `film`.
    """
    coming.show(film)
    return _add(film, size, owner_id, details, is_global, received=coming.size)


def complete(video: Video, received: Incoming) -> None:
    """All bytes of an early film have come: whatever waited for them can go on. Flushes."""
    received.keep(video.film)
    video.received = None
    db.session.flush()
    announce_next(video.id)


def take_over(
    film: str,
    size: int,
    owner_id: int,
    details: VideoDetails,
    *,
    is_global: bool,
    source: str,
    sha256: str | None,
) -> Video:
    """Make a film of a file of this machine, which is its original already. Flushes."""
    video = _add(film, size, owner_id, details, is_global)
    video.source, video.sha256 = source, sha256
    db.session.flush()
    return video


def change(video: Video, wanted: VideoChange) -> None:
    """Change what is said of the film. Flushes."""
    for name, value in wanted.model_dump(exclude_none=True).items():
        setattr(video, name, value)
    db.session.flush()


def remove(video: Video) -> None:
    """Remove the film's rows, and its files once that is committed. Flushes.

    Whoever still works on it loses the claim within a second and can write nothing meanwhile: its
    folder is gone.
    """
    film, is_coming = video.film, video.received is not None
    lock_tasks(video.id)
    if is_coming:  # the rest need not come
        db.session.execute(
            delete(Upload).where(Upload.video_id == video.id, Upload.finished_at.is_(None))
        )
    db.session.execute(delete(Video).where(Video.id == video.id))
    files = storage()
    if is_coming:
        after_commit(lambda: files.drop_received(film))
    after_commit(lambda: files.delete_film(film))


def _add(
    film: str,
    size: int,
    owner_id: int,
    details: VideoDetails,
    is_global: bool,
    received: int | None = None,
) -> Video:
    video = Video(
        owner_id=owner_id,
        film=film,
        title=details.title,
        description=details.description,
        category=details.category,
        is_global=is_global,
        size=size,
        received=received,
    )
    db.session.add(video)
    db.session.flush()
    begin(video.id)
    return video
