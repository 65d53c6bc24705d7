from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Connection,
    MetaData,
    Table,
    UniqueConstraint,
    create_engine,
    inspect,
    text,
)

from app import create_app
from app.database import Base, db
from app.videos.search import finding
from app.videos.search.models import FTS_TABLE
from config import Settings

ROOT = Path(__file__).resolve().parents[1]


def flask(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "DATA_DIR": str(settings.DATA_DIR),
        "DATABASE_URL": settings.DATABASE_URL,
        "REDIS_URL": settings.REDIS_URL,
        "SECRET_KEY": settings.SECRET_KEY,
    }
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def with_tables() -> bool:
    return False


@pytest.fixture
def migrated(settings: Settings) -> Settings:
    settings.DATA_DIR.mkdir()
    done = flask(settings, "db", "upgrade")
    assert done.returncode == 0, done.stderr
    return settings


def test_the_tables_are_those_of_the_models(migrated: Settings) -> None:
    done = flask(migrated, "db", "check")
    assert done.returncode == 0, done.stdout + done.stderr
    engine = create_engine(migrated.DATABASE_URL)
    found = inspect(engine).get_table_names()
    tables = {name for name in found if not name.startswith(FTS_TABLE)}
    assert tables == {*Base.metadata.tables, "alembic_version"}
    engine.dispose()


def test_ids_never_come_back_where_models_say_so(migrated: Settings) -> None:
    if not migrated.DATABASE_URL.startswith("sqlite"):
        return  # a sequence never gives one twice
    engine = create_engine(migrated.DATABASE_URL)
    with engine.connect() as connection:
        asked = text("SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'")
        found = set(connection.scalars(asked))
    engine.dispose()
    tables = Base.metadata.sorted_tables
    said = {table.name for table in tables if table.dialect_options["sqlite"]["autoincrement"]}
    assert found == said


def test_rows_are_found_by_what_they_belong_to(migrated: Settings) -> None:
    """Without an index, deleting a film or an account would read whole tables."""
    engine = create_engine(migrated.DATABASE_URL)
    found = MetaData()
    found.reflect(engine)
    engine.dispose()
    for table in found.tables.values():
        indexes = [
            index
            for index in table.indexes
            if index.dialect_options[engine.dialect.name].get("where") is None
        ]
        unique = [rule for rule in table.constraints if isinstance(rule, UniqueConstraint)]
        keys = [table.primary_key, *indexes, *unique]
        first = {next(iter(key.columns)).name for key in keys if len(key.columns)}
        assert {key.parent.name for key in table.foreign_keys} <= first, table.name


def test_they_can_be_taken_back(migrated: Settings) -> None:
    done = flask(migrated, "db", "downgrade", "base")
    assert done.returncode == 0, done.stderr
    engine = create_engine(migrated.DATABASE_URL)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()


def test_films_that_were_there_can_be_found(settings: Settings) -> None:
    """Revision 0009 writes what they are found by."""
    settings.DATA_DIR.mkdir()
    assert flask(settings, "db", "upgrade", "0008").returncode == 0
    engine = create_engine(settings.DATABASE_URL)
    tables = MetaData()
    tables.reflect(engine, only=["users", "series", "videos"])
    moment = datetime.now(UTC)
    person = {"id": 1, "email": "a@example.org", "username": "a", "password_hash": "-"}
    film = {"owner_id": 1, "size": 1, "status": "ready", "is_global": True, "playable": True}
    film |= {"series_id": None, "season": None, "episode": None}
    with engine.begin() as connection:
        add(connection, tables.tables["users"], [person | {"role": "member"}], moment)
        add(connection, tables.tables["series"], [{"id": 1, "owner_id": 1, "title": "Fields"}])
        films = [
            film | {"id": n, "film": str(n), "title": f"Café {n}", "category": "Paris"}
            for n in range(1, 602)
        ]
        films[-1] |= {"title": "Rye", "series_id": 1, "season": 1, "episode": 2}
        add(connection, tables.tables["videos"], films, moment)
    engine.dispose()
    assert flask(settings, "db", "upgrade").returncode == 0
    app = create_app(settings)
    with app.app_context():
        for typed, found in (("cafe 600", [600]), ("fields s01e02", [601]), ("fiedls", [601])):
            page = finding.catalogue(typed, limit=10).page
            assert [video.id for video in page.videos] == found
        db.session.remove()
        db.engine.dispose()


def add(
    connection: Connection, table: Table, rows: list[dict[str, object]], now: datetime | None = None
) -> None:
    """Rows in which what may not be empty is false, nothing, or now."""
    plain = {bool: False, int: 0, str: "", datetime: now}
    needed = {
        column.name: plain[column.type.python_type]
        for column in table.columns
        if not column.nullable and not column.primary_key
    }
    connection.execute(table.insert(), [needed | row for row in rows])


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory(str(ROOT / "migrations")).get_heads()) == 1
