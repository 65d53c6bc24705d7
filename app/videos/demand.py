"""What a viewer waits for: an empty cell is asked for, and its task goes to the front.

Tasks fill all rungs of a chunk with one decode, which is the least work as long as nobody waits.
For a viewer the cell is taken out of its task into one of its own, so that a low rung is there in
a moment and the others follow later. The same goes for sound far ahead of where its row is.
"""

from __future__ import annotations

from sqlalchemy import func, select, update

from app.database import after_commit, db, epoch_now, update_rows, writing
from app.errors import NotFound
from app.observability import request_id
from app.tasks.queue import RUN_TASK, SOON, VIDEOS, enqueue
from app.videos.models import Cell, Rendition, Task, TaskKind, TaskState

SOON_CHUNKS = 2
"""A row that is so near is waited for: a chunk of sound takes a moment."""

PIXELS = Rendition.width * Rendition.height


def want(grid_id: int, row: str, chunk: int, *, needs: int = 0, excerpt: bool = False) -> None:
    """Ask for a cell. Raises NotFound where nobody will fill it. Commits.

    `needs` are the bytes of the film's file that it takes. `excerpt` says of a cell of a sound row
    that it can be made by itself.
    """
    found = db.session.execute(
        select(Cell.id, Cell.rendition_id, Task.id, Task.state, Task.kind, Task.wanted_at,
               Task.video_id)
        .join(Task, Task.id == Cell.task_id)
        .join(Rendition, Rendition.id == Cell.rendition_id)
        .where(Rendition.grid_id == grid_id, Rendition.name == row, Cell.chunk == chunk)
    ).one_or_none()  # fmt: skip
    if found is None or found.state == TaskState.FAILED:
        raise NotFound
    cell_id, rendition_id, task_id, state, kind, wanted_at, video_id = found
    ahead = kind == TaskKind.ROW and excerpt and not _comes_soon(task_id, rendition_id, chunk)
    if state != TaskState.WAITING or (wanted_at is not None and not ahead):
        return  # it was filled a moment ago, or has been asked for already
    own = Task(
        video_id=video_id,
        grid_id=grid_id,
        kind=TaskKind.CHUNK,
        position=chunk,
        needs=needs,
        request_id=request_id.get(),
    )
    with writing():
        if kind == TaskKind.CHUNK:
            task_id = _take_out(cell_id, task_id, own)
        elif ahead:
            task_id = _give(cell_id, task_id, own)
        update_rows(
            update(Task)
            .where(Task.id == task_id, Task.wanted_at.is_(None))
            .values(wanted_at=epoch_now())
        )
        name = VIDEOS if kind == TaskKind.ROW and not ahead else SOON
        front = kind == TaskKind.ROW  # sound takes a moment, and the picture waits for it
        after_commit(lambda: enqueue(name, RUN_TASK, task_id, at_front=front))


def _comes_soon(task_id: int, rendition_id: int, chunk: int) -> bool:
    """Whether somebody makes the row just now and has come near to this chunk."""
    last = (
        select(func.max(Cell.chunk))
        .where(
            Cell.rendition_id == rendition_id,
            Cell.task_id == task_id,
            Cell.filled_at.is_not(None),
        )
        .scalar_subquery()
    )
    near = select(Task.id).where(
        Task.id == task_id, Task.lease_until >= epoch_now(), last >= chunk - SOON_CHUNKS
    )
    return db.session.scalar(near) is not None


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
    update_rows(update(Task).where(Task.id == task_id).values(work=work * (1 - share)))
    return _give(cell_id, task_id, own)


def _give(cell_id: int, task_id: int, own: Task) -> int:
    """Let the cell be filled by a task of its own; returns its id."""
    db.session.add(own)
    db.session.flush()
    update_rows(
        update(Cell)
        .where(Cell.id == cell_id, Cell.task_id == task_id, Cell.filled_at.is_(None))
        .values(task_id=own.id)
    )
    return own.id
