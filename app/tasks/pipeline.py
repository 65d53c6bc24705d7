"""What each kind of task does: read the claim, call the FFmpeg library, publish the result.

Data flows one way: row → library → scratch folder → storage → row. The database session is released
before every long call.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from flask import current_app
from sqlalchemy import delete, update

from app.database import db
from app.media.arrivals import with_parts
from app.media.binary import ffmpeg_binary
from app.media.captions import to_webvtt
from app.media.cells import fill_chunk, fill_row
from app.media.excerpts import fill_excerpt
from app.media.filing import write_synced
from app.media.images import make_poster, use_image
from app.media.ladder import Encoding
from app.media.plan import AudioRow, Plan, PlanOptions, make_plan
from app.media.storyboard import make_storyboard
from app.media.texts import read_texts
from app.storage import storage
from app.tasks import claims
from app.tasks.claims import Claim
from app.tasks.layout import lay_out
from app.tasks.progress import review
from app.tasks.publishing import finish, publish
from app.tasks.sources import Stop, front_of, opened, part_of, probed
from app.tasks.takeover import is_for_next
from app.videos.models import (
    Cell,
    Grid,
    GridRole,
    Rendition,
    Subtitle,
    TaskKind,
    Video,
)
from app.videos.names import (
    INIT,
    MODERN,
    POSTER_UPLOAD,
    grid_file,
    image_file,
    new_text,
    text_file,
)
from app.videos.queries import current_grid


def plan_film(mine: Claim, stop: Stop) -> None:
    """Probe the original, fix the plan, and lay out the grid's rows, cells and tasks."""
    may_copy = db.session.scalar(db.select(Video.may_copy).where(Video.id == mine.video_id))
    db.session.rollback()
    role = GridRole.NEXT if is_for_next(mine) else GridRole.CURRENT
    facts, entrance = probed(mine, stop)
    plan = make_plan(facts, _options(copy=bool(may_copy)))
    if entrance is not None:
        plan = with_parts(plan, facts, entrance)
    claims.hold(mine)
    lay_out(mine.video_id, plan, facts.video.upright if facts.video else None, role)
    claims.finish(mine)
    if role is GridRole.NEXT:
        review(mine.video_id)
    db.session.commit()


def fill_cells_of_chunk(mine: Claim, stop: Stop) -> None:
    """Encode the empty cells of one chunk, with one decode of the source."""
    plan, grid_id, empty = _empty_cells(mine)
    if not empty:
        return finish(mine)
    chunk = empty[0][1]
    rows = [name for name, _chunk in empty]
    place = storage().scratch(mine.film, mine.attempt)
    with opened(mine, part_of(mine, plan, rows[0], chunk)) as source:
        film, once = source.path, source.bytes < mine.size
        if isinstance(plan.row(rows[0]), AudioRow):  # who waits for sound far ahead of its row
            made = fill_excerpt(film, plan, rows[0], chunk, place, ffmpeg=_ffmpeg(), stop=stop)
            results = [made]
        else:
            results = fill_chunk(
                film, plan, chunk, rows, place, ffmpeg=_ffmpeg(), stop=stop, once=once
            )
    publish(mine, grid_id, results, last=True)
    return None


def fill_cells_of_row(mine: Claim, stop: Stop) -> None:
    """Copy or encode a whole row, publishing each cell as soon as it is written."""
    plan, grid_id, empty = _empty_cells(mine)
    if not empty:
        return finish(mine)
    row, first = empty[0]
    filled = _filled_chunks(mine)
    place = storage().scratch(mine.film, mine.attempt)
    begun = front_of(mine, plan, row, first)
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(opened(mine, begun))
        film = source.path
        results = fill_row(film, plan, row, place, ffmpeg=_ffmpeg(), stop=stop, skip=filled)
        stack.enter_context(contextlib.closing(results))
        for result in results:
            if begun is not None and plan.needs[row][result.chunk] > source.bytes:
                claims.wait_for_rest(mine)  # the file was not there any further
                return db.session.commit()
            publish(mine, grid_id, [result], last=False)
    if _empty_cells(mine)[2]:  # given back meanwhile by who could not make it ahead of the row
        claims.wait_for_rest(mine)
        return db.session.commit()
    return finish(mine)


def make_images(mine: Claim, stop: Stop) -> None:
    """Make the film's pictures: of the owner's image, their moment, or a good one."""
    plan, _grid_id = _plan(mine)
    chosen = db.session.scalar(db.select(Video.poster_time).where(Video.id == mine.video_id))
    db.session.rollback()
    place = storage().scratch(mine.film, mine.attempt)
    try:
        (own,) = storage().bring(mine.film, [POSTER_UPLOAD], place)
    except FileNotFoundError:
        with opened(mine) as source:
            film = source.path
            made = make_poster(film, plan, place, ffmpeg=_ffmpeg(), stop=stop, seconds=chosen)
    else:
        made = use_image(own, place, ffmpeg=_ffmpeg(), stop=stop)
    claims.hold(mine)
    storage().publish(mine.film, [(path, image_file(path.name)) for path in made.files])
    for name in MODERN - {path.name for path in made.files}:  # of a larger picture before
        storage().delete(mine.film, image_file(name))
    db.session.execute(
        update(Video)
        .where(Video.id == mine.video_id)
        .values(
            has_images=True,
            images_version=Video.images_version + 1,
            placeholder=made.placeholder,
        )
    )
    claims.finish(mine)
    review(mine.video_id)
    db.session.commit()


def read_captions(mine: Claim, stop: Stop) -> None:
    """Make captions of the film's own text tracks."""
    plan, _grid_id = _plan(mine)
    place = storage().scratch(mine.film, mine.attempt)
    files, rows = [], []
    with opened(mine) as source:
        found = list(read_texts(source.path, plan, place, ffmpeg=_ffmpeg(), stop=stop))
    for row, cues in found:
        name = new_text()
        path = place / f"{name}.vtt"
        write_synced(path, to_webvtt(cues).encode())
        files.append((path, text_file(name)))
        rows.append(
            Subtitle(
                video_id=mine.video_id,
                name=name,
                language=row.language,
                label=row.label,
                is_default=row.default,
                is_forced=row.forced,
                is_embedded=True,
            )
        )
    claims.hold(mine)
    embedded = Subtitle.video_id == mine.video_id, Subtitle.is_embedded.is_(True)
    replaced = db.session.scalars(db.select(Subtitle.name).where(*embedded)).all()
    db.session.execute(delete(Subtitle).where(*embedded))
    storage().publish(mine.film, files)
    db.session.add_all(rows)
    claims.finish(mine)
    review(mine.video_id)
    db.session.commit()
    for old in replaced:
        storage().delete(mine.film, text_file(old))


def make_previews(mine: Claim, stop: Stop) -> None:
    """Make the storyboard and the moving preview of the smallest row, which is filled."""
    plan, grid_id = _plan(mine)
    row = min(plan.video, key=lambda row: row.width * row.height)
    names = [INIT, *(f"{number}.m4s" for number in range(plan.segment_count(row.name)))]
    place = storage().scratch(mine.film, mine.attempt)
    files = storage().bring(
        mine.film, [grid_file(grid_id, row.name, name) for name in names], place
    )
    made = make_storyboard(plan, row, files, place, ffmpeg=_ffmpeg(), stop=stop)
    claims.hold(mine)
    storage().publish(mine.film, [(path, image_file(path.name)) for path in made])
    db.session.execute(update(Video).where(Video.id == mine.video_id).values(has_storyboard=True))
    claims.finish(mine)
    db.session.commit()


HANDLERS: dict[TaskKind, Callable[[Claim, Stop], None]] = {
    TaskKind.PLAN: plan_film,
    TaskKind.CHUNK: fill_cells_of_chunk,
    TaskKind.ROW: fill_cells_of_row,
    TaskKind.POSTER: make_images,
    TaskKind.TEXT: read_captions,
    TaskKind.STORYBOARD: make_previews,
}


def _ffmpeg() -> str:
    return ffmpeg_binary(current_app.config["FFMPEG_BINARY"] or None)


def _options(*, copy: bool) -> PlanOptions:
    """What the operator wishes of a plan."""
    config = current_app.config
    return PlanOptions(
        copy=copy and config["COPY_TOP_RUNG"],
        encoding=Encoding(config["LADDER_HEIGHTS"], config["X264_PRESET"], config["X264_CRF"]),
        normalise=config["NORMALISE_LUFS"],
    )


def _plan(mine: Claim) -> tuple[Plan, int]:
    """The plan that the task is a part of, else the film's, and its grid's id.

    Releases the session.
    """
    found = (Grid.id == mine.grid_id,) if mine.grid_id else current_grid(mine.video_id)
    row = db.session.execute(db.select(Grid.plan, Grid.id).where(*found)).one_or_none()
    db.session.rollback()
    if row is None:
        raise claims.LostClaim
    return Plan.from_json(row.plan), row.id


def _empty_cells(mine: Claim) -> tuple[Plan, int, list[tuple[str, int]]]:
    """The plan, the grid's id, and (row, chunk) of this task's cells that are still empty."""
    plan, grid_id = _plan(mine)
    cells = db.session.execute(
        db.select(Rendition.name, Cell.chunk)
        .join(Rendition, Rendition.id == Cell.rendition_id)
        .where(Cell.task_id == mine.task_id, Cell.filled_at.is_(None))
        .order_by(Rendition.id, Cell.chunk)
    ).all()
    db.session.rollback()
    return plan, grid_id, [(name, chunk) for name, chunk in cells]


def _filled_chunks(mine: Claim) -> set[int]:
    chunks = db.session.scalars(
        db.select(Cell.chunk).where(Cell.task_id == mine.task_id, Cell.filled_at.is_not(None))
    ).all()
    db.session.rollback()
    return set(chunks)
