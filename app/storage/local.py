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
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from pathlib import Path

from app.storage.base import Entry, FilmGone, LocalFile, Part, Source, open_source
from app.storage.incoming import COUNTS, LocalIncoming, counted_bytes, sync_folder

_COPY_BYTES = 2**20


class LocalStorage:
    """`base.Storage` on a folder. The folder is made on first use, not at import."""

    place = "local"
    look_seconds = 0

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
        counting = counted_bytes(path.with_name(name + COUNTS))  # first: it goes when all counts
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return None
        return size if counting is None else min(size, counting)

    def drop_received(self, name: str) -> None:
        """Remove the file."""
        for ending in ("", COUNTS):
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
        sync_folder(folder)
        sync_folder(folder.parent)

    def path(self, film: str, name: str) -> Path:
        """The path on this disk."""
        return self._films / film / name

    @contextlib.contextmanager
    def reading(self, film: str, name: str, _part: Part | None = None) -> Iterator[Source]:
        """The file itself; whoever opens it will see whether it is there."""
        path = self.path(film, name)
        yield Source(path, path.stat().st_size if path.exists() else 0)

    def bring(self, film: str, names: Sequence[str], _place: Path) -> list[Path]:
        """The files themselves."""
        paths = [self.path(film, name) for name in names]
        for path in paths:
            path.stat()
        return paths

    def read(self, film: str, name: str) -> bytes:
        """Read the file."""
        return self.path(film, name).read_bytes()

    def blocks(self, film: str, name: str) -> Iterator[bytes]:
        """Read it piece by piece."""
        with open_source(self.path(film, name)) as file:
            while block := file.read(_COPY_BYTES):
                yield block

    def write_blocks(self, film: str, name: str, blocks: Iterable[bytes]) -> None:
        """Write below `incoming/`, then rename."""
        incoming = self.receive()
        try:
            for block in blocks:
                incoming.write(block)
            incoming.sync()
            (self._films / film).mkdir(exist_ok=True)
            self.publish(film, [(incoming.path, name)])
            sync_folder(self._films)
        finally:
            incoming.discard()

    def deliver(self, film: str, name: str) -> LocalFile | None:
        """The file, if it is there."""
        path = self.path(film, name)
        return LocalFile(path) if path.exists() else None

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
                sync_folder(place)
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
                if place == "incoming" and item.name.removesuffix(COUNTS) in owned:
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

    def copies(self) -> Iterator[str]:
        """None: all work on the files themselves."""
        return iter(())

    def drop_copies(self, film: str) -> None:
        """Nothing: there are none."""

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
