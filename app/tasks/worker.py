"""The worker pool of one machine: RQ workers in processes of their own, and the reconciler.

The pool's own process does no work. It starts one worker for mails, two for what somebody waits for
before a screen, as many as asked for films, and where WATCH_FOLDER is set one process that imports
from there. It starts again what dies (freeing
what it held), reconciles every quarter of a minute, tidies accounts every hour, and hands back on
SIGTERM: workers end after the job in hand, or after `DRAIN_SECONDS`.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess

from flask import Flask, current_app
from redis.exceptions import RedisError
from rq import Worker
from rq.executions import Execution
from rq.job import Job
from rq.serializers import JSONSerializer
from sqlalchemy.exc import SQLAlchemyError

from app.auth.tidying import tidy
from app.database import db, forget_connections
from app.extensions import redis_client
from app.media.binary import ffmpeg_binary
from app.media.errors import MediaError
from app.tasks import claims
from app.tasks.dispatch import dispatch
from app.tasks.jobs import worker_name
from app.tasks.parent import die_with_parent
from app.tasks.queue import MAIL, SOON, VIDEOS
from app.tasks.reconcile import reconcile
from app.tasks.watching import watch

log = logging.getLogger(__name__)

RECONCILE_SECONDS = 15.0
TIDY_SECONDS = 3600.0
DRAIN_SECONDS = 8.0
RESTART_SECONDS = 2.0
"""Pause before a worker that died at once is started again."""

SOON_WORKERS = 2
"""Sound does not wait for a picture then, nor a picture for one that is no longer looked at."""

MONITOR_SECONDS = 30
"""How often a worker tells Redis that its job is alive."""

_WATCH = "watch"
"""In place of a queue: the process that imports films from WATCH_FOLDER."""

_FORK = multiprocessing.get_context("fork")


class PatientWorker(Worker):
    """RQ's worker, for which a Redis that is away is no reason to end the job in hand."""

    max_connection_wait_time = 5.0
    """Seconds between two looks whether Redis is back, at most."""

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """Tell Redis that the job is alive, if it listens: what counts is the lease of its task."""
        try:
            super().maintain_heartbeats(job, execution)
        except RedisError as error:
            log.warning("Redis is away, the job goes on: %s", error)


class Pool:
    """The workers of this machine."""

    def __init__(self, app: Flask, count: int) -> None:
        self._app = app
        self._queues = [MAIL] + [SOON] * SOON_WORKERS + [VIDEOS] * count
        if app.config["WATCH_FOLDER"] is not None:
            self._queues.append(_WATCH)
        self._processes: dict[int, tuple[str, BaseProcess]] = {}
        self._stopping = False

    def run(self) -> None:
        """Work until SIGTERM or SIGINT."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        for name in self._queues:
            self._start(name)
        due = tidy_due = 0.0
        while not self._stopping:
            if time.monotonic() >= due:
                self._safely(reconcile)
                due = time.monotonic() + RECONCILE_SECONDS
            if time.monotonic() >= tidy_due:
                self._safely(_tidy)
                tidy_due = time.monotonic() + TIDY_SECONDS
            self._replace_dead()
            time.sleep(0.2)
        self._drain()

    def _stop(self, _signal: int, _frame: object) -> None:
        self._stopping = True

    def _start(self, queue_name: str) -> None:
        target = _watch if queue_name == _WATCH else _work
        process = _FORK.Process(
            target=target, args=(self._app, queue_name, os.getpid()), name=f"worker-{queue_name}"
        )
        process.start()
        assert process.pid is not None  # noqa: S101 - it has been started
        self._processes[process.pid] = (queue_name, process)

    def _replace_dead(self) -> None:
        for pid, (queue_name, process) in list(self._processes.items()):
            if process.is_alive():
                continue
            del self._processes[pid]
            log.warning("a worker ended with %s and is started again", process.exitcode)
            killed = (process.exitcode or 0) < 0  # else it ended by itself, the film is not why
            self._release(pid, counts=killed)
            time.sleep(RESTART_SECONDS if process.exitcode else 0)
            self._start(queue_name)

    def _safely(self, duty: Callable[[], None]) -> None:
        """Do one of the pool's own duties; what fails is tried again at its next turn."""
        with self._app.app_context():
            try:
                duty()
            except Exception:
                log.warning("%s failed, trying again later", duty.__name__, exc_info=True)

    def _release(self, pid: int, *, counts: bool) -> None:
        """Free what a dead worker held; should the database be away, its leases run out.

        `counts` says whether what it held may be why it died.
        """
        with self._app.app_context():
            try:
                claims.release_worker(worker_name(pid), counts=counts)
            except Exception:
                log.warning("could not free a worker's claims", exc_info=True)

    def _drain(self) -> None:
        """Let jobs in hand end for a moment, then stop them and hand their tasks back."""
        for _, process in self._processes.values():
            process.terminate()
        deadline = time.monotonic() + DRAIN_SECONDS
        for pid, (_, process) in self._processes.items():
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
            self._release(pid, counts=False)


def _tidy() -> None:
    """Remove accounts that were never confirmed, and sessions long ended."""
    removed = tidy()
    db.session.commit()
    if any(removed.values()):
        log.info("tidied", extra={"facts": removed})


def _warm_up() -> None:
    """Do once what every job would do anew: jobs are forks of this process and inherit it.

    That is finding ffmpeg, and compiling the statements of claims and of the dispatcher.
    """
    try:
        ffmpeg_binary(current_app.config["FFMPEG_BINARY"] or None)
        claims.claim(0, "")  # there is no such task
        dispatch()
    except (MediaError, RedisError, SQLAlchemyError):
        log.warning("a part is away; the jobs will say more", exc_info=True)
    finally:
        db.session.remove()


def _free_claim(_job: Job, _pid: int, _status: int, _usage: object) -> None:
    """A job's process was killed: what this worker held is free, and goes on somewhere."""
    claims.release_worker(worker_name(os.getpid()))
    dispatch()


def _watch(app: Flask, _queue_name: str, parent: int) -> None:
    """The life of the process that watches a folder."""
    _begin_life(parent)
    watch(app)


def _begin_life(parent: int) -> None:
    die_with_parent(parent)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C reaches the pool, which drains


def _niceness(queue_name: str) -> int:
    """How far a worker stands back; what it runs does so too. Who waits before a screen goes first.

    A step of niceness is a tenth less of the processor (sched(7)).
    """
    whole: int = current_app.config["WORKER_NICE"]
    return {VIDEOS: whole, SOON: whole // 3}.get(queue_name, 0)


def _work(app: Flask, queue_name: str, parent: int) -> None:
    """The life of one worker process."""
    _begin_life(parent)
    with app.app_context():
        forget_connections(db.engine)  # the pool goes on using its own
        if queue_name != MAIL:
            _warm_up()
            db.engine.dispose()
        os.nice(_niceness(queue_name))
        os.register_at_fork(after_in_child=lambda: forget_connections(db.engine))
        worker = PatientWorker(
            [queue_name],
            connection=redis_client(),
            serializer=JSONSerializer,
            name=f"{worker_name(os.getpid())}:{queue_name}",
            log_job_description=False,
            job_monitoring_interval=MONITOR_SECONDS,
            work_horse_killed_handler=_free_claim,
        )
        worker.work(with_scheduler=False, logging_level="WARNING")
