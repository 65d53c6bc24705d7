"""Databases for tests: what many begin with is made once per process, and copied for each."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

from flask import Flask
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from app.database import db, engine_options, init_database


def make_tables(url: str) -> None:
    """Give an empty database all tables of the models."""
    app = Flask("tables")
    app.config["SQLALCHEMY_DATABASE_URI"] = _with_driver(url)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(url)
    init_database(app)
    with app.app_context():
        db.create_all()
        db.engine.dispose()


def copy_database(source: str, target: str) -> None:
    """Let the target be a copy of the source, which is of the same kind; nobody has them open."""
    if source.startswith("sqlite"):
        with (
            contextlib.closing(sqlite3.connect(_file(source))) as whence,
            contextlib.closing(sqlite3.connect(_file(target))) as whither,
        ):
            whence.backup(whither)
    else:
        _drop(target)
        _create(target, source)


@contextlib.contextmanager
def postgres_database(server: str, template: str | None = None) -> Iterator[str]:
    """A database on this PostgreSQL server: an empty one, or a copy of the template."""
    name = f"test_{os.getpid()}_{time.monotonic_ns()}"
    url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    _create(url, template)
    yield url
    _drop(url)


def hurry(server: str) -> None:
    """Let this PostgreSQL server wait for no disk: what is on it need not outlive a power cut."""
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        _tell(server, f"ALTER SYSTEM SET {setting} = off")
    _tell(server, "SELECT pg_reload_conf()")


def _create(url: str, template: str | None) -> None:
    _tell(url, f"CREATE DATABASE {_name(url)} TEMPLATE {_name(template or '/template1')}")


def _drop(url: str) -> None:
    _tell(url, f"DROP DATABASE {_name(url)} WITH (FORCE)")


def _tell(url: str, command: str) -> None:
    """Give the server of this database a command that concerns more than one."""
    admin = urlunsplit(urlsplit(url)._replace(path="/postgres"))
    engine = create_engine(_with_driver(admin), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(command))


def _name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def _file(url: str) -> str:
    return url.removeprefix("sqlite:///")


def _with_driver(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg2://")
