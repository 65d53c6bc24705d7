"""What the application needs of the work in the background."""

from __future__ import annotations

import os

from flask import Flask, current_app

from app.media.binary import ffmpeg_binary
from app.observability import add_readiness_check
from app.tasks.cli import worker_command
from app.tasks.storage_cli import storage_commands


def init_app(app: Flask) -> None:
    """Register the commands, and let `/readyz` ask for ffmpeg."""
    app.cli.add_command(worker_command)
    app.cli.add_command(storage_commands)
    add_readiness_check(app, "ffmpeg", _check_ffmpeg)


def _check_ffmpeg() -> None:
    binary = ffmpeg_binary(current_app.config["FFMPEG_BINARY"] or None)
    if not os.access(binary, os.X_OK):
        raise FileNotFoundError(binary)
