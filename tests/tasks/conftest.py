"""Workers as they run in a deployment: processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from apiflask import APIFlask

Start = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def start_worker(app: APIFlask, tmp_path: Path) -> Iterator[Start]:
    """Starts `flask worker --count 2` on the application's parts; stops what is left at the end."""
    started: list[subprocess.Popen[bytes]] = []
    settings = (
        "DATA_DIR",
        "DATABASE_URL",
        "REDIS_URL",
        "SECRET_KEY",
        "PUBLIC_URL",
        "LEASE_SECONDS",
    )
    environment = {**os.environ, **{name: str(app.config[name]) for name in settings}}

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / "worker.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "flask", "--app", "wsgi", "worker", "--count", "2"],
                env=environment,
                stdout=log,
                stderr=log,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
    for process in started:
        process.wait(20)
