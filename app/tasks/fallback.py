"""When a task cannot be done as it was planned: another plan, or another task for its cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select, update

from app.database import db, update_rows
from app.media.errors import MediaError
from app.storage import storage
from app.tasks import claims
from app.tasks.claims import Claim
from app.tasks.takeover import is_for_next
from app.videos.locking import lock_tasks
from app.videos.models import Cell, Grid, Rendition, Task, TaskKind, TaskState, Video
from app.videos.names import grid_folder
from app.videos.work import begin, forget_grids, forget_next

COPY_FAILED: Final = "copy_failed"
"""The source's own pictures cannot be taken over after all: `app.media.rows` says so."""


def plan_again(mine: Claim, error: MediaError) -> None:
    """Give up a grid of which this task cannot be done, for another.

    A copied row that cannot be filled is encoded the next time. What was ready once stays as it is
    shown until the new grid takes over. Raises LostClaim. Commits.
    """
    for_next = is_for_next(mine)
    lock_tasks(mine.video_id)
    claims.hold(mine)
    doomed: Sequence[int] = []
    changes: dict[str, object] = {"may_copy": error.code != COPY_FAILED}
    if for_next:
        forget_next(mine.video_id, mine.film)
    elif db.session.scalar(select(Video.ready_at).where(Video.id == mine.video_id)) is not None:
        claims.give_up(mine, error.log)
        forget_next(mine.video_id, mine.film)
    else:
        doomed = db.session.scalars(select(Grid.id).where(Grid.video_id == mine.video_id)).all()
        forget_grids(mine.video_id)
        changes |= {"playable": False, "playable_at": None, "has_storyboard": False}
    db.session.execute(update(Video).where(Video.id == mine.video_id).values(**changes))
    begin(mine.video_id)
    db.session.commit()
    for grid_id in doomed:
        storage().delete(mine.film, grid_folder(grid_id))


def give_back_sound(mine: Claim) -> bool:
    """Let a sound row make the cell that could not be made ahead of it; False for other tasks.

    Raises LostClaim. Commits.
    """
    cell = db.session.execute(
        select(Cell.id, Cell.rendition_id)
        .join(Rendition, Rendition.id == Cell.rendition_id)
        .where(Cell.task_id == mine.task_id, Rendition.kind == "audio")
    ).first()
    if mine.kind != TaskKind.CHUNK or cell is None:
        db.session.rollback()
        return False
    claims.hold(mine)
    whole = db.session.scalars(
        select(Task.id)
        .join(Cell, Cell.task_id == Task.id)
        .where(Cell.rendition_id == cell.rendition_id, Task.kind == TaskKind.ROW)
    ).first()
    update_rows(update(Cell).where(Cell.id == cell.id).values(task_id=whole))
    update_rows(
        update(Task)
        .where(Task.id == whole, Task.state == TaskState.DONE)
        .values(state=TaskState.WAITING, attempts=0, lease_until=0.0, queued_until=0.0)
    )
    claims.finish(mine)
    db.session.commit()
    return True
