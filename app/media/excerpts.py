"""A sound cell ahead of its row: who seeks far does not wait for all that comes before.

AAC frames overlap: each is added to half of the one before it. So an excerpt is encoded from some
frames earlier on, on the same grid of 1024 samples as the whole row, and only the frames in the
middle are kept. Where it meets the row's own frames the overlapping halves come from two encoders
that heard the same samples, which cancels as if it were one (time domain aliasing, Princen and
Bradley 1986; ISO/IEC 14496-3, 4.6.11). Where a container tells times in whole milliseconds, as
Matroska does, an excerpt can be so much early or late.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from app.media.codecs import init_codec
from app.media.errors import damaged
from app.media.filing import CellResult, file_cell
from app.media.grid import AAC_FRAME, AudioRow, Plan
from app.media.limits import STALL_SECONDS, limits_for
from app.media.runner import stream
from app.media.segments import FragmentReader, Sample, write_segment
from app.media.sound import Excerpt, audio_command

LEAD_FRAMES: Final = 16
"""A third of a second: until then the encoder's choice of blocks is that of the whole row."""
TAIL_FRAMES: Final = 4
"""The last frame overlaps the next, and the encoder looks ahead."""
WALL_SECONDS: Final = 120


def fill_excerpt(
    source: Path,
    plan: Plan,
    row: str,
    chunk: int,
    place: Path,
    *,
    ffmpeg: str,
    stop: Callable[[], bool],
) -> CellResult:
    """Make one cell of a sound row into ``place``.

    Raises ValueError for a row of which `can_excerpt` is not true; MediaError: damaged, disk_full,
    hung; Stopped.
    """
    target = plan.row(row)
    if not isinstance(target, AudioRow) or not target.can_excerpt:
        raise ValueError("parts of this row cannot be made by themselves")
    first, last = target.chunks[chunk]
    begin = first * target.segment // AAC_FRAME
    lengths = [target.samples(index) // AAC_FRAME for index in range(first, last + 1)]
    lead = min(LEAD_FRAMES, begin)
    start = plan.source.start if plan.source is not None else target.origin
    part = Excerpt(
        first=(begin - lead) * AAC_FRAME,
        count=(lead + sum(lengths) + TAIL_FRAMES) * AAC_FRAME,
        container_start=start,
    )
    init, samples, log = _encode(
        audio_command(ffmpeg, source, target, part=part), source, stop, f"{row}, chunk {chunk}"
    )
    kept = samples[target.skip + lead :]
    if len(kept) < sum(lengths) or init_codec(init) != target.codecs:
        raise damaged("audio", f"{row}, chunk {chunk}: {len(kept)} frames\n{log}")
    segments, at = [], 0
    for index, length in enumerate(lengths, first):
        group = [
            Sample((begin + at + n) * AAC_FRAME, (begin + at + n) * AAC_FRAME, AAC_FRAME, True, s)
            for n, s in enumerate(kept[at : at + length])
        ]
        segments.append((index, write_segment(index + 1, group)))
        at += length
    return file_cell(plan, row, chunk, init, segments, sum(lengths), place)


def _encode(
    command: list[str], source: Path, stop: Callable[[], bool], about: str
) -> tuple[bytes, list[bytes], str]:
    """The init segment, the coded frames, and the log."""
    reader, frames = FragmentReader(), list[bytes]()
    output = stream(
        command,
        limits=limits_for(0),
        wall_seconds=WALL_SECONDS,
        stall_seconds=STALL_SECONDS,
        stop=stop,
        reads=[source],
        stage="audio",
        about=about,
    )
    with closing(output):
        while True:
            try:
                frames += [sample.data for sample in reader.feed(next(output))]
            except StopIteration as end:
                if end.value.returncode:
                    raise damaged("audio", end.value.log) from None
                return reader.init, frames, end.value.log
            except ValueError as error:
                raise damaged("audio", str(error)) from error
