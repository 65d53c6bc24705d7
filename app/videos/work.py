"""Stopping a film's work and taking it up again: what owners ask for, told to the rows.

Workers notice by their claims: a task that is gone, or whose fence has grown, is no longer theirs,
and its ffmpeg ends within two seconds. Services flush, entry points commit.
"""

from __future__ import annotations

from sqlalchemy import delete, select, update

from app.database import after_commit, db, update_rows
from app.errors import Conflict
from app.observability import request_id
from app.storage import storage
from app.tasks.queue import RUN_TASK, VIDEOS, enqueue
from app.videos.locking import lock_tasks
from app.videos.models import Grid, Status, Task, TaskKind, TaskState, Video
from app.videos.names import ORIGINAL


def begin(video_id: int) -> None:
    """Let the film be planned. Flushes."""
    add_task(video_id, TaskKind.PLAN)


def add_task(video_id: int, kind: TaskKind) -> None:
    """Add a piece of work that goes first, and announce it after the commit. Flushes."""
    task = Task(video_id=video_id, kind=kind, request_id=request_id.get())
    db.session.add(task)
    db.session.flush()
    _announce(task.id)


def stop_tasks(video_id: int) -> None:
    """End all open work of a film, in the current transaction; its workers lose their claims."""
    update_rows(
        update(Task)
        .where(Task.video_id == video_id, Task.state == TaskState.WAITING)
        .values(state=TaskState.FAILED, fence=Task.fence + 1, lease_until=0.0)
    )


def forget_grid(video_id: int) -> None:
    """Remove the film's grid and all its tasks, in the current transaction."""
    db.session.execute(delete(Grid).where(Grid.video_id == video_id))
    db.session.execute(delete(Task).where(Task.video_id == video_id))


def cancel(video: Video) -> None:
    """Stop converting the film and free what the conversion has made; the original stays.

    Raises Conflict `not_converting`.
    """
    film = video.film
    lock_tasks(video.id)
    changed = update_rows(
        update(Video)
        .where(Video.id == video.id, Video.status == Status.PROCESSING)
        .values(
            status=Status.CANCELLED,
            playable=False,
            playable_at=None,
            has_images=False,
            has_storyboard=False,
        )
    )
    if not changed:
        raise Conflict("This film is not being converted.", code="not_converting")
    forget_grid(video.id)
    files = storage()
    after_commit(lambda: files.keep_only(film, ORIGINAL))


def retry(video: Video) -> None:
    """Take the conversion up again where it stopped: filled cells stay filled.

    Raises Conflict `not_stopped`, or `original_gone` where the file could not be kept.
    """
    lock_tasks(video.id)
    if not storage().path(video.film, ORIGINAL).exists():
        raise Conflict(
            "The file of this film is gone, since it cannot be converted. Upload it again.",
            code="original_gone",
        )
    changed = update_rows(
        update(Video)
        .where(Video.id == video.id, Video.status.in_([Status.FAILED, Status.CANCELLED]))
        .values(
            status=Status.PROCESSING,
            error_code=None,
            error_stage=None,
            error_message=None,
            error_hint=None,
            has_images=_is_done(video.id, TaskKind.POSTER),
        )
    )
    if not changed:
        raise Conflict("This film is converted, or being converted.", code="not_stopped")
    reopened = db.session.scalars(
        select(Task.id)
        .where(Task.video_id == video.id, Task.state == TaskState.FAILED)
        .order_by(Task.tier, Task.position, Task.id)
    ).all()
    if not reopened:
        forget_grid(video.id)
        return begin(video.id)
    update_rows(
        update(Task)
        .where(Task.id.in_(reopened))
        .values(
            state=TaskState.WAITING,
            fence=Task.fence + 1,
            attempts=0,
            lease_until=0.0,
            not_before=0.0,
            queued_until=0.0,
            log=None,
        )
    )
    return _announce(reopened[0])


def _is_done(video_id: int, kind: TaskKind) -> bool:
    done = select(Task.id).where(
        Task.video_id == video_id, Task.kind == kind, Task.state == TaskState.DONE
    )
    return db.session.scalar(done) is not None


def _announce(task_id: int) -> None:
    after_commit(lambda: enqueue(VIDEOS, RUN_TASK, task_id))
