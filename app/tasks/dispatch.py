"""The dispatcher: keeps RQ's queue short and decides late, from the table, what comes next.

Order: what a viewer is waiting for; then fairness between owners; then the tier (first picture
before lowest rung before the rest), the older film, the position in the film.
"""

from __future__ import annotations

from flask import current_app
from rq import Worker
from sqlalchemy import func, or_, select, update

from app.database import db, epoch_now, update_rows
from app.tasks.queue import RUN_TASK, VIDEOS, enqueue, queue, waiting
from app.videos.models import Task, TaskState, Video

JOBS_PER_WORKER = 2
"""Announced jobs per worker: one in hand and one to go on with, so no seek waits behind many."""

QUEUED_SECONDS = 30.0
"""After this long an announced task that nobody claimed may be announced again."""


def dispatch() -> int:
    """Announce as many tasks as the queue has room for; returns how many. Commits.

    Raises redis.RedisError when Redis is away; the rows are untouched then.
    """
    workers = max(1, Worker.count(queue=queue(VIDEOS)))
    room = workers * JOBS_PER_WORKER - waiting(VIDEOS)
    if room <= 0:
        return 0
    chosen = _choose(room)
    for task_id, fence, wanted in chosen:
        # The attempt's fence is part of the id: RQ never has two jobs of one name.
        enqueue(VIDEOS, RUN_TASK, task_id, job_id=f"task-{task_id}-{fence + 1}", at_front=wanted)
    return len(chosen)


def _choose(room: int) -> list[tuple[int, int, bool]]:
    """Pick and mark the next tasks: (id, fence so far, whether a viewer waits)."""
    moment = epoch_now()
    busy = (
        select(Video.owner_id, func.count().label("busy"))
        .join(Task, Task.video_id == Video.id)
        .where(
            Task.state == TaskState.WAITING,
            or_(Task.lease_until >= moment, Task.queued_until >= moment),
        )
        .group_by(Video.owner_id)
        .subquery()
    )
    within_film = (Task.tier, Task.video_id, Task.position)
    turn = func.row_number().over(partition_by=Video.owner_id, order_by=within_film)
    open_tasks = (
        select(
            Task.id,
            Task.fence,
            Task.wanted_at,
            Task.tier,
            Task.video_id,
            Task.position,
            (turn + func.coalesce(busy.c.busy, 0)).label("turn"),
        )
        .join(Video, Video.id == Task.video_id)
        .outerjoin(busy, busy.c.owner_id == Video.owner_id)
        .where(
            Task.state == TaskState.WAITING,
            Task.lease_until < moment,
            Task.queued_until < moment,
            Task.not_before <= moment,
            or_(Video.received.is_(None), Task.needs <= Video.received),
        )
        .subquery()
    )
    first = (
        select(open_tasks.c.id, open_tasks.c.fence, open_tasks.c.wanted_at)
        .order_by(
            open_tasks.c.wanted_at.is_(None),
            open_tasks.c.wanted_at,
            open_tasks.c.turn,
            open_tasks.c.tier,
            open_tasks.c.video_id,
            open_tasks.c.position,
        )
        .limit(room)
    )
    found = db.session.execute(first).all()
    if found:
        update_rows(
            update(Task)
            .where(Task.id.in_([row.id for row in found]))
            .values(queued_until=epoch_now() + QUEUED_SECONDS)
        )
    db.session.commit()
    current_app.logger.debug("dispatched %d tasks", len(found))
    return [(row.id, row.fence, row.wanted_at is not None) for row in found]
