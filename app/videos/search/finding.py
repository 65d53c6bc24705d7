"""Searching films as one types: whatever the case, the accents, the order of the words, or a typo.

The last word may go on; the others are whole. Films whose title or series has all of the words come
first, and each kind newest first. If there are none, words that no film has which the person may
know of give way to the nearest that one has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, or_, select

from app.auth.models import User
from app.database import db
from app.videos import cursors, policy, queries
from app.videos.models import Video
from app.videos.queries import Page
from app.videos.search.index import Query, Term, any_of, beside_title, in_title
from app.videos.search.text import query_words, words_of
from app.videos.search.words import Near, nearest, vocabulary

MAX_WORDS = 10
"""Words of it that count, the first ones."""

_CURSOR = re.compile(r"([01])-([1-9][0-9]{0,17})")

NOTHING = Page([], None)


@dataclass(frozen=True, slots=True)
class Found:
    """A page of what was found; `instead` is what was looked for in place of mistyped words."""

    page: Page
    instead: str | None = None


def catalogue(
    q: str, *, limit: int, before: str | None = None, category: str | None = None
) -> Found:
    """Films of the catalogue."""
    within = policy.in_catalogue()
    if category is not None:
        within = and_(within, Video.category == category)
    return _find(q, within, limit, before)


def owned(user: User, q: str, *, limit: int, before: str | None = None) -> Found:
    """The person's own films, whatever has become of them."""
    return _find(q, Video.owner_id == user.id, limit, before)


def everywhere(user: User, q: str, *, limit: int, before: str | None = None) -> Found:
    """Films of the catalogue, and the person's own."""
    return _find(q, or_(policy.in_catalogue(), Video.owner_id == user.id), limit, before)


def _find(q: str, within: ColumnElement[bool], limit: int, before: str | None) -> Found:
    after = None if before is None else _read_cursor(before)
    words = query_words(q)[:MAX_WORDS]
    if not words:
        return Found(NOTHING)
    typed = [Term(word) for word in words[:-1]] + [Term(words[-1], is_prefix=True)]
    page = _page([[term] for term in typed], within, limit, after)
    if page.videos:
        return Found(page)
    meant = _meant(typed, within)
    if meant is None:
        return Found(NOTHING)
    page = _page(meant, within, limit, after)
    return Found(page, _said(meant, page.videos[0]) if page.videos else None)


def _page(
    query: Query, within: ColumnElement[bool], limit: int, after: tuple[int, int] | None
) -> Page:
    found: list[tuple[int, Video]] = []
    for tier, matches in enumerate((in_title, beside_title)):
        if len(found) > limit or (after is not None and tier < after[0]):
            continue
        hits = matches(query).subquery()
        wanted = queries.films().join(hits, hits.c.id == Video.id).where(within)
        if after is not None and tier == after[0]:
            wanted = wanted.where(hits.c.id < after[1])
        wanted = wanted.order_by(hits.c.id.desc()).limit(limit + 1 - len(found))
        found += [(tier, video) for video in db.session.scalars(wanted).unique()]
    more = len(found) > limit
    last_tier, last = found[limit - 1] if more else (0, None)
    return Page([video for _, video in found[:limit]], f"{last_tier}-{last.id}" if last else None)


def _meant(typed: Sequence[Term], within: ColumnElement[bool]) -> Query | None:
    """The words with the nearest in place of those that no film has; None if that changes none.

    Which words there are is asked of the films within alone: what others keep for themselves
    neither shows nor stands in the way.
    """
    words = vocabulary()
    choices = [nearest(term.word, words, is_prefix=term.is_prefix) for term in typed]
    if not any(choices):
        return None
    there = _there({*typed, *(Term(near.word) for nears in choices for near in nears)}, within)
    query = [
        [term] if term in there else _closest([near for near in nears if Term(near.word) in there])
        for term, nears in zip(typed, choices, strict=True)
    ]
    if not all(query) or query == [[term] for term in typed]:
        return None
    return query


def _closest(nears: Sequence[Near]) -> list[Term]:
    return [Term(near.word) for near in nears if near.distance == nears[0].distance]


def _there(terms: set[Term], within: ColumnElement[bool]) -> set[Term]:
    """Those of the terms that a film within has, in one statement."""
    asked = list(terms)
    row = db.session.execute(select(*(any_of([[term]], within) for term in asked))).one()
    return {term for term, is_there in zip(asked, row, strict=True) if is_there}


def _said(query: Query, video: Video) -> str:
    """The query in the words that this film has."""
    has = words_of(
        title=video.title,
        series=None if video.series is None else video.series.title,
        season=video.season,
        episode=video.episode,
        category=video.category,
        year=video.year,
        description=video.description,
    )
    there = set(has.words.split())
    return " ".join(
        next((term.word for term in group if term.word in there), group[0].word) for group in query
    )


def _read_cursor(text: str) -> tuple[int, int]:
    """The tier and the id where a page ended. Raises InvalidInput."""
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise cursors.wrong_cursor()
    return int(found[1]), int(found[2])
