"""The reconciler: puts right whatever Redis, a killed worker or a lost lease left wrong.

It reads the table and repairs towards it; running it twice, or on two machines, does no harm.
"""

from __future__ import annotations

import logging

from flask import current_app

from app.database import db
from app.errors import Conflict
from app.extensions import redis_client
from app.storage import storage
from app.tasks import claims
from app.tasks.audit import LEFTOVER_SECONDS, ORPHAN_SECONDS, unowned, unowned_films
from app.tasks.dispatch import dispatch
from app.tasks.hashing import announce_originals
from app.tasks.mail import announce_due
from app.tasks.takeover import sweep_retired
from app.videos.models import Status, Task, TaskState, Video
from app.videos.uploads import resumable, writer
from app.videos.work import retry

log = logging.getLogger(__name__)


def reconcile() -> None:
    """Settle films whose work is over, announce what is open, remove what no row owns.

    Uploads whose last byte came are finished, those that waited too long are forgotten.
    """
    _settle_stranded()
    _go_on_where_there_is_room()
    dispatch()
    announce_due()
    announce_originals()
    sweep_retired()
    writer.settle_all()
    resumable.sweep()
    _sweep_files()


def _settle_stranded() -> None:
    """A film in processing without open work, and with a failed task, has failed without saying."""
    open_work = (
        db.select(Task.id)
        .where(Task.video_id == Video.id, Task.state == TaskState.WAITING)
        .exists()
    )
    stranded = db.session.scalars(
        db.select(Video.id).where(Video.status == Status.PROCESSING, ~open_work)
    ).all()
    for video_id in stranded:
        log.error("video %d is processing but has no work", video_id)
        claims.fail_video(
            video_id,
            code="conversion_failed",
            stage="queue",
            message="The conversion of this film got lost.",
            hint="Try again; if it stays so, tell the operator.",
        )
    db.session.commit()


def _go_on_where_there_is_room() -> None:
    """Take up films that the disk had no room for; what is made of one is about its own size."""
    stopped = db.session.scalars(
        db.select(Video)
        .where(Video.status == Status.FAILED, Video.error_code == "disk_full")
        .order_by(Video.id)
    ).all()
    room = storage().free_bytes() - current_app.config["MIN_FREE_BYTES"] if stopped else 0
    for video in stopped:
        if video.size > room:
            continue
        room -= video.size
        try:
            retry(video)
            db.session.commit()
            log.info("there is room again", extra={"facts": {"video": video.id}})
        except Conflict:
            log.info("another took it up")
        finally:
            db.session.rollback()


def _sweep_files() -> None:
    """Remove uploads that never ended, and folders and copies of films that no row owns."""
    for film in unowned(storage().copies()):
        storage().drop_copies(film)
    pause = storage().look_seconds
    if pause and not redis_client().set("videoflix:sweep", 1, nx=True, ex=pause):
        return
    storage().sweep_incoming(LEFTOVER_SECONDS, resumable.names())
    for film in unowned_films(ORPHAN_SECONDS):
        log.warning("removing files that no film owns: %s", film)
        storage().delete_film(film)
