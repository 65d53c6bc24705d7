"""Filling the grid's encoded picture cells: one ffmpeg, one decode, several rows of a chunk."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from app.media.codecs import init_codec, init_size
from app.media.commands import UNKNOWN_LEAD, ChunkTry, chunk_command
from app.media.errors import MediaError, damaged, disk_full, encoder_failed
from app.media.filing import CellResult, Segment, file_cell
from app.media.grid import TIMESCALE, Plan, VideoRow, VideoSource
from app.media.limits import STALL_SECONDS, limits_for, row_pixels, wall_seconds
from app.media.rows import fill_row
from app.media.runner import Finished, run
from app.media.segments import Sample, read_samples, retime, write_segment

__all__ = ["CellResult", "Segment", "fill_chunk", "fill_row"]

NO_MEMORY: Final = re.compile(r"malloc of size \d+ failed|Cannot allocate memory")
FAR_LEAD: Final = 60.0
"""Seconds: the last try of a damaged chunk holds the last picture that decodes before it."""
ROUNDING: Final = 4
"""Ticks of 1/90000 s by which a picture may miss its boundary: two roundings, there and back."""


def fill_chunk(
    source: Path,
    plan: Plan,
    chunk: int,
    rows: Sequence[str],
    place: Path,
    *,
    ffmpeg: str,
    stop: Callable[[], bool],
    threads: int = 1,
    once: bool = False,
) -> list[CellResult]:
    """Encode ``rows`` of one chunk into ``place`` (an existing directory of this attempt alone).

    Files appear as ``<row>/init.mp4`` and ``<row>/<segment>.m4s`` and are synced. Everything is
    checked: exit status, number, order, start and length of segments, picture counts, codec and
    size of the init segment, and that the first picture decodes. A chunk whose pictures do not
    come as the index said is tried again with pictures held on a regular grid, unless it is to be
    tried ``once``: holding pictures would hide that a part of the file is not there.

    Raises MediaError: damaged, encoder_failed, disk_full, hung; Stopped.
    """
    video = plan.source
    if video is None:
        raise ValueError("the plan has no picture")
    outputs = {name: place / f"{name}.part" for name in rows}
    problem: MediaError | None = None
    for attempt in _attempts(video)[: 1 if once else None]:
        command = chunk_command(ffmpeg, source, plan, chunk, outputs, attempt, threads)
        try:
            finished = run(
                command,
                limits=limits_for(video.pixels, row_pixels(plan, rows), tone_map=video.tone_map),
                wall_seconds=wall_seconds(plan, chunk),
                stall_seconds=STALL_SECONDS,
                stop=stop,
                reads=[source],
                writes=[place],
                stage="video",
                about=f"{' '.join(rows)}, chunk {chunk}",
            )
            return [
                _cell(plan, chunk, name, outputs[name], place, attempt, finished) for name in rows
            ]
        except MediaError as error:
            if error.code != "damaged":
                raise
            problem = error
        finally:
            for part in outputs.values():
                part.unlink(missing_ok=True)
    raise problem if problem is not None else damaged("video")


def _attempts(video: VideoSource) -> list[ChunkTry]:
    hold = max(video.longest_gap, 2 / float(video.rate)) + video.lead_in + 0.5
    held = [ChunkTry(held=True, lead=min(hold, FAR_LEAD)), ChunkTry(held=True, lead=FAR_LEAD)]
    if not video.exact:
        return [ChunkTry(held=True, lead=max(held[0].lead, UNKNOWN_LEAD)), held[1]]
    lead = video.lead_in + (0.5 if video.deinterlace else 0.0) + video.shortest_gap / 2
    again = [ChunkTry(held=False, lead=lead + 15)] if video.lead_in else []
    return [ChunkTry(held=False, lead=lead), *again, *held]


def _cell(
    plan: Plan,
    chunk: int,
    name: str,
    part: Path,
    place: Path,
    attempt: ChunkTry,
    finished: Finished,
) -> CellResult:
    row = plan.row(name)
    if not isinstance(row, VideoRow):
        raise ValueError("sound is not encoded in chunks")
    if "No space left" in finished.stderr_tail:
        raise disk_full("video", finished.log)
    if finished.returncode < 0 or NO_MEMORY.search(finished.stderr_tail):
        raise encoder_failed("video", finished.log)
    if finished.returncode > 0:
        raise damaged("video", finished.log)
    try:
        init, samples = read_samples(part.read_bytes())
        parts = _cut(plan, chunk, samples, attempt)
    except (OSError, ValueError) as error:
        raise damaged("video", f"{name}, chunk {chunk}: {error}\n{finished.log}") from error
    if init_codec(init) != row.codecs or init_size(init) != (row.width, row.height):
        raise damaged("video", f"{name}: init is {init_codec(init)} {init_size(init)}")
    first = plan.chunks[chunk][0]
    segments = [(first + at, write_segment(first + at + 1, group))
                for at, group in enumerate(parts)]  # fmt: skip
    return file_cell(plan, name, chunk, init, segments, sum(map(len, parts)), place)


def _cut(
    plan: Plan, chunk: int, samples: Sequence[Sample], attempt: ChunkTry
) -> list[list[Sample]]:
    """The chunk's samples by segment, on the film's time line; raises ValueError."""
    first, last = plan.chunks[chunk]
    video = plan.source
    if not samples or not samples[0].key or video is None:
        raise ValueError("the chunk does not begin with a key frame")
    starts = [at for at, sample in enumerate(samples) if sample.key]
    if len(starts) != last - first + 1:
        raise ValueError(f"{len(starts)} key frames instead of {last - first + 1}")
    # The muxer's first decode time is the encoder's first picture time; presentation times are
    # all later by the encoder's delay.
    found, wanted = samples[0].dts, plan.boundaries[first]
    step = TIMESCALE / video.rate if attempt.held else ROUNDING
    if abs(found - wanted) > step:
        raise ValueError(f"the chunk begins at {found} instead of {wanted}")
    shift = wanted - samples[0].pts
    groups = []
    for at, (begin, end) in enumerate(zip(starts, [*starts[1:], len(samples)], strict=True)):
        index = first + at
        group = samples[begin:end]
        if (not attempt.held or not video.exact) and len(group) != plan.frames[index]:
            raise ValueError(f"segment {index}: {len(group)} pictures, not {plan.frames[index]}")
        start = plan.boundaries[index]
        if abs(group[0].pts + shift - start) > step:
            raise ValueError(f"segment {index} begins at {group[0].pts + shift}, not {start}")
        groups.append(retime(group, shift, start, plan.boundaries[index + 1], ROUNDING))
    return groups
