"""An upgrade without an interruption: the release before goes on upon the tables of this one.

What that release knows of the tables is read from a database at its revision; its statements name
those columns and no others. Each table is written, read, changed and emptied that way after the
upgrade, as processes do that still run, and as a worker does that was started a moment ago.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Column, Engine, MetaData, Table, create_engine, event, inspect
from sqlalchemy import types as sql

from config import Settings
from tests.test_migrations import flask

BEFORE = "0007"
"""The revision of the release that may still run. Raise it with a release, never past it."""

VALUES: dict[type[Any], Any] = {
    sql.Boolean: False,
    sql.Integer: 1,
    sql.Numeric: 1.5,
    sql.Float: 1.5,
    sql.DateTime: datetime(2026, 1, 1, tzinfo=UTC),
    sql.JSON: [],
    sql.String: "x",
}


@pytest.fixture
def with_tables() -> bool:
    return False


@pytest.fixture
def known(settings: Settings) -> Iterator[tuple[Engine, MetaData]]:
    """The database after the upgrade, and its tables as the release before knows them."""
    settings.DATA_DIR.mkdir()
    engine = create_engine(settings.DATABASE_URL)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA foreign_keys=ON"))
    assert flask(settings, "db", "upgrade", BEFORE).returncode == 0
    metadata = MetaData()
    metadata.reflect(engine)
    done = flask(settings, "db", "upgrade")
    assert done.returncode == 0, done.stderr
    yield engine, metadata
    engine.dispose()


def rows_of(metadata: MetaData) -> list[tuple[Table, dict[str, Any]]]:
    """A row for each table, parents first, with what the database does not fill in by itself."""
    tables = [table for table in metadata.sorted_tables if table.name != "alembic_version"]
    return [
        (table, {column.name: value_of(column) for column in table.columns if is_needed(column)})
        for table in tables
    ]


def is_needed(column: Column[Any]) -> bool:
    return column.primary_key or not (column.nullable or column.server_default is not None)


def value_of(column: Column[Any]) -> Any:
    return next(value for kind, value in VALUES.items() if isinstance(column.type, kind))


def test_the_release_before_works_on_the_new_tables(known: tuple[Engine, MetaData]) -> None:
    engine, metadata = known
    rows = rows_of(metadata)
    assert len(rows) > 10
    new = inspect(engine)
    for table, _ in rows:
        for column in new.get_columns(table.name):
            if column["name"] not in table.columns:  # it will never be given a value
                assert column["nullable"] or column["default"] is not None, column
    with engine.begin() as connection:
        for table, values in rows:
            connection.execute(table.insert().values(values))
        for table, values in rows:
            assert [row._mapping["id"] for row in connection.execute(table.select())] == [1]
            same = {name: value for name, value in values.items() if name != "id"}
            assert connection.execute(table.update().values(same)).rowcount == 1
        for table, _ in reversed(rows):
            assert connection.execute(table.delete()).rowcount == 1
