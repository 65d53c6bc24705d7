"""How much of a file must be there before a part of its film can be made.

An MP4 whose index lies at its front tells where every picture and sound lies, so its first cells
can be filled while the rest still comes in. Other containers do not: a Matroska or transport stream
has no such index before its end, and a fragmented MP4 spreads its own over the whole file.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from pathlib import Path
from typing import Final

from app.media.facts import Arrival, SourceFacts
from app.media.grid import TIMESCALE, Plan
from app.media.movindex import front_index

AHEAD_SECONDS: Final = 2.0
"""Decoders hold pictures back, and filters look ahead: so much more than the part itself."""
AHEAD_BYTES: Final = 1 << 20
"""What a demuxer reads ahead."""
FIRST_BYTES: Final = 1 << 20
"""Behind the index: enough for the first picture to decode, or for knowing that it does not."""


def can_begin(path: Path) -> bool:
    """Whether enough of a file that is coming in is there to plan the film."""
    end = front_index(path)
    return end is not None and path.stat().st_size >= end + FIRST_BYTES


def needs_of(facts: SourceFacts, plan: Plan) -> dict[str, tuple[int, ...]]:
    """For each row, the bytes of the file that each of its chunks needs; nothing if unknown."""
    if facts.video is None or not facts.video.frames.arrivals:
        return {}
    needs: dict[str, tuple[int, ...]] = {}
    ends = [plan.boundaries[last + 1] / TIMESCALE for _, last in plan.chunks]
    picture = _needed(facts.video.frames.arrivals, ends, facts.bytes)
    for video_row in plan.video:
        needs[video_row.name] = picture
    for row in plan.audio:
        track = next(track for track in facts.audio if track.index == row.stream)
        ends = [(last + 1) * row.segment / row.rate for _, last in row.chunks]
        needs[row.name] = _needed(track.arrivals, ends, facts.bytes)
    return needs


def arrivals_of(times: list[float], ends: list[int], step: float = 1.0) -> tuple[Arrival, ...]:
    """When which part of a stream is there: about one mark a ``step`` (s) of film time.

    ``times`` (s of film time) and ``ends`` (bytes of the file) belong to packets in decode order.
    """
    marks: list[Arrival] = []
    for time, end in zip(times, itertools.accumulate(ends, max), strict=True):
        if not marks or time >= marks[-1].seconds + step:
            marks.append(Arrival(time, end))
        else:
            marks[-1] = Arrival(marks[-1].seconds, end)
    return tuple(marks)


def _needed(marks: tuple[Arrival, ...], ends: list[float], whole: int) -> tuple[int, ...]:
    starts = [mark.seconds for mark in marks]
    needed = []
    for end in ends:
        at = bisect_right(starts, end + AHEAD_SECONDS)
        known = at < len(marks) and at > 0
        needed.append(min(whole, marks[at].bytes + AHEAD_BYTES) if known else whole)
    return tuple(needed)
