"""A process that must not outlive the one that started it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h: the signal that the kernel sends when the parent dies."""


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent, of this process id, dies.

    Ends the process at once if that has happened already. Elsewhere than on Linux it does nothing:
    there a lease runs out instead.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
