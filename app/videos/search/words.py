"""What a mistyped word may have been meant to be: the nearest words that films are named with.

The words of all films are in this memory, private ones too. None of them is for people to see
before a film with it is found that they may know of.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app
from rapidfuzz import process
from rapidfuzz.distance import OSA
from sqlalchemy import func, select

from app.database import db
from app.videos.search.models import SearchWord

CHOICES = 12
"""Words that are tried for a mistyped one."""

_ONE_FROM, _TWO_FROM = 4, 8
"""Letters from which a word may have one wrong, and two. Shorter words are other words then."""

_KEY = "search_words"


@dataclass(frozen=True, slots=True)
class Near:
    """A word, and how many letters are wrong, missing, too many or swapped."""

    word: str
    distance: int


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """The words as this process knows them; `stamp` tells whether there are others by now."""

    stamp: tuple[int, int]
    words: list[str]


def vocabulary() -> list[str]:
    """The words, read again if there are others than last time: one small statement if not."""
    newest, count = db.session.execute(
        select(func.coalesce(func.max(SearchWord.id), 0), func.count())
    ).one()
    kept: _Vocabulary | None = current_app.extensions.get(_KEY)
    if kept is None or kept.stamp != (newest, count):
        words = list(db.session.scalars(select(SearchWord.word).order_by(SearchWord.word)))
        kept = current_app.extensions[_KEY] = _Vocabulary((newest, count), words)
    return kept.words


def nearest(word: str, words: list[str], *, is_prefix: bool) -> list[Near]:
    """Those of the words that this one may stand for, the nearest first; of a prefix longer ones.

    The distance is that of Damerau and Levenshtein, no letter being touched twice.
    """
    most = (len(word) >= _ONE_FROM) + (len(word) >= _TWO_FROM)
    if not most or not word.isalpha():
        return []
    found = dict(_within(word, words, most))
    if is_prefix:
        longer = [known for known in words if len(known) > len(word)]
        begun = [known[: len(word)] for known in longer]
        for known, distance in _within(word, begun, most, longer):
            found[known] = min(distance, found.get(known, distance))
    found.pop(word, None)
    first = sorted(found.items(), key=lambda item: (item[1], item[0][0] != word[0], item[0]))
    return [Near(known, distance) for known, distance in first[:CHOICES]]


def _within(
    word: str, choices: list[str], most: int, names: list[str] | None = None
) -> list[tuple[str, int]]:
    """Those of the choices that are no further away, by their names, with their distances."""
    found = process.extract(
        word, choices, scorer=OSA.distance, score_cutoff=most, limit=CHOICES * CHOICES
    )
    return [((names or choices)[place], int(distance)) for _, distance, place in found]
