"""Files of another machine's storage on this one, for as long as somebody works on them.

    <boot>/copies/<film>/       originals, each as far as it was fetched (`growing.py`), and as
                                <name> once it is whole; `lock`
    <boot>/copies/<film>/parts/ parts of originals, for one process each
    <boot>/attempts/<attempt>/  what an attempt at a task writes

Locks (flock) say what is in use: whoever reads a copy or writes an attempt holds one, and the
kernel takes it from the dead. So what nobody holds can go, and nothing needs to be noted. What is
left of before this machine started is thrown away: it may lack what was never on the disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from app.storage.base import Part, Source, StorageAway
from app.storage.growing import Growing, Origin, turn

YOUNG_SECONDS: Final = 60.0
"""The folder of an attempt, or of a part, so young may be about to be locked."""


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
    def copy(
        self, film: str, name: str, origin: Origin, part: Part | None = None
    ) -> Iterator[Source]:
        """A copy of a film's file, which stays until the block ends: whole, or a part at least.

        It is fetched once for all processes, from its front on, and goes on where one that died
        left off. Who needs a part far behind what is there gets a file of its own with that part.
        Raises FileNotFoundError, and StorageAway also while there is no room beside the copies in
        use.
        """
        folder = self._copies / film
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, self._hold(folder))
            path = folder / name
            if path.exists():
                yield Source(path, path.stat().st_size)
                return
            there, is_all = origin.measure()
            growing = Growing(folder, name, origin, there)
            wanted = Part(there) if part is None else replace(part, end=min(part.end, there))
            if growing.is_far(wanted):
                self._grow(growing, replace(wanted, end=min(wanted.front, there)))
                apart = stack.enter_context(self._apart(folder, growing.size_apart(wanted)))
                growing.write_apart(apart, wanted)
                yield Source(apart, wanted.front)
                return
            self._grow(growing, wanted)
            size = growing.bytes
            if is_all and size == there:
                with contextlib.suppress(FileExistsError):
                    os.link(growing.path, path)  # who reads the other name goes on
            yield Source(growing.path, size)

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
        parts = [part for film in _inside(self._copies) for part in _inside(film / "parts")]
        for place in [*_inside(self._attempts), *parts]:
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

    def _grow(self, growing: Growing, part: Part) -> None:
        """Have the part in the copy that all share, and all that lies before it."""
        if lacking := growing.lacks(part):
            self._make_room(growing.path.parent, lacking)
        if part.back is not None:
            growing.bring_end(part.back)
        growing.reach(part.end)

    @contextlib.contextmanager
    def _apart(self, folder: Path, size: int) -> Iterator[Path]:
        """A place for a file that only this process reads; it is swept once the process is dead."""
        place = folder / "parts" / secrets.token_hex(8)
        self._make_room(folder, size)
        place.mkdir(parents=True)
        handle = _lock(place, fcntl.LOCK_EX)
        try:
            yield place / "part"
        finally:
            shutil.rmtree(place, ignore_errors=True)
            os.close(handle)

    def _make_room(self, mine: Path, more: int) -> None:
        """Promise room to so many more bytes of a film: the longest unused others go for it.

        A film that is larger than all the room is taken when it is alone.
        """
        with (self._now / "room").open("a") as room, turn(room.fileno()):
            before = (mine / "lock").read_text()
            size = max(_used(mine) + more, int(before or 0))
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
                (mine / "lock").write_text(before)
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


def _used(folder: Path) -> int:
    """Bytes that a folder takes: a file of two names once, holes not at all."""
    found = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            seen = path.stat()
            if path.is_file():
                found[seen.st_ino] = min(seen.st_size, seen.st_blocks * 512)
    return sum(found.values())


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
