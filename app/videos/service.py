"""Changing films: taking one in, changing what is said of it, removing it. Nothing here commits."""

from __future__ import annotations

from sqlalchemy import delete

from app.auth.models import User
from app.database import after_commit, db
from app.errors import Conflict, InvalidInput, NotSignedIn
from app.storage import Incoming, storage
from app.videos import series
from app.videos.locking import lock_tasks
from app.videos.models import Upload, Video
from app.videos.names import ORIGINAL
from app.videos.schemas import UploadChange, VideoDetails
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
    film = film or received.name
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


def change(video: Video, wanted: UploadChange) -> None:
    """Change what is said of the film, its series loaded. Flushes.

    Raises InvalidInput for the number of an episode of no series.
    """
    said = wanted.model_dump(exclude_unset=True)
    for name in ("title", "description", "category"):
        if said.get(name) is not None:
            setattr(video, name, said[name])
    for name in ("year", "place"):
        if name in said:
            setattr(video, name, said[name])
    if said.keys() & {"series", "season", "episode"}:
        title = said.get("series", video.series.title if video.series else "") or ""
        season, episode = (said.get(name, getattr(video, name)) for name in ("season", "episode"))
        if not title and (said.get("season"), said.get("episode")) != (None, None):
            raise InvalidInput({"series": ["Name the series that this is an episode of."]})
        series.assign(video, title, season, episode)
    db.session.flush()


def publish(video: Video) -> None:
    """Put the film into the catalogue. Flushes. Raises Conflict before it can be watched."""
    if not video.playable:
        raise Conflict(
            "This film cannot be watched yet. Publish it once it can.", code="not_playable"
        )
    video.is_global = True
    db.session.flush()


def withdraw(video: Video) -> None:
    """Take the film out of the catalogue; its owner keeps it. Flushes.

    Streams ask each time who may watch: those of others end.
    """
    video.is_global, video.place = False, None
    db.session.flush()


def remove(video: Video) -> None:
    """Remove the film's rows, and its files once that is committed. Flushes.

    Whoever still works on it loses the claim within a second and can write nothing meanwhile: its
    folder is gone.
    """
    film, series_id, is_coming = video.film, video.series_id, video.received is not None
    lock_tasks(video.id)
    if is_coming:  # the rest need not come
        db.session.execute(
            delete(Upload).where(Upload.video_id == video.id, Upload.finished_at.is_(None))
        )
    db.session.execute(delete(Video).where(Video.id == video.id))
    if series_id is not None:
        series.forget_empty(series_id)
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
        year=details.year,
        is_global=is_global,
        size=size,
        received=received,
    )
    db.session.add(video)
    db.session.flush()
    if details.series:
        series.assign(video, details.series, details.season, details.episode)
    begin(video.id)
    return video
