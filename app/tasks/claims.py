"""Claims: who works on a task, for how long, and whose result counts.

A claim is one conditional UPDATE. It raises the task's fence; every later statement of that attempt
says `WHERE fence = mine`, so an attempt that lost its lease can change nothing any more. Times are
seconds of the database's clock.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from flask import current_app
from sqlalchemy import Update, case, or_, select, update

from app.database import db, epoch_now, update_rows
from app.videos.models import WHOLE, Status, Task, TaskState, Video
from app.videos.work import stop_tasks

BACKOFF_SECONDS = (0, 5, 20, 60)
"""Pause after no, one, two, … failed attempts; a first death of a worker counts as none."""


class LostClaim(Exception):
    """The task was deleted, cancelled, or given to another worker."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt at one task. `film` names its files, `attempt` its own scratch folder.

    The film's file has `size` bytes, of which `received` were there at the time of the claim, or
    all where that is None, and the task `needs` so many of the first: 0 if nobody knows, WHOLE for
    all. `grid_id` is the grid whose cells the task fills, None where it does
    something for the film. `request_id` is the request that asked for the work. `began` is this
    process's monotonic clock: a claim and its work are one process's.
    """

    task_id: int
    kind: str
    video_id: int
    film: str
    fence: int
    attempts: int
    grid_id: int | None = None
    size: int = 0
    received: int | None = None
    needs: int = 0
    request_id: str | None = None
    began: float = field(default_factory=time.monotonic)

    @property
    def attempt(self) -> str:
        """A name no other attempt has."""
        return f"{self.task_id}-{self.fence}"

    @property
    def sees_part(self) -> bool:
        """Whether only a part of the film's file is asked for: what fails may go well with all."""
        return self.received is not None or 0 < self.needs < WHOLE


def claim(task_id: int, worker: str) -> Claim | None:
    """Take the task, or return None if it is done, gone, too early, or another's. Commits."""
    lease = current_app.config["LEASE_SECONDS"]
    moment = epoch_now()
    received = (
        select(Video.received).where(Video.id == Task.video_id).correlate(Task).scalar_subquery()
    )
    taken = update_rows(
        update(Task)
        .where(
            Task.id == task_id,
            Task.state == TaskState.WAITING,
            Task.lease_until < moment,
            Task.not_before <= moment,
            or_(received.is_(None), Task.needs <= received),
        )
        .values(
            fence=Task.fence + 1,
            attempts=Task.attempts + 1,
            lease_until=moment + lease,
            queued_until=0.0,
            worker=worker,
        )
    )
    if not taken:
        db.session.rollback()
        return None
    row = db.session.execute(
        db.select(
            Task.id,
            Task.kind,
            Task.video_id,
            Video.film,
            Task.fence,
            Task.attempts,
            Task.grid_id,
            Video.size,
            Video.received,
            Task.needs,
            Task.request_id,
        )
        .join(Video, Video.id == Task.video_id)
        .where(Task.id == task_id)
    ).one()
    db.session.commit()
    return Claim(*row)


def renew(mine: Claim) -> None:
    """Prolong the lease. Raises LostClaim. Commits."""
    lease = current_app.config["LEASE_SECONDS"]
    kept = update_rows(_still_mine(mine).values(lease_until=epoch_now() + lease))
    db.session.commit()
    if not kept:
        raise LostClaim


def hold(mine: Claim) -> None:
    """Lock the task's row until the commit, so that nobody can claim it meanwhile.

    Raises LostClaim.
    """
    if not update_rows(_still_mine(mine).values(lease_until=Task.lease_until)):
        raise LostClaim


def finish(mine: Claim) -> None:
    """Mark the task as done and how long it took, in the current transaction. Raises LostClaim."""
    seconds = time.monotonic() - mine.began
    done = _still_mine(mine).values(state=TaskState.DONE, lease_until=0.0, seconds=seconds)
    if not update_rows(done):
        raise LostClaim


def try_again(mine: Claim, log: str) -> None:
    """Give the task back for a later attempt, in the current transaction."""
    pause = BACKOFF_SECONDS[min(mine.attempts, len(BACKOFF_SECONDS) - 1)]
    update_rows(
        _still_mine(mine).values(lease_until=0.0, not_before=epoch_now() + pause, log=log or None)
    )


def wait_for_rest(mine: Claim) -> None:
    """Give the task back for when it has the film's whole file, in the current transaction.

    The attempt does not count.
    """
    update_rows(_still_mine(mine).values(lease_until=0.0, needs=WHOLE, attempts=Task.attempts - 1))


def postpone(mine: Claim, seconds: float) -> None:
    """Give the task back for an attempt so much later; this one does not count. Commits.

    Does nothing where the claim is lost.
    """
    update_rows(
        _still_mine(mine).values(
            lease_until=0.0, not_before=epoch_now() + seconds, attempts=Task.attempts - 1
        )
    )
    db.session.commit()


def give_up(mine: Claim, log: str) -> None:
    """Mark the task as failed, in the current transaction. Raises LostClaim."""
    failed = _still_mine(mine).values(state=TaskState.FAILED, lease_until=0.0, log=log or None)
    if not update_rows(failed):
        raise LostClaim


def release_worker(worker: str, *, counts: bool = True) -> int:
    """Free what a worker held that is known to be dead. Commits.

    After the first death the next attempt waits, so that a film that kills what works on it holds
    up no other. Where the film cannot be why the worker ended, the attempt does not count.
    """
    if not counts:
        values: dict[str, object] = {"attempts": Task.attempts - 1}
    else:
        pauses = [(Task.attempts <= n, pause) for n, pause in enumerate(BACKOFF_SECONDS, start=1)]
        values = {"not_before": epoch_now() + case(*pauses, else_=BACKOFF_SECONDS[-1])}
    freed = update_rows(
        update(Task)
        .where(Task.worker == worker, Task.state == TaskState.WAITING, Task.lease_until > 0)
        .values(lease_until=0.0, **values)
    )
    db.session.commit()
    return freed


def fail_video(video_id: int, *, code: str, stage: str, message: str, hint: str) -> None:
    """Say why the film cannot be converted and stop its other work, in the current transaction.

    It can no longer be watched: what is there of it may end anywhere. Call it, like all that
    changes a film as a whole, after `videos.locking.lock_tasks`.
    """
    update_rows(
        update(Video)
        .where(Video.id == video_id, Video.status == Status.PROCESSING)
        .values(
            status=Status.FAILED,
            playable=False,
            has_images=False,
            error_code=code,
            error_stage=stage,
            error_message=message,
            error_hint=hint,
        )
    )
    stop_tasks(video_id)


def _still_mine(mine: Claim) -> Update:
    return update(Task).where(
        Task.id == mine.task_id, Task.fence == mine.fence, Task.state == TaskState.WAITING
    )
