"""Changing films: taking one in, changing what is said of it, removing it. Nothing here commits."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import delete

from app.auth.models import User
from app.database import after_commit, db
from app.errors import NotSignedIn
from app.storage import Incoming, storage
from app.videos.locking import lock_tasks
from app.videos.models import Video
from app.videos.names import ORIGINAL, new_film
from app.videos.schemas import VideoChange, VideoDetails
from app.videos.work import begin


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


def import_file(
    path: Path, owner: User, details: VideoDetails, *, is_global: bool = False
) -> Video:
    """Copy a file of this machine in as a film. Flushes. Raises OSError."""
    film = new_film()
    storage().adopt(path, film)
    return _add(film, path.stat().st_size, owner.id, details, is_global)


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
    film = video.film
    lock_tasks(video.id)
    db.session.execute(delete(Video).where(Video.id == video.id))
    files = storage()
    after_commit(lambda: files.delete_film(film))


def _add(film: str, size: int, owner_id: int, details: VideoDetails, is_global: bool) -> Video:
    video = Video(
        owner_id=owner_id,
        film=film,
        title=details.title,
        description=details.description,
        category=details.category,
        is_global=is_global,
        size=size,
    )
    db.session.add(video)
    db.session.flush()
    begin(video.id)
    return video
