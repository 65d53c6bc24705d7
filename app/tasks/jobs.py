"""The jobs that RQ runs: each takes ids only, may run twice, and leaves the truth in the table."""

from __future__ import annotations

import errno
import logging
import os
import socket
import threading

from flask import Flask, current_app
from redis.exceptions import RedisError
from rq import get_current_job
from sqlalchemy.exc import SQLAlchemyError

from app.database import db
from app.media.errors import MediaError, Stopped, disk_full
from app.observability import request_id
from app.reporting import send_reports
from app.storage import FilmGone, StorageAway, storage
from app.tasks import claims
from app.tasks.claims import Claim, LostClaim
from app.tasks.dispatch import dispatch
from app.tasks.fallback import COPY_FAILED, give_back_sound, plan_again
from app.tasks.parent import die_with_parent
from app.tasks.pipeline import HANDLERS
from app.tasks.progress import review
from app.tasks.publishing import ROW_CHANGED
from app.tasks.takeover import give_up_next, is_for_next
from app.videos.locking import lock_tasks
from app.videos.models import TaskKind

log = logging.getLogger(__name__)

EXTRAS = {TaskKind.POSTER, TaskKind.TEXT, TaskKind.STORYBOARD}
"""A film without pictures or captions still plays: their failure is not the film's."""

AWAY_SECONDS = 10.0
"""After so long an attempt asks again for a storage that did not answer."""

HEARTBEAT_SECONDS = 1.0
"""How often a job looks whether its task is still its own: bounds the time to stop ffmpeg."""


class Heartbeat(threading.Thread):
    """Renews a claim beside the work, and says when it is lost."""

    def __init__(self, app: Flask, mine: Claim) -> None:
        super().__init__(daemon=True, name="heartbeat")
        self._app = app
        self._mine = mine
        self._ended = threading.Event()
        self._lost = threading.Event()

    def run(self) -> None:
        """Renew until the work ends; an error of the database only skips a beat."""
        while not self._ended.wait(HEARTBEAT_SECONDS):
            with self._app.app_context():
                try:
                    claims.renew(self._mine)
                except LostClaim:
                    self._lost.set()
                    return
                except Exception:
                    log.warning("a heartbeat failed", exc_info=True)

    def lost(self) -> bool:
        """Whether the claim is gone: the work must stop."""
        return self._lost.is_set()

    def end(self) -> None:
        """Stop renewing."""
        self._ended.set()
        self.join()


def worker_name(pid: int) -> str:
    """How a worker process signs its claims."""
    return f"{socket.gethostname()}:{pid}"


def run_task(task_id: int) -> None:
    """Claim the task, do it, publish it; then let the dispatcher choose what comes next."""
    worker = os.getppid()
    die_with_parent(worker)
    announced_by = _announcing_request()
    request_id.set(announced_by)
    mine = claims.claim(task_id, worker_name(worker))
    if mine is not None:
        request_id.set(mine.request_id or announced_by)
        _attempt(mine)
    try:
        dispatch()
    except RedisError:
        log.warning("could not dispatch, the reconciler will", exc_info=True)


def _attempt(mine: Claim) -> None:
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    beat = Heartbeat(app, mine)
    beat.start()
    try:
        if mine.attempts > current_app.config["TASK_ATTEMPTS"]:  # the last one ended in a death
            raise MediaError(
                "worker_died",
                stage=mine.kind,
                message="Converting this film made the converter stop, several times.",
                hint="Try again, or export the film in another format first.",
                permanent=False,
            )
        HANDLERS[TaskKind(mine.kind)](mine, beat.lost)
        log.info("task done", extra={"facts": _facts(mine)})
    except (Stopped, LostClaim, FilmGone):
        db.session.rollback()
        log.info("task stopped", extra={"facts": _facts(mine)})
    except StorageAway as error:
        db.session.rollback()
        log.warning("the storage is away: %s", error.strerror, extra={"facts": _facts(mine)})
        claims.postpone(mine, AWAY_SECONDS)
    except MediaError as error:
        db.session.rollback()
        _failed(mine, error)
    except Exception as error:
        db.session.rollback()
        if _is_lost(mine):  # a film that is deleted goes from under who works on it
            log.info("task stopped", extra={"facts": _facts(mine)})
            return
        log.error("task failed", exc_info=error, extra={"facts": _facts(mine)})
        send_reports()  # this process ends with the job
        _failed(mine, _as_media_error(mine, error))
    finally:
        beat.end()
        storage().drop_scratch(mine.film, mine.attempt)


def _is_lost(mine: Claim) -> bool:
    try:
        claims.renew(mine)
    except LostClaim:
        return True
    except SQLAlchemyError:
        pass  # not as far as we know
    return False


def _as_media_error(mine: Claim, error: Exception) -> MediaError:
    """What went wrong outside the FFmpeg library, as its errors are told."""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return disk_full(mine.kind, repr(error))
    return MediaError(
        "conversion_failed",
        stage=mine.kind,
        message="Something went wrong while we converted this film.",
        hint="Try again; if it stays so, tell the operator.",
        permanent=False,
        log=repr(error),
    )


def _failed(mine: Claim, error: MediaError) -> None:
    """Try again later, another way, or give up and say why. Whoever lost the claim does nothing."""
    log.warning(
        "attempt failed: %s", error.code, extra={"facts": {**_facts(mine), "log": error.log}}
    )
    final = error.permanent or mine.attempts >= current_app.config["TASK_ATTEMPTS"]
    try:
        if mine.sees_part:
            claims.wait_for_rest(mine)
            db.session.commit()
        elif error.code in {COPY_FAILED, ROW_CHANGED}:
            plan_again(mine, error)
        elif give_back_sound(mine):
            pass
        elif not final:
            claims.try_again(mine, error.log)
            db.session.commit()
        elif is_for_next(mine):
            give_up_next(mine, error)
        else:
            _give_up(mine, error)
    except LostClaim:
        db.session.rollback()


def _give_up(mine: Claim, error: MediaError) -> None:
    """Say why the film cannot be converted, or go on without what it can do without.

    Raises LostClaim. Commits.
    """
    lock_tasks(mine.video_id)
    claims.give_up(mine, error.log)
    if mine.kind in EXTRAS:
        review(mine.video_id)  # it may have been the last piece of work
    else:
        claims.fail_video(
            mine.video_id,
            code=error.code,
            stage=error.stage,
            message=error.message,
            hint=error.hint,
        )
    db.session.commit()
    if error.permanent and mine.kind not in EXTRAS:
        storage().delete_film(mine.film)  # trying again is pointless: keep no bytes of it


def _facts(mine: Claim) -> dict[str, object]:
    return {
        "task": mine.task_id,
        "kind": mine.kind,
        "video": mine.video_id,
        "attempt": mine.attempts,
    }


def _announcing_request() -> str:
    """The request whose job announced this one: perhaps another film's."""
    job = get_current_job()
    return str(job.meta.get("request_id", "-")) if job is not None else "-"
