"""How Alembic meets the application's database: `flask --app wsgi db …` runs this."""

from __future__ import annotations

import re
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from flask import current_app

from app.database import UtcDateTime
from app.videos.search.models import FTS_TABLE

database = current_app.extensions["migrate"].db
options = current_app.extensions["migrate"].configure_args


def render_item(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Write our own column types as the plain ones they are in the database."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def include_object(
    item: Any, name: str | None, kind: str, reflected: bool, compared_to: Any
) -> bool:
    """Leave out what databases keep in a way of their own to search films: no model says it."""
    own = re.fullmatch(rf"{FTS_TABLE}.*|ix_search_texts_.+|.+_vector", name or "")
    return not (reflected and compared_to is None and own)


def migrate() -> None:
    """Run the migrations in one transaction.

    SQLite changes a table by making a new one and dropping the old, and a drop would delete the
    rows that refer to it: foreign keys rest meanwhile, and are checked before the commit.
    """
    with database.engine.connect() as connection:
        sqlite = connection.dialect.name == "sqlite"
        if sqlite:
            driver = connection.connection.driver_connection
            driver.execute("PRAGMA foreign_keys=OFF")
        context.configure(
            connection=connection,
            target_metadata=database.metadata,
            render_item=render_item,
            include_object=include_object,
            **options,
        )
        try:
            with context.begin_transaction():
                context.run_migrations()
                if sqlite:
                    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
                    if broken:
                        raise RuntimeError(f"rows would be left without their parents: {broken}")
        finally:
            if sqlite:  # the connection goes back to a pool, and may go on to serve people
                driver.execute("PRAGMA foreign_keys=ON")


migrate()
