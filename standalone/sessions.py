"""Every process of a session: a program, and whatever it started and did not outlive.

A program of ours leads a session of its own. Its descendants may make process groups (RQ's do), but
stay in the session, so that the session is what must be empty in the end.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Collection


def alive(sessions: Collection[int]) -> bool:
    """Whether any process of these sessions still runs; one that waits to be reaped does not."""
    if sys.platform == "linux":
        return bool(_members(sessions))
    return any(_reaches(session, 0) for session in sessions)


def send(sessions: Collection[int], number: signal.Signals) -> None:
    """Signal every process of these sessions (elsewhere than on Linux: of their first groups)."""
    if sys.platform != "linux":
        for session in sessions:
            _reaches(session, number)
        return
    for process in _members(sessions):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, number)


def kill(sessions: Collection[int], seconds: float = 5.0) -> None:
    """Kill every process of these sessions, those too that they start meanwhile."""
    deadline = time.monotonic() + seconds
    while alive(sessions) and time.monotonic() < deadline:
        send(sessions, signal.SIGKILL)
        time.sleep(0.02)


def _reaches(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _members(sessions: Collection[int]) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                state, _, _, session = file.read().rpartition(b")")[2].split()[:4]
        except OSError:
            continue
        if int(session) in sessions and state not in {b"Z", b"X"}:
            found.append(int(name))
    return found
