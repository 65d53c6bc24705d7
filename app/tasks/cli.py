"""`flask worker`: run the conversion workers of this machine."""

from __future__ import annotations

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from app.tasks.worker import Pool


@click.command("worker")
@click.option("--count", type=click.IntRange(1, 256), help="Worker processes (default: WORKERS).")
@with_appcontext
def worker_command(count: int | None) -> None:
    """Convert films and send mails until SIGTERM or Ctrl-C."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    Pool(app, count or current_app.config["WORKERS"]).run()
