"""Looking whether rows and files agree, while the site is running.

Rows are read before and after the disk; only what both readings say is a finding. No transaction is
open while files are read, and what is in memory is bounded by a few films.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum, auto
from itertools import islice

from sqlalchemy import select

from app.database import db
from app.storage import StorageAway, storage
from app.tasks.inventory import Inventory, Part, Promise, take
from app.videos.models import Video
from app.videos.names import ORIGINAL
from app.videos.uploads import resumable

ORPHAN_SECONDS = 3600
"""Files younger than this may belong to a row that is just being written."""

LEFTOVER_SECONDS = 24 * 3600
"""A form takes a day at most, and what comes in pieces has a row that says how long; nothing stays
in the trash longer than its emptying takes."""

SETTLE_SECONDS = 1.0
"""Pause before the second reading: requests that were under way have committed by then."""

FILMS = 20
"""Films between two readings."""

NAMES = 200
"""Folders that are looked up with one statement."""


class Kind(StrEnum):
    """How rows and files differ."""

    ORPHAN = auto()
    MISSING = auto()
    CHANGED = auto()


class Action(StrEnum):
    """What mending would do, what it did, or that nothing can be done.

    `remake` becomes `reopened`: the workers make the file again (of a failed film, once somebody
    tries it again). `forget` becomes `forgotten`: captions that an owner added are struck off.
    """

    REMOVE = auto()
    REMAKE = auto()
    FORGET = auto()
    REMOVED = auto()
    REOPENED = auto()
    FORGOTTEN = auto()
    UNMENDABLE = auto()


MENDED = {Action.REMOVED, Action.REOPENED, Action.FORGOTTEN}


@dataclass(slots=True)
class Checked:
    """How much was looked at: films and folders of films, their files, and the bytes read."""

    films: int = 0
    files: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference. `film` is a folder, `name` a file or folder in it, empty for itself.

    `film` is empty for what lies outside of films, `video_id` None where no row owns the film.
    `promise` is what the row said; `modified` belongs to the file that was looked at.
    """

    kind: Kind
    video_id: int | None
    film: str
    title: str
    name: str
    action: Action
    promise: Promise | None = None
    modified: float = 0.0


def examine(checked: Checked) -> Iterator[list[Finding]]:
    """Everything that is found, film by film; counts in `checked` as it goes.

    Between two lists no transaction is open.
    """
    for suspects in _look_at_films(checked):
        for video_id, found in suspects:
            after = take(video_id)
            db.session.rollback()
            if confirmed := [] if after is None else still_true(found, after):
                yield confirmed
    for film in unowned_films(ORPHAN_SECONDS):
        checked.films += 1
        checked.files += sum(not entry.is_folder for entry in storage().entries(film))
        time.sleep(SETTLE_SECONDS)
        if is_unowned(film):
            yield [Finding(Kind.ORPHAN, None, film, "", "", Action.REMOVE)]
    if leftovers := set(storage().leftovers(LEFTOVER_SECONDS, resumable.names())):
        time.sleep(SETTLE_SECONDS)
        if still := leftovers & set(storage().leftovers(LEFTOVER_SECONDS, resumable.names())):
            yield [
                Finding(Kind.ORPHAN, None, "", "", name, Action.REMOVE) for name in sorted(still)
            ]


def still_true(found: list[Finding], after: Inventory) -> list[Finding]:
    """Those findings of a film that a later inventory and another look at their names bear out.

    Their actions are what that inventory allows.
    """
    sound = _has_sound_original(after)
    return [
        replace(finding, action=_action(finding, sound))
        for finding in found
        if _holds(finding, after)
    ]


def unowned_films(older_than: float) -> Iterator[str]:
    """Folders of films that no row owns, older than so many seconds. Leaves no transaction open."""
    yield from (film for film in unowned(storage().films()) if _age(film) > older_than)


def unowned(films: Iterator[str]) -> Iterator[str]:
    """Those of which no row knows. Leaves no transaction open."""
    while names := list(islice(films, NAMES)):
        owned = set(db.session.scalars(select(Video.film).where(Video.film.in_(names))))
        db.session.rollback()
        yield from (film for film in names if film not in owned)


def is_unowned(film: str) -> bool:
    """Whether the folder is there, and no row owns it. Leaves no transaction open."""
    row = db.session.scalar(select(Video.id).where(Video.film == film))
    db.session.rollback()
    return row is None and storage().entry(film, "") is not None


def _look_at_films(checked: Checked) -> Iterator[list[tuple[int, list[Finding]]]]:
    """What a first look at a few films says, by film; the second reading may follow at once."""
    last = 0
    while video_ids := _films_after(last):
        suspects = []
        for video_id in video_ids:
            before = take(video_id)
            db.session.rollback()
            if before is not None and (found := _look(before, checked)):
                suspects.append((video_id, found))
        if suspects:
            time.sleep(SETTLE_SECONDS)
            yield suspects
        last = video_ids[-1]


def _films_after(last: int) -> list[int]:
    wanted = select(Video.id).where(Video.id > last).order_by(Video.id).limit(FILMS)
    found = list(db.session.scalars(wanted))
    db.session.rollback()
    return found


def _look(before: Inventory, checked: Checked) -> list[Finding]:
    """Compare the film's files with its rows as they were."""
    checked.films += 1
    found, seen = [], set()
    unowned: dict[str, float] = {}
    owed = before.owed
    for entry in storage().entries(before.film):
        checked.files += not entry.is_folder
        seen.add(entry.name)
        if (name := before.unowned(entry)) is not None:
            unowned[name] = max(entry.modified, unowned.get(name, 0.0))
        promise = owed.get(entry.name)
        if promise is not None and not _is_whole(before, entry.name, entry.bytes, promise, checked):
            found.append(_finding(Kind.CHANGED, before, entry.name, promise, entry.modified))
    missing = [name for name in owed if name not in seen]
    if not seen:  # the film's folder itself: say so once
        missing = [name for name in missing if name == ORIGINAL]
    found += [_finding(Kind.MISSING, before, name, owed[name]) for name in missing]
    limit = time.time() - ORPHAN_SECONDS
    found += [
        _finding(Kind.ORPHAN, before, name, modified=modified)
        for name, modified in unowned.items()
        if modified < limit
    ]
    return found


def _is_whole(before: Inventory, name: str, size: int, promise: Promise, checked: Checked) -> bool:
    """Whether bytes and hash are those of the row, as far as it has any. A vanished file is."""
    if promise.bytes is not None and promise.bytes != size:
        return False
    if promise.sha256 is None:
        return True
    digest = hashlib.sha256()
    try:
        for block in storage().blocks(before.film, name):
            digest.update(block)
    except FileNotFoundError:
        return True
    except StorageAway:
        raise
    except OSError:
        return False  # the disk cannot give it back
    checked.bytes += size
    return digest.hexdigest() == promise.sha256


def _finding(
    kind: Kind,
    of: Inventory,
    name: str,
    promise: Promise | None = None,
    modified: float = 0.0,
) -> Finding:
    return Finding(kind, of.video_id, of.film, of.title, name, Action.UNMENDABLE, promise, modified)


def _holds(finding: Finding, after: Inventory) -> bool:
    entry = storage().entry(after.film, finding.name)
    if finding.kind is Kind.ORPHAN:
        if entry is None or after.unowned(entry) is None:
            return False
        return entry.is_folder or entry.modified == finding.modified
    if after.owed.get(finding.name) != finding.promise:
        return False
    if finding.kind is Kind.MISSING:
        return entry is None
    return entry is None or entry.modified == finding.modified


def _action(finding: Finding, sound: bool) -> Action:
    if finding.kind is Kind.ORPHAN:
        return Action.REMOVE
    if not sound or finding.promise is None or finding.promise.part is Part.ORIGINAL:
        return Action.UNMENDABLE
    return Action.FORGET if finding.promise.part is Part.ADDED_TEXT else Action.REMAKE


def _has_sound_original(of: Inventory) -> bool:
    """Whether the film can be converted again: its file is there, with the bytes it came with."""
    entry = storage().entry(of.film, ORIGINAL)
    promise = of.promised.get(ORIGINAL)
    if entry is None or promise is None:
        return entry is not None
    return promise.bytes == entry.bytes


def _age(film: str) -> float:
    """Seconds since something was put into the film's folder; 0 where it is gone."""
    entry = storage().entry(film, "")
    return 0.0 if entry is None else time.time() - entry.modified
