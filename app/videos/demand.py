"""What a viewer waits for: an empty cell is asked for, and its task goes to the front.

Tasks fill all rungs of a chunk with one decode, which is the least work as long as nobody waits.
For a viewer the cell is taken out of its task into one of its own, so that a low rung is there in
a moment and the others follow later.
"""

from __future__ import annotations

from sqlalchemy import func, select, update

from app.database import after_commit, db, epoch_now, update_rows, writing
from app.errors import NotFound
from app.tasks.queue import RUN_TASK, SOON, enqueue
from app.videos.models import Cell, Rendition, Task, TaskKind, TaskState

PIXELS = Rendition.width * Rendition.height


def want(grid_id: int, row: str, chunk: int) -> None:
    """Ask for a cell. Raises NotFound where nobody will fill it. Commits."""
    found = db.session.execute(
        select(Cell.id, Task.id, Task.state, Task.kind, Task.wanted_at, Task.video_id)
        .join(Task, Task.id == Cell.task_id)
        .join(Rendition, Rendition.id == Cell.rendition_id)
        .where(Rendition.grid_id == grid_id, Rendition.name == row, Cell.chunk == chunk)
    ).one_or_none()
    if found is None or found.state == TaskState.FAILED:
        raise NotFound
    cell_id, task_id, state, kind, wanted_at, video_id = found
    if state != TaskState.WAITING or wanted_at is not None:
        return  # it was filled a moment ago, or has been asked for already
    with writing():
        if kind == TaskKind.CHUNK:
            own = Task(video_id=video_id, grid_id=grid_id, kind=TaskKind.CHUNK, position=chunk)
            task_id = _take_out(cell_id, task_id, own)
        update_rows(
            update(Task)
            .where(Task.id == task_id, Task.wanted_at.is_(None))
            .values(wanted_at=epoch_now())
        )
        after_commit(lambda: enqueue(SOON, RUN_TASK, task_id))


def _take_out(cell_id: int, task_id: int, own: Task) -> int:
    """Give the cell its `own` task; the old one where somebody works on it, or it has no other.

    Returns the id of the task that fills the cell.
    """
    idle = update_rows(  # this also keeps the task from being claimed before the commit
        update(Task)
        .where(Task.id == task_id, Task.state == TaskState.WAITING, Task.lease_until < epoch_now())
        .values(fence=Task.fence)
    )
    others, its, all_of_them = db.session.execute(
        select(
            func.count().filter(Cell.id != cell_id),
            func.sum(PIXELS).filter(Cell.id == cell_id),
            func.sum(PIXELS),
        )
        .join(Rendition, Rendition.id == Cell.rendition_id)
        .where(Cell.task_id == task_id, Cell.filled_at.is_(None))
    ).one()
    if not idle or not others:
        return task_id
    share = (its or 0) / (all_of_them or 1)  # they are of one chunk: as many pictures each
    work = db.session.scalar(select(Task.work).where(Task.id == task_id)) or 0.0
    own.work = work * share
    db.session.add(own)
    db.session.flush()
    update_rows(update(Task).where(Task.id == task_id).values(work=work * (1 - share)))
    update_rows(
        update(Cell)
        .where(Cell.id == cell_id, Cell.task_id == task_id, Cell.filled_at.is_(None))
        .values(task_id=own.id)
    )
    return own.id
