"""Which bytes of a file must be there before a part of its film can be made.

The index of an MP4 tells where every picture and sound lies. So its cells can be filled without
fetching the rest of it, and while that still comes in if the index lies at the front. Other
containers do not tell: a Matroska or transport stream has no such index before its end, and a
fragmented MP4 spreads its own over the whole file.
"""

from __future__ import annotations

import itertools
import os
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Final

from app.media.facts import Mark, SourceFacts
from app.media.grid import TIMESCALE, Plan
from app.media.movindex import end_index, front_index, tells_all

AHEAD_SECONDS: Final = 2.0
"""Decoders hold pictures back, and filters look ahead: so much more than the part itself."""
AHEAD_BYTES: Final = 1 << 20
"""What a demuxer reads ahead."""
BEHIND_SECONDS: Final = 3.0
"""Packets stand in the order of decoding, not of showing, and sound is decoded a second early."""
FIRST_BYTES: Final = 1 << 20
"""Behind the index: enough for the first picture to decode, or for knowing that it does not."""
ENTRANCE_BYTES: Final = 8 << 20
"""Behind the index: what is read of a film to know its streams, wherever one wants to go in it."""
TELLING: Final = frozenset({"h264", "hevc", "vp9", "av1", "mpeg4"})
"""Codecs, by FFmpeg's names, to which bytes that are missing are an error and no picture."""

_Parts = tuple[tuple[int, ...], tuple[int, ...]]
"""``Plan.begins`` and ``Plan.needs`` of a row."""


@dataclass(frozen=True)
class Entrance:
    """What of a file it takes to plan its film: its first ``front`` bytes, and those from ``back``.

    ``back`` is None where the index lies at the front.
    """

    front: int
    back: int | None = None


def entrance_of(file: BinaryIO, whole: int) -> Entrance | None:
    """What it takes to plan a film of ``whole`` bytes, as its front says; None: all of them."""
    needed = needed_to_begin(file)
    if needed is not None:
        return Entrance(needed)
    place = end_index(file, whole)
    return None if place is None else Entrance(place[0] + FIRST_BYTES, place[1])


def needed_to_begin(file: BinaryIO) -> int | None:
    """How many of its first bytes it takes to plan a film; None where they are not enough."""
    end = front_index(file)
    return None if end is None else end + FIRST_BYTES


def can_begin(file: BinaryIO) -> bool:
    """Whether a film can be planned by this front of it."""
    needed = needed_to_begin(file)
    return needed is not None and file.seek(0, os.SEEK_END) >= needed and tells_all(file)


def with_parts(plan: Plan, facts: SourceFacts, entrance: Entrance) -> Plan:
    """The plan, told which bytes of the file each chunk of each row needs.

    ``facts`` are of the file's ``entrance``. With an index behind a hole all of the film is needed
    where what is missing would not be noticed.
    """
    parts: dict[str, _Parts] = {}
    entries = _entries(facts, plan)
    if entrance.back is not None and not entries:
        return plan
    if facts.video is not None and plan.video:
        starts = plan.chunk_starts(plan.video[0].name)
        ends = [plan.boundaries[last + 1] / TIMESCALE for _, last in plan.chunks]
        picture = _parts(facts.video.frames.marks, entries, starts, ends, facts.bytes)
        parts |= {row.name: picture for row in plan.video}
    for row in plan.audio:
        track = next(track for track in facts.audio if track.index == row.stream)
        starts = plan.chunk_starts(row.name)
        ends = [(last + 1) * row.segment / row.rate for _, last in row.chunks]
        parts[row.name] = _parts(track.marks, entries, starts, ends, facts.bytes)
    return replace(
        plan,
        begins={name: begins for name, (begins, _) in parts.items()},
        needs={name: needs for name, (_, needs) in parts.items()},
        entrance=entrance.front + ENTRANCE_BYTES,
        back=entrance.back,
    )


def marks_of(
    times: Sequence[float], places: Sequence[tuple[int, int]], step: float = 1.0
) -> tuple[Mark, ...]:
    """Where which part of a stream lies: about one mark a ``step`` (s) of film time.

    ``times`` (s of film time) and ``places`` (first and end byte in the file) belong to packets in
    decode order.
    """
    ends = list(itertools.accumulate((end for _, end in places), max))
    firsts = list(itertools.accumulate((first for first, _ in reversed(places)), min))[::-1]
    marks: list[Mark] = []
    for time, first, end in zip(times, firsts, ends, strict=True):
        if not marks or time >= marks[-1].seconds + step:
            marks.append(Mark(time, first, end))
        else:
            marks[-1] = replace(marks[-1], end=end)
    return tuple(marks)


def _entries(facts: SourceFacts, plan: Plan) -> list[float]:
    """Film times of key frames; none where one cannot go into the film without what lies before."""
    video, source = facts.video, plan.source
    if video is None or source is None or not source.exact or video.codec not in TELLING:
        return []
    frames = video.frames
    over, under = video.time_base.as_integer_ratio()
    return sorted((frames.pts[key] - frames.shown[0]) * over / under for key in frames.keys)


def _parts(
    marks: tuple[Mark, ...],
    entries: list[float],
    starts: list[float],
    ends: list[float],
    whole: int,
) -> _Parts:
    """For each chunk from which byte on, and up to which, a stream is needed."""
    times = [mark.seconds for mark in marks]
    begins, needs = [], []
    for start, end in zip(starts, ends, strict=True):
        begins.append(_first(marks, times, entries, start))
        at = bisect_right(times, end + AHEAD_SECONDS)
        known = at < len(marks) and at > 0
        needs.append(min(whole, marks[at].end + AHEAD_BYTES) if known else whole)
    return tuple(begins), tuple(needs)


def _first(marks: tuple[Mark, ...], times: list[float], entries: list[float], start: float) -> int:
    """Before this byte lies nothing that it takes to decode from ``start`` (s) on.

    A demuxer goes to a key frame, for sound too; the one before that is room for its judgement.
    """
    at = bisect_right(entries, start - BEHIND_SECONDS) - 2
    if at < 0:
        return 0
    mark = bisect_right(times, entries[at] - BEHIND_SECONDS) - 1
    return marks[mark].first if mark >= 0 else 0
