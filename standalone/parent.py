"""The `make` that started us: whether it wants us to end.

`make` passes SIGTERM on to its recipe, but not SIGINT or SIGHUP: those it expects the whole process
group to get. When somebody signals `make` alone, it waits for us for ever. The kernel shows what it
knows: GNU make gives up its handler as the first thing that it does about a signal.
"""

from __future__ import annotations

import os
import signal

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Parent:
    """The process that started this one."""

    def __init__(self) -> None:
        self._id = os.getppid()
        self._handled = _handled(self._id)

    def wants_end(self) -> bool:
        """Whether it has gone, or has been told to end."""
        return os.getppid() != self._id or bool(self._handled - _handled(self._id))


def _handled(process: int) -> frozenset[signal.Signals]:
    """Which signals that end it the process handles; none where the kernel does not say."""
    try:
        with open(f"/proc/{process}/status") as file:
            caught = next(int(line.split()[1], 16) for line in file if line.startswith("SigCgt"))
    except (OSError, StopIteration):
        return frozenset()
    return frozenset(number for number in _ENDING if caught >> (number - 1) & 1)
