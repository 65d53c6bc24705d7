"""Categories of the catalogue: how many films each has, and the order that curators gave them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select

from app.database import db, insert_into
from app.videos import policy
from app.videos.models import Video
from app.videos.viewing_models import Category


@dataclass(frozen=True, slots=True)
class Counted:
    """A category, and how many of its films can be watched."""

    name: str
    count: int


def counted() -> list[Counted]:
    """Categories of the catalogue in the curators' order, those without a place by name."""
    found = db.session.execute(
        select(Video.category, func.count())
        .outerjoin(Category, Category.name == Video.category)
        .where(policy.in_catalogue(), Video.category != "")
        .group_by(Video.category, Category.place)
        .order_by(Category.place.nulls_last(), func.lower(Video.category), Video.category)
    )
    return [Counted(name, count) for name, count in found]


def arrange(names: Sequence[str]) -> None:
    """Let these categories come first, in this order; all others have no place any more."""
    places = {name: place for place, name in enumerate(names, 1)}
    db.session.execute(delete(Category).where(Category.name.not_in(names)))
    if places:
        # In one order for everyone, so that two curators at once never wait for each other.
        rows = [{"name": name, "place": places[name]} for name in sorted(places)]
        insert = insert_into(Category).values(rows)
        db.session.execute(
            insert.on_conflict_do_update(
                index_elements=["name"], set_={"place": insert.excluded.place}
            )
        )
