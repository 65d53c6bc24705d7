"""Moving films from one place to the other, one by one, while they can be watched.

Each file is copied and read back, and both must have the SHA-256 that a row says, if one does. Then
the film's row is switched, under the locks of its tasks, and the old files go a little later: when
no process can still look for them there, and no address that was given for them works. Whoever is
stopped leaves a film that is whole where its row says; the next run goes on, and what was left in
the other place is swept after a day.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum, auto

from sqlalchemy import ColumnElement, exists, func, select, update

from app.database import db, update_rows, writing
from app.storage import Storage, forms
from app.tasks.inventory import take
from app.videos.locking import lock_tasks
from app.videos.models import Grid, GridRole, Status, Task, TaskState, Video
from app.videos.names import ORIGINAL

GRACE_SECONDS = 75.0
"""Longer than a process remembers where a film is, and than a signed address works."""

ATTEMPTS = "attempts/"

Told = Callable[[int], None]


class Fate(StrEnum):
    """What became of a film; `busy` is one that comes in or is converted, for a later run."""

    MOVED = auto()
    BUSY = auto()
    CHANGED = auto()
    GONE = auto()


@dataclass(frozen=True, slots=True)
class Moved:
    """A line of the report; `why` says what is wrong with a film that was not moved."""

    video_id: int
    film: str
    title: str
    fate: Fate
    bytes: int = 0
    why: str = ""


class Differs(Exception):
    """A file has other bytes than it should; the text says which."""


def left_to_move(target: str) -> tuple[int, int]:
    """How many films are elsewhere, and about how many bytes. Leaves no transaction open."""
    count, size = db.session.execute(
        select(func.count(Video.id), func.coalesce(func.sum(Video.size), 0)).where(
            Video.storage != target
        )
    ).one()
    db.session.rollback()
    return int(count), int(size)


def move(target: str, told: Told) -> Iterator[Moved]:
    """Move every film that is elsewhere to this place. Commits; raises OSError, StorageAway.

    `told` hears of each number of bytes of originals that were dealt with.
    """
    places = forms()
    last = 0
    switched: list[tuple[float, str, Storage]] = []
    try:
        while (found := _next_film(target, last)) is not None:
            last, film, title, place, size = found
            source = places[place]
            line = _move_film(last, film, title, source, places[target], told)
            if line.fate is not Fate.MOVED:
                told(size)
            else:
                switched.append((time.monotonic(), film, source))
            yield line
            switched = _forget_old(switched)
        while switched:
            time.sleep(max(0.0, switched[0][0] + GRACE_SECONDS - time.monotonic()))
            switched = _forget_old(switched)
    finally:
        db.session.rollback()


def forget_misplaced(target: str) -> int:
    """Remove what an earlier run that was stopped left of films that are at `target` now."""
    count = 0
    for place, form in forms().items():
        if place == target:
            continue
        for film in list(form.films()):
            there = db.session.scalar(
                select(Video.id).where(Video.film == film, Video.storage == target)
            )
            db.session.rollback()
            if there is not None:
                form.delete_film(film)
                count += 1
    return count


def _next_film(target: str, after: int) -> tuple[int, str, str, str, int] | None:
    row = db.session.execute(
        select(Video.id, Video.film, Video.title, Video.storage, Video.size)
        .where(Video.storage != target, Video.id > after)
        .order_by(Video.id)
        .limit(1)
    ).one_or_none()
    db.session.rollback()
    return None if row is None else (row.id, row.film, row.title, row.storage, row.size)


def _move_film(
    video_id: int, film: str, title: str, source: Storage, target: Storage, told: Told
) -> Moved:
    if not db.session.scalar(select(Video.id).where(Video.id == video_id, *_idle())):
        db.session.rollback()
        return Moved(video_id, film, title, Fate.BUSY, why="It comes in, or is being converted.")
    said = take(video_id)
    db.session.rollback()
    hashes = {name: p.sha256 for name, p in said.promised.items()} if said else {}
    copied: dict[str, tuple[int, float]] = {}
    try:
        for entry in list(source.entries(film)):
            if not entry.is_folder and not entry.name.startswith(ATTEMPTS):
                _copy(source, target, film, entry.name, hashes.get(entry.name), told)
                copied[entry.name] = (entry.bytes, entry.modified)
    except Differs as error:
        target.delete_film(film)
        return Moved(video_id, film, title, Fate.CHANGED, why=str(error))
    except FileNotFoundError:
        copied = {}  # it is being changed, or deleted
    with writing():
        lock_tasks(video_id)
        idle = db.session.scalar(
            select(Video.id).where(Video.id == video_id, *_idle()).with_for_update(key_share=True)
        )
        if idle is not None and copied and _files_of(source, film) == copied:
            update_rows(update(Video).where(Video.id == video_id).values(storage=target.place))
            size = sum(size for size, _ in copied.values())
            return Moved(video_id, film, title, Fate.MOVED, size)
    if idle is not None:
        return Moved(video_id, film, title, Fate.BUSY, why="Its files were changed meanwhile.")
    if db.session.scalar(select(Video.id).where(Video.id == video_id)) is None:
        db.session.rollback()
        target.delete_film(film)
        return Moved(video_id, film, title, Fate.GONE, why="It was deleted meanwhile.")
    db.session.rollback()
    return Moved(video_id, film, title, Fate.BUSY, why="It comes in, or is being converted.")


def _copy(
    source: Storage, target: Storage, film: str, name: str, wanted: str | None, told: Told
) -> None:
    """Copy a file and read it back, unless the same bytes are there. Raises Differs."""
    told = told if name == ORIGINAL else _ignore
    there, here = target.entry(film, name), source.entry(film, name)
    if there is not None and here is not None and there.bytes == here.bytes:
        mine = _digest(source.blocks(film, name))
        if mine == _digest(target.blocks(film, name)) and wanted in {None, mine}:
            told(here.bytes)
            return
    digest = hashlib.sha256()

    def passing() -> Iterator[bytes]:
        for block in source.blocks(film, name):
            digest.update(block)
            told(len(block))
            yield block

    target.write_blocks(film, name, passing())
    if wanted not in {None, digest.hexdigest()}:
        raise Differs(f"{name} has changed; run `storage audit`.")
    if _digest(target.blocks(film, name)) != digest.hexdigest():
        raise Differs(f"{name} came out with other bytes.")


def _ignore(_count: int) -> None:
    pass


def _digest(blocks: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def _files_of(form: Storage, film: str) -> dict[str, tuple[int, float]]:
    return {
        entry.name: (entry.bytes, entry.modified)
        for entry in form.entries(film)
        if not entry.is_folder and not entry.name.startswith(ATTEMPTS)
    }


def _idle() -> tuple[ColumnElement[bool], ...]:
    """That nobody adds files to the film, now or soon."""
    return (
        Video.received.is_(None),
        Video.status != Status.PROCESSING,
        ~exists().where(Task.video_id == Video.id, Task.state == TaskState.WAITING),
        ~exists().where(Grid.video_id == Video.id, Grid.role == GridRole.NEXT),
    )


def _forget_old(switched: list[tuple[float, str, Storage]]) -> list[tuple[float, str, Storage]]:
    """Remove the old files of films that were switched long enough ago; the others."""
    limit = time.monotonic() - GRACE_SECONDS
    for since, film, source in switched:
        if since <= limit:
            source.delete_film(film)
    return [one for one in switched if one[0] > limit]
