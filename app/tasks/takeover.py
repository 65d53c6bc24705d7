"""A second grid of a film: filled beside the one that is shown, then swapped in whole.

Who is watching keeps the addresses of the old grid, which stays until the last grant that can name
it has ended.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from flask import current_app
from sqlalchemy import delete, exists, select, update

from app.database import db, now, update_rows
from app.media.errors import MediaError
from app.media.plan import Plan
from app.storage import storage
from app.tasks.claims import Claim
from app.videos.locking import lock_tasks
from app.videos.models import Grid, GridRole, Status, Task, TaskKind, TaskState, Video
from app.videos.names import grid_folder
from app.videos.queries import current_grid
from app.videos.work import forget_next

log = logging.getLogger(__name__)


def is_for_next(mine: Claim) -> bool:
    """Whether this piece of work is for a grid that is to take over. Leaves no transaction open."""
    if mine.grid_id is not None:
        wanted = select(Grid.id).where(Grid.id == mine.grid_id, Grid.role == GridRole.NEXT)
    elif mine.kind == TaskKind.PLAN:
        wanted = select(Grid.id).where(*current_grid(mine.video_id))
    else:
        return False
    found = db.session.scalar(wanted)
    db.session.rollback()
    return found is not None


def take_over(video_id: int) -> int | None:
    """Show the next grid if nothing of it is left to do, in the current transaction.

    Returns its id if it took over. The row of the film must be locked.
    """
    coming = db.session.execute(
        select(Grid.id, Grid.plan).where(Grid.video_id == video_id, Grid.role == GridRole.NEXT)
    ).one_or_none()
    if coming is None or db.session.scalar(
        select(exists().where(Task.grid_id == coming.id, Task.state != TaskState.DONE))
    ):
        return None
    old = db.session.scalar(select(Grid.id).where(*current_grid(video_id)))
    update_rows(
        update(Task)
        .where(Task.grid_id == old, Task.state == TaskState.WAITING)
        .values(state=TaskState.FAILED, fence=Task.fence + 1, lease_until=0.0)
    )
    update_rows(update(Grid).where(Grid.id == old).values(role=GridRole.RETIRED, retired_at=now()))
    update_rows(update(Grid).where(Grid.id == coming.id).values(role=GridRole.CURRENT))
    plan = Plan.from_json(coming.plan)
    update_rows(update(Video).where(Video.id == video_id).values(duration=plan.duration))
    log.info("a new grid took over", extra={"facts": {"video": video_id, "grid": coming.id}})
    return int(coming.id)


def give_up_next(mine: Claim, error: MediaError) -> None:
    """Leave the film as it is shown and say why it could not be converted again. Commits."""
    lock_tasks(mine.video_id)
    if forget_next(mine.video_id, mine.film):
        update_rows(
            update(Video)
            .where(Video.id == mine.video_id, Video.status == Status.READY)
            .values(
                error_code=error.code,
                error_stage=error.stage,
                error_message=f"{error.message} The film stays as it is.",
                error_hint=error.hint,
            )
        )
    db.session.commit()


def sweep_retired() -> None:
    """Remove old grids that nobody can be watching any more. Commits."""
    before = now() - timedelta(hours=current_app.config["GRANT_HOURS"])
    over = db.session.execute(
        select(Grid.id, Video.film)
        .join(Video, Video.id == Grid.video_id)
        .where(Grid.role == GridRole.RETIRED, Grid.retired_at < before)
    ).all()
    db.session.rollback()
    for grid_id, film in over:
        db.session.execute(delete(Grid).where(Grid.id == grid_id))
        db.session.commit()
        storage().delete(film, grid_folder(grid_id))
