"""The database as the models see it: one declarative base, one clock, two dialects.

SQLite runs in WAL mode and starts a transaction with BEGIN IMMEDIATE, so that a reader that becomes
a writer waits for its turn instead of failing with "database is locked". Inside `reading()`, which
covers GET requests, a transaction begins deferred: readers then never wait for a writer.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TypeVarTuple

from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from redis.exceptions import RedisError
from sqlalchemy import (
    CursorResult,
    DateTime,
    Delete,
    Double,
    Engine,
    MetaData,
    Row,
    Select,
    Update,
    event,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeDecorator

log = logging.getLogger(__name__)

Columns = TypeVarTuple("Columns")

BUSY_TIMEOUT_MS = 15_000
"""How long a SQLite connection waits for another's write to end, in milliseconds."""

DEAD_LINKS = {
    "tcp_keepalives_idle": 20,
    "tcp_keepalives_interval": 10,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 50_000,
}
"""By PostgreSQL's names, in seconds, the last in milliseconds: a connection on which nothing comes
back, asked for or not, is given up within a minute. So what a machine held locked is free soon
after its link broke."""


class Base(DeclarativeBase):
    """Base of every model; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(model_class=Base, disable_autonaming=True)


class UtcDateTime(TypeDecorator[datetime]):
    """A time with zone UTC, on SQLite too (which keeps no zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without a zone; store it as UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


_reading = ContextVar("reading", default=False)


def start_reading(reading: bool = True) -> None:
    """Begin this context's transactions deferred, or not: call it before the first statement.

    A write is still possible as the first statement of a fresh transaction. Every request calls it,
    since a server's thread keeps its context from one request to the next.
    """
    _reading.set(reading)


@contextmanager
def writing() -> Iterator[None]:
    """Begin a fresh transaction fit for writing, and commit it, in the middle of a GET request."""
    token = _reading.set(False)
    try:
        db.session.rollback()
        yield
        db.session.commit()
    finally:
        db.session.rollback()
        _reading.reset(token)


@contextmanager
def reading_afresh() -> Iterator[None]:
    """A session of its own, whose transaction begins inside: it sees what is committed by now.

    Objects of the request's session do not belong here, and nothing is written.
    """
    token = _reading.set(True)
    try:
        with current_app.app_context():
            yield
    finally:
        _reading.reset(token)


def read(statement: Select[*Columns], values: Mapping[str, Any]) -> Sequence[Row[*Columns]]:
    """The rows of a statement on columns that was made once, with these values for its parameters.

    It is for what every list asks. To make such a statement anew, and to pass it through the ORM,
    costs a request several times what the database takes to answer it (docs/performance.md).
    """
    db.session.flush()
    return db.session.connection().execute(statement, values).all()


def update_rows(statement: Update | Delete) -> int:
    """Execute it and let loaded objects read their rows again; the number of rows it changed."""
    result = db.session.execute(statement.execution_options(synchronize_session=False))
    db.session.expire_all()
    assert isinstance(result, CursorResult)  # noqa: S101 - these give nothing else
    return result.rowcount


def insert_into(model: type[Base]) -> Any:
    """An INSERT of this database's own, which can say what to do about a row that is there."""
    return _DIALECTS[db.engine.dialect.name].insert(model)


_DIALECTS: dict[str, Any] = {"sqlite": sqlite, "postgresql": postgresql}


def after_commit(action: Callable[[], None]) -> None:
    """Run the action once the current transaction is committed; forget it on a rollback.

    The action must not use the database. Should Redis or the disk refuse, that is logged: the row
    is the truth, and the reconciler announces work and removes files that are left over.
    """
    db.session.info.setdefault("after_commit", []).append(action)


def on_session(name: str, listener: Callable[..., None]) -> None:
    """Call the listener at this event of any session: once, however many applications there are."""
    if not event.contains(db.session, name, listener):
        event.listen(db.session, name, listener)


def _run_actions(session: Session) -> None:
    for action in session.info.pop("after_commit", []):
        try:
            action()
        except (RedisError, OSError) as error:
            log.warning("left to the reconciler: %s", error)


def _drop_actions(session: Session) -> None:
    session.info.pop("after_commit", None)


def now() -> datetime:
    """The time of this process, for what people read. Leases use `epoch_now`."""
    return datetime.now(UTC)


class epoch_now(GenericFunction[float]):
    """Seconds since 1970 by the database's clock, so that machines need not agree on the time."""

    type = Double()
    inherit_cache = True


@compiles(epoch_now, "sqlite")
def _epoch_now_sqlite(element: epoch_now, compiler: Any, **kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(epoch_now, "postgresql")
def _epoch_now_postgresql(element: epoch_now, compiler: Any, **kw: Any) -> str:
    return "extract(epoch from clock_timestamp())::double precision"


def engine_options(url: str) -> dict[str, Any]:
    """SQLAlchemy's options for the engine of this database URL. Its errors tell no one's data."""
    if url.startswith("sqlite"):
        connect = {"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False}
        return {"connect_args": connect, "hide_parameters": True}
    return {
        "hide_parameters": True,
        "connect_args": {
            name.replace("tcp_keepalives", "keepalives"): value  # as libpq calls them
            for name, value in DEAD_LINKS.items()
        },
        "pool_pre_ping": True,
        "pool_size": 5,
        "max_overflow": 20,
        "pool_recycle": 1800,
    }


def init_database(app: Flask) -> None:
    """Bind the database to the application and set each new connection up."""
    db.init_app(app)
    on_session("after_commit", _run_actions)
    on_session("after_rollback", _drop_actions)
    with app.app_context():
        engine = db.engine
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_immediate)
    else:
        event.listen(engine, "connect", _prepare_postgresql)


def forget_connections(engine: Engine) -> None:
    """Drop a parent's connections in a forked child without closing them for the parent."""
    engine.dispose(close=False)


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.close()


def _prepare_postgresql(connection: Any, _record: object) -> None:
    # The server's side. By a statement, not in the connection's options, which proxies refuse.
    with connection.cursor() as cursor:
        for name, value in DEAD_LINKS.items():
            cursor.execute(f"SET {name} = {value}")
    connection.commit()


def _begin_immediate(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN" if _reading.get() else "BEGIN IMMEDIATE")
