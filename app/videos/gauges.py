"""What `/metrics` tells of films and work, from the database, Redis and the disk at that moment.

As many statements whatever there is, and none that looks at every cell. Labels are states, kinds
and codes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from statistics import quantiles

from flask import Flask, current_app
from prometheus_client.core import GaugeMetricFamily, Metric
from rq import Worker
from sqlalchemy import case, func, or_, select

from app.database import db, epoch_now, now
from app.metrics import add_source
from app.storage import UNBOUNDED, storage
from app.tasks.queue import QUEUES, queue
from app.videos.forecast import recent_chunks
from app.videos.models import (
    Cell,
    Grid,
    Rendition,
    Status,
    Task,
    TaskKind,
    TaskState,
    Upload,
    Video,
)
from app.videos.uploads.room import is_live

NEWEST = 100
"""Films that became playable last: they tell how long that takes."""

MEGA = 1e6
"""`Task.work` is in millions of pixels."""


def init_gauges(app: Flask) -> None:
    """Let `/metrics` tell all of this."""
    add_source(app, "films", films)
    add_source(app, "work", work)
    add_source(app, "queues", queues)
    add_source(app, "storage", space)


def films() -> Iterator[Metric]:
    """Films by status, failures by code, waiting times, uploads: four statements."""
    count = _family("films", "Films, by status.", "status")
    failed = _family("films_failed", "Films that could not be converted, by error code.", "code")
    found = db.session.execute(
        select(Video.status, Video.error_code, func.count(), func.sum(Video.size))
        .group_by(Video.status, Video.error_code)
        .order_by(Video.status)
    ).all()
    for status in Status:
        count.add_metric([status], sum(row[2] for row in found if row[0] == status))
    for state, code, number, _size in found:
        if state == Status.FAILED:
            failed.add_metric([code or "unknown"], number)
    yield from (count, failed)
    yield _single("films_bytes", "Bytes of all films as they came.", sum(row[3] for row in found))
    yield _single(
        "oldest_unplayable_seconds",
        "Seconds for which the film that waits longest for its first picture has been here.",
        oldest_unplayable(),
    )
    yield from _time_to_playable()
    coming = db.session.execute(
        select(func.count(), func.sum(Upload.length - Upload.received)).where(is_live())
    ).one()
    yield _single("uploads", "Uploads that have not ended.", coming[0])
    yield _single("uploads_expected_bytes", "Bytes that they still promise.", coming[1] or 0)


def work() -> Iterator[Metric]:
    """Tasks, cells and seconds of work waiting, and the speed of encoding: four statements."""
    waiting = _family("tasks_waiting", "Tasks that are to be done, by kind.", "kind")
    running = _family("tasks_running", "Tasks somebody works on, by kind.", "kind")
    rows = db.session.execute(
        select(
            Task.kind,
            func.sum(case((Task.lease_until < epoch_now(), 1), else_=0)),
            func.sum(case((Task.lease_until >= epoch_now(), 1), else_=0)),
            func.sum(Task.work),
            epoch_now() - func.min(Task.wanted_at),
        )
        .where(Task.state == TaskState.WAITING)
        .group_by(Task.kind)
    ).all()
    told = {kind: (idle, busy) for kind, idle, busy, _, _ in rows}
    for kind in TaskKind:
        idle, busy = told.get(kind, (0, 0))
        waiting.add_metric([kind], idle)
        running.add_metric([kind], busy)
    yield from (waiting, running)
    wanted = max((age for *_, age in rows if age is not None), default=0.0)
    yield _single(
        "oldest_wanted_seconds", "Seconds for which a viewer's cell has been waited for.", wanted
    )
    yield from _cells()
    yield from _speeds(sum(megapixels for _, _, _, megapixels, _ in rows))


def queues() -> Iterator[Metric]:
    """What Redis has to hand out, and to how many workers."""
    depth = _family("queue_jobs", "Jobs in Redis that no worker has taken, by queue.", "queue")
    age = _family(
        "queue_age_seconds", "Seconds since the next job was queued, by queue; 0: none.", "queue"
    )
    workers = _family("workers", "Workers that are alive, by queue.", "queue")
    for name in QUEUES:
        jobs = queue(name)
        depth.add_metric([name], jobs.count)
        first = next(iter(jobs.get_jobs(0, 1)), None)
        age.add_metric([name], _age(first.enqueued_at if first else None))
        workers.add_metric([name], len(Worker.all(queue=jobs)))
    yield from (depth, age, workers)


def space() -> Iterator[Metric]:
    """The disk under the films."""
    free = storage().free_bytes()
    if free < UNBOUNDED:  # a bucket does not say
        yield _single("storage_free_bytes", "Bytes free for films.", free)
    reserve = current_app.config["MIN_FREE_BYTES"]
    yield _single("storage_reserve_bytes", "Bytes that are left free (MIN_FREE_BYTES).", reserve)


def oldest_unplayable() -> float:
    """Seconds for which the film that has waited longest for its first picture has been here."""
    return _age(
        db.session.scalar(
            select(func.min(Video.created_at)).where(
                Video.status == Status.PROCESSING,
                Video.playable.is_(False),
                Video.received.is_(None),
            )
        )
    )


def _time_to_playable() -> Iterator[Metric]:
    taken = [
        (playable_at - created_at).total_seconds()
        for created_at, playable_at in db.session.execute(
            select(Video.created_at, Video.playable_at)
            .where(Video.playable_at.is_not(None))
            .order_by(Video.id.desc())
            .limit(NEWEST)
        )
        if playable_at is not None
    ]
    family = _family(
        "time_to_playable_seconds",
        f"Seconds from a film's arrival until it could be watched, of the newest {NEWEST}.",
        "quantile",
    )
    if taken:
        cuts = quantiles(taken, n=20, method="inclusive") if len(taken) > 1 else taken * 19
        family.add_metric(["0.5"], cuts[9])
        family.add_metric(["0.95"], cuts[18])
    yield family


def _cells() -> Iterator[Metric]:
    """A film that is being converted or ready has all the cells that its rows say, less these."""
    empty: dict[str, int] = dict.fromkeys(("video", "audio"), 0)
    for kind, number in db.session.execute(
        select(Rendition.kind, func.count())
        .join(Cell, Cell.rendition_id == Rendition.id)
        .join(Task, Task.id == Cell.task_id)
        .where(Task.state == TaskState.WAITING, Cell.filled_at.is_(None))
        .group_by(Rendition.kind)
    ):
        empty[kind] = number
    planned: dict[str, int] = dict(empty)
    size = 0
    for kind, number, total in db.session.execute(
        select(Rendition.kind, func.sum(Rendition.chunks), func.sum(Rendition.bytes))
        .join(Grid, Grid.id == Rendition.grid_id)
        .join(Video, Video.id == Grid.video_id)
        .where(or_(Video.status == Status.PROCESSING, Video.status == Status.READY))
        .group_by(Rendition.kind)
    ):
        planned[kind] = number
        size += total or 0
    waiting = _family("cells_waiting", "Cells that are to be filled, by kind.", "kind")
    filled = _family("cells_filled", "Cells that are filled, by kind.", "kind")
    for kind, number in empty.items():
        waiting.add_metric([kind], number)
        filled.add_metric([kind], planned[kind] - number)
    yield from (waiting, filled)
    yield _single("renditions_bytes", "Bytes of all rows that are full.", size)


def _speeds(megapixels: float) -> Iterator[Metric]:
    """The speed of the newest chunks, and what the waiting work means at it."""
    recent = recent_chunks().subquery()
    rung = (
        select(recent.c.work, recent.c.seconds, func.max(Rendition.height).label("lines"))
        .join(Cell, Cell.task_id == recent.c.id)
        .join(Rendition, Rendition.id == Cell.rendition_id)
        .group_by(recent.c.id, recent.c.work, recent.c.seconds)
        .subquery()
    )
    measured = db.session.execute(
        select(rung.c.lines, func.sum(rung.c.work), func.sum(rung.c.seconds))
        .where(rung.c.lines.is_not(None))
        .group_by(rung.c.lines)
        .order_by(rung.c.lines)
    ).all()
    speed = _family(
        "encode_pixels_per_second",
        "Encoded pixels a second and worker, lately, by the largest quality of a chunk.",
        "rung",
    )
    for lines, done, seconds in measured:
        speed.add_metric([f"{lines}p"], done * MEGA / seconds)
    yield speed
    yield _single("work_waiting_pixels", "Pixels that are to be encoded.", megapixels * MEGA)
    if measured:
        pace = sum(done for _, done, _ in measured) / sum(took for _, _, took in measured)
        yield _single(
            "work_waiting_seconds",
            "Seconds one worker needs for all work that waits, at the speed of late.",
            megapixels / pace,
        )


def _age(moment: datetime | None) -> float:
    return max(0.0, (now() - moment).total_seconds()) if moment else 0.0


def _family(name: str, meaning: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"videoflix_{name}", meaning, labels=labels)


def _single(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"videoflix_{name}", meaning, value=float(value))
