"""The site at a glance, for administrators: what there is, what it takes, who takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import current_app
from sqlalchemy import ColumnElement, func, select

from app.auth.models import User
from app.auth.quotas import quota_of
from app.database import db
from app.storage import UNBOUNDED, storage
from app.videos.models import Grid, Rendition, Status, Upload, Video
from app.videos.uploads.room import is_live

LARGEST = 10
"""Accounts that are named, those that take most first."""


@dataclass(frozen=True, slots=True)
class Films:
    """How many films there are, and of which kinds; `seconds` is how long the playable ones are."""

    total: int
    in_catalogue: int
    processing: int
    failed: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes of films as they came, of what was made of them, of uploads under way, and free ones.

    Of those that are free the `reserve` is kept; None where nobody can tell how many are free.
    """

    originals: int
    renditions: int
    coming: int
    free: int | None
    reserve: int

    @property
    def total(self) -> int:
        """Of films and the space they could still fill."""
        return self.originals + self.renditions + self.coming + (self.free or 0)


@dataclass(frozen=True, slots=True)
class Use:
    """What an account's films take, as they came, and how much they may (None: no bound)."""

    user: User
    films: int
    bytes: int
    quota: int | None


def count_films() -> Films:
    """Count all films, in one statement."""
    row = db.session.execute(
        select(
            func.count(Video.id).label("total"),
            _number(Video.is_global.is_(True)).label("in_catalogue"),
            _number(Video.status == Status.PROCESSING).label("processing"),
            _number(Video.status == Status.FAILED).label("failed"),
            func.coalesce(func.sum(Video.duration).filter(Video.playable.is_(True)), 0.0).label(
                "seconds"
            ),
        )
    ).one()
    return Films(**row._mapping)


def measure_space() -> Space:
    """What films take and what is left."""
    originals = db.session.scalar(select(func.sum(Video.size)).where(Video.received.is_(None)))
    renditions = db.session.scalar(select(func.sum(Rendition.bytes)).join(Grid))
    coming = db.session.scalar(select(func.sum(Upload.received)).where(is_live()))
    free = storage().free_bytes()
    return Space(
        originals=int(originals or 0),
        renditions=int(renditions or 0),
        coming=int(coming or 0),
        free=None if free == UNBOUNDED else free,
        reserve=current_app.config["MIN_FREE_BYTES"],
    )


def largest_accounts(limit: int = LARGEST) -> Sequence[Use]:
    """The accounts whose films take most."""
    taken = func.sum(Video.size)
    rows = db.session.execute(
        select(User, func.count(Video.id), taken)
        .join(Video, Video.owner_id == User.id)
        .group_by(User.id)
        .order_by(taken.desc(), User.id)
        .limit(limit)
    )
    return [Use(user, count, int(size or 0), quota_of(user)) for user, count, size in rows]


def _number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(Video.id).filter(condition)
