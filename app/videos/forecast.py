"""When a film will be ready, and its place in the queue, from how fast this machine has been.

Speed is measured: encoded pixels a second of the chunks that ended well, of the film itself once
there are enough, else of the whole site. What is left is told as the time one worker needs for it.
The dispatcher serves viewers first, then owners in turn, each owner's older films before newer
ones. So a film is done when its owner has been given all their work up to this film, and every
other owner as much as that, or all they have. This is an approximation: it takes the workers of
this moment and turns of equal size, and knows nothing of films that are not planned yet.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, or_, select

from app.database import db, epoch_now
from app.videos.models import Status, Task, TaskKind, TaskState, Video

RECENT = 100
"""Chunks of the newest films that tell the site's speed."""

ENOUGH = 5
"""Chunks of a film that tell more of its speed than the site does."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a film stands among those that nobody has taken up: 1 is next, `films` wait in all."""

    place: int
    films: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """`eta`: seconds until the film is ready, if known. `queue`: None once it is its turn."""

    eta: float | None
    queue: Place | None


UNKNOWN = Forecast(None, None)


def forecasts_of(videos: Sequence[Video]) -> dict[int, Forecast]:
    """What is foreseen of those that are being converted: one statement, or none if none is."""
    ids = [video.id for video in videos if video.status == Status.PROCESSING]
    if not ids:
        return {}
    waiting = db.session.execute(_waiting(ids)).all()
    places = _places(waiting)
    return {
        row.video_id: Forecast(_eta(row, waiting), places.get(row.video_id))
        for row in waiting
        if row.video_id in ids
    }


def _waiting(ids: Sequence[int]) -> Select[Any]:
    """Every film of the site with work left, the oldest first, and the measured speeds."""
    moment = epoch_now()
    left = (
        select(
            Task.video_id,
            func.sum(Task.work).label("work"),
            func.sum(case((Task.wanted_at.is_not(None), Task.work), else_=0.0)).label("wanted"),
            func.max(case((Task.kind == TaskKind.PLAN, 1), else_=0)).label("unplanned"),
            func.sum(case((Task.lease_until >= moment, 1), else_=0)).label("workers"),
            func.max(case((_taken_up(moment), 1), else_=0)).label("taken_up"),
        )
        .where(Task.state == TaskState.WAITING)
        .group_by(Task.video_id)
        .subquery()
    )
    own = (
        select(Task.video_id, (func.sum(Task.work) / func.sum(Task.seconds)).label("speed"))
        .where(Task.video_id.in_(ids), _measured())
        .group_by(Task.video_id)
        .having(func.count() >= ENOUGH)
        .subquery()
    )
    recent = recent_chunks().subquery()
    site = select(func.sum(recent.c.work) / func.sum(recent.c.seconds)).scalar_subquery()
    return (
        select(
            left,
            Video.owner_id,
            Video.status,
            own.c.speed.label("own_speed"),
            site.label("site_speed"),
        )
        .join(Video, Video.id == left.c.video_id)
        .outerjoin(own, own.c.video_id == left.c.video_id)
        .order_by(left.c.video_id)
    )


def recent_chunks() -> Select[int, float, float | None]:
    """The work (millions of pixels) and the seconds of chunks that ended well, of the newest films.

    They tell the site's speed.
    """
    return (
        select(Task.id, Task.work, Task.seconds)
        .where(_measured())
        .order_by(Task.tier.desc(), Task.video_id.desc(), Task.position.desc())  # as the index
        .limit(RECENT)
    )


def _measured() -> ColumnElement[bool]:
    return and_(
        Task.kind == TaskKind.CHUNK, Task.state == TaskState.DONE, Task.work > 0, Task.seconds > 0
    )


def _taken_up(moment: epoch_now) -> ColumnElement[bool]:
    """Somebody works at it, or it was announced: between two chunks no film falls back."""
    return or_(Task.lease_until >= moment, Task.queued_until >= moment)


def _eta(mine: Row[Any], waiting: Sequence[Row[Any]]) -> float | None:
    """Seconds until all of this film's work is done; `waiting` are all films, the oldest first."""
    speed = mine.own_speed or mine.site_speed
    if not speed or mine.unplanned:
        return None
    for_viewers = until_mine = 0.0
    all_of: defaultdict[int, float] = defaultdict(float)
    for film in waiting:
        pace = speed if film is mine else film.site_speed
        for_viewers += film.wanted / pace
        rest = (film.work - film.wanted) / pace
        all_of[film.owner_id] += rest
        if film.owner_id == mine.owner_id and film.video_id <= mine.video_id:
            until_mine += rest
    shared = sum(min(theirs, until_mine) for theirs in all_of.values())
    workers: int = max(1, sum(film.workers for film in waiting))
    return round((for_viewers + shared) / workers, 1)


def _places(waiting: Sequence[Row[Any]]) -> dict[int, Place]:
    """The films whose turn has not come, in the order in which it will."""
    turns: Counter[int] = Counter()
    coming: list[tuple[bool, int, int]] = []
    for film in waiting:
        if film.status != Status.PROCESSING:
            continue
        turns[film.owner_id] += 1
        if not film.taken_up:
            coming.append((not film.wanted, turns[film.owner_id], film.video_id))
    return {
        video_id: Place(place, len(coming))
        for place, (_, _, video_id) in enumerate(sorted(coming), start=1)
    }
