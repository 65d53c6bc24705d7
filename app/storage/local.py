"""Films on a local disk, or on a network disk that is mounted on every machine.

    films/<film>/…        what is published, and `attempts/` of those who work on it
    incoming/<name>       uploads that have not ended, each with <name>.counts while bytes are
                          held back: it says how many count
    trash/<name>          films on their way out

A film is deleted by renaming its folder into the trash first: from that moment every path that a
worker knows is dead, so nothing can be written to a film that is gone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Container, Iterable, Iterator
from pathlib import Path

from app.storage.base import Entry, FilmGone, open_source

_COPY_BYTES = 2**20

_COUNTS = ".counts"


class LocalIncoming:
    """A file below `incoming/`, on the disk on which it will stay."""

    def __init__(self, root: Path, name: str) -> None:
        self._root = root
        self._path = root / "incoming" / name
        self._counts = self._path.with_name(name + _COUNTS)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        self._kept = False
        self._size = os.fstat(descriptor).st_size
        counting = _counting(self._counts)
        if counting is not None:  # who held the rest back is dead
            self.rewind(min(counting, self._size))

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

    def show(self, film: str) -> None:
        """A second name for the file, in the film's folder."""
        folder = self._root / "films" / film
        folder.mkdir(exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.link(self._path, folder / "original")
        _sync_folder(folder)
        _sync_folder(folder.parent)

    def keep(self, film: str) -> None:
        """fsync, then rename into a new film's folder."""
        self.sync()
        self.close()
        folder = self._root / "films" / film
        folder.mkdir(exist_ok=True)
        self._path.rename(folder / "original")
        self._path.unlink(missing_ok=True)  # rename leaves both names of one file
        _sync_folder(folder)
        _sync_folder(folder.parent)
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


class LocalStorage:
    """`base.Storage` on a folder. The folder is made on first use, not at import."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._films = root / "films"
        self._trash = root / "trash"

    def receive(self, name: str | None = None) -> LocalIncoming:
        """A file below `incoming/`."""
        self._prepare()
        return LocalIncoming(self._root, name or secrets.token_hex(16))

    def received(self, name: str) -> int | None:
        """The length of the file, less what is held back."""
        path = self._root / "incoming" / name
        counting = _counting(path.with_name(name + _COUNTS))  # first: it goes when all counts
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return None
        return size if counting is None else min(size, counting)

    def drop_received(self, name: str) -> None:
        """Remove the file."""
        for ending in ("", _COUNTS):
            (self._root / "incoming" / (name + ending)).unlink(missing_ok=True)

    def adopt(self, source: Path, film: str, name: str, told: Callable[[int], None]) -> str:
        """Copy through `incoming/`, so that a half copy is never a film."""
        incoming = self.receive(name)
        digest = hashlib.sha256()
        try:
            incoming.rewind(0)
            with open_source(source) as file:
                while block := file.read(_COPY_BYTES):
                    incoming.write(block)
                    digest.update(block)
                    told(len(block))
            incoming.keep(film)
        finally:
            incoming.discard()
        return digest.hexdigest()

    def link(self, source: Path, film: str) -> None:
        """A hard link, once the bytes are safely on the disk."""
        self._prepare()
        with open_source(source) as file:
            os.fsync(file.fileno())
        folder = self._films / film
        folder.mkdir()
        try:
            os.link(source, folder / "original", follow_symlinks=False)
        except OSError:
            folder.rmdir()
            raise
        _sync_folder(folder)
        _sync_folder(folder.parent)

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

    def leftovers(self, older_than: float, owned: Container[str] = ()) -> Iterator[str]:
        """Names below `incoming/` and `trash/`; what is renamed into the trash is young there."""
        limit = time.time() - older_than
        for place in ("incoming", "trash"):
            folder = self._root / place
            for item in os.scandir(folder) if folder.is_dir() else ():
                if place == "incoming" and item.name.removesuffix(_COUNTS) in owned:
                    continue
                with contextlib.suppress(FileNotFoundError):
                    found = item.stat(follow_symlinks=False)
                    since = found.st_mtime if place == "incoming" else found.st_ctime
                    if since < limit:
                        yield f"{place}/{item.name}"

    def sweep_incoming(self, older_than: float, owned: Container[str] = ()) -> int:
        """Remove old files below `incoming/`, and whatever is left in the trash."""
        self._empty_trash()
        count = 0
        for name in self.leftovers(older_than, owned):
            if name.startswith("incoming/"):
                (self._root / name).unlink(missing_ok=True)
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


def _counting(path: Path) -> int | None:
    """How many bytes count while the rest is held back; None when all do."""
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):  # empty: it died before it could write any more
        return None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
