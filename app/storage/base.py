"""The contract of a storage: what the application and the workers may ask of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class FilmGone(Exception):
    """The film was deleted while somebody still worked on it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder of a film, as it was found. `modified` is in epoch seconds."""

    name: str
    is_folder: bool
    bytes: int
    modified: float


class Incoming(Protocol):
    """A file that is being received. It belongs to no film until `keep` is called."""

    def write(self, data: bytes) -> int:
        """Append bytes; raises OSError when the disk is full."""
        ...

    def keep(self, film: str) -> None:
        """Make these bytes, safely on the disk, the original of a new film."""
        ...

    def discard(self) -> None:
        """Remove the bytes; does nothing after `keep`."""
        ...


class Storage(Protocol):
    """Files of films, by film (a generated name) and name within the film."""

    def receive(self) -> Incoming:
        """A place for a file that is coming in."""
        ...

    def adopt(self, source: Path, film: str) -> None:
        """Copy a file of this machine in as the original of a new film."""
        ...

    def path(self, film: str, name: str) -> Path:
        """A local path where the file can be read; it need not exist."""
        ...

    def scratch(self, film: str, attempt: str) -> Path:
        """An attempt's own empty folder. Raises FilmGone."""
        ...

    def publish(self, film: str, files: Iterable[tuple[Path, str]]) -> None:
        """Move finished files from a scratch folder to their names, each atomically.

        Raises FilmGone; the files must be fsynced already.
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

    def leftovers(self, older_than: float) -> Iterator[str]:
        """Received files that nobody kept and deleted ones, older than so many seconds."""
        ...

    def sweep_incoming(self, older_than: float) -> int:
        """Remove received files that nobody kept, older than so many seconds; returns how many."""
        ...

    def free_bytes(self) -> int:
        """Bytes that can still be written."""
        ...

    def check(self) -> None:
        """Raise OSError when files cannot be written."""
        ...
