"""Argument lists for ffmpeg: pure functions, nothing here runs anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.media import cage
from app.media.film_graph import (
    colours,
    compiled,
    file_url,
    film_time,
    graph,
    mp4_options,
    open_film,
    ratio,
    secs,
    source_of,
)
from app.media.grid import TIMESCALE, Plan, VideoRow

FRAGMENTS: Final = "+empty_moov+default_base_moof+frag_keyframe+frag_discont+cmaf"
UNKNOWN_LEAD: Final = 5.0
"""Seconds decoded before a chunk where nothing is known about gaps between pictures."""


@dataclass(frozen=True)
class ChunkTry:
    """How a chunk is attempted: ``held`` pictures on a grid instead of passing each on, with
    ``lead`` seconds decoded before its start."""

    held: bool
    lead: float


def chunk_command(
    binary: str,
    source: Path,
    plan: Plan,
    chunk: int,
    outputs: Mapping[str, Path],
    attempt: ChunkTry,
    threads: int = 1,
) -> list[str]:
    """Encode the rows named in ``outputs`` for one chunk, decoding once.

    Raises ValueError for a plan without a picture and KeyError for an unknown row.
    """
    video = source_of(plan)
    first, last = plan.chunks[chunk]
    start, end = plan.boundaries[first], plan.boundaries[last + 1]
    rows = [row for row in (plan.row(name) for name in outputs) if isinstance(row, VideoRow)]
    stream = film_time(open_film(source, video, start / TIMESCALE - attempt.lead, threads), video)
    gap = video.shortest_gap
    if attempt.held:
        count = max(1, round((end - start) * video.rate / TIMESCALE))
        stream = (
            stream.filter("fps", fps=ratio(video.rate_ratio), start_time=secs(start / TIMESCALE))
            .filter("tpad", stop_mode="clone", stop=-1)
            .filter("trim", end_frame=count)
        )
        gap = float(1 / video.rate)
    else:
        stream = stream.filter(
            "trim",
            start=secs(start / TIMESCALE - gap / 2),
            end=secs(end / TIMESCALE - gap / 2),
        )
    largest = max(rows, key=lambda row: row.width * row.height)
    stream = colours(stream, video, largest)
    forced = [secs(mark / TIMESCALE - gap / 4) for mark in plan.boundaries[first + 1 : last + 1]]
    copies = stream.filter_multi_output("split", len(rows)) if len(rows) > 1 else None
    return compiled(
        binary,
        [
            graph.output(
                _sized(stream if copies is None else copies[number], row),
                file_url(outputs[row.name]),
                **_encoder(row, forced),
            )
            for number, row in enumerate(rows)
        ],
    )


def copy_command(binary: str, source: Path, plan: Plan) -> list[str]:
    """The film's picture as it is, as fragments on stdout, one for each key frame."""
    video = source_of(plan)
    opened = graph.input(f"file:{source}", **cage.input_options(), copyts=None)
    options = {
        "c": "copy",
        "video_track_timescale": TIMESCALE,
        "movflags": "+empty_moov+default_base_moof+frag_keyframe",
        **mp4_options(),
    }
    return compiled(binary, [graph.output(opened[str(video.stream)], "pipe:1", **options)])


def text_command(binary: str, source: Path, rows: Mapping[int, Path]) -> list[str]:
    """Each text track (by its stream) as SRT in a file, in the container's own time."""
    opened = graph.input(f"file:{source}", **cage.input_options(), copyts=None)
    outputs = [
        graph.output(opened[str(stream)], file_url(target), **{"c:s": "srt", "f": "srt"})
        for stream, target in rows.items()
    ]
    return compiled(binary, outputs)


def _sized(stream: Any, row: VideoRow) -> Any:
    return (
        stream.filter("scale", row.width, row.height, flags="bicubic", out_range="tv")
        .filter("setsar", 1)
        .filter("format", "yuv420p")
    )


def _encoder(row: VideoRow, forced: Sequence[str]) -> dict[str, Any]:
    options: dict[str, Any] = {
        "c:v": "libx264",
        "preset": row.preset,
        "profile:v": "high",
        "level": f"{row.level // 10}.{row.level % 10}",
        "crf": row.crf,
        "maxrate": f"{row.maxrate}k",
        "bufsize": f"{row.bufsize}k",
        "threads": 1,
        "g": 100_000,
        "sc_threshold": 0,
        "forced-idr": 1,
        "enc_time_base": f"1/{TIMESCALE}",
        "fps_mode": "passthrough",
        "video_track_timescale": TIMESCALE,
        "movflags": FRAGMENTS,
        **mp4_options(),
    }
    if forced:
        options["force_key_frames"] = ",".join(forced)
    return options
