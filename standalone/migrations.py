"""Whether the embedded database is up to date, found out without starting the application."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from pathlib import Path

_REVISION = re.compile(r"""^revision\b[^=]*=\s*["'](\w+)["']""", re.MULTILINE)
_PARENTS = re.compile(r"^down_revision\b[^=]*=(.*)$", re.MULTILINE)
_NAME = re.compile(r"""["'](\w+)["']""")


def up_to_date(database_url: str, versions: Path) -> bool:
    """Whether this SQLite database has the newest of the migrations in the folder `versions`.

    False when in doubt and for any other database: `flask db upgrade` then decides.
    """
    if not database_url.startswith("sqlite:///"):
        return False
    path = Path(database_url.removeprefix("sqlite:///"))
    heads = _heads(versions)
    if len(heads) != 1 or not path.is_file():
        return False
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=5)) as connection:
            rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.Error:
        return False
    return {row[0] for row in rows} == heads


def _heads(versions: Path) -> set[str]:
    revisions: set[str] = set()
    parents: set[str] = set()
    for path in versions.glob("*.py"):
        source = path.read_text("utf-8")
        revisions.update(_REVISION.findall(source))
        for names in _PARENTS.findall(source):
            parents.update(_NAME.findall(names))
    return revisions - parents
