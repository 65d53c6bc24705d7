"""What a stream's addresses stand for: playlists from the plan, segments from the grid.

A segment that is not there yet is asked for (see `demand`), and the request waits for it, for a
bounded time and among a bounded number of waiters.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from sqlalchemy import and_, select

from app.auth.models import User
from app.database import db
from app.errors import NotFound, Unavailable
from app.media.captions import Cue, plain, to_webvtt
from app.media.grid import AudioRow, Plan
from app.media.playlists import (
    KeyFrames,
    TextTrack,
    key_frame_playlist,
    master_playlist,
    media_playlist,
    text_playlist,
)
from app.metrics import WAITING, WAITS
from app.storage import LocalFile, Remote, storage
from app.videos import grants, policy, queries
from app.videos.demand import want
from app.videos.models import Cell, Grid, Rendition, Subtitle, Video
from app.videos.names import CAPTIONS, INIT, grid_file, image_file, is_image, text_file

WAIT_SECONDS = 10.0
"""How long a request waits for an empty cell: a cell of a few seconds takes less to encode."""

POLL_SECONDS = 0.1
MAX_WAITERS = 8
"""Requests of one process that may wait at a time, half of its threads: pages stay served."""

_waiters = threading.BoundedSemaphore(MAX_WAITERS)


@dataclass(frozen=True, slots=True)
class Opened:
    """A film that a grant opens; whoever may change it sees its pictures before it plays."""

    video: Video
    may_watch: bool


def open_film(grant_text: str) -> Opened:
    """The film of a grant. Raises NotFound, whatever is wrong."""
    grant = grants.read(grant_text)
    if isinstance(grant.viewer, str):
        return _open_shared(grant.video_id, grant.viewer)
    found = db.session.execute(
        select(Video, User).join(User, User.id == grant.viewer).where(Video.id == grant.video_id)
    ).one_or_none()
    if found is None or not policy.may_see(found[1], found[0]):
        raise NotFound
    return Opened(found[0], policy.may_watch(found[1], found[0]))


def _open_shared(video_id: int, key: str) -> Opened:
    video = queries.find(video_id)
    if video is None or not policy.may_watch_shared(key, video, video.owner):
        raise NotFound
    return Opened(video, may_watch=True)


def master(grant_text: str, grid_id: int, lines: int | None = None) -> str:
    """The master playlist; with `lines`, of the one picture row nearest to so many lines.

    Raises NotFound.
    """
    video, plan = _plan_of(grant_text, grid_id)
    if lines is not None and plan.video:
        nearest = min(plan.video, key=lambda row: abs(min(row.width, row.height) - lines))
        plan = replace(plan, video=(nearest,))
    measured = db.session.execute(
        select(Rendition.name, Rendition.peak_bitrate, Rendition.average_bitrate).where(
            Rendition.grid_id == grid_id, Rendition.peak_bitrate.is_not(None)
        )
    )
    rates = {name: (peak or 0, average or 0) for name, peak, average in measured}
    if lines is not None:
        return master_playlist(plan, rates)
    return master_playlist(plan, rates, _texts(video.id), _key_frames(plan, grid_id))


def media(grant_text: str, grid_id: int, row: str) -> str:
    """A row's playlist, complete from the plan. Raises NotFound."""
    _, plan = _plan_of(grant_text, grid_id)
    _require_row(plan, row)
    return media_playlist(plan, row)


def key_frames(grant_text: str, grid_id: int, row: str) -> str:
    """The playlist of a row's key frames. Raises NotFound where the master names none."""
    _, plan = _plan_of(grant_text, grid_id)
    found = _key_frames(plan, grid_id)
    if found is None or found.row != row:
        raise NotFound
    return key_frame_playlist(plan, found)


def segment(grant_text: str, grid_id: int, row: str, name: str) -> LocalFile | Remote:
    """The file of a segment (`12.m4s`) or of the init segment, waited for if need be.

    Raises NotFound, and Unavailable when it takes longer than WAIT_SECONDS.
    """
    video, plan = _plan_of(grant_text, grid_id)
    chunk = _chunk(plan, row, name)
    if found := _made(video, grid_id, row, name, chunk):
        return found
    target = plan.row(row)
    want(
        grid_id,
        row,
        chunk,
        needs=plan.needs[row][chunk] if plan.needs else 0,
        excerpt=isinstance(target, AudioRow) and target.can_excerpt,
    )
    _await(lambda: _is_there(grid_id, row, name, chunk))
    return _file_of(video, grid_file(grid_id, row, name))


def made(grant_text: str, grid_id: int, row: str, name: str) -> LocalFile | Remote:
    """The same file if it is there already. Raises NotFound."""
    video, plan = _plan_of(grant_text, grid_id)
    found = _made(video, grid_id, row, name, _chunk(plan, row, name))
    if found is None:
        raise NotFound
    return found


def captions_playlist(grant_text: str, subtitle_id: int) -> str:
    """The playlist of captions. Raises NotFound."""
    video, _ = _subtitle(grant_text, subtitle_id)
    return text_playlist(video.duration or 1.0, CAPTIONS)


def captions(grant_text: str, subtitle_id: int) -> LocalFile | Remote:
    """A captions file. Raises NotFound."""
    video, name = _subtitle(grant_text, subtitle_id)
    return _file_of(video, text_file(name))


def chapters(grant_text: str) -> str:
    """The film's chapters as WebVTT. Raises NotFound where it has none."""
    _, plan = _plan_of(grant_text, queries.grid_of(grants.read(grant_text).video_id))
    if not plan.chapters:
        raise NotFound
    return to_webvtt(Cue(part.start, part.end, plain(part.title)) for part in plan.chapters)


def image(grant_text: str, name: str) -> LocalFile | Remote:
    """A picture of the film. Raises NotFound."""
    video = open_film(grant_text).video
    if not is_image(name):
        raise NotFound
    return _file_of(video, image_file(name))


def _file_of(video: Video, name: str) -> LocalFile | Remote:
    found = storage().deliver(video.film, name)
    if found is None:
        raise NotFound
    return found


def _subtitle(grant_text: str, subtitle_id: int) -> tuple[Video, str]:
    """The film of a grant and the name of one of its captions."""
    opened = open_film(grant_text)
    found = db.session.get(Subtitle, subtitle_id)
    if found is None or found.video_id != opened.video.id or not opened.may_watch:
        raise NotFound
    return opened.video, found.name


def _texts(video_id: int) -> list[TextTrack]:
    """The film's captions as its master playlist names them, seen from the grid's folder."""
    return [
        TextTrack(
            uri=f"../text/{found.id}/index.m3u8",
            language=found.language,
            label=found.label,
            forced=found.is_forced,
        )
        for found in queries.subtitles_of(video_id)
    ]


def _plan_of(grant_text: str, grid_id: int) -> tuple[Video, Plan]:
    opened = open_film(grant_text)
    video = opened.video
    if not opened.may_watch:
        raise NotFound
    owner = db.session.scalar(select(Grid.video_id).where(Grid.id == grid_id))
    if owner != video.id:
        raise NotFound
    return video, _parsed_plan(video.film, grid_id)


@lru_cache(maxsize=64)
def _parsed_plan(_film: str, grid_id: int) -> Plan:
    """A grid's plan; it never changes, so it may be kept. A film's name is never used again."""
    text = db.session.scalar(select(Grid.plan).where(Grid.id == grid_id))
    if text is None:
        raise NotFound
    return Plan.from_json(text)


def _key_frames(plan: Plan, grid_id: int) -> KeyFrames | None:
    """The key frames of the smallest picture row, once it is full.

    None also where its cells were filled before the sizes of key frames were kept.
    """
    if not plan.video:
        return None
    row = min(plan.video, key=lambda row: row.width * row.height).name
    cells = db.session.scalars(
        select(Cell.segments)
        .join(Rendition, Rendition.id == Cell.rendition_id)
        .where(Rendition.grid_id == grid_id, Rendition.name == row)
        .order_by(Cell.chunk)
    )
    kept: list[Sequence[Any]] = [segment for segments in cells for segment in segments or []]
    sizes = [segment[3] for segment in kept if len(segment) > 3]
    return KeyFrames(row, sizes) if len(sizes) == plan.segment_count(row) else None


def _require_row(plan: Plan, row: str) -> None:
    try:
        plan.row(row)
    except KeyError:
        raise NotFound from None


def _chunk(plan: Plan, row: str, name: str) -> int:
    """The chunk that holds a segment; the init segment comes with the first one."""
    _require_row(plan, row)
    if name == INIT:
        return 0
    stem = name.removesuffix(".m4s")
    if not (stem.isascii() and stem.isdecimal() and name == f"{int(stem)}.m4s"):
        raise NotFound
    index = int(stem)
    if index >= plan.segment_count(row):
        raise NotFound
    chunks = plan.row_chunks(row)
    return bisect_right([first for first, _ in chunks], index) - 1


def _made(video: Video, grid_id: int, row: str, name: str, chunk: int) -> LocalFile | Remote | None:
    if not _is_there(grid_id, row, name, chunk):
        return None
    return storage().deliver(video.film, grid_file(grid_id, row, name))


def _is_there(grid_id: int, row: str, name: str, chunk: int) -> bool:
    """Whether the rows say so: to ask them costs less than to ask a storage far away."""
    found = db.session.execute(
        select(Rendition.init_bytes, Cell.filled_at)
        .join(Cell, and_(Cell.rendition_id == Rendition.id, Cell.chunk == chunk))
        .where(Rendition.grid_id == grid_id, Rendition.name == row)
    ).one_or_none()
    if found is None:
        return False
    return (found.init_bytes if name == INIT else found.filled_at) is not None


def _await(is_there: Callable[[], bool]) -> None:
    """Wait for it, without a transaction between two looks. Raises Unavailable."""
    db.session.rollback()
    if not _waiters.acquire(blocking=False):
        WAITS.labels("busy").inc()
        raise Unavailable("Many are waiting for this film. Please try again.", 2, "busy")
    try:
        with WAITING.track_inprogress():
            deadline = time.monotonic() + WAIT_SECONDS
            while time.monotonic() < deadline:
                found = is_there()
                db.session.rollback()
                if found:
                    WAITS.labels("made").inc()
                    return
                time.sleep(POLL_SECONDS)
    finally:
        _waiters.release()
    WAITS.labels("pending").inc()
    raise Unavailable("This part of the film is being converted. Please try again.", 2, "pending")
