"""Series: giving episodes their places, the seasons of a series, the next episode.

Nothing here commits.
"""

from __future__ import annotations

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.orm import joinedload

from app.auth.models import User
from app.database import db
from app.videos import policy
from app.videos.models import Series, Video


def assign(video: Video, title: str, season: int | None, episode: int | None) -> None:
    """Make the film an episode of its owner's series of this title; "" takes it out. Flushes.

    A series without episodes is forgotten.
    """
    before = video.series_id
    if title:
        found = db.session.scalar(
            select(Series).where(Series.owner_id == video.owner_id, Series.title == title)
        )
        if found is None:
            found = Series(owner_id=video.owner_id, title=title)
            db.session.add(found)
            db.session.flush()
        video.series_id = found.id
    else:
        video.series_id = None
    video.season, video.episode = (season, episode) if title else (None, None)
    db.session.flush()
    if before is not None and before != video.series_id:
        forget_empty(before)


def forget_empty(series_id: int) -> None:
    """Remove the series if no film belongs to it any more."""
    db.session.execute(
        delete(Series).where(
            Series.id == series_id,
            ~select(Video.id).where(Video.series_id == series_id).exists(),
        )
    )


def next_episode(video: Video, user: User) -> Video | None:
    """The episode after this one that the member may watch, in the next season if need be."""
    if video.series_id is None or video.season is None or video.episode is None:
        return None
    later = or_(
        Video.season > video.season,
        and_(Video.season == video.season, Video.episode > video.episode),
    )
    return db.session.scalars(
        select(Video)
        .options(joinedload(Video.owner), joinedload(Video.series))
        .where(Video.series_id == video.series_id, later, policy.watchable(user))
        .order_by(Video.season, Video.episode, Video.id)
        .limit(1)
    ).one_or_none()
