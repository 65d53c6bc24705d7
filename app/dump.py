"""All rows of all tables as lines of JSON, from one kind of database to the other.

A dump is gzip of lines: first what it is, then `[TABLE, {COLUMN: VALUE, …}]` for each row, parents
before their children, and last how many rows there are and which ids were ever given out. It is
written and read line by line, so its size does not matter.
"""

from __future__ import annotations

import gzip
import itertools
import json
import os
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import JSON, Connection, Table, func, insert, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from app.database import Base, UtcDateTime

FORMAT = 1
BATCH = 500
"""Rows of one INSERT."""

Row = dict[str, Any]


class DumpError(Exception):
    """The dump cannot be written or read; the text says why and what to do."""


def export(connection: Connection, path: Path) -> Counter[str]:
    """Write all rows to a new file that only its owner reads; how many of each table.

    The connection's transaction must see one moment throughout. Raises DumpError.
    """
    counts: Counter[str] = Counter()
    try:
        raw = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except OSError as error:
        raise DumpError(f"{path} cannot be made: {error.strerror}.") from None
    with raw, gzip.open(raw, "wt", encoding="utf-8", newline="\n") as file:
        _write(file, {"videoflix": FORMAT, "revision": _revision(connection)})
        for table in Base.metadata.sorted_tables:
            for row in _rows_of(connection, table):
                _write(file, [table.name, row])
                counts[table.name] += 1
        _write(file, {"rows": counts.total(), "given_out": _given_out(connection)})
    return counts


def restore(connection: Connection, path: Path) -> Counter[str]:
    """Put a dump into the empty tables of a database of the same revision; how many rows of each.

    Commits nothing. Raises DumpError, after which the caller takes everything back.
    """
    revision = _revision(connection)
    _require_empty(connection)
    counts: Counter[str] = Counter()
    end: Row = {}
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            lines = map(json.loads, file)
            _check_head(next(lines, None), revision)
            for (name, _), group in itertools.groupby(lines, _kind):
                if not name:
                    end = next(group)
                    continue
                table = Base.metadata.tables[name]
                counts[name] += _insert(connection, table, group)
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise DumpError(f"{path} cannot be read as a dump: {error}.") from error
    except SQLAlchemyError as error:
        raise DumpError(f"A row of {path} does not fit: {error}.") from error
    if end.get("rows") != counts.total():
        raise DumpError(f"{path} is not whole: its end is missing.")
    _give_out(connection, end["given_out"])
    return counts


def _write(file: IO[str], line: object) -> None:
    json.dump(line, file, ensure_ascii=False, separators=(",", ":"), default=datetime.isoformat)
    file.write("\n")


def _rows_of(connection: Connection, table: Table) -> Iterator[Row]:
    """Every row; a column of JSON that holds nothing is left out, since null would be a value."""
    found = connection.execution_options(stream_results=True, yield_per=BATCH).execute(
        select(table).order_by(*table.primary_key)
    )
    optional = {column.name for column in table.columns if isinstance(column.type, JSON)}
    for row in found.mappings():
        yield {k: v for k, v in row.items() if v is not None or k not in optional}


def _kind(line: Any) -> tuple[str, tuple[str, ...]]:
    """The table and the columns of a row, nothing for the last line: what one INSERT can take."""
    return (line[0], tuple(line[1])) if isinstance(line, list) else ("", ())


def _insert(connection: Connection, table: Table, lines: Iterator[tuple[str, Row]]) -> int:
    times = [column.name for column in table.columns if isinstance(column.type, UtcDateTime)]
    count = 0
    while batch := [row for _, row in itertools.islice(lines, BATCH)]:
        for row in batch:
            for name in times:
                row[name] = row[name] and datetime.fromisoformat(row[name])
        connection.execute(insert(table), batch)
        count += len(batch)
    return count


def _check_head(head: Any, revision: str) -> None:
    if not isinstance(head, dict) or head.get("videoflix") != FORMAT:
        raise ValueError("its first line is not ours")
    if head["revision"] != revision:
        raise DumpError(
            f"The dump is of schema {head['revision']}, the database of {revision}. Bring the one "
            "that is older up to date with `flask db upgrade`, and export again."
        )


def _require_empty(connection: Connection) -> None:
    for table in Base.metadata.sorted_tables:
        if connection.execute(select(table).limit(1)).first() is not None:
            raise DumpError(f"The database is not empty: there are rows in {table.name}.")


def _revision(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        raise DumpError("The database has no tables. Make them with `flask db upgrade`.")
    return str(connection.scalar(text("SELECT version_num FROM alembic_version")))


def _counted(table: Table) -> bool:
    """Whether the database numbers the rows."""
    return table.autoincrement_column is not None


def _given_out(connection: Connection) -> dict[str, int]:
    """The highest id ever given, by table: also of a row that is gone, for ids never come back."""
    given = {}
    for table in filter(_counted, Base.metadata.sorted_tables):
        given[table.name] = connection.scalar(select(func.max(table.c.id))) or 0
        if connection.dialect.name == "postgresql":
            asked = text(f"SELECT last_value, is_called FROM {_sequence(connection, table)}")  # noqa: S608
            last, is_called = connection.execute(asked).one()
            given[table.name] = last if is_called else 0
        elif _never_reuses(table):
            asked = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
            given[table.name] = connection.scalar(asked, {"name": table.name}) or 0
    return given


def _give_out(connection: Connection, given: dict[str, int]) -> None:
    """Let the next rows be numbered behind these."""
    for name, last in given.items():
        table = Base.metadata.tables[name]
        if not last:
            continue
        if connection.dialect.name == "postgresql":
            asked = text("SELECT setval(CAST(:sequence AS regclass), :last)")
            connection.execute(asked, {"sequence": _sequence(connection, table), "last": last})
        elif _never_reuses(table):
            values = {"name": name, "last": last}
            connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), values)
            connection.execute(text("INSERT INTO sqlite_sequence VALUES (:name, :last)"), values)


def _sequence(connection: Connection, table: Table) -> str:
    asked = text("SELECT pg_get_serial_sequence(:name, 'id')")
    return str(connection.scalar(asked, {"name": table.name}))


def _never_reuses(table: Table) -> bool:
    return bool(table.dialect_options["sqlite"]["autoincrement"])
