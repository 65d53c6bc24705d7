"""What searches read: the folded words of each film, and the words that films are named with.

Each database has an index of its own over `SearchText`: PostgreSQL GIN over vectors that it makes
of each row (`title_vector`, `words_vector`), SQLite an FTS5 table that triggers keep. They are made
with the table; `search_index` asks them.
"""

from __future__ import annotations

from sqlalchemy import DDL, ForeignKey, String, Text, event
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.videos.search.text import WORD_LENGTH

FTS_TABLE = "search_index"
"""The name of the FTS5 table; those that SQLite makes for it begin with it."""


class SearchText(Base):
    """The words a film is found by (`search_text.Words`)."""

    __tablename__ = "search_texts"

    video_id: Mapped[int] = mapped_column(
        ForeignKey("videos.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    title: Mapped[str] = mapped_column(Text)
    words: Mapped[str] = mapped_column(Text)


class SearchWord(Base):
    """A word of a title, a series or a category, kept when its last film is gone."""

    __tablename__ = "search_words"

    id: Mapped[int] = mapped_column(primary_key=True)
    word: Mapped[str] = mapped_column(String(WORD_LENGTH), unique=True)


_ADD = "INSERT INTO search_index (rowid, title, words) VALUES (new.video_id, new.title, new.words);"
_REMOVE = (
    "INSERT INTO search_index (search_index, rowid, title, words) "
    "VALUES ('delete', old.video_id, old.title, old.words);"
)

INDEXES = {
    "postgresql": [
        statement
        for field in ("title", "words")
        for statement in (
            f"ALTER TABLE search_texts ADD {field}_vector tsvector GENERATED ALWAYS AS "
            f"(array_to_tsvector(string_to_array({field}, ' '))) STORED",
            f"CREATE INDEX ix_search_texts_{field} ON search_texts USING gin ({field}_vector)",
        )
    ],
    "sqlite": [
        f"CREATE VIRTUAL TABLE {FTS_TABLE} USING fts5(title, words, content='search_texts', "
        "content_rowid='video_id', tokenize='ascii', detail='column', prefix='1 2 3')",
        f"CREATE TRIGGER search_texts_added AFTER INSERT ON search_texts BEGIN {_ADD} END",
        f"CREATE TRIGGER search_texts_removed AFTER DELETE ON search_texts BEGIN {_REMOVE} END",
        "CREATE TRIGGER search_texts_changed AFTER UPDATE ON search_texts "
        f"BEGIN {_REMOVE} {_ADD} END",
    ],
}
"""What each database is told after making `search_texts`."""

for _dialect, _statements in INDEXES.items():
    for _statement in _statements:
        event.listen(
            SearchText.__table__,
            "after_create",
            DDL(_statement).execute_if(dialect=_dialect),  # type: ignore[no-untyped-call]
        )
event.listen(
    SearchText.__table__,
    "before_drop",
    DDL(f"DROP TABLE IF EXISTS {FTS_TABLE}").execute_if(  # type: ignore[no-untyped-call]
        dialect="sqlite"
    ),
)
