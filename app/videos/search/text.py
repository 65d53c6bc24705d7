"""What a search compares: words without case and accents, of films and of queries alike.

Both databases get these words, one space apart, and split them at the spaces alone: what counts as
a word, and which letters are the same, is decided here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

QUERY_LENGTH = 200
"""Characters of what is looked for."""

WORD_LENGTH = 40
"""Letters of a word that count."""

_LETTERS = str.maketrans(
    {
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ħ": "h",
        "ŧ": "t",
        "ŋ": "n",
        "ı": "i",  # noqa: RUF001
    }
)
"""Letters that do not fall apart into a plain one and its accent."""

_SIGN = "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
"""Chinese and Japanese stand without spaces: each sign is a word."""

_WORDS = re.compile(rf"{_SIGN}|(?:(?!{_SIGN})[^\W_])+")
_OF = re.compile("['’‘ʼ]s\\b")  # noqa: RUF001 - apostrophes of all kinds
_EPISODE = re.compile(r"s(\d{1,4})(?:e(\d{1,4}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Words:
    """Words of a film, one space apart: of its title and series, and of all that is said of it."""

    title: str
    words: str


def fold(text: str) -> str:
    """The text in lower case and without accents; ß is ss, ø is o, æ is ae."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    letters = (letter for letter in plain if unicodedata.category(letter) != "Mn")
    return "".join(letters).translate(_LETTERS)


def query_words(text: str) -> list[str]:
    """The words that are looked for, each once, in the order in which they are typed."""
    plain = _OF.sub("s", fold(text))
    found = [_episode(word[:WORD_LENGTH]) for word in _WORDS.findall(plain)]
    return list(dict.fromkeys(found))


def words_of(
    *,
    title: str,
    series: str | None,
    season: int | None,
    episode: int | None,
    category: str,
    year: int | None,
    description: str,
) -> Words:
    """The words that a film with these facts is found by."""
    named = [*_spoken(title), *_spoken(series or ""), *_place(season, episode)]
    said = [
        *_spoken(category),
        *_spoken("" if year is None else str(year)),
        *_spoken("" if season is None else f"season {season}"),
        *_spoken("" if episode is None else f"episode {episode}"),
        *_spoken(description),
    ]
    return Words(_line(named), _line(named + said))


def names_of(title: str, series: str | None, category: str) -> list[str]:
    """The words of its names, without numbers: what a mistyped word may have been meant to be."""
    found = dict.fromkeys([*_spoken(title), *_spoken(series or ""), *_spoken(category)])
    return [word for word in found if word.isalpha()]


def _spoken(text: str) -> Iterator[str]:
    """Its words, and those of "Spider-Man", "E.T." and "Ocean's" in one piece as well."""
    for chunk in fold(text).split():
        parts = [_episode(part[:WORD_LENGTH]) for part in _WORDS.findall(chunk)]
        yield from parts
        if len(parts) > 1 and not re.search(_SIGN, chunk):
            yield "".join(parts)[:WORD_LENGTH]


def _place(season: int | None, episode: int | None) -> list[str]:
    if season is None:
        return []
    return [f"s{season:02}" if episode is None else f"s{season:02}e{episode:02}"]


def _episode(word: str) -> str:
    """S1E2 as S01E02; what may be the beginning of one stays."""
    found = _EPISODE.fullmatch(word)
    if found is None or not int(found[found.lastindex or 1]):
        return word
    return _place(int(found[1]), None if found[2] is None else int(found[2]))[0]


def _line(words: list[str]) -> str:
    return " ".join(dict.fromkeys(words))
