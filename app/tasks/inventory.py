"""What a film's rows say of its files: which must be there, and which may be.

An inventory is a picture of one moment; the audit takes one before it looks at the disk and another
afterwards, and mending takes its own under the film's locks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto

from sqlalchemy import select

from app.database import db, epoch_now
from app.media.plan import Plan
from app.storage import Entry, StorageAway, storage
from app.videos.models import (
    Cell,
    Grid,
    GridRole,
    Rendition,
    Status,
    Subtitle,
    Task,
    TaskKind,
    TaskState,
    Video,
)
from app.videos.names import (
    CARD,
    INIT,
    ORIGINAL,
    PICTURES,
    POSTER,
    POSTER_UPLOAD,
    PREVIEW,
    STORYBOARD,
    grid_file,
    grid_folder,
    image_file,
    is_image,
    text_file,
)
from app.videos.pictures import listed

_SHEET = re.compile(r"^(board-[0-9]+\.jpg)#", re.MULTILINE)


class Part(StrEnum):
    """Which kind of file it is, and so how it is mended."""

    ORIGINAL = auto()
    INIT = auto()
    SEGMENT = auto()
    IMAGE = auto()
    PREVIEW = auto()
    OWN_TEXT = auto()
    ADDED_TEXT = auto()


@dataclass(frozen=True, slots=True)
class Promise:
    """A file that a row says is there. `row_id` is its cell's, rendition's or subtitle's.

    Bytes and hash are None where no row says them. `since` tells a cell that was filled again.
    """

    part: Part
    row_id: int = 0
    bytes: int | None = None
    sha256: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Inventory:
    """The files of a film, by its rows: `promised` by name, and what else may lie there."""

    video_id: int
    film: str
    title: str
    status: str
    grids: frozenset[str]
    promised: Mapping[str, Promise]
    texts: frozenset[str]
    may_have_images: bool
    attempts: frozenset[str]
    has_original: bool

    @property
    def owed(self) -> Mapping[str, Promise]:
        """What must be there: nothing of a film that failed for good, whose file was not kept."""
        gone = self.status == Status.FAILED and not self.has_original
        return {} if gone else self.promised

    def unowned(self, entry: Entry) -> str | None:
        """None for a file or folder that may be there; else the name of what is to be removed.

        That is the outermost folder of which nothing belongs to the film, or the file itself.
        """
        name, parts = entry.name, entry.name.split("/")
        place, inner = parts[0], "/".join(parts[:2])
        if name in self.promised or name == ORIGINAL:
            return None
        if place in self.grids:
            return None if entry.is_folder else name
        if place == "attempts":
            return None if len(parts) == 1 or parts[1] in self.attempts else inner
        if place == "text":
            return None if len(parts) == 1 or name in self.texts else inner
        if place == "images":
            known = name == image_file(PICTURES) or is_image("/".join(parts[1:]))
            fits = len(parts) == 1 or (self.may_have_images and known)
            return None if fits else inner
        return None if name == POSTER_UPLOAD and self.may_have_images else place


def take(video_id: int) -> Inventory | None:
    """Read the film's rows; None where there is no such film. Leaves the transaction open."""
    video = db.session.execute(
        select(
            Video.film,
            Video.title,
            Video.status,
            Video.size,
            Video.received,
            Video.has_images,
            Video.placeholder,
            Video.has_storyboard,
        ).where(Video.id == video_id)
    ).one_or_none()
    if video is None:
        return None
    grids = db.session.execute(
        select(Grid.id, Grid.plan, Grid.role).where(Grid.video_id == video_id)
    ).all()
    tasks = db.session.execute(
        select(
            Task.id,
            Task.kind,
            Task.state,
            Task.fence,
            (Task.lease_until >= epoch_now()).label("held"),
        ).where(Task.video_id == video_id)
    ).all()
    subtitles = db.session.scalars(select(Subtitle).where(Subtitle.video_id == video_id)).all()
    kinds = {task.kind for task in tasks}
    coming = {task.kind for task in tasks if task.state == TaskState.WAITING}
    failed = video.status == Status.FAILED
    texts = {text_file(row.name): row for row in subtitles}
    promised: dict[str, Promise] = {}
    for grid in grids:
        if grid.role != GridRole.RETIRED:  # those go soon, and nothing is made for them any more
            promised |= _cells(grid.id, Plan.from_json(grid.plan))
    if not failed and video.received is None:
        promised[ORIGINAL] = Promise(Part.ORIGINAL, bytes=video.size)
    if video.has_images and TaskKind.POSTER not in coming:
        promised |= _images(video.film, listed_too=video.placeholder is not None)
    if video.has_storyboard and video.status == Status.READY and TaskKind.STORYBOARD not in coming:
        promised |= _previews(video.film)
    for name, row in texts.items():
        part = Part.OWN_TEXT if row.is_embedded else Part.ADDED_TEXT
        if part is Part.ADDED_TEXT or not (failed or TaskKind.TEXT in coming):
            promised[name] = Promise(part, row.id)
    return Inventory(
        video_id=video_id,
        film=video.film,
        title=video.title,
        status=video.status,
        grids=frozenset(grid_folder(grid.id) for grid in grids),
        promised=promised,
        texts=frozenset(texts),
        may_have_images=(
            video.has_images
            or TaskKind.POSTER in kinds
            or video.status in {Status.PROCESSING, Status.READY}
        ),
        attempts=frozenset(
            f"{task.id}-{task.fence}"
            for task in tasks
            if task.state == TaskState.WAITING and task.held
        ),
        has_original=storage().entry(video.film, ORIGINAL) is not None,
    )


def _cells(grid_id: int, plan: Plan) -> dict[str, Promise]:
    """The init segments and the segments of filled cells."""
    promised: dict[str, Promise] = {}
    for row in db.session.execute(
        select(Rendition.id, Rendition.name, Rendition.init_bytes, Rendition.init_sha256).where(
            Rendition.grid_id == grid_id, Rendition.init_bytes.is_not(None)
        )
    ):
        promised[grid_file(grid_id, row.name, INIT)] = Promise(
            Part.INIT, row.id, row.init_bytes, row.init_sha256
        )
    for cell in db.session.execute(
        select(Cell.id, Cell.chunk, Cell.segments, Cell.filled_at, Rendition.name)
        .join(Rendition, Rendition.id == Cell.rendition_id)
        .where(Rendition.grid_id == grid_id, Cell.filled_at.is_not(None))
    ):
        first, _last = plan.row_chunks(cell.name)[cell.chunk]
        for index, (size, sha256, *_) in enumerate(cell.segments or [], first):
            promised[grid_file(grid_id, cell.name, f"{index}.m4s")] = Promise(
                Part.SEGMENT, cell.id, size, sha256, cell.filled_at
            )
    return promised


def _images(film: str, *, listed_too: bool) -> dict[str, Promise]:
    """The two pictures that every film has, and those of its list, once it has one.

    Of films from before the list nothing else is promised.
    """
    names = [POSTER, CARD, *(picture.name for picture in listed(film))]
    if listed_too or len(names) > 2:
        names.append(PICTURES)
    return {image_file(name): Promise(Part.IMAGE) for name in names}


def _previews(film: str) -> dict[str, Promise]:
    """The storyboard, the sheets that it names, and the moving preview."""
    try:
        sheets = _SHEET.findall(storage().read(film, image_file(STORYBOARD)).decode())
    except StorageAway:
        raise
    except (OSError, ValueError):
        sheets = []
    return {image_file(name): Promise(Part.PREVIEW) for name in (STORYBOARD, PREVIEW, *sheets)}
