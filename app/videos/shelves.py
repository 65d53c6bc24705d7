"""The catalogue as it is laid out: its pages, its categories, the rows of the first page.

All of it is the same for everyone and comes from the cache while no write changed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from sqlalchemy import func, select

from app.database import db
from app.videos import catalogue_cache, policy, queries
from app.videos.categories import counted
from app.videos.facts import Facts, facts_of
from app.videos.models import Status, Video

ROW_LENGTH = 16
"""Films in a row; its heading leads to all of them."""

FILLED_ROWS = 2
"""Categories whose films come with the page. Those further down are fetched as they come near."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A page of films. `next_before` is where the next one begins, None at the end."""

    films: list[Facts]
    next_before: str | None


@dataclass(frozen=True, slots=True)
class Front:
    """The first page: the film on top, the newest, and categories with their first films.

    A row without films is one of those that are fetched later.
    """

    hero: Facts | None
    newest: list[Facts]
    rows: list[tuple[str, list[Facts]]]


def leaf(*, limit: int, before: str | None = None, category: str | None = None) -> Leaf:
    """A page of the catalogue, newest first. Raises InvalidInput for a wrong `before`.

    Only first pages are kept: of the others there are as many as a stranger cares to name.
    """

    def make() -> dict[str, Any]:
        found = queries.catalogue(limit=limit, before=before, category=category)
        return {"films": facts_of(found.videos), "next_before": found.next_before}

    if before is None:
        name = "" if category is None else f"={category}"
        kept = catalogue_cache.recall(f"leaf:{limit}:{name}", make, _is_changing)
    else:
        kept = make()
    return Leaf(kept["films"], kept["next_before"])


def front() -> Front:
    """What everyone sees first."""

    def make() -> dict[str, Any]:
        names = [found.name for found in counted()]
        hero = _hero()
        newest = queries.catalogue(limit=ROW_LENGTH).videos
        firsts = _firsts(names[:FILLED_ROWS])
        facts = {film["id"]: film for film in facts_of(_once([*hero, *newest, *firsts]))}
        rows: dict[str, list[int]] = {name: [] for name in names}
        for video in firsts:
            rows[video.category].append(video.id)
        return {
            "films": list(facts.values()),
            "hero": [video.id for video in hero],
            "newest": [video.id for video in newest],
            "rows": list(rows.items()),
        }

    kept = catalogue_cache.recall("front", make, _is_changing)
    facts = {film["id"]: film for film in kept["films"]}
    return Front(
        next((facts[number] for number in kept["hero"]), None),
        [facts[number] for number in kept["newest"]],
        [(name, [facts[number] for number in numbers]) for name, numbers in kept["rows"]],
    )


def row(category: str) -> list[Facts]:
    """The first films of a category in the curators' order; none of one that does not exist."""

    def make() -> dict[str, Any]:
        return {"films": facts_of(_firsts([category]))}

    kept = catalogue_cache.recall(f"row:{category}", make, _is_changing)
    return cast("list[Facts]", kept["films"])


def categories() -> list[dict[str, Any]]:
    """Name and count of the catalogue's categories, in the curators' order and then by name."""
    kept = catalogue_cache.recall("categories", _counted, lambda _: False)
    return cast("list[dict[str, Any]]", kept)


def _is_changing(kept: dict[str, Any]) -> bool:
    return any(
        film["status"] != Status.READY or film["converting_again"] is not None
        for film in kept["films"]
    )


def _once(videos: Sequence[Video]) -> list[Video]:
    return list({video.id: video for video in videos}.values())


def _counted() -> list[dict[str, Any]]:
    return [asdict(found) for found in counted()]


def _hero() -> Sequence[Video]:
    """The first of the films that curators placed, else the newest that is whole; or none."""
    fit = Video.place.is_not(None) | ((Video.status == Status.READY) & Video.has_images)
    wanted = queries.films().where(policy.in_catalogue(), fit)
    ordered = wanted.order_by(Video.place.is_(None), Video.place, Video.id.desc()).limit(1)
    return db.session.scalars(ordered).unique().all()


def _firsts(names: Sequence[str]) -> Sequence[Video]:
    """The first films of each category, in one statement: those with a place, then the newest."""
    order = (Video.place.is_(None), Video.place, Video.id.desc())
    number = func.row_number().over(partition_by=Video.category, order_by=order).label("number")
    ranked = (
        select(Video.id, number).where(policy.in_catalogue(), Video.category.in_(names)).subquery()
    )
    wanted = queries.films().join(ranked, ranked.c.id == Video.id)
    wanted = wanted.where(ranked.c.number <= ROW_LENGTH).order_by(Video.category, ranked.c.number)
    return db.session.scalars(wanted).unique().all()
