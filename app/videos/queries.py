"""Reading films: lists, one film, the facts of their grids, in a constant number of statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, joinedload

from app.auth.models import User
from app.database import db, epoch_now, read
from app.errors import Conflict, Forbidden, NotFound
from app.media.grid import Plan
from app.videos import cursors, policy
from app.videos.models import Cell, Grid, GridRole, Rendition, Status, Subtitle, Task, Video
from app.videos.viewing_models import Saved, Viewing


class Row(NamedTuple):
    """What is told of a `Rendition`, how many of its cells are filled, and the role of its grid."""

    id: int
    kind: str
    name: str
    height: int | None
    codecs: str
    language: str | None
    label: str | None
    is_default: bool
    chunks: int
    bytes: int | None
    average_bitrate: int | None
    loudness: float | None
    loudness_range: float | None
    true_peak: float | None
    filled: int
    role: str

    @property
    def progress(self) -> float:
        """Filled share of the row, 0…1."""
        return self.filled / self.chunks if self.chunks else 1.0


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list. `next_before` is where the next one begins (`cursors`), None at the end."""

    videos: Sequence[Video]
    next_before: str | None


def catalogue(*, limit: int, before: str | None = None, category: str | None = None) -> Page:
    """The global films that can be watched, newest first."""
    wanted = films().where(policy.in_catalogue())
    if category is not None:
        wanted = wanted.where(Video.category == category)
    return _page(wanted, limit, before)


def owned(user: User, *, limit: int, before: str | None = None) -> Page:
    """The person's own films, whatever has become of them, newest first."""
    values = {"owner_id": user.id, "limit": limit + 1}
    if before is not None:
        values["before"] = cursors.read_id(before)
    found = db.session.scalars(_owned(goes_on=before is not None), values).unique().all()
    return _cut(found, limit)


@cache
def _owned(*, goes_on: bool) -> Select[Video]:
    wanted = films().where(Video.owner_id == bindparam("owner_id"))
    if goes_on:
        wanted = wanted.where(Video.id < bindparam("before"))
    return wanted.order_by(Video.id.desc()).limit(bindparam("limit"))


def private(user: User, *, limit: int) -> Sequence[Video]:
    """The person's own films that nobody else sees and that can be watched, newest first."""
    wanted = films().where(Video.owner_id == user.id, Video.is_global.is_(False), Video.playable)
    return db.session.scalars(wanted.order_by(Video.id.desc()).limit(limit)).unique().all()


def related(video: Video, user: User, *, limit: int) -> Sequence[Video]:
    """Other films of its category that this person may watch, those they have not finished first.

    The episodes of its own series are not among them: see `series.episodes`.
    """
    seen = and_(Viewing.video_id == Video.id, Viewing.user_id == user.id)
    wanted = (
        films()
        .outerjoin(Viewing, seen)
        .where(policy.watchable(user), Video.id != video.id)
        .where(Video.category != "", Video.category == video.category)
        .order_by(Viewing.watched_at.is_not(None), Video.id.desc())
        .limit(limit)
    )
    if video.series_id is not None:
        wanted = wanted.where(Video.series_id.is_distinct_from(video.series_id))
    return db.session.scalars(wanted).unique().all()


def continued(user: User, *, limit: int, before: str | None = None) -> Page:
    """The films that the member has begun and not finished, the one they saw last first."""
    begun = and_(
        Viewing.video_id == Video.id, Viewing.user_id == user.id, Viewing.is_finished.is_(False)
    )
    wanted = films().join(Viewing, begun).where(policy.watchable(user))
    return _latest(wanted, Viewing.seen_at, limit, before)


def saved(user: User, *, limit: int, before: str | None = None) -> Page:
    """The films on the member's list, the one they put there last first."""
    kept = and_(Saved.video_id == Video.id, Saved.user_id == user.id)
    wanted = films().join(Saved, kept).where(policy.visible(user))
    return _latest(wanted, Saved.saved_at, limit, before)


def watchable(user: User) -> Sequence[Video]:
    """Every film that this person may watch, newest first, in one statement."""
    return db.session.scalars(
        select(Video).where(policy.watchable(user)).order_by(Video.id.desc())
    ).all()


def everything(*, limit: int, before: str | None = None) -> Page:
    """Every film, for operators."""
    return _page(films(), limit, before)


def processing(*, limit: int) -> Sequence[Video]:
    """Films that are being converted or wait for it, the oldest first, for administrators."""
    wanted = films().where(Video.status == Status.PROCESSING)
    return db.session.scalars(wanted.order_by(Video.id).limit(limit)).unique().all()


def failed(*, limit: int, before: str | None = None) -> Page:
    """Films that could not be converted, newest first, for administrators."""
    return _page(films().where(Video.status == Status.FAILED), limit, before)


def ready_ids() -> list[int]:
    """The ids of all films that are ready, for operators."""
    found = select(Video.id).where(Video.status == Status.READY).order_by(Video.id)
    return list(db.session.scalars(found))


def categories(user: User) -> list[str]:
    """Categories of the global films that can be watched, in order of the alphabet."""
    found = db.session.scalars(
        select(Video.category)
        .where(Video.is_global.is_(True), policy.watchable(user), Video.category != "")
        .distinct()
        .order_by(Video.category)
    )
    return list(found)


def visible(video_id: int, user: User) -> Video:
    """A film that this person may know of. Raises NotFound."""
    video = find(video_id)
    if video is None or not policy.may_see(user, video):
        raise NotFound("There is no such film.")
    return video


def changeable(video_id: int, user: User) -> Video:
    """A film that this person may change. Raises NotFound, and Forbidden to who may only see it."""
    video = visible(video_id, user)
    if not policy.may_change(user, video):
        raise Forbidden("Only its owner or a curator may change this film.")
    return video


def publishable(video_id: int, user: User) -> Video:
    """A film that this person may put into the catalogue, and take out. Raises as `changeable`."""
    video = visible(video_id, user)
    if not policy.may_publish(user, video):
        raise Forbidden("Only curators publish films, and withdraw them.")
    return video


def shareable(video_id: int, user: User) -> Video:
    """A film that this person may hand out a link to. Raises as `changeable`."""
    video = visible(video_id, user)
    if not policy.may_share(user, video):
        raise Forbidden("Only its owner may hand out a link to this film.")
    return video


def to_watch(video_id: int, user: User) -> Video:
    """A film that this person may watch now.

    Raises NotFound, Conflict `not_playable`, and Forbidden to who may know of it but not watch it.
    """
    video = visible(video_id, user)
    if policy.may_watch(user, video):
        return video
    if video.playable:
        raise Forbidden("Only its owner may watch this film.")
    raise Conflict(
        "This film cannot be watched yet. It is still being prepared.", code="not_playable"
    )


def find(video_id: int) -> Video | None:
    """A film with all that is said of it, or None."""
    return db.session.scalars(films().where(Video.id == video_id)).unique().one_or_none()


def rows_of(
    video_ids: Sequence[int], roles: Sequence[GridRole] = (GridRole.CURRENT,)
) -> dict[int, list[Row]]:
    """The renditions of each film's grids in these roles, with filled cells, in one statement."""
    if not video_ids:
        return {}
    rows: dict[int, list[Row]] = {video_id: [] for video_id in video_ids}
    for video_id, *row in read(_ROWS, {"video_ids": list(video_ids), "roles": list(roles)}):
        rows[video_id].append(Row._make(row))
    for of_film in rows.values():
        of_film.sort(key=attrgetter("id"))
    return rows


# SQLite would read the cells of all films there are if they were grouped and joined, and all
# renditions if it had to put them in order.
_FILLED = (
    select(func.count(Cell.filled_at))
    .where(Cell.rendition_id == Rendition.id)
    .correlate(Rendition)
    .scalar_subquery()
)
_ROWS = (
    select(
        Grid.video_id,
        *(getattr(Rendition, name) for name in Row._fields if name not in {"filled", "role"}),
        _FILLED,
        Grid.role,
    )
    .join(Rendition, Rendition.grid_id == Grid.id)
    .where(Grid.video_id.in_(bindparam("video_ids", expanding=True)))
    .where(Grid.role.in_(bindparam("roles", expanding=True)))
)


def subtitles_of(video_id: int) -> Sequence[Subtitle]:
    """The film's captions, the film's own first."""
    return db.session.scalars(
        select(Subtitle).where(Subtitle.video_id == video_id).order_by(Subtitle.id)
    ).all()


def plan_of(video_id: int) -> Plan | None:
    """The film's plan, once there is one."""
    text = db.session.scalar(select(Grid.plan).where(*current_grid(video_id)))
    return None if text is None else Plan.from_json(text)


def grid_of(video_id: int) -> int:
    """The id of the film's grid that is shown. Raises NotFound while there is none."""
    found = db.session.scalar(select(Grid.id).where(*current_grid(video_id)))
    if found is None:
        raise NotFound
    return found


def current_grid(video_id: int) -> tuple[ColumnElement[bool], ...]:
    """The condition that finds the film's grid that is shown."""
    return Grid.video_id == video_id, Grid.role == GridRole.CURRENT


def cells_of(video_id: int) -> dict[int, list[int]]:
    """Each rendition's cells in order: 0 empty, 1 being filled, 2 filled."""
    state = case((Cell.filled_at.is_not(None), 2), (Task.lease_until >= epoch_now(), 1), else_=0)
    found = db.session.execute(
        select(Cell.rendition_id, state)
        .join(Task, Task.id == Cell.task_id)
        .join(Grid, Grid.id == Task.grid_id)
        .where(*current_grid(video_id))
        .order_by(Cell.rendition_id, Cell.chunk)
    )
    cells: dict[int, list[int]] = {}
    for rendition_id, value in found:
        cells.setdefault(rendition_id, []).append(value)
    return cells


def films() -> Select[Video]:
    """Films with all that is said of them, in one statement; its rows want `.unique()`."""
    return select(Video).options(
        joinedload(Video.owner), joinedload(Video.series), joinedload(Video.subtitles)
    )


def _page(wanted: Select[Video], limit: int, before: str | None) -> Page:
    if before is not None:
        wanted = wanted.where(Video.id < cursors.read_id(before))
    found = db.session.scalars(wanted.order_by(Video.id.desc()).limit(limit + 1)).unique().all()
    return _cut(found, limit)


def _cut(found: Sequence[Video], limit: int) -> Page:
    """The page, of one film more than it may have, if there are so many."""
    more = len(found) > limit
    return Page(found[:limit], str(found[limit - 1].id) if more else None)


def _latest(
    wanted: Select[Video], moment: InstrumentedAttribute[datetime], limit: int, before: str | None
) -> Page:
    """A page of films by a moment of the member's own, the latest first."""
    if before is not None:
        at, video_id = cursors.read_moment(before)
        wanted = wanted.where(or_(moment < at, and_(moment == at, Video.id < video_id)))
    rows = db.session.execute(
        wanted.add_columns(moment).order_by(moment.desc(), Video.id.desc()).limit(limit + 1)
    )
    found = rows.unique().all()
    more = len(found) > limit
    videos = [video for video, _ in found[:limit]]
    return Page(videos, cursors.write_moment(found[limit - 1][1], videos[-1].id) if more else None)
