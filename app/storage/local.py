"""Films on a local disk, or on a network disk that is mounted on every machine.

    films/<film>/…        what is published, and `attempts/` of those who work on it
    incoming/<name>       uploads that have not ended
    trash/<name>          films on their way out

A film is deleted by renaming its folder into the trash first: from that moment every path that a
worker knows is dead, so nothing can be written to a film that is gone.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from app.storage.base import Entry, FilmGone

_COPY_BYTES = 2**20


class LocalIncoming:
    """A file below `incoming/`, on the disk on which it will stay."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path = root / "incoming" / secrets.token_hex(16)
        self._file = self._path.open("xb", buffering=0)
        self._kept = False

    def write(self, data: bytes) -> int:
        """Append the bytes."""
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        return len(data)

    def keep(self, film: str) -> None:
        """fsync, then rename into a new film's folder."""
        os.fsync(self._file.fileno())
        self._file.close()
        folder = self._root / "films" / film
        folder.mkdir()
        self._path.rename(folder / "original")
        _sync_folder(folder)
        _sync_folder(folder.parent)
        self._kept = True

    def discard(self) -> None:
        """Close and remove, unless the bytes were kept."""
        self._file.close()
        if not self._kept:
            self._path.unlink(missing_ok=True)


class LocalStorage:
    """`base.Storage` on a folder. The folder is made on first use, not at import."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._films = root / "films"
        self._trash = root / "trash"

    def receive(self) -> LocalIncoming:
        """A new file below `incoming/`."""
        self._prepare()
        return LocalIncoming(self._root)

    def adopt(self, source: Path, film: str) -> None:
        """Copy through `incoming/`, so that a half copy is never a film."""
        incoming = self.receive()
        try:
            with source.open("rb") as file:
                while block := file.read(_COPY_BYTES):
                    incoming.write(block)
            incoming.keep(film)
        finally:
            incoming.discard()

    def path(self, film: str, name: str) -> Path:
        """The path on this disk."""
        return self._films / film / name

    def scratch(self, film: str, attempt: str) -> Path:
        """A new folder below the film's `attempts/`."""
        attempts = self._films / film / "attempts"
        try:
            attempts.mkdir(exist_ok=True)
            place = attempts / attempt
            place.mkdir()
        except FileNotFoundError as error:
            raise FilmGone(film) from error
        return place

    def publish(self, film: str, files: Iterable[tuple[Path, str]]) -> None:
        """Rename each file into place and sync the folders that changed."""
        folder = self._films / film
        touched: set[Path] = set()
        try:
            for source, name in files:
                target = folder / name
                for parent in reversed(target.relative_to(folder).parents[:-1]):
                    (folder / parent).mkdir(exist_ok=True)
                source.rename(target)
                touched.add(target.parent)
            for place in touched:
                _sync_folder(place)
        except FileNotFoundError as error:
            raise FilmGone(film) from error

    def drop_scratch(self, film: str, attempt: str) -> None:
        """Remove the folder."""
        shutil.rmtree(self._films / film / "attempts" / attempt, ignore_errors=True)

    def delete_film(self, film: str) -> None:
        """Rename into the trash, then empty the trash."""
        self._prepare()
        with contextlib.suppress(FileNotFoundError):
            (self._films / film).rename(self._trash / f"{film}-{secrets.token_hex(4)}")
        self._empty_trash()

    def keep_only(self, film: str, name: str) -> None:
        """Rename all else into the trash, then empty the trash."""
        self._prepare()
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self._films / film):
                if entry.name != name:
                    Path(entry.path).rename(self._trash / f"{film}-{secrets.token_hex(4)}")
        self._empty_trash()

    def delete(self, film: str, name: str) -> None:
        """Remove the file, or the folder with all in it."""
        path = self._films / film / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def films(self) -> Iterator[str]:
        """The names of the folders below `films/`."""
        if self._films.is_dir():
            yield from (entry.name for entry in os.scandir(self._films) if entry.is_dir())

    def entries(self, film: str) -> Iterator[Entry]:
        """Walk the film's folder; links are not followed."""
        yield from _walk(self._films / film, "")

    def entry(self, film: str, name: str) -> Entry | None:
        """Look at one name."""
        try:
            found = (self._films / film / name).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return _entry(name, found)

    def leftovers(self, older_than: float) -> Iterator[str]:
        """Names below `incoming/` and `trash/`; what is renamed into the trash is young there."""
        limit = time.time() - older_than
        for place in ("incoming", "trash"):
            folder = self._root / place
            for item in os.scandir(folder) if folder.is_dir() else ():
                with contextlib.suppress(FileNotFoundError):
                    found = item.stat(follow_symlinks=False)
                    since = found.st_mtime if place == "incoming" else found.st_ctime
                    if since < limit:
                        yield f"{place}/{item.name}"

    def sweep_incoming(self, older_than: float) -> int:
        """Remove old files below `incoming/`, and whatever is left in the trash."""
        self._empty_trash()
        limit = time.time() - older_than
        count = 0
        folder = self._root / "incoming"
        for entry in os.scandir(folder) if folder.is_dir() else ():
            if entry.stat().st_mtime < limit:
                Path(entry.path).unlink(missing_ok=True)
                count += 1
        return count

    def free_bytes(self) -> int:
        """Free space for us on the disk."""
        self._prepare()
        return shutil.disk_usage(self._root).free

    def check(self) -> None:
        """Write and remove a small file."""
        self._prepare()
        probe = self._root / "incoming" / f"check-{secrets.token_hex(8)}"
        probe.write_bytes(b"ok")
        probe.unlink()

    def _prepare(self) -> None:
        for name in ("films", "incoming", "trash"):
            (self._root / name).mkdir(parents=True, exist_ok=True)

    def _empty_trash(self) -> None:
        # A worker may still be writing into a file it holds open; the next sweep gets the rest.
        for entry in os.scandir(self._trash) if self._trash.is_dir() else ():
            for _ in range(3):
                shutil.rmtree(entry.path, ignore_errors=True)
                if not os.path.lexists(entry.path):
                    break


def _walk(folder: Path, prefix: str) -> Iterator[Entry]:
    """Everything below the folder, each folder before what is in it."""
    try:
        items = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for item in items:
        try:
            found = _entry(prefix + item.name, item.stat(follow_symlinks=False))
        except FileNotFoundError:
            continue
        yield found
        if found.is_folder:
            yield from _walk(folder / item.name, f"{found.name}/")


def _entry(name: str, found: os.stat_result) -> Entry:
    return Entry(name, stat.S_ISDIR(found.st_mode), found.st_size, found.st_mtime)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
