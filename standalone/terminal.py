"""What the person at the terminal reads."""

from __future__ import annotations

import contextlib


def say(line: str = "") -> None:
    """Print one line at once; a terminal that has gone away is no reason to fall over."""
    with contextlib.suppress(OSError, ValueError):
        print(line, flush=True)
