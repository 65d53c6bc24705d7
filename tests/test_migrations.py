from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

from app.database import Base
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
def migrated(settings: Settings) -> Settings:
    settings.DATA_DIR.mkdir()
    done = flask(settings, "db", "upgrade")
    assert done.returncode == 0, done.stderr
    return settings


def test_the_tables_are_those_of_the_models(migrated: Settings) -> None:
    done = flask(migrated, "db", "check")
    assert done.returncode == 0, done.stdout + done.stderr
    engine = create_engine(migrated.DATABASE_URL)
    assert set(inspect(engine).get_table_names()) == {*Base.metadata.tables, "alembic_version"}
    engine.dispose()


def test_they_can_be_taken_back(migrated: Settings) -> None:
    done = flask(migrated, "db", "downgrade", "base")
    assert done.returncode == 0, done.stderr
    engine = create_engine(migrated.DATABASE_URL)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory(str(ROOT / "migrations")).get_heads()) == 1
