"""Looking for films in files and folders of this machine. Nothing is changed, and nothing followed:
a link in a folder is left alone, since what it leads to is found where it lies, or lies elsewhere.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.media.sniff import SNIFF_BYTES, looks_like_film
from app.storage import open_source
from app.videos.imports.sidecars import Sidecars, sidecars_of

_UNFINISHED: Final = (".part", ".crdownload", ".partial", ".!qb", ".!ut", ".aria2", ".tmp")
_FOREIGN: Final = frozenset(
    {"@eadir", "#recycle", "$recycle.bin", "lost+found", "system volume information"}
)
_SAMPLES: Final = frozenset({"sample", "samples"})
_SAMPLE_FILES: Final = ("-sample", ".sample")


@dataclass(frozen=True, slots=True)
class Found:
    """A film's file: size in bytes, and when it was last changed, in nanoseconds since 1970."""

    path: Path
    size: int
    changed: int
    sidecars: Sidecars

    @property
    def source(self) -> str:
        """By what the file is known again: a hash of its path, size and time of change.

        Reading terabytes to know them by their bytes would take longer than copying them.
        """
        facts = b"%d|%d|%b" % (self.size, self.changed, os.fsencode(self.path))
        return hashlib.sha256(facts).hexdigest()

    def is_unchanged(self) -> bool:
        """Whether the file is still the one that was found."""
        now = self.path.lstat()
        return (now.st_size, now.st_mtime_ns) == (self.size, self.changed)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder that is no film, and why it was left out. `named` was asked for by name."""

    path: Path
    why: str
    named: bool = False


def look(paths: Iterable[Path], without: Path) -> Iterator[Found | Skipped]:
    """The films among these files and below these folders, each once, in the order of their names.

    The folder `without` is left out: the site's own films lie there.
    """
    without = without.resolve()
    seen: set[Path] = set()
    for path in paths:
        real = path.resolve()
        found = _look_into(real, without) if real.is_dir() else [_look_at(real)]
        for one in found:
            if one.path not in seen:
                seen.add(one.path)
                yield one


def _look_at(path: Path) -> Found | Skipped:
    """A file that was named: whatever it is called, its bytes count."""
    found = _sniffed(path)
    if isinstance(found, str):
        return Skipped(path, found, named=True)
    try:
        others = [other for other in path.parent.iterdir() if other != path]
    except OSError:
        others = []
    beside = sidecars_of([path], others, alone=False)
    return Found(path, found.st_size, found.st_mtime_ns, beside[path])


def _look_into(top: Path, without: Path) -> Iterator[Found | Skipped]:
    """A folder, then those in it, however deep."""
    waiting = [top]
    while waiting:
        folders: list[Path] = []
        yield from _look_through(waiting.pop(), without, folders)
        waiting += reversed(folders)


def _look_through(folder: Path, without: Path, folders: list[Path]) -> Iterator[Found | Skipped]:
    """A folder alone; those in it are added to `folders`."""
    if folder == without:
        yield Skipped(folder, "The site keeps its own files here.")
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield Skipped(folder, f"It cannot be opened: {error.strerror}.")
        return
    names = {entry.name for entry in entries}
    films: dict[Path, os.stat_result] = {}
    others: dict[Path, str] = {}
    for entry in entries:
        path = Path(entry.path)
        if why := _reason(entry, names):
            yield Skipped(path, why)
        elif entry.is_dir(follow_symlinks=False):
            folders.append(path)
        elif isinstance(found := _sniffed(path), str):
            others[path] = found
        else:
            films[path] = found
    beside = sidecars_of(list(films), list(others), alone=len(films) == 1)
    used = {path for sidecars in beside.values() for path in sidecars.paths}
    yield from (Skipped(path, why) for path, why in others.items() if path not in used)
    for path, facts in films.items():
        yield Found(path, facts.st_size, facts.st_mtime_ns, beside[path])


def _reason(entry: os.DirEntry[str], names: set[str]) -> str:
    """Why this entry is not even opened; empty where it is."""
    name = entry.name.casefold()
    stem = os.path.splitext(name)[0]
    if entry.is_symlink():
        return "It is a link. Name what it leads to."
    if name.startswith("."):
        return "It is hidden."
    if entry.is_dir(follow_symlinks=False):
        if name in _FOREIGN:
            return "It belongs to another program."
        return "It holds samples." if name in _SAMPLES else ""
    if name.endswith(_UNFINISHED) or any(entry.name + end in names for end in (".part", ".aria2")):
        return "It is not complete yet."
    return "It is a sample." if stem.endswith(_SAMPLE_FILES) else ""


def _sniffed(path: Path) -> os.stat_result | str:
    """The facts of a film's file, or why it is none."""
    try:
        with open_source(path) as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                return "It is not a file."
            head = file.read(SNIFF_BYTES)
    except OSError as error:
        return f"It cannot be opened: {error.strerror}."
    if not head:
        return "It is empty."
    return facts if looks_like_film(head) else "It is not a film that we can read."
