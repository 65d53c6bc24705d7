"""What members remember of films: how far they have come, what they have seen, their list.

Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, and_, bindparam, delete, false, func, select, update
from sqlalchemy.orm import aliased

from app.auth.models import User
from app.database import db, insert_into, now, read, update_rows
from app.videos import series
from app.videos.models import Video
from app.videos.viewing_models import Saved, Viewing

FINISHED_SHARE = 0.95
"""Who has seen so much of a film has finished it: what is left are the credits."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a film is to a member. `position` is where to go on, in seconds.

    `double_of` is the id of the oldest film of theirs with the same bytes, if this is a later one.
    """

    position: float = 0.0
    is_watched: bool = False
    is_saved: bool = False
    double_of: int | None = None


NOTHING = Remembered()


def record(user: User, video: Video, position: float, at: datetime | None = None) -> None:
    """Remember the position (seconds) that was true at this moment, unless a later one is known.

    Finishing an episode puts the next one among the films to go on with.
    """
    moment = min(at or now(), now())
    end = video.duration or 0.0
    if end:
        position = min(position, end)
    finished = bool(end) and position >= end * FINISHED_SHARE
    values: dict[str, Any] = {
        "position": position,
        "is_finished": finished,
        "seen_at": moment,
        "watched_at": moment if finished else None,
    }
    insert = _insert(user.id, video.id, values)
    late = insert.excluded
    statement = insert.on_conflict_do_update(
        index_elements=["user_id", "video_id"],
        set_={**values, "watched_at": func.coalesce(late.watched_at, Viewing.watched_at)},
        where=Viewing.seen_at <= late.seen_at,
    )
    db.session.execute(statement)
    if finished:
        _begin_next(user, video, moment)


def mark_watched(user: User, video: Video) -> None:
    """Say that the film was seen to its end, whatever was played of it here."""
    record(user, video, video.duration or 0.0)


def forget(user_id: int, video_id: int) -> None:
    """Remove what is known of it: the entry of "continue watching", the mark that it was seen."""
    db.session.execute(
        delete(Viewing).where(Viewing.user_id == user_id, Viewing.video_id == video_id)
    )


def leave(user_id: int, video_id: int) -> bool:
    """Remove the entry of "continue watching", if there is one; a film seen before stays so."""
    entry = (
        Viewing.user_id == user_id,
        Viewing.video_id == video_id,
        Viewing.is_finished.is_(False),
    )
    seen = update(Viewing).where(*entry, Viewing.watched_at.is_not(None))
    return bool(
        update_rows(seen.values(is_finished=True)) or update_rows(delete(Viewing).where(*entry))
    )


def save(user_id: int, video_id: int) -> None:
    """Put the film on the member's list; where it is already, it stays."""
    insert = insert_into(Saved).values(user_id=user_id, video_id=video_id, saved_at=now())
    db.session.execute(insert.on_conflict_do_nothing())


def unsave(user_id: int, video_id: int) -> bool:
    """Take the film off the member's list, if it is there."""
    return bool(
        update_rows(delete(Saved).where(Saved.user_id == user_id, Saved.video_id == video_id))
    )


def remembered(user_id: int, video_ids: Collection[int]) -> dict[int, Remembered]:
    """What these films are to the member, in one statement."""
    if not video_ids:
        return {}
    found = read(_REMEMBERED, {"user_id": user_id, "video_ids": list(video_ids)})
    return {
        video_id: Remembered(
            0.0 if finished else position or 0.0,
            watched_at is not None,
            saved_at is not None,
            double_of,
        )
        for video_id, position, finished, watched_at, saved_at, double_of in found
    }


_MEMBER = bindparam("user_id", type_=Integer())
_Older = aliased(Video)
_DOUBLE = (
    select(func.min(_Older.id))
    .where(Video.owner_id == _MEMBER, _Older.owner_id == Video.owner_id)
    .where(_Older.sha256 == Video.sha256, _Older.id < Video.id)
    .correlate(Video)
    .scalar_subquery()
)
_REMEMBERED = (
    select(
        Video.id,
        Viewing.position,
        func.coalesce(Viewing.is_finished, false()),
        Viewing.watched_at,
        Saved.saved_at,
        _DOUBLE,
    )
    .outerjoin(Viewing, and_(Viewing.video_id == Video.id, Viewing.user_id == _MEMBER))
    .outerjoin(Saved, and_(Saved.video_id == Video.id, Saved.user_id == _MEMBER))
    .where(Video.id.in_(bindparam("video_ids", expanding=True)))
)


def _begin_next(user: User, video: Video, moment: datetime) -> None:
    following = series.next_episode(video, user)
    if following is not None:
        values = {"position": 0.0, "is_finished": False, "seen_at": moment}
        db.session.execute(_insert(user.id, following.id, values).on_conflict_do_nothing())


def _insert(user_id: int, video_id: int, values: dict[str, Any]) -> Any:
    return insert_into(Viewing).values(user_id=user_id, video_id=video_id, **values)
