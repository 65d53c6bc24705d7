"""From facts to a plan: what is copied, what is encoded, and where the film is cut."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from app.media.codecs import h264_name
from app.media.copying import copy_cuts, why_not_copied
from app.media.decisions import picture_decisions
from app.media.errors import MediaError
from app.media.facts import SourceFacts, VideoFacts
from app.media.grid import (
    TIMESCALE,
    AudioRow,
    Plan,
    VideoRow,
    VideoSource,
    make_chunks,
)
from app.media.ladder import FASTEST, Encoding, Rung, make_ladder, slowed
from app.media.tracks import audio_rows, text_rows

__all__ = ["AudioRow", "Plan", "PlanOptions", "VideoRow", "VideoSource", "make_plan"]

OVERSHOOT: Final = 1.08
"""A promise of bandwidth stands this much above the VBV's bound: x264 misses it at times."""
BOXES: Final = 20_000
"""Bits/s that boxes take: 16 bytes a frame at 60/s, and headers."""
AVERAGE: Final = 0.7
"""Constant quality stays below its ceiling on average; the measured value replaces this."""
PRIMARIES: Final = {1: "bt709", 5: "bt470bg", 6: "smpte170m", 9: "bt2020"}
TRANSFERS: Final = {1: "bt709", 6: "smpte170m", 13: "iec61966-2-1", 14: "bt2020-10"}
MATRICES: Final = {1: "bt709", 5: "bt470bg", 6: "smpte170m", 9: "bt2020nc"}
# The names are ffmpeg's for the numbers of ITU-T H.273, those that players know.


@dataclass(frozen=True)
class PlanOptions:
    """Wishes: seconds of a segment, segments of a usual chunk, whether copies are allowed, how the
    other rungs are encoded, and the loudness (LUFS) of a second form of each sound track, if it is
    not 0."""

    segment_seconds: float = 4.0
    chunk_segments: int = 3
    copy: bool = True
    encoding: Encoding = Encoding()
    normalise: float = 0.0


def make_plan(facts: SourceFacts, options: PlanOptions | None = None) -> Plan:
    """The whole grid of a film.

    Raises MediaError (stage plan) ``no_streams`` when nothing would be left.
    """
    options = options or PlanOptions()
    decisions = list(facts.notes)
    if facts.video is None:
        decisions.append("There is no picture, so this is a sound recording.")
        audio = audio_rows(
            facts, facts.duration, options.chunk_segments, decisions, options.normalise
        )
        if not audio or facts.duration <= 0:
            raise MediaError(
                "no_streams", stage="plan", message="There is nothing to play in this file."
            )
        return Plan(
            facts.duration, (), (), (), None, (), audio, tuple(decisions), chapters=facts.chapters
        )

    video = facts.video
    source, end = _source(facts, video, decisions)
    cuts: tuple[int, ...] | None = None
    refusal: str | None = "copies are switched off"
    if options.copy:
        refusal = why_not_copied(facts, video, options.encoding.heights[0])
    if refusal is None:
        cuts, refusal = copy_cuts(video, options.segment_seconds)
    if cuts is not None:
        ticks = tuple(_ticks(pts, source) for pts in cuts)
        boundaries = (*ticks, end)
        frames = _counts(video, cuts)
    else:
        boundaries, frames = _even_cuts(video, source, end, options.segment_seconds)
        decisions.append(f"The picture is encoded anew: {refusal}.")
    per = _chunk_size(video, options)
    if per > options.chunk_segments:
        decisions.append("Key frames are far apart, so longer pieces are encoded at once.")
    decisions += picture_decisions(
        facts, video, copied=cuts is not None, lines=options.encoding.heights[0]
    )
    rungs = make_ladder(*video.upright, source.rate, options.encoding)
    rows = _video_rows(rungs, video, source, boundaries, cuts, decisions)
    duration = end / TIMESCALE
    return Plan(
        duration=duration,
        boundaries=boundaries,
        frames=frames,
        chunks=make_chunks(len(frames), per),
        source=source,
        video=rows,
        audio=audio_rows(facts, duration, options.chunk_segments, decisions, options.normalise),
        decisions=tuple(decisions),
        text=text_rows(facts),
        chapters=facts.chapters,
    )


def _source(facts: SourceFacts, video: VideoFacts, decisions: list[str]) -> tuple[VideoSource, int]:
    """The source's description and the film's end in ticks."""
    rhythm, shown = video.rhythm, video.frames.shown
    rate = slowed(rhythm.rate)
    exact = video.frames.complete and rate == rhythm.rate and len(shown) > 0
    exact = exact and (len(shown) == 1 or rhythm.shortest > 1 / (2 * FASTEST + 1))
    if rate != rhythm.rate:
        decisions.append(
            f"Of {float(rhythm.rate):.5g} pictures a second {float(rate):.5g} are kept."
        )
    elif not exact:
        decisions.append(f"Pictures are set to a constant {float(rate):.5g} a second.")
    elif not rhythm.regular:
        decisions.append("Pictures come irregularly in this film; each keeps its own time.")
    simple = facts.container.startswith(("mov", "matroska"))
    source = VideoSource(
        stream=video.index,
        time_base=(video.time_base.numerator, video.time_base.denominator),
        origin=shown[0],
        start=facts.start,
        exact=exact,
        rate_ratio=(rate.numerator, rate.denominator),
        shortest_gap=rhythm.shortest or float(1 / rate),
        longest_gap=rhythm.longest,
        lead_in=0.0 if simple else 2.0,
        deinterlace=video.interlaced,
        tone_map=video.hdr,
        transfer=video.transfer,
        colour=_colour(video),
        pixels=video.width * video.height,
        kind="mov" if facts.container.startswith("mov") else facts.container.split(",")[0],
        shifts=video.frames.shifts,
        entries=video.frames.entries,
    )
    if exact:
        last = _ticks(shown[-1], source)
        return source, last + round(TIMESCALE / rate)
    count = max(1, round(facts.duration * rate))
    return source, round(count * TIMESCALE / rate)


def _ticks(pts: int, source: VideoSource) -> int:
    return round((pts - source.origin) * Fraction(*source.time_base) * TIMESCALE)


def _colour(video: VideoFacts) -> tuple[str, str, str]:
    """Colours of the output: the source's where players know them, else by size, as players
    guess (ITU-R BT.601 below 720 lines, BT.709 from there on)."""
    if video.hdr:
        return "bt709", "bt709", "bt709"
    usual = "bt709" if min(video.width, video.height) >= 720 else "smpte170m"
    matrix = MATRICES.get(video.matrix, usual)
    return (
        PRIMARIES.get(video.primaries, matrix if matrix != "bt2020nc" else "bt2020"),
        TRANSFERS.get(video.transfer, "bt709" if matrix == "bt2020nc" else matrix).replace(
            "bt470bg", "smpte170m"
        ),
        matrix,
    )


def _even_cuts(
    video: VideoFacts, source: VideoSource, end: int, seconds: float
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Boundaries about ``seconds`` apart, on picture times, with the picture counts between."""
    if source.exact:
        shown = video.frames.shown
        cuts, target = [shown[0]], source.origin + seconds / Fraction(*source.time_base)
        while target < shown[-1]:
            at = bisect_left(shown, target)
            step = seconds / Fraction(*source.time_base)
            if shown[at] > cuts[-1]:
                cuts.append(shown[at])
            target = source.origin + step * (1 + (shown[at] - source.origin) // step)
        _drop_stub(cuts, shown, float(seconds / Fraction(*source.time_base)))
        return (*(_ticks(cut, source) for cut in cuts), end), _counts(video, tuple(cuts))
    total = max(1, round(end * source.rate / TIMESCALE))
    per = max(1, round(seconds * source.rate))
    marks = [*range(0, total, per), total]
    if len(marks) > 2 and marks[-1] - marks[-2] < per / 4:
        del marks[-2]
    ticks = tuple(round(mark * TIMESCALE / source.rate) for mark in marks)
    return ticks, tuple(b - a for a, b in itertools.pairwise(marks))


def _drop_stub(cuts: list[int], shown: list[int], step: float) -> None:
    """A last segment under a quarter of the usual length joins the one before."""
    if len(cuts) > 1 and shown[-1] - cuts[-1] < step / 4:
        cuts.pop()


def _counts(video: VideoFacts, cuts: tuple[int, ...]) -> tuple[int, ...]:
    shown = video.frames.shown
    marks = [*(bisect_left(shown, cut) for cut in cuts), len(shown)]
    return tuple(b - a for a, b in itertools.pairwise(marks))


def _chunk_size(video: VideoFacts, options: PlanOptions) -> int:
    """Segments of a chunk: more where key frames are so rare that each chunk decodes for long."""
    frames = video.frames
    marks = [frames.pts[key] for key in frames.keys]
    marks.append(frames.shown[-1])
    gaps = (float((b - a) * video.time_base) for a, b in itertools.pairwise(marks))
    farthest = max(gaps, default=0.0)
    return max(options.chunk_segments, min(15, int(farthest / options.segment_seconds / 2)))


def _video_rows(
    rungs: Sequence[Rung],
    video: VideoFacts,
    source: VideoSource,
    boundaries: tuple[int, ...],
    cuts: tuple[int, ...] | None,
    decisions: list[str],
) -> tuple[VideoRow, ...]:
    lengths = [(b - a) / TIMESCALE for a, b in itertools.pairwise(boundaries)]
    shortest = min(length for length in lengths if length >= max(lengths) / 2)
    usual = float(source.rate) if video.rhythm.regular or not source.exact else 0.0
    frame_rate = round(usual or min(FASTEST, 1 / max(source.shortest_gap, 1e-3)), 3)
    rows = [
        VideoRow(
            name=rung.name, mode="encode", width=rung.width, height=rung.height,
            codecs=rung.codecs, frame_rate=frame_rate,
            bandwidth=peak_bits(rung.maxrate, rung.bufsize, shortest),
            average_bandwidth=round(rung.maxrate * 1000 * AVERAGE),
            crf=rung.crf, maxrate=rung.maxrate, bufsize=rung.bufsize, preset=rung.preset,
            level=rung.level,
        )
        for rung in rungs
    ]  # fmt: skip
    if cuts is not None:
        rows[0] = copy_video_row(video, rows[0], source, boundaries, cuts)
        decisions.append("The largest size is taken over as it is, cut at its own key frames.")
    return tuple(rows)


def peak_bits(maxrate: int, bufsize: int, shortest: float) -> int:
    """The most bits/s that a segment of ``shortest`` seconds can have: what flows in at
    ``maxrate`` (kbit/s) and a full buffer of ``bufsize`` (kbit) that it may begin with."""
    return round(1000 * OVERSHOOT * (maxrate + bufsize / shortest)) + BOXES


def copy_video_row(
    video: VideoFacts,
    row: VideoRow,
    source: VideoSource,
    boundaries: tuple[int, ...],
    cuts: tuple[int, ...],
) -> VideoRow:
    """The row of a copied picture, with its true size, codec and bandwidth."""
    counted = [0] * len(cuts)
    for pts, size in zip(video.frames.pts, video.frames.sizes, strict=True):
        counted[bisect_left(cuts, pts + 1) - 1] += size
    seconds = [(b - a) / TIMESCALE for a, b in itertools.pairwise(boundaries)]
    peak = max(8 * size / max(length, 1e-3) for size, length in zip(counted, seconds, strict=True))
    return VideoRow(
        name=row.name,
        mode="copy",
        width=video.width,
        height=video.height,
        codecs=h264_name(video.extradata) or row.codecs,
        frame_rate=row.frame_rate,
        bandwidth=round(peak * 1.03) + 20_000,
        average_bandwidth=round(8 * sum(counted) / sum(seconds) * 1.02) + 5_000,
    )
