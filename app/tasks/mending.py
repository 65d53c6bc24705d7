"""Mending what the audit found: files that nobody owns go, files that are promised are made again.

A film is mended under the locks of its tasks, so nobody publishes meanwhile; every finding is
looked at once more under them. Of a film whose original is not sound, nothing is made again.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from redis.exceptions import RedisError
from sqlalchemy import delete, select, update

from app.database import db, update_rows, writing
from app.storage import storage
from app.tasks.audit import LEFTOVER_SECONDS, Action, Finding, is_unowned, still_true
from app.tasks.dispatch import dispatch
from app.tasks.inventory import Inventory, Part, Promise, take
from app.videos.locking import lock_tasks
from app.videos.models import Cell, Rendition, Status, Subtitle, Task, TaskKind, TaskState, Video
from app.videos.uploads import resumable
from app.videos.work import add_task

log = logging.getLogger(__name__)

REMAKERS = {
    Part.IMAGE: TaskKind.POSTER,
    Part.PREVIEW: TaskKind.STORYBOARD,
    Part.OWN_TEXT: TaskKind.TEXT,
}
"""The kind of task that makes a part that no cell holds."""


def mend(found: list[Finding]) -> list[Finding]:
    """Mend one list of `audit.examine`; those that still were true, with what was done. Commits.

    Raises OSError where the disk refuses; the rows then stay as they were.
    """
    first = found[0]
    if first.video_id is not None:
        return _mend_film(first.video_id, found)
    if not first.film:
        storage().sweep_incoming(LEFTOVER_SECONDS, resumable.names())
    elif is_unowned(first.film):
        storage().delete_film(first.film)
    else:
        return []
    return [replace(finding, action=Action.REMOVED) for finding in found]


def _mend_film(video_id: int, found: list[Finding]) -> list[Finding]:
    done: list[Finding] = []
    folders: list[Finding] = []
    with writing():
        now = _lock(video_id)
        if now is None:
            return []
        true = still_true(found, now)
        for finding in true:
            if finding.action is Action.REMOVE and _is_folder(finding):
                folders.append(finding)
            elif finding.action is Action.REMOVE:
                storage().delete(finding.film, finding.name)
        wanted = [finding for finding in true if finding.action is Action.REMAKE]
        promises = {f.name: f.promise for f in wanted if f.promise is not None}
        emptied = _empty_cells(now, promises)
        kinds = {REMAKERS[p.part] for p in promises.values() if p.part in REMAKERS}
        for kind in sorted(kinds - ({TaskKind.STORYBOARD} if emptied else set())):
            _do_again(now, kind)
        gone = [f.promise.row_id for f in true if f.action is Action.FORGET and f.promise]
        db.session.execute(delete(Subtitle).where(Subtitle.id.in_(gone)))
        done = [replace(finding, action=_DONE[finding.action]) for finding in true]
    for finding in folders:  # their names never come back, so this needs no lock
        storage().delete(finding.film, finding.name)
    if wanted:
        _announce()
    return done


_DONE = {
    Action.REMOVE: Action.REMOVED,
    Action.REMAKE: Action.REOPENED,
    Action.FORGET: Action.FORGOTTEN,
    Action.UNMENDABLE: Action.UNMENDABLE,
}


def _lock(video_id: int) -> Inventory | None:
    """Lock the film's tasks, then its row; what its rows say from then on."""
    lock_tasks(video_id)
    lock_tasks(video_id)  # also one that a viewer's wish took out of another meanwhile
    db.session.execute(
        select(Video.id).where(Video.id == video_id).with_for_update(key_share=True)
    ).all()
    return take(video_id)


def _is_folder(finding: Finding) -> bool:
    entry = storage().entry(finding.film, finding.name)
    return entry is not None and entry.is_folder


def _empty_cells(now: Inventory, broken: dict[str, Promise]) -> bool:
    """Empty the cells of these files, with all files they have, and let their tasks be done again.

    A broken init segment goes with its row's first cell; its hash stays, so that no other takes its
    place. Returns whether there was anything.
    """
    inits = {p.row_id for p in broken.values() if p.part is Part.INIT}
    cells = {p.row_id for p in broken.values() if p.part is Part.SEGMENT}
    cells |= set(
        db.session.scalars(select(Cell.id).where(Cell.rendition_id.in_(inits), Cell.chunk == 0))
    )
    if not cells:
        return False
    doomed = {Part.INIT: inits, Part.SEGMENT: cells}
    for name, promise in now.promised.items():  # before the commit: then others may publish again
        if promise.row_id in doomed.get(promise.part, ()):
            storage().delete(now.film, name)
    tasks = set(db.session.scalars(select(Cell.task_id).where(Cell.id.in_(cells))))
    update_rows(update(Rendition).where(Rendition.id.in_(inits)).values(init_bytes=None))
    update_rows(
        update(Cell).where(Cell.id.in_(cells)).values(filled_at=None, bytes=None, segments=None)
    )
    _reopen(now, tasks)
    # What shows the whole film is made when it is ready again.
    db.session.execute(
        delete(Task).where(Task.video_id == now.video_id, Task.kind == TaskKind.STORYBOARD)
    )
    update_rows(
        update(Video)
        .where(Video.id == now.video_id, Video.status == Status.READY)
        .values(status=Status.PROCESSING)
    )
    return True


def _do_again(now: Inventory, kind: TaskKind) -> None:
    """Reopen the film's last task of this kind, or add one."""
    last = db.session.scalar(
        select(Task.id)
        .where(Task.video_id == now.video_id, Task.kind == kind)
        .order_by(Task.id.desc())
        .limit(1)
    )
    if last is None:
        add_task(now.video_id, kind)
    else:
        _reopen(now, {last})


def _reopen(now: Inventory, tasks: set[int]) -> None:
    """Let tasks be done again, also one that is being done; a failed film's wait for a retry."""
    failed = now.status == Status.FAILED
    update_rows(
        update(Task)
        .where(Task.id.in_(tasks))
        .values(
            state=TaskState.FAILED if failed else TaskState.WAITING,
            fence=Task.fence + 1,
            attempts=0,
            lease_until=0.0,
            not_before=0.0,
            queued_until=0.0,
            wanted_at=None,
            worker=None,
            log=None,
        )
    )


def _announce() -> None:
    try:
        with writing():
            dispatch()
    except RedisError:
        log.warning("left to the reconciler", exc_info=True)
