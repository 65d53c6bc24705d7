"""Publishing what a task made: files under their names and rows that say so, in one commit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import select, update

from app.database import db, now, update_rows
from app.media.cells import CellResult
from app.media.errors import MediaError
from app.storage import storage
from app.tasks import claims
from app.tasks.claims import Claim
from app.tasks.progress import review
from app.videos.models import Cell, Rendition
from app.videos.names import grid_file

ROW_CHANGED: Final = "row_changed"
"""A cell does not fit the others of its row, which another version of ffmpeg made."""


def publish(mine: Claim, grid_id: int, results: Iterable[CellResult], *, last: bool) -> None:
    """Move checked files to their names and mark their cells filled: one commit, if still ours.

    Raises LostClaim, MediaError `row_changed`.
    """
    claims.hold(mine)
    for result in results:
        _publish_cell(mine, grid_id, result)
    if last:
        claims.finish(mine)
    review(mine.video_id)
    db.session.commit()


def finish(mine: Claim) -> None:
    """Mark the task as done. Raises LostClaim. Commits."""
    claims.finish(mine)
    review(mine.video_id)
    db.session.commit()


def _publish_cell(mine: Claim, grid_id: int, result: CellResult) -> None:
    """Publish one cell, unless it was taken out of this task for somebody who waits."""
    cell = db.session.execute(
        select(
            Cell.id,
            Cell.task_id,
            Cell.rendition_id,
            Rendition.init_bytes,
            Rendition.init_sha256,
        )
        .join(Rendition, Rendition.id == Cell.rendition_id)
        .where(
            Rendition.grid_id == grid_id, Rendition.name == result.row, Cell.chunk == result.chunk
        )
    ).one()
    if cell.init_sha256 not in {None, result.init_sha256}:
        raise MediaError(
            ROW_CHANGED,
            stage="video",
            message="This film has to be converted again as a whole.",
            hint="That happens by itself.",
            permanent=False,
            log=f"row {result.row}: a chunk came with another init segment",
        )
    row = update(Rendition).where(Rendition.id == cell.rendition_id)
    if result.loudness is not None:
        update_rows(
            row.values(
                loudness=result.loudness.integrated,
                loudness_range=result.loudness.range,
                true_peak=result.loudness.true_peak,
            )
        )
    if cell.task_id != mine.task_id:
        return
    files = [(path, grid_file(grid_id, result.row, path.name)) for path in result.files]
    if cell.init_bytes is None:
        files.insert(0, (result.init, grid_file(grid_id, result.row, result.init.name)))
        update_rows(row.values(init_bytes=result.init_bytes, init_sha256=result.init_sha256))
    storage().publish(mine.film, files)
    update_rows(
        update(Cell)
        .where(Cell.id == cell.id)
        .values(
            filled_at=now(),
            bytes=sum(segment.bytes for segment in result.segments),
            segments=[[s.bytes, s.sha256, s.duration, s.first_sample_end] for s in result.segments],
        )
    )
