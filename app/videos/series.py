"""Series: giving episodes their places, the seasons of a series, the next episode.

Nothing here commits.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.orm import joinedload

from app.auth.models import User
from app.database import db, insert_into
from app.errors import NotFound
from app.videos import cursors, policy
from app.videos.models import Series, Video


@dataclass(frozen=True, slots=True)
class Listed:
    """A series as far as a member may know: what they may watch of it, and one film to show."""

    id: int
    title: str
    seasons: int
    episodes: int
    shown: Video


def assign(video: Video, title: str, season: int | None, episode: int | None) -> None:
    """Make the film an episode of its owner's series of this title; "" takes it out. Flushes.

    A series without episodes is forgotten.
    """
    before = video.series_id
    if title:
        named = {"owner_id": video.owner_id, "title": title}
        # Somebody else may add it at the same moment.
        db.session.execute(insert_into(Series).values(named).on_conflict_do_nothing())
        video.series_id = db.session.scalars(select(Series.id).filter_by(**named)).one()
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


def listed(user: User, *, limit: int, before: str | None = None) -> tuple[list[Listed], str | None]:
    """Series of which the member may watch an episode, by title; the cursor of the next page."""
    by_title = func.lower(Series.title)
    wanted = (
        select(
            Series.id,
            Series.title,
            func.count(Video.season.distinct()),
            func.count(),
            func.min(Video.id),
        )
        .join(Video, Video.series_id == Series.id)
        .where(policy.watchable(user))
        .group_by(Series.id, Series.title)
    )
    if before is not None:
        title, last_id = cursors.read_title(before)
        lower = func.lower(title)
        wanted = wanted.where(or_(by_title > lower, and_(by_title == lower, Series.id > last_id)))
    rows = db.session.execute(wanted.order_by(by_title, Series.id).limit(limit + 1)).all()
    found, more = rows[:limit], len(rows) > limit
    films = select(Video).where(Video.id.in_([row[4] for row in found]))
    shown = {video.id: video for video in db.session.scalars(films)}
    series = [Listed(*row[:4], shown[row[4]]) for row in found if row[4] in shown]
    return series, cursors.write_title(found[-1][1], found[-1][0]) if more else None


def episodes(series_id: int, user: User) -> list[Video]:
    """The episodes that the member may watch, with all that is said of them, in their order.

    Those without a season or a number come last. Raises NotFound where there is none.
    """
    found = db.session.scalars(
        select(Video)
        .options(joinedload(Video.owner), joinedload(Video.series), joinedload(Video.subtitles))
        .where(Video.series_id == series_id, policy.watchable(user))
        .order_by(
            Video.season.is_(None), Video.season, Video.episode.is_(None), Video.episode, Video.id
        )
    )
    videos = list(found.unique())
    if not videos:
        raise NotFound("There is no such series.")
    return videos
