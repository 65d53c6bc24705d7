"""The dispatcher: keeps RQ's queues short and decides late, from the table, what comes next.

Order: what a viewer is waiting for; then fairness between owners; then the tier (first picture
before lowest rung before the rest), the older film, the position in the film.
"""

from __future__ import annotations

from flask import current_app
from rq import Worker
from sqlalchemy import and_, func, or_, select, update

from app.database import db, epoch_now, update_rows
from app.tasks.layout import FIRST
from app.tasks.queue import QUEUED_SECONDS, RUN_TASK, SOON, VIDEOS, enqueue, queue, waiting
from app.videos.models import Task, TaskKind, TaskState, Video

JOBS_PER_WORKER = 2
"""Announced jobs per worker: one in hand and one to go on with, so no seek waits behind many."""


def dispatch() -> int:
    """Announce as many tasks as the queues have room for; returns how many. Commits.

    Raises redis.RedisError when Redis is away; the rows are untouched then.
    """
    return _announce(SOON, urgent=True) + _announce(VIDEOS, urgent=False)


def _announce(name: str, *, urgent: bool) -> int:
    workers = max(1, Worker.count(queue=queue(name)))
    room = workers * JOBS_PER_WORKER - waiting(name)
    if room <= 0:
        return 0
    chosen = _choose(room, urgent=urgent)
    for task_id, fence in chosen:
        # The attempt's fence is part of the id: RQ never has two jobs of one name.
        enqueue(name, RUN_TASK, task_id, job_id=f"task-{task_id}-{fence + 1}")
    return len(chosen)


def _choose(room: int, *, urgent: bool) -> list[tuple[int, int]]:
    """Pick and mark the next tasks: (id, fence so far).

    Urgent is what a viewer waits for, the plan of a film, and its first picture.
    """
    waited_for = or_(
        and_(Task.wanted_at.is_not(None), Task.kind != TaskKind.ROW),
        Task.kind == TaskKind.PLAN,
        and_(Task.kind == TaskKind.CHUNK, Task.tier <= FIRST),
    )
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
            waited_for if urgent else ~waited_for,
        )
        .subquery()
    )
    first = (
        select(open_tasks.c.id, open_tasks.c.fence)
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
    return [(row.id, row.fence) for row in found]
