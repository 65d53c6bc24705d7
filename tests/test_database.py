"""How connections to the database are set up."""

from __future__ import annotations

from pathlib import Path

import flask_migrate
import pytest
from alembic.runtime.environment import EnvironmentContext
from apiflask import APIFlask
from sqlalchemy import text

from app.database import DEAD_LINKS, db

MIGRATIONS = Path(__file__).resolve().parents[1] / "migrations"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_server_is_asked_to_look_for_dead_links(app: APIFlask) -> None:
    asked = text("SELECT name FROM pg_settings WHERE name LIKE 'tcp_%' AND source = 'session'")
    with app.app_context():
        for _ in range(2):
            found = set(db.session.scalars(asked))
            assert found == {*DEAD_LINKS}
            db.session.rollback()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_foreign_keys_hold_again_after_a_migration_that_fails(
    app: APIFlask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(EnvironmentContext, "run_migrations", broken)
    with app.app_context():
        with pytest.raises(ZeroDivisionError):
            flask_migrate.upgrade(str(MIGRATIONS))
        assert db.session.scalar(text("PRAGMA foreign_keys")) == 1
