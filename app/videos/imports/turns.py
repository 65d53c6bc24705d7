"""Who may import: one process at a time, on all machines together.

With PostgreSQL that is an advisory lock of a connection, with SQLite, which has one machine, a lock
on a file. Both end with the process that holds them, however it ends.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from flask import current_app
from sqlalchemy import func, select

from app.database import db

_LOCK = 0x0F11_0002
"""Number of PostgreSQL's advisory lock."""


@contextmanager
def import_turn() -> Iterator[bool]:
    """Hold the turn until the block ends; gives False, and holds nothing, where another has it."""
    if db.engine.dialect.name == "postgresql":
        alone = db.engine.execution_options(isolation_level="AUTOCOMMIT")
        with alone.connect() as connection:
            connection.detach()  # so that closing it ends it, and the lock
            yield bool(connection.scalar(select(func.pg_try_advisory_lock(_LOCK))))
        return
    folder = current_app.config["DATA_DIR"] / "run"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "import.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
