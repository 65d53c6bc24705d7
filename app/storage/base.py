"""The contract of a storage: what the application and the workers may ask of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Protocol

from app.errors import Unavailable


class FilmGone(Exception):
    """The film was deleted while somebody still worked on it."""


class StorageAway(Unavailable, OSError):
    """The storage does not answer, or refuses, for the moment; `strerror` tells an operator why.

    Nothing is said about the files by it: whoever works on a film waits and tries again.
    """

    code = "storage_away"

    def __init__(self, reason: str) -> None:
        super().__init__(
            "The films cannot be reached at the moment. Please try again.", code=self.code
        )
        self.strerror = reason


def open_source(path: Path) -> BufferedReader:
    """Open a file of this machine to read it; never a link, and never waiting for a pipe."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")


HEAD_BYTES = 4096
"""So many first bytes of a file that comes in can always be looked at."""

UNBOUNDED = 2**60
"""More than anybody has."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder of a film, as it was found. `modified` is in epoch seconds."""

    name: str
    is_folder: bool
    bytes: int
    modified: float


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes of a file that somebody needs: its first `front`, and those from `begin` to `end`.

    Where `back` is given, also those from there to the file's end. What lies between may read as
    zeros, and without `back` the file may end where the part does.
    """

    end: int
    begin: int = 0
    front: int = 0
    back: int | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A file on this machine of which at least the first `bytes` are there, and what was asked."""

    path: Path
    bytes: int


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file for a viewer that lies on this machine."""

    path: Path


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server of files answered: status, headers that a viewer needs, and the bytes."""

    status: int
    headers: Mapping[str, str]
    body: Iterator[bytes]


class Remote(Protocol):
    """A file for a viewer that lies on another machine; it need not be there."""

    def address(self, mimetype: str, cache: str) -> str | None:
        """Where the viewer gets it, for a minute, with these headers; None: it is passed on."""
        ...

    def signed_path(self, mimetype: str, cache: str) -> str:
        """The same for a server of ours: what it asks the other machine for, path and query."""
        ...

    def open(self, wanted: Mapping[str, str]) -> Answer:
        """Ask for it with a viewer's `Range` and `If-None-Match`.

        Raises FileNotFoundError, StorageAway.
        """
        ...


class Incoming(Protocol):
    """A file that is being received. It belongs to no film until `keep` is called.

    One at a time may write. What `Storage.received` counts is true to the byte, whatever becomes
    of the process: all that was written, at the latest once `close` has returned.
    """

    @property
    def name(self) -> str:
        """Under this name it is received, and it may become the film of this name."""
        ...

    @property
    def size(self) -> int:
        """Bytes that are there."""
        ...

    def head(self, size: int) -> bytes:
        """The first bytes, at most so many; beyond HEAD_BYTES only what is `shared`."""
        ...

    def write(self, data: bytes) -> int:
        """Append bytes; raises OSError when the disk is full, and keeps those that fitted."""
        ...

    def hold_back(self) -> None:
        """From here on, bytes count only after `accept`; if the process dies, they never came."""
        ...

    def accept(self) -> None:
        """Let what was held back count."""
        ...

    def rewind(self, size: int) -> None:
        """Forget all bytes beyond so many, also those held back."""
        ...

    def sync(self) -> None:
        """Wait until the bytes are safely on the disk."""
        ...

    def share(self) -> None:
        """From here on, see to it that bytes can be read while others come in."""
        ...

    @property
    def shared(self) -> int:
        """So many first bytes can be read by everyone, now and from now on."""
        ...

    def show(self, film: str) -> None:
        """Let what is `shared` be read as the original of a new film."""
        ...

    def keep(self, film: str) -> None:
        """Make these bytes, safely on the disk, the original of a new film."""
        ...

    def close(self) -> None:
        """End writing; the bytes stay, for `Storage.receive` to go on with."""
        ...

    def discard(self) -> None:
        """Remove the bytes; does nothing after `keep`."""
        ...


class Storage(Protocol):
    """Files of films, by film (a generated name) and name within the film.

    Each call raises StorageAway where the storage does not answer.
    """

    @property
    def place(self) -> str:
        """What the film's row says of films that are taken in now: `local` or `s3`."""
        ...

    @property
    def look_seconds(self) -> int:
        """Pause between two looks through all names, which may cost money; 0: none is needed."""
        ...

    def receive(self, name: str | None = None) -> Incoming:
        """A place for a file that is coming in; under a name, what came before is still there."""
        ...

    def received(self, name: str) -> int | None:
        """How many bytes of this name's file came and count; None where there is no file."""
        ...

    def drop_received(self, name: str) -> None:
        """Remove what came under this name, whether or not it is there."""
        ...

    def adopt(self, source: Path, film: str, name: str, told: Callable[[int], None]) -> str:
        """Copy a file of this machine in as the original of a new film; returns its SHA-256.

        `name` is the copy's while it comes in; what an earlier try left under it is written over.
        `told` hears of each number of bytes that were copied, and may raise. Raises OSError.
        """
        ...

    def link(self, source: Path, film: str) -> None:
        """Make a file of this machine the original of a new film too, without copying it.

        Raises OSError, with EXDEV where it lies on another disk.
        """
        ...

    def reading(
        self, film: str, name: str, part: Part | None = None
    ) -> AbstractContextManager[Source]:
        """The file on this machine until the block ends: whole, or a part at least.

        Of a file that is still coming in there is what has come. Raises FileNotFoundError, or
        gives a path where there is nothing.
        """
        ...

    def bring(self, film: str, names: Sequence[str], place: Path) -> list[Path]:
        """Small files on this machine: where they lie, else copied into an attempt's folder.

        Raises FileNotFoundError.
        """
        ...

    def read(self, film: str, name: str) -> bytes:
        """All bytes of a small file. Raises FileNotFoundError."""
        ...

    def blocks(self, film: str, name: str) -> Iterator[bytes]:
        """The bytes of a file of any size, in order. Raises FileNotFoundError."""
        ...

    def write_blocks(self, film: str, name: str, blocks: Iterable[bytes]) -> None:
        """Write a file of any size under its name, whole or not at all."""
        ...

    def deliver(self, film: str, name: str) -> LocalFile | Remote | None:
        """A file for a viewer; None where it is known that there is none."""
        ...

    def scratch(self, film: str, attempt: str) -> Path:
        """An attempt's own empty folder. Raises FilmGone."""
        ...

    def publish(self, film: str, files: Iterable[tuple[Path, str]]) -> None:
        """Bring finished files from a scratch folder under their names, each atomically.

        On return they are safely stored. Raises FilmGone; the files must be fsynced already.
        """
        ...

    def drop_scratch(self, film: str, attempt: str) -> None:
        """Remove an attempt's folder, whether or not it is there."""
        ...

    def delete_film(self, film: str) -> None:
        """Remove every file of the film. Who still works on it gets FilmGone or an OSError."""
        ...

    def keep_only(self, film: str, name: str) -> None:
        """Remove every file of the film but one."""
        ...

    def delete(self, film: str, name: str) -> None:
        """Remove one file or folder of a film, whether or not it is there."""
        ...

    def films(self) -> Iterator[str]:
        """Every film that has files."""
        ...

    def entries(self, film: str) -> Iterator[Entry]:
        """Every file and folder of a film; nothing where it has none. What vanishes is left out."""
        ...

    def entry(self, film: str, name: str) -> Entry | None:
        """One file or folder of a film (its own folder for an empty name), or None."""
        ...

    def leftovers(self, older_than: float, owned: Container[str] = ()) -> Iterator[str]:
        """Received files that nobody kept and deleted ones, older than so many seconds.

        `owned` holds the names under which files are still coming in.
        """
        ...

    def sweep_incoming(self, older_than: float, owned: Container[str] = ()) -> int:
        """Remove what `leftovers` finds; returns how many received files that were."""
        ...

    def copies(self) -> Iterator[str]:
        """Films of which this machine keeps a copy to work on."""
        ...

    def drop_copies(self, film: str) -> None:
        """Remove this machine's copies of a film that is gone."""
        ...

    def free_bytes(self) -> int:
        """Bytes that can still be written; UNBOUNDED where nobody can tell."""
        ...

    def check(self) -> None:
        """Raise OSError when files cannot be written."""
        ...
