"""Work in the background: the queue, the dispatcher, the jobs, the reconciler, the workers."""

from __future__ import annotations

from flask import Flask

from app.tasks.cli import worker_command


def init_app(app: Flask) -> None:
    """Register the worker command."""
    app.cli.add_command(worker_command)
