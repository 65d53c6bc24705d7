"""Stopping a film's work and taking it up again: what owners ask for, told to the rows.

Workers notice by their claims: a task that is gone, or whose fence has grown, is no longer theirs,
and its ffmpeg ends within two seconds. Services flush, entry points commit.
"""

from __future__ import annotations

from sqlalchemy import delete, or_, select, update

from app.database import after_commit, db, epoch_now, update_rows
from app.errors import Conflict
from app.observability import request_id
from app.storage import storage
from app.tasks.queue import QUEUED_SECONDS, RUN_TASK, SOON, VIDEOS, enqueue
from app.videos.locking import lock_tasks
from app.videos.models import Grid, GridRole, Status, Task, TaskKind, TaskState, Video
from app.videos.names import ORIGINAL, grid_folder

NO_ERROR = {
    "error_code": None,
    "error_stage": None,
    "error_message": None,
    "error_hint": None,
}
"""Nothing is wrong with a film any more."""


def begin(video_id: int) -> None:
    """Let the film be planned. Flushes."""
    add_task(video_id, TaskKind.PLAN)


def add_task(video_id: int, kind: TaskKind) -> None:
    """Add a piece of work that goes first, and announce it after the commit. Flushes."""
    task = Task(video_id=video_id, kind=kind, request_id=request_id.get())
    db.session.add(task)
    db.session.flush()
    _announce(task.id, SOON if kind == TaskKind.PLAN else VIDEOS)


def announce_next(video_id: int) -> None:
    """Announce the film's next piece of work for which enough of its file is there, if any.

    One that was announced a moment ago is not announced again.
    """
    found = db.session.scalar(
        select(Task.id)
        .join(Video, Video.id == Task.video_id)
        .where(
            Task.video_id == video_id,
            Task.state == TaskState.WAITING,
            Task.lease_until < epoch_now(),
            Task.queued_until < epoch_now(),
            or_(Video.received.is_(None), Task.needs <= Video.received),
        )
        .order_by(Task.tier, Task.position, Task.id)
        .limit(1)
    )
    if found is not None:
        marked = update(Task).where(Task.id == found)
        update_rows(marked.values(queued_until=epoch_now() + QUEUED_SECONDS))
        _announce(found)


def stop_tasks(video_id: int) -> None:
    """End all open work of a film, in the current transaction; its workers lose their claims."""
    update_rows(
        update(Task)
        .where(Task.video_id == video_id, Task.state == TaskState.WAITING)
        .values(state=TaskState.FAILED, fence=Task.fence + 1, lease_until=0.0)
    )


def forget_grids(video_id: int) -> None:
    """Remove the film's grids and all its tasks, in the current transaction."""
    db.session.execute(delete(Grid).where(Grid.video_id == video_id))
    db.session.execute(delete(Task).where(Task.video_id == video_id))


def forget_next(video_id: int, film: str) -> bool:
    """Give up the grid that was to take over, in the current transaction; was there one to come?

    Its files go after the commit.
    """
    coming = db.session.scalar(
        select(Grid.id).where(Grid.video_id == video_id, Grid.role == GridRole.NEXT)
    )
    planned = update_rows(
        delete(Task).where(
            Task.video_id == video_id,
            Task.kind == TaskKind.PLAN,
            Task.state == TaskState.WAITING,
        )
    )
    if coming is not None:
        db.session.execute(delete(Grid).where(Grid.id == coming))
        files = storage()
        after_commit(lambda: files.delete(film, grid_folder(coming)))
    return coming is not None or planned > 0


def convert_again(video: Video) -> None:
    """Make the film's renditions anew, with today's settings; what is there is shown meanwhile.

    Raises Conflict `not_ready`, `converting_again`, `original_gone`.
    """
    lock_tasks(video.id)
    _require_original(video)
    changed = update_rows(
        update(Video)
        .where(Video.id == video.id, Video.status == Status.READY)
        .values(may_copy=True, **NO_ERROR)
    )
    if not changed:
        raise Conflict("This film is not ready yet.", code="not_ready")
    coming = select(Grid.id).where(Grid.video_id == video.id, Grid.role == GridRole.NEXT)
    planned = select(Task.id).where(
        Task.video_id == video.id, Task.kind == TaskKind.PLAN, Task.state == TaskState.WAITING
    )
    if db.session.scalar(coming) or db.session.scalar(planned):
        raise Conflict("This film is being converted again already.", code="converting_again")
    begin(video.id)


def cancel(video: Video) -> None:
    """Stop converting the film and free what the conversion has made; the original stays.

    Of a film that is converted again, only what was to take over goes. Raises Conflict
    `not_converting`.
    """
    film = video.film
    lock_tasks(video.id)
    if video.status == Status.READY and forget_next(video.id, film):
        return
    changed = update_rows(
        update(Video)
        .where(Video.id == video.id, Video.status == Status.PROCESSING)
        .values(
            status=Status.CANCELLED,
            playable=False,
            playable_at=None,
            ready_at=None,
            has_images=False,
            has_storyboard=False,
        )
    )
    if not changed:
        raise Conflict("This film is not being converted.", code="not_converting")
    forget_grids(video.id)
    files = storage()
    after_commit(lambda: files.keep_only(film, ORIGINAL))


def retry(video: Video) -> None:
    """Take the conversion up again where it stopped: filled cells stay filled.

    Raises Conflict `not_stopped`, or `original_gone` where the file could not be kept.
    """
    if video.status == Status.READY and video.error_code is not None:
        return convert_again(video)
    lock_tasks(video.id)
    _require_original(video)
    changed = update_rows(
        update(Video)
        .where(Video.id == video.id, Video.status.in_([Status.FAILED, Status.CANCELLED]))
        .values(
            status=Status.PROCESSING,
            **NO_ERROR,
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
        forget_grids(video.id)
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


def _require_original(video: Video) -> None:
    if storage().entry(video.film, ORIGINAL) is None:
        raise Conflict(
            "The file of this film is gone, since it cannot be converted. Upload it again.",
            code="original_gone",
        )


def _is_done(video_id: int, kind: TaskKind) -> bool:
    done = select(Task.id).where(
        Task.video_id == video_id, Task.kind == kind, Task.state == TaskState.DONE
    )
    return db.session.scalar(done) is not None


def _announce(task_id: int, name: str = VIDEOS) -> None:
    after_commit(lambda: enqueue(name, RUN_TASK, task_id))
