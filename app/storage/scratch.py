"""Files of another machine's storage on this one, for as long as somebody works on them.

    <boot>/copies/<film>/       originals, each as <name>.part while it comes, and `lock`
    <boot>/attempts/<attempt>/  what an attempt at a task writes

Locks (flock) say what is in use: whoever reads a copy or writes an attempt holds one, and the
kernel takes it from the dead. So what nobody holds can go, and nothing needs to be noted. What is
left of before this machine started is thrown away: it may lack what was never on the disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from app.storage.base import StorageAway

log = logging.getLogger(__name__)

RANGE_BYTES: Final = 8 << 20
RANGES: Final = 4
"""So many ranges are fetched at a time."""

YOUNG_SECONDS: Final = 60.0
"""An attempt's folder so young may be about to be locked."""

Fetch = Callable[[int, int], bytes]
"""Gives bytes of a file: from where, and how many."""


class Scratch:
    """A folder of this machine for copies, of at most `limit` bytes, and attempts."""

    def __init__(self, root: Path, limit: int) -> None:
        self._root = root
        self._limit = limit
        self._now = root / _boot()
        self._copies = self._now / "copies"
        self._attempts = self._now / "attempts"
        self._held: dict[str, int] = {}

    def begin_attempt(self, attempt: str) -> Path:
        """An empty folder, which is swept once this process is dead."""
        place = self._attempts / attempt
        self._attempts.mkdir(parents=True, exist_ok=True)
        place.mkdir()
        self._held[attempt] = _lock(place, fcntl.LOCK_EX)
        return place

    def end_attempt(self, attempt: str) -> None:
        """Remove the folder, whether or not it is there."""
        shutil.rmtree(self._attempts / attempt, ignore_errors=True)
        if (handle := self._held.pop(attempt, None)) is not None:
            os.close(handle)

    @contextlib.contextmanager
    def copy(self, film: str, name: str, size: Callable[[], int], fetch: Fetch) -> Iterator[Path]:
        """A whole copy of a film's file, which stays until the block ends.

        It is fetched once for all processes, and goes on where one that died left off. Raises
        StorageAway also while there is no room for it beside the copies in use.
        """
        folder = self._copies / film
        handle = self._hold(folder)
        try:
            path = folder / name
            if not path.exists():
                self._complete(folder, path, size, fetch)
            yield path
        finally:
            os.close(handle)

    def films(self) -> Iterator[str]:
        """The films of which there are copies."""
        with contextlib.suppress(FileNotFoundError):
            yield from (entry.name for entry in os.scandir(self._copies))

    def drop(self, film: str) -> bool:
        """Remove a film's copies unless somebody holds them; whether they are gone."""
        return _remove_unheld(self._copies / film, "lock")

    def sweep(self) -> None:
        """Remove what the dead left, and what is from before this machine started."""
        for old in _inside(self._root):
            if old != self._now:
                shutil.rmtree(old, ignore_errors=True)
        for place in _inside(self._attempts):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - place.stat().st_mtime > YOUNG_SECONDS:
                    _remove_unheld(place, "")

    def _hold(self, folder: Path) -> int:
        """Share the folder's lock. Whoever removed it meanwhile did so under the lock."""
        path = folder / "lock"
        while True:
            folder.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
                fcntl.flock(handle, fcntl.LOCK_SH)
                if os.fstat(handle).st_nlink:
                    os.utime(path)
                    return handle
                os.close(handle)

    def _complete(self, folder: Path, path: Path, size: Callable[[], int], fetch: Fetch) -> None:
        part = path.with_name(f"{path.name}.part")
        with part.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if path.exists():  # another process fetched it
                part.unlink(missing_ok=True)
                return
            whole = size()
            at = os.fstat(file.fileno()).st_size
            self._make_room(folder, whole)
            with ThreadPoolExecutor(RANGES) as pool:
                while at < whole:
                    starts = range(at, min(whole, at + RANGES * RANGE_BYTES), RANGE_BYTES)
                    lengths = [min(RANGE_BYTES, whole - start) for start in starts]
                    for block, length in zip(
                        pool.map(fetch, starts, lengths), lengths, strict=True
                    ):
                        if len(block) != length:
                            raise StorageAway("a range came short")
                        file.write(block)
                        at += length
                    file.flush()
            part.rename(path)

    def _make_room(self, mine: Path, size: int) -> None:
        """Promise room to a copy of so many bytes: the longest unused others go for it.

        A film that is larger than all the room is taken when it is alone.
        """
        with (self._now / "room").open("a") as room:
            fcntl.flock(room, fcntl.LOCK_EX)
            (mine / "lock").write_text(str(size))
            promised: dict[Path, tuple[float, int]] = {}
            for folder in _inside(self._copies):
                with contextlib.suppress(FileNotFoundError, ValueError):
                    lock = folder / "lock"
                    promised[folder] = (lock.stat().st_mtime, int(lock.read_text() or 0))
            promised.pop(mine, None)
            left = self._limit - size - sum(bytes_ for _, bytes_ in promised.values())
            for folder, (_, bytes_) in sorted(promised.items(), key=lambda item: item[1][0]):
                if left >= 0:
                    return
                if _remove_unheld(folder, "lock"):
                    del promised[folder]
                    left += bytes_
            if left < 0 and any(bytes_ for _, bytes_ in promised.values()):
                (mine / "lock").write_text("")
                raise StorageAway("SCRATCH_BYTES is taken by films that are worked on")


def _remove_unheld(folder: Path, lock: str) -> bool:
    """Remove a folder whose lock nobody holds; the lock goes first, and tells who waited for it."""
    try:
        handle = os.open(folder / lock, os.O_RDONLY)
    except FileNotFoundError:
        shutil.rmtree(folder, ignore_errors=True)
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if lock:
            (folder / lock).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def _lock(path: Path, how: int) -> int:
    handle = os.open(path, os.O_RDONLY)
    fcntl.flock(handle, how)
    return handle


def _inside(folder: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(folder)]
    except FileNotFoundError:
        return []


def _boot() -> str:
    """A name for the time since this machine was started."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"
