"""`flask data`: all rows into a file, and from a file into an empty database."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
from flask import Flask
from flask.cli import AppGroup

from app import dump
from app.database import db, start_reading

data = AppGroup("data", help="Move all rows between databases, SQLite and PostgreSQL.")


def init_data(app: Flask) -> None:
    """Register the commands."""
    app.cli.add_command(data)


@data.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export_command(file: Path) -> None:
    """Write all rows to FILE, as they are at this moment; the site may be running.

    The file holds what is secret (password hashes, mailed addresses): only its owner reads it.
    """
    start_reading()
    try:
        isolation = {"isolation_level": "REPEATABLE READ"} if _is_postgresql() else {}
        with db.engine.connect().execution_options(**isolation) as connection:
            counts = dump.export(connection, file)
    except dump.DumpError as error:
        raise click.ClickException(str(error)) from None
    finally:
        start_reading(False)
    _print(counts, "written")


@data.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_command(file: Path) -> None:
    """Read all rows from FILE into a database that `flask db upgrade` has just made.

    All of them or, should anything be wrong, none. The films' files are moved by themselves.
    """
    try:
        with db.engine.begin() as connection:
            counts = dump.restore(connection, file)
    except dump.DumpError as error:
        raise click.ClickException(str(error)) from None
    _print(counts, "read")


def _is_postgresql() -> bool:
    return db.engine.dialect.name == "postgresql"


def _print(counts: Counter[str], done: str) -> None:
    for table, count in sorted(counts.items()):
        click.echo(f"{table:<16}  {count:>9}")
    click.echo(f"{counts.total()} rows {done}.")
