"""A copy of a file of another machine on its way here, for all processes of this one.

    <name>.growing  the bytes: from the front on, and perhaps the end already, with a hole between
    <name>.reach    how many of the first bytes are there

One process fetches at a time. What one that died had fetched counts as far as it had noted it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from app.storage.base import Part, StorageAway

RANGE_BYTES: Final = 8 << 20
RANGES: Final = 4
"""So many ranges are fetched at a time."""


class Origin(Protocol):
    """A file on another machine, of which this one wants a copy."""

    def measure(self) -> tuple[int, bool]:
        """Bytes that can be fetched now, and whether that is all of them.

        Raises FileNotFoundError, StorageAway.
        """
        ...

    def fetch(self, start: int, length: int) -> bytes:
        """Bytes of the file. Raises FileNotFoundError, StorageAway."""
        ...


class Growing:
    """The copy of a film's file `name` in `folder`; `there` bytes of it can be fetched now."""

    def __init__(self, folder: Path, name: str, origin: Origin, there: int) -> None:
        self.path = folder / f"{name}.growing"
        self._note = folder / f"{name}.reach"
        self._origin = origin
        self._there = there

    @property
    def bytes(self) -> int:
        """How many of the first bytes are there."""
        try:
            return int(self._note.read_text())
        except FileNotFoundError:
            return 0

    def lacks(self, part: Part) -> int:
        """How many bytes are still to come until it holds the part and all before it."""
        end = max(0, part.end - self.bytes)
        return end if part.back is None or self._ends() else end + self._there - part.back

    def is_far(self, part: Part) -> bool:
        """Whether the part lies so far on that one would not fetch all before it for it."""
        return part.begin > max(self.bytes, part.front) + RANGE_BYTES

    def reach(self, end: int) -> None:
        """Have the first `end` bytes, in whole ranges. Raises FileNotFoundError, StorageAway."""
        if self.bytes >= end:
            return
        with self._file() as file, ThreadPoolExecutor(RANGES) as pool:
            while True:
                with turn(file.fileno()):  # one fetches, the others find it there
                    at = self.bytes
                    if at >= end:
                        return
                    stop = min(at + RANGES * RANGE_BYTES, self._there, end + -end % RANGE_BYTES)
                    file.seek(at)
                    for block in ranges(pool, self._origin, at, stop):
                        file.write(block)
                        file.flush()  # nothing of it may come when it is another's turn
                        self._note_reach(file.tell())

    def bring_end(self, begin: int) -> None:
        """Have the bytes from `begin` to the file's end. Raises as `reach`."""
        if self._ends():
            return  # at once: whoever fetches the rest has the turn for most of the time
        with self._file() as file, ThreadPoolExecutor(RANGES) as pool, turn(file.fileno()):
            if self._ends():
                return
            file.seek(begin)
            for block in ranges(pool, self._origin, begin, self._there):
                file.write(block)
                file.flush()

    def size_apart(self, part: Part) -> int:
        """Bytes that a part takes in a file of its own."""
        end = 0 if part.back is None else self._there - part.back
        return part.front + part.end - part.begin + end

    def write_apart(self, path: Path, part: Part) -> None:
        """Write a far part to a file of its own; what lies between its pieces stays a hole.

        Its front and its end are there. Raises as `reach`.
        """
        with path.open("wb") as file, self._file() as shared, ThreadPoolExecutor(RANGES) as pool:
            file.write(shared.read(part.front))
            file.seek(part.begin)
            for block in ranges(pool, self._origin, part.begin, part.end):
                file.write(block)
            if part.back is not None:
                at = max(part.back, part.end)
                file.seek(at)
                shared.seek(at)
                shutil.copyfileobj(shared, file)

    def _ends(self) -> bool:
        """Whether the last byte is there: it comes after all that lie between it and a hole."""
        return self.path.exists() and self.path.stat().st_size == self._there

    def _file(self) -> BinaryIO:
        return os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")

    def _note_reach(self, at: int) -> None:
        """Put the number down at once: who reads it meanwhile finds that before it, whole."""
        new = self._note.with_suffix(".new")
        new.write_text(str(at))
        new.replace(self._note)


def ranges(pool: ThreadPoolExecutor, origin: Origin, start: int, stop: int) -> Iterator[bytes]:
    """Bytes of a file in order, RANGES at a time. Raises StorageAway where some do not come."""
    for first in range(start, stop, RANGES * RANGE_BYTES):
        last = min(stop, first + RANGES * RANGE_BYTES)
        starts = range(first, last, RANGE_BYTES)
        lengths = [min(RANGE_BYTES, last - at) for at in starts]
        for block, length in zip(pool.map(origin.fetch, starts, lengths), lengths, strict=True):
            if len(block) != length:
                raise StorageAway("a range came short")
            yield block


@contextlib.contextmanager
def turn(handle: int) -> Iterator[None]:
    """The right to an open file, for one at a time."""
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)
