"""The index of words: written whenever what is said of a film changes, asked in one way.

Nothing here commits: the words come with the flush that changes the film.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    cast,
    column,
    literal,
    literal_column,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import get_history
from sqlalchemy.orm.base import PASSIVE_NO_INITIALIZE

from app.database import db, insert_into, on_session
from app.videos.models import Series, Video
from app.videos.search.models import FTS_TABLE, SearchText, SearchWord
from app.videos.search.text import names_of, words_of

BATCH = 500
"""Films whose words are written by the same statements; SQLite takes 32,766 values in one."""

_SAID = ("title", "description", "category", "year", "series_id", "season", "episode")


@dataclass(frozen=True, slots=True)
class Term:
    """A word, or how it begins. Words are as `search_text` makes them: letters and digits."""

    word: str
    is_prefix: bool = False


Query = Sequence[Sequence[Term]]
"""A film matches with one term of each group."""


def keep_up() -> None:
    """Write the words of films with every flush of the session that changes what is said of them.

    Statements that go past its objects, `update(Video)`, change nothing of what is said of films.
    """
    on_session("after_flush", _after_flush)


def in_title(query: Query) -> Select[int]:
    """The ids of the films whose title or series matches."""
    return _matching(query, "title")


def beside_title(query: Query) -> Select[int]:
    """The ids of the films that match with what else is said of them, and not `in_title`."""
    return _matching(query, "words", but_not="title")


def any_of(query: Query, within: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a film within matches at all."""
    # The offset keeps PostgreSQL, that would rather look at all films for the first, at its index.
    found = _matching(query, "words").offset(0).subquery()
    return select(Video.id).join(found, found.c.id == Video.id).where(within).exists()


def write(connection: Connection, video_ids: Sequence[int]) -> None:
    """Write the words of these films anew, from their rows."""
    for start in range(0, len(video_ids), BATCH):
        _write(connection, video_ids[start : start + BATCH])


def _after_flush(session: Session, _context: object) -> None:
    changed = {film.id for film in _films(session.new)}
    changed |= {film.id for film in _films(session.dirty) if _has_changed(film, _SAID)}
    renamed = [
        series.id
        for series in session.dirty
        if isinstance(series, Series) and _has_changed(series, ("title",))
    ]
    if renamed:
        found = select(Video.id).where(Video.series_id.in_(renamed))
        changed.update(session.connection().scalars(found))
    if changed:
        write(session.connection(), sorted(changed))


def _films(objects: Iterable[object]) -> list[Video]:
    return [found for found in objects if isinstance(found, Video)]


def _has_changed(row: Video | Series, fields: Sequence[str]) -> bool:
    return any(get_history(row, field, PASSIVE_NO_INITIALIZE).has_changes() for field in fields)


def _write(connection: Connection, video_ids: Sequence[int]) -> None:
    said = select(
        Video.id, Video.title, Video.description, Video.category, Video.year, Video.season,
        Video.episode, Series.title.label("series"),
    ).outerjoin(Series).where(Video.id.in_(video_ids))  # fmt: skip
    rows, names = [], set[str]()
    for video_id, title, description, category, year, season, episode, series in connection.execute(
        said
    ):
        found = words_of(
            title=title,
            series=series,
            season=season,
            episode=episode,
            category=category,
            year=year,
            description=description,
        )
        rows.append({"video_id": video_id, "title": found.title, "words": found.words})
        names.update(names_of(title, series, category))
    put = insert_into(SearchText)
    both = {"title": put.excluded.title, "words": put.excluded.words}
    connection.execute(put.on_conflict_do_update(index_elements=["video_id"], set_=both), rows)
    _learn(connection, names)


def _learn(connection: Connection, names: set[str]) -> None:
    """Keep words that are new. Two who learn the same one meet in the order of the alphabet."""
    known = connection.scalars(select(SearchWord.word).where(SearchWord.word.in_(names)))
    new = [{"word": word} for word in sorted(names - set(known))]
    if new:
        connection.execute(insert_into(SearchWord).on_conflict_do_nothing(), new)


def _matching(query: Query, field: str, but_not: str | None = None) -> Select[int]:
    """The ids (`id`) of the films that match in this column of `SearchText`, but not in that."""
    if db.engine.dialect.name == "sqlite":
        fts = table(FTS_TABLE, column("rowid", Integer), column(FTS_TABLE))
        wanted = _fts5(query, field) + (f" NOT {_fts5(query, but_not)}" if but_not else "")
        return select(fts.c.rowid.label("id")).where(fts.c[FTS_TABLE].op("MATCH")(wanted))
    asked = cast(literal(_tsquery(query)), TSQUERY)
    found = select(SearchText.video_id.label("id")).where(_vector(field).bool_op("@@")(asked))
    return found.where(~_vector(but_not).bool_op("@@")(asked)) if but_not else found


def _vector(field: str) -> ColumnElement[object]:
    return literal_column(f"search_texts.{field}_vector")


def _fts5(query: Query, field: str) -> str:
    groups = (
        " OR ".join(f'"{term.word}"{"*" if term.is_prefix else ""}' for term in group)
        for group in query
    )
    return f"({{{field}}} : ({' AND '.join(f'({group})' for group in groups)}))"


def _tsquery(query: Query) -> str:
    groups = (
        " | ".join(f"'{term.word}'{':*' if term.is_prefix else ''}" for term in group)
        for group in query
    )
    return " & ".join(f"({group})" for group in groups)
