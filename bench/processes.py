"""A tree of processes, seen through proc(5): who is in it, what it uses, whether ffmpeg runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")

IDLE_SECONDS = 0.5
IDLE_SHARE = 0.06
"""Of one processor: what the waiting parts of a site use between them."""


def descendants(pid: int) -> Iterator[int]:
    """All living processes below this one. A few reads each: cheap enough for every 5 ms."""
    for child in _children(pid):
        yield child
        yield from descendants(child)


def runs(program: str, pid: int) -> bool:
    """Whether the process runs the program at this path now; one that has ended does not."""
    try:
        return os.readlink(f"/proc/{pid}/exe") == program
    except OSError:
        return False


def command(pid: int) -> list[str]:
    """The arguments of a process; empty once it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    except OSError:
        return []


def parent(pid: int) -> int:
    """The process that started this one; 0 once it has ended."""
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def processor_seconds(pid: int) -> float:
    """The processor time that a process has used, its threads included; 0 once it has ended."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS if fields else 0.0


def resident_bytes(pids: Iterable[int]) -> int:
    """The memory that these processes hold, altogether."""
    total = 0
    for pid in pids:
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
        except OSError:
            continue
    return total


def wait_until_idle(pid: int, timeout: float = 60.0) -> None:
    """Return when nothing below this process computes any longer. Raises TimeoutError."""
    deadline = time.monotonic() + timeout
    before = _processor_seconds(pid)
    while time.monotonic() < deadline:
        time.sleep(IDLE_SECONDS)
        after = _processor_seconds(pid)
        if abs(after - before) < IDLE_SHARE * IDLE_SECONDS:
            return
        before = after
    raise TimeoutError("the site does not come to rest")


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            text = Path(f"/proc/{pid}/task/{task}/children").read_text()
            found += (int(word) for word in text.split())
    except OSError:
        return found
    return found


def _processor_seconds(pid: int) -> float:
    """Processor time of everything below."""
    return sum(processor_seconds(child) for child in descendants(pid))


def _stat(pid: int) -> list[str]:
    """The fields of proc(5) stat from the third on, the state; empty once it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
