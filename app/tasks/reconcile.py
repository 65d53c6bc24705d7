"""The reconciler: puts right whatever Redis, a killed worker or a lost lease left wrong.

It reads the table and repairs towards it; running it twice, or on two machines, does no harm.
"""

from __future__ import annotations

import logging
import time

from app.database import db
from app.storage import storage
from app.tasks import claims
from app.tasks.dispatch import dispatch
from app.tasks.mail import announce_due
from app.videos.models import Status, Task, TaskState, Video

log = logging.getLogger(__name__)

ORPHAN_SECONDS = 3600
"""Files younger than this may belong to a row that is just being written."""


def reconcile() -> None:
    """Settle films whose work is over, announce what is open, remove what no row owns."""
    _settle_stranded()
    dispatch()
    announce_due()
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


def _sweep_files() -> None:
    """Remove uploads that never ended and folders of films that no row owns."""
    storage().sweep_incoming(older_than=24 * 3600)
    present = set(storage().films())
    owned = set(db.session.scalars(db.select(Video.film)).all())
    db.session.rollback()
    for film in present - owned:
        folder = storage().path(film, "")
        try:
            age = time.time() - folder.stat().st_mtime
        except FileNotFoundError:
            continue
        if age > ORPHAN_SECONDS:
            log.warning("removing files that no film owns: %s", film)
            storage().delete_film(film)
