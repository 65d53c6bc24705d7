"""What the database is asked, for benchmarks and tests that count it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from apiflask import APIFlask
from sqlalchemy import event

from app.database import db


@contextlib.contextmanager
def statements(app: APIFlask, verb: str = "") -> Iterator[list[str]]:
    """What is asked of the database meanwhile: all of it, or what begins with this word."""
    said: list[str] = []

    def note(_connection: object, _cursor: object, text: str, *_rest: object) -> None:
        if text.startswith(verb):
            said.append(text)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", note)
