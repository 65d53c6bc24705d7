"""From a plan to rows: the grid, its renditions and cells, and the tasks that fill them.

Tiers decide the order of filling: the first picture and sound, then the pictures for the catalogue,
then all rungs chunk by chunk, with one decode each.
"""

from __future__ import annotations

from sqlalchemy import insert, update

from app.database import db
from app.media.plan import AudioRow, Plan, VideoRow
from app.observability import request_id
from app.videos.models import WHOLE, Cell, Grid, GridRole, Rendition, Task, TaskKind, Video

FIRST, IMAGES, FILL, AGAIN = 1, 2, 3, 4
"""AGAIN: who waits for a film to be there at all goes before one that only becomes another."""

COPIED = 0.02
SOUND_SECOND = 4.0
"""What a copied picture, against an encoded one, and a second of sound take: docs/media.md."""


def lay_out(
    video_id: int, plan: Plan, size: tuple[int, int] | None, role: GridRole = GridRole.CURRENT
) -> None:
    """Insert a grid of this plan with everything that is to be filled. Flushes.

    `size` is the film's width and height as it is seen; None where it has no picture. Pictures and
    captions are of the film, so a grid that is to take over brings none.
    """
    grid = Grid(video_id=video_id, plan=plan.to_json(), role=role)
    db.session.add(grid)
    video_rows = [(row, _video_rendition(grid, row, plan)) for row in plan.video]
    audio_rows = [(row, _audio_rendition(grid, row)) for row in plan.audio]
    db.session.add_all([rendition for _, rendition in [*video_rows, *audio_rows]])
    db.session.flush()
    if role is GridRole.CURRENT:
        for kind in (TaskKind.POSTER, *([TaskKind.TEXT] if plan.text else [])):
            task = _task(video_id, kind, IMAGES)
            task.needs = WHOLE if plan.needs else 0
            db.session.add(task)
        width, height = size or (None, None)
        db.session.execute(
            update(Video)
            .where(Video.id == video_id)
            .values(duration=plan.duration, width=width, height=height)
        )

    encoded = [rendition for row, rendition in video_rows if row.mode == "encode"]
    whole = [rendition for row, rendition in video_rows if row.mode == "copy"]
    whole += [rendition for _, rendition in audio_rows]
    work: list[tuple[Task, list[Rendition], range]] = []
    for place, rendition in enumerate(whole):
        task = _task(video_id, TaskKind.ROW, FIRST, place + 1)
        work.append((task, [rendition], range(rendition.chunks)))
    if encoded:
        copied = len(encoded) < len(plan.video)
        work += _chunk_work(video_id, encoded, len(plan.chunks), copied=copied)
    for task, renditions, chunks in work:
        if plan.needs:  # a row begins with its first chunk
            task.needs = plan.needs[renditions[0].name][chunks[0]]
        task.work = _work_of(task, renditions, chunks, plan)
        task.grid_id = grid.id
        task.tier = AGAIN if role is GridRole.NEXT else task.tier
    db.session.add_all([task for task, _, _ in work])
    db.session.flush()
    cells = [
        {"rendition_id": rendition.id, "chunk": chunk, "task_id": task.id}
        for task, renditions, chunks in work
        for rendition in renditions
        for chunk in chunks
    ]
    if cells:
        db.session.execute(insert(Cell), cells)


def _chunk_work(
    video_id: int, encoded: list[Rendition], chunks: int, *, copied: bool
) -> list[tuple[Task, list[Rendition], range]]:
    """Tasks for the encoded rungs: all rungs of a chunk with one decode.

    Where no copied rung shows the film at once, the lowest rung of the first chunk goes ahead. A
    viewer who is further on gets the same: see `videos.demand`.
    """
    ladder = sorted(encoded, key=lambda rendition: (rendition.height or 0, rendition.width or 0))
    work: list[tuple[Task, list[Rendition], range]] = []
    for chunk in range(chunks):
        rungs, only = ladder, range(chunk, chunk + 1)
        if chunk == 0 and not copied:
            work.append((_task(video_id, TaskKind.CHUNK, FIRST, chunk), ladder[:1], only))
            rungs = ladder[1:]
        if rungs:
            work.append((_task(video_id, TaskKind.CHUNK, FILL, chunk), rungs, only))
    return work


def _task(video_id: int, kind: TaskKind, tier: int, position: int = 0) -> Task:
    return Task(
        video_id=video_id,
        kind=kind,
        tier=tier,
        position=position,
        request_id=request_id.get(),
    )


def _work_of(task: Task, renditions: list[Rendition], chunks: range, plan: Plan) -> float:
    """How much there is to do, in millions of encoded pixels or what takes as long as these."""
    if any(rendition.kind == "audio" for rendition in renditions):
        return plan.duration * SOUND_SECOND
    spans = [plan.chunks[chunk] for chunk in chunks]
    frames = sum(sum(plan.frames[first : last + 1]) for first, last in spans)
    pixels = sum((rendition.width or 0) * (rendition.height or 0) for rendition in renditions)
    return frames * pixels / 1e6 * (COPIED if task.kind == TaskKind.ROW else 1)


def _video_rendition(grid: Grid, row: VideoRow, plan: Plan) -> Rendition:
    return Rendition(
        grid=grid,
        kind="video",
        name=row.name,
        width=row.width,
        height=row.height,
        codecs=row.codecs,
        chunks=len(plan.chunks),
    )


def _audio_rendition(grid: Grid, row: AudioRow) -> Rendition:
    return Rendition(
        grid=grid,
        kind="audio",
        name=row.name,
        codecs=row.codecs,
        language=row.language,
        label=row.label,
        is_default=row.default,
        chunks=len(row.chunks),
    )
