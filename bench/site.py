"""A site of its own for a benchmark, started as `make run` starts it, and ended with it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.client import Client
from bench.processes import command, descendants, wait_until_idle
from config import ROOT, Settings, embedded_redis_socket

START_SECONDS = 120.0
STOP_SECONDS = 30.0
EMAIL = "bench@videoflix.example"
PASSWORD = "measured-and-noted"  # noqa: S105 - of an account that lives for one benchmark
READY = "Videoflix is ready"


@dataclass(frozen=True)
class Site:
    """A running site: its folder, its first process, its settings, a client that is signed in."""

    data_dir: Path
    port: int
    pid: int
    environment: dict[str, str]
    client: Client

    def stranger(self) -> Client:
        """Another client, which is not signed in."""
        return Client("127.0.0.1", self.port)

    def web(self) -> list[int]:
        """The web processes; the first is the one that started the others."""
        return [pid for pid in descendants(self.pid) if "gunicorn" in command(pid)]

    def workers(self) -> int:
        """The process that started all workers."""
        return next(pid for pid in descendants(self.pid) if "worker" in command(pid))

    def rest(self) -> None:
        """Wait until the site has nothing to do."""
        wait_until_idle(self.pid)


@contextlib.contextmanager
def running_site(workers: int, settings: Mapping[str, str] | None = None) -> Iterator[Site]:
    """A site with so many workers, at rest, with one account; nothing of it remains.

    `settings` are its settings where they differ from those of every benchmark.
    """
    with tempfile.TemporaryDirectory(prefix="videoflix-bench-") as place:
        data_dir, port = Path(place).resolve() / "data", free_port()
        data_dir.mkdir()
        environment = _environment(data_dir, port, workers) | dict(settings or {})
        log = Path(place) / "site.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "standalone"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            _wait_until_ready(process, log)
            _create_account(environment)
            client = Client("127.0.0.1", port)
            client.sign_in(EMAIL, PASSWORD)
            site = Site(data_dir, port, process.pid, environment, client)
            site.rest()
            yield site
        finally:
            _stop(process)


def configured_ffmpeg() -> str:
    """FFMPEG_BINARY as the site would read it."""
    with tempfile.TemporaryDirectory() as place:
        return Settings.load(_environment(Path(place), 1, 0)).FFMPEG_BINARY


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _environment(data_dir: Path, port: int, workers: int) -> dict[str, str]:
    """Everything is said that a `.env` could lead elsewhere."""
    return os.environ | {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "DATA_DIR": str(data_dir),
        "DATABASE_URL": f"sqlite:///{data_dir / 'videoflix.sqlite'}",
        "REDIS_URL": f"unix://{embedded_redis_socket(data_dir)}",
        "EMBEDDED": "1",
        "DEMO": "0",
        "WORKERS": str(workers),
        "MAX_UPLOAD_BYTES": "8G",
        "LOG_LEVEL": "INFO",
    }


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while READY not in (said := log.read_text(errors="replace")):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"The site did not start:\n{said}")
        time.sleep(0.1)


def _create_account(environment: dict[str, str]) -> None:
    create = ["users", "create", EMAIL, "--verified", "--password-stdin"]
    subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "flask", "--app", "wsgi", *create],
        cwd=ROOT,
        env=environment,
        input=f"{PASSWORD}\n",
        text=True,
        check=True,
        capture_output=True,
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()  # its guardian ends what it leaves
            process.wait()
