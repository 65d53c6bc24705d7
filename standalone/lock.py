"""One Videoflix per DATA_DIR."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from standalone.errors import StartError
from standalone.terminal import say

ENDING_SECONDS = 10.0
"""How long the programs of a killed run may take to end (the guardian gives them 3 s and 5 s)."""


def take_lock(data_dir: Path) -> int:
    """Lock DATA_DIR/run/lock and return its file descriptor; the lock lasts while it is open.

    Where the holder's supervisor was killed, its programs are about to end: waits for them. Raises
    StartError while another Videoflix runs on this DATA_DIR.
    """
    descriptor = os.open(data_dir / "run" / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + ENDING_SECONDS
    told = False
    while not _locked(descriptor):
        if _holder_runs(descriptor) or time.monotonic() > deadline:
            os.close(descriptor)
            raise StartError(
                f"Videoflix already runs on {data_dir}. Stop it, or start a second one with a "
                "folder and a port of its own: make run DATA_DIR=other PORT=8001"
            )
        if not told:
            say("Waiting for what is left of the last run to end …")
            told = True
        time.sleep(0.1)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder_runs(descriptor: int) -> bool:
    try:
        os.kill(int(os.pread(descriptor, 32, 0)), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True
