"""The log files of the programs: bounded, and their warnings shown on the terminal."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path
from typing import BinaryIO

from standalone.terminal import say

LOG_BYTES = 10 * 2**20
"""A log above this is moved to `NAME.1`, so that a program has twice this at most."""

_WORTH_SHOWING = re.compile(r"\b(WARNING|ERROR|CRITICAL)\b|\"level\": \"(warning|error|critical)\"")
_SHOWN_LENGTH = 200
_SHOWN_LINES = 10
_SHOWN_SECONDS = 30.0


class Log:
    """One program's log file."""

    def __init__(self, path: Path, *, shown: bool = True) -> None:
        self.path = path
        self._shown = shown
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        self._rotate()
        self._start = self._read = path.stat().st_size
        self._budget = _SHOWN_LINES
        self._refill = 0.0

    def open(self) -> BinaryIO:
        """The file for a program's output; programs append, so it may be emptied under them."""
        return self.path.open("ab")

    def follow(self) -> None:
        """Show new warnings on the terminal, in short form, and keep the file bounded."""
        with self.path.open("rb") as file:
            file.seek(self._read)
            new = file.read(2**20)
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole) or (len(new) if len(new) == 2**20 else 0)
        if self._shown:
            for line in whole.decode("utf-8", "replace").splitlines():
                if _WORTH_SHOWING.search(line):
                    self._show(line)
        self._rotate()

    def last_lines(self, count: int = 15) -> str:
        """The end of what was written since the start."""
        with self.path.open("rb") as file:
            file.seek(max(self._start, os.fstat(file.fileno()).st_size - 2**16))
            text = file.read().decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-count:])

    def _show(self, line: str) -> None:
        now = time.monotonic()
        if now >= self._refill:
            self._budget, self._refill = _SHOWN_LINES, now + _SHOWN_SECONDS
        self._budget -= 1
        if self._budget > 0:
            say(f"  {self.path.stem}: {line[:_SHOWN_LENGTH]}")
        elif self._budget == 0:
            say(f"  {self.path.stem}: more such lines are in {self.path}")

    def _rotate(self) -> None:
        if self.path.stat().st_size > LOG_BYTES:
            shutil.copyfile(self.path, self.path.with_name(f"{self.path.name}.1"))
            os.truncate(self.path, 0)
            self._start = self._read = 0
