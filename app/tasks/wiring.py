"""What the application needs of the work in the background."""

from __future__ import annotations

import os

from flask import Flask, current_app

from app.media.binary import ffmpeg_binary
from app.observability import add_readiness_check
from app.storage import ask_where
from app.tasks.cli import worker_command
from app.tasks.moving_cli import move_command
from app.tasks.storage_cli import storage_commands
from app.videos.places import place_of


def init_app(app: Flask) -> None:
    """Register the commands, let the storage ask where films are, and `/readyz` for ffmpeg."""
    app.cli.add_command(worker_command)
    storage_commands.add_command(move_command)
    app.cli.add_command(storage_commands)
    ask_where(app, place_of)
    add_readiness_check(app, "ffmpeg", _check_ffmpeg)


def _check_ffmpeg() -> None:
    binary = ffmpeg_binary(current_app.config["FFMPEG_BINARY"] or None)
    if not os.access(binary, os.X_OK):
        raise FileNotFoundError(binary)
