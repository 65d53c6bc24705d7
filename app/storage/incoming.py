"""A file that comes in, on the disk on which it will stay."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

COUNTS = ".counts"
"""Ending of the file that says how many bytes count while others are held back."""


class LocalIncoming:
    """A file below `incoming/`, on the disk on which it will stay."""

    def __init__(self, root: Path, name: str) -> None:
        self._root = root
        self._name = name
        self._path = root / "incoming" / name
        self._counts = self._path.with_name(name + COUNTS)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        self._kept = False
        self._size = os.fstat(descriptor).st_size
        counting = counted_bytes(self._counts)
        if counting is not None:  # who held the rest back is dead
            self.rewind(min(counting, self._size))

    @property
    def name(self) -> str:
        """The file's name."""
        return self._name

    @property
    def size(self) -> int:
        """Bytes written."""
        return self._size

    def head(self, size: int) -> bytes:
        """Read from the start."""
        return os.pread(self._file.fileno(), min(size, self._size), 0)

    def write(self, data: bytes) -> int:
        """Write behind what is there: at its place, so that a late writer cannot lengthen it."""
        view = memoryview(data)
        while view:
            written = os.pwrite(self._file.fileno(), view, self._size)
            self._size += written
            view = view[written:]
        return len(data)

    def hold_back(self) -> None:
        """Write down how many bytes count."""
        self._counts.write_text(str(self._size))

    def accept(self) -> None:
        """All bytes count again."""
        self._counts.unlink(missing_ok=True)

    def rewind(self, size: int) -> None:
        """Cut the file."""
        os.ftruncate(self._file.fileno(), size)
        self._size = size
        self.accept()

    def sync(self) -> None:
        """fsync."""
        os.fsync(self._file.fileno())

    @property
    def path(self) -> Path:
        """The file's."""
        return self._path

    def share(self) -> None:
        """Nothing to do: a file can be read while it grows."""

    @property
    def shared(self) -> int:
        """What counts: all that was written, unless the rest is held back."""
        counting = counted_bytes(self._counts)
        return self._size if counting is None else counting

    def show(self, film: str) -> None:
        """A second name for the file, in the film's folder."""
        folder = self._root / "films" / film
        folder.mkdir(exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.link(self._path, folder / "original")
        sync_folder(folder)
        sync_folder(folder.parent)

    def keep(self, film: str) -> None:
        """fsync, then rename into a new film's folder."""
        self.sync()
        self.close()
        folder = self._root / "films" / film
        folder.mkdir(exist_ok=True)
        self._path.rename(folder / "original")
        self._path.unlink(missing_ok=True)  # rename leaves both names of one file
        sync_folder(folder)
        sync_folder(folder.parent)
        self._kept = True

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def discard(self) -> None:
        """Close and remove, unless the bytes were kept."""
        self.close()
        if not self._kept:
            self._path.unlink(missing_ok=True)
            self.accept()


def counted_bytes(path: Path) -> int | None:
    """How many bytes count while the rest is held back; None when all do."""
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):  # empty: it died before it could write any more
        return None


def sync_folder(folder: Path) -> None:
    """Have a folder's new names on the disk on return."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
