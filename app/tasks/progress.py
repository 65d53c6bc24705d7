"""From filled cells to what a person sees: playable, ready, and the measured bit rates."""

from __future__ import annotations

import math

from sqlalchemy import and_, func, or_, select, update

from app.database import db, now
from app.media.playlists import average_bit_rate, peak_bit_rate
from app.tasks.takeover import take_over
from app.videos.models import Cell, Grid, Rendition, Status, Task, TaskKind, TaskState, Video
from app.videos.queries import current_grid
from app.videos.work import add_task


def review(video_id: int) -> None:
    """Bring the film's state in line with its cells, in the current transaction."""
    video = db.session.execute(
        db.select(Video.playable, Video.status)
        .where(Video.id == video_id)
        .with_for_update(key_share=True)  # two that finish at once see one another
    ).one()
    if not video.playable and _can_be_watched(video_id):
        _set(video_id, playable=True, playable_at=now())
    if (taken_over := take_over(video_id)) is not None:
        _measure(taken_over)
    shown = db.session.scalar(select(Grid.id).where(*current_grid(video_id)))
    open_tasks = db.session.scalar(
        select(func.count())
        .select_from(Task)
        .where(
            Task.video_id == video_id,
            Task.state == TaskState.WAITING,
            or_(Task.grid_id.is_(None), Task.grid_id == shown),
        )
    )
    if video.status == Status.PROCESSING and not open_tasks:
        if shown is not None:
            _measure(shown)
        _set(video_id, status=Status.READY, ready_at=now())
        if _has_picture(video_id):
            add_task(video_id, TaskKind.STORYBOARD)


def _can_be_watched(video_id: int) -> bool:
    """Some picture row begins (or there is none), and so does the sound that is heard first.

    Other sound rows are made as they are asked for: see `videos.demand`.
    """
    begins = db.session.execute(
        select(Rendition.kind, Cell.filled_at, Rendition.is_default)
        .join(Grid, Grid.id == Rendition.grid_id)
        .join(Cell, and_(Cell.rendition_id == Rendition.id, Cell.chunk == 0))
        .where(*current_grid(video_id))
    ).all()
    picture = [filled is not None for kind, filled, _ in begins if kind == "video"]
    sound = [filled is not None for kind, filled, first in begins if kind == "audio" and first]
    return bool(begins) and all(sound) and (any(picture) or not picture)


def _has_picture(video_id: int) -> bool:
    found = select(Rendition.id).join(Grid).where(*current_grid(video_id))
    return db.session.scalar(found.where(Rendition.kind == "video").limit(1)) is not None


def _measure(grid_id: int) -> None:
    """Write each row's bytes, and its peak and average bit rate over segments, in bits/s."""
    renditions = db.session.scalars(select(Rendition).where(Rendition.grid_id == grid_id)).all()
    for rendition in renditions:
        cells = db.session.scalars(
            select(Cell.segments).where(Cell.rendition_id == rendition.id).order_by(Cell.chunk)
        ).all()
        segments = [(size, seconds) for cell in cells for size, _, seconds, *_ in cell or []]
        rendition.bytes = sum(size for size, _ in segments) + (rendition.init_bytes or 0)
        rendition.average_bitrate = math.ceil(average_bit_rate(segments))
        rendition.peak_bitrate = math.ceil(peak_bit_rate(segments))


def _set(video_id: int, **values: object) -> None:
    db.session.execute(update(Video).where(Video.id == video_id).values(**values))
