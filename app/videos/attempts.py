"""What workers tried at a film: for administrators and operators alone.

A log names files and commands of the server. It appears in nothing that owners are answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, func, or_, select

from app.database import db, epoch_now
from app.videos.models import Task, TaskKind, TaskState

SHOWN = 50
"""Tasks told of each film, the newest; a film has thousands, and their logs fill a page."""

Attempts = dict[str, Any]
"""The attempts at a task as `schemas.AttemptsOut`."""


def log_of(video_id: int) -> list[Attempts]:
    """The tasks of a film that did not go well at once, with the tail of the last failed log."""
    return logs_of([video_id]).get(video_id, [])


def logs_of(video_ids: Sequence[int]) -> dict[int, list[Attempts]]:
    """Each film's `log_of`, in one statement."""
    if not video_ids:
        return {}
    gone_wrong = or_(
        Task.log.is_not(None),
        Task.attempts > 1,
        and_(Task.state == TaskState.FAILED, Task.attempts > 0),
    )
    turn = func.row_number().over(partition_by=Task.video_id, order_by=Task.id.desc())
    told = (
        select(Task.id, turn.label("turn"))
        .where(Task.video_id.in_(video_ids), gone_wrong)
        .subquery()
    )
    tasks = db.session.scalars(
        select(Task).join(told, told.c.id == Task.id).where(told.c.turn <= SHOWN).order_by(Task.id)
    )
    found: dict[int, list[Attempts]] = {}
    for task in tasks:
        found.setdefault(task.video_id, []).append(_describe(task))
    return found


def workers_of(video_ids: Sequence[int]) -> dict[int, list[str]]:
    """Who works at each film now, in one statement."""
    found: dict[int, list[str]] = {}
    if video_ids:
        rows = db.session.execute(
            select(Task.video_id, Task.worker)
            .where(
                Task.video_id.in_(video_ids),
                Task.state == TaskState.WAITING,
                Task.lease_until >= epoch_now(),
            )
            .order_by(Task.worker)
        )
        for video_id, worker in rows:
            found.setdefault(video_id, []).append(worker or "")
    return found


def _describe(task: Task) -> Attempts:
    return {
        "task": task.id,
        "kind": task.kind,
        "chunk": task.position if task.kind == TaskKind.CHUNK else None,
        "attempts": task.attempts,
        "state": task.state,
        "worker": task.worker,
        "log": task.log,
    }
