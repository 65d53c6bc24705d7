"""Pieces of ffmpeg graphs that several commands share: opening a film in its own time, colours,
and the way from a graph to an argument list. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import ffmpeg

from app.media import cage
from app.media.grid import Plan, VideoRow, VideoSource
from app.media.jumps import straightened

graph: Final[Any] = ffmpeg
"""ffmpeg-python, which has no types."""

GLOBAL: Final = ("-hide_banner", "-nostats", "-loglevel", "warning", "-y")
SDR_NITS: Final = 100
"""Nominal peak of standard dynamic range (ITU-R BT.2408 calls 203 for HLG; 100 is zscale's)."""


def source_of(plan: Plan) -> VideoSource:
    """Where the picture comes from. Raises ValueError for a plan without one."""
    if plan.source is None:
        raise ValueError("the plan has no picture")
    return plan.source


def open_film(source: Path, video: VideoSource, film_seconds: float, threads: int) -> Any:
    """The input, sought to a film time at or before which decoding may begin."""
    base, part = video.time_base, 0
    options: dict[str, Any] = {**cage.input_options(), "copyts": None, "noaccurate_seek": None}
    wanted = film_seconds + video.origin * base[0] / base[1]
    if video.entries:
        early = [entry for entry in video.entries if entry[0] * base[0] / base[1] <= wanted]
        # One earlier than needed: the tables that name the streams may come after a key frame.
        _, place, part = early[-2] if len(early) > 1 else video.entries[0]
        options["skip_initial_bytes"] = place
    elif wanted > video.start:
        options["ss"] = secs(wanted - video.start)
    opened = graph.input(f"file:{source}", threads=threads, **options)[str(video.stream)]
    if not video.shifts:
        return opened
    return opened.filter("settb", ratio(base)).filter(
        "setpts",
        straightened("PTS", video.shifts, video.origin, Fraction(*base), part),
    )


def film_time(stream: Any, video: VideoSource) -> Any:
    """Counts from film time zero, in the stream's own ticks, so exactly; then deinterlaces."""
    timed = stream.filter("settb", ratio(video.time_base))
    if video.origin:
        timed = timed.filter("setpts", f"PTS-({video.origin})")
    return timed.filter("bwdif", mode="send_frame") if video.deinterlace else timed


def colours(stream: Any, video: VideoSource, largest: VideoRow) -> Any:
    """Names the colours, and brings high dynamic range down, at the largest row's size."""
    primaries, transfer, matrix = video.colour
    if video.tone_map:
        incoming = "smpte2084" if video.transfer == 16 else "arib-std-b67"
        stream = (
            stream.filter(
                "zscale", width=largest.width, height=largest.height, transfer="linear",
                npl=SDR_NITS, transferin=incoming, matrixin="bt2020nc", primariesin="bt2020",
            )
            .filter("format", "gbrpf32le")
            .filter("zscale", primaries="bt709")
            .filter("tonemap", "hable", desat=0)
            .filter("zscale", transfer="bt709", matrix="bt709", range="tv")
            .filter("format", "yuv420p")
        )  # fmt: skip
    return stream.filter(
        "setparams", color_primaries=primaries, color_trc=transfer, colorspace=matrix
    )


def mp4_options() -> dict[str, Any]:
    """Options of an MP4 that says nothing of its source or its making."""
    return {"f": "mp4", "map_metadata": -1, "map_chapters": -1, "fflags": "+bitexact"}


def compiled(binary: str, outputs: Sequence[Any]) -> list[str]:
    """The argument list of a graph with these outputs."""
    node = graph.merge_outputs(*outputs) if len(outputs) > 1 else outputs[0]
    return [binary, *GLOBAL, *(str(part) for part in graph.get_args(node))]


def file_url(path: Path) -> str:
    """A file as ffmpeg takes it, whatever its name begins with."""
    return f"file:{path}"


def ratio(pair: tuple[int, int]) -> str:
    """A fraction as filters take it."""
    return f"{pair[0]}/{pair[1]}"


def secs(seconds: float) -> str:
    """Seconds with microseconds, ffmpeg's own grain; never in exponent form."""
    return f"{seconds:.6f}"
