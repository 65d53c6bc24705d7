"""RQ as a transport: queues by name, jobs that carry ids only, nothing else about work.

Jobs are named by dotted path, so that whoever enqueues never imports what runs. RQ retries nothing:
attempts and back-off live in the rows, and the reconciler announces again what Redis lost.
"""

from __future__ import annotations

from rq import Queue
from rq.serializers import JSONSerializer

from app.extensions import redis_client
from app.observability import request_id

VIDEOS = "videos"
SOON = "soon"
"""What somebody waits for before a screen: a worker of its own never has a long job in hand."""

MAIL = "mail"
QUEUES = (MAIL, SOON, VIDEOS)
"""Every queue, in the order in which a worker looks: a mail takes a moment, a film minutes."""

QUEUED_SECONDS = 30.0
"""After this long an announced task that nobody claimed may be announced again."""

RUN_TASK = "app.tasks.jobs.run_task"
"""The job that works on one task of a film; its argument is the task's id."""

JOB_SECONDS = 6 * 3600
"""RQ's own limit for one job: far beyond any cell; ffmpeg's watchdog acts long before."""

RESULT_SECONDS = 60


def queue(name: str) -> Queue:
    """The queue of this name on the application's Redis."""
    return Queue(name, connection=redis_client(), serializer=JSONSerializer)


def enqueue(
    name: str, function: str, *ids: int, job_id: str | None = None, at_front: bool = False
) -> None:
    """Announce a job: a function's dotted path and row ids.

    Raises redis.RedisError when Redis is away; callers that act after a commit let
    `database.after_commit` log it, since the row stays and is announced again.
    """
    queue(name).enqueue_call(
        func=function,
        args=ids,
        timeout=JOB_SECONDS,
        result_ttl=RESULT_SECONDS,
        failure_ttl=RESULT_SECONDS,
        job_id=job_id,
        at_front=at_front,
        meta={"request_id": request_id.get()},
        description=f"{function} {' '.join(map(str, ids))}",
    )


def waiting(name: str) -> int:
    """How many jobs wait in the queue."""
    return int(queue(name).count)
