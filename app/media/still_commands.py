"""Argument lists for ffmpeg that make pictures of a film: pure functions, nothing here runs."""

from __future__ import annotations

from collections.abc import Sequence
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
    secs,
    source_of,
)
from app.media.grid import AudioRow, Plan
from app.media.poster import LOOK

LARGEST_STILL: Final = 1920
WAVE: Final = (1280, 720)
STILL_MATRIX: Final = "smpte170m"
"""What JPEG (JFIF) and WebP say by definition: their colours are those of ITU-R BT.601."""
LATER: Final = 0.4
"""Seconds between the two pictures that are compared to notice a fade."""


@dataclass(frozen=True)
class Still:
    """A picture file to be written: even sides, and ``jpeg``, ``webp``, ``avif`` or ``tiny``."""

    path: Path
    width: int
    height: int
    format: str


def look_command(
    binary: str, source: Path, plan: Plan, seconds: float, picture: Path, *, at_key: bool
) -> list[str]:
    """The picture at a film time (or at the key frame before it) as raw video in ``picture``;
    and on stdout that one and one LATER, small, as `poster.judge` takes them."""
    video = source_of(plan)
    largest = max(plan.video, key=lambda row: row.width * row.height)
    stream = film_time(open_film(source, video, seconds - video.lead_in, 1), video)
    stream = stream.filter("trim", start=secs(0.0 if at_key else seconds)).filter(
        "select", f"isnan(prev_selected_t)+gte(t-prev_selected_t,{secs(LATER)})"
    )
    copies = colours(stream, video, largest).filter_multi_output("split", 2)
    width = min(LARGEST_STILL, largest.width) // 2 * 2
    height = max(2, round(width * largest.height / largest.width / 2) * 2)
    small = copies[1].filter("scale", *LOOK, flags="area", out_range="pc")
    return compiled(
        binary,
        [
            graph.output(_raw(copies[0], width, height), file_url(picture), **_RAW),
            graph.output(
                small.filter("format", "yuvj420p"),
                "pipe:1",
                **{"f": "rawvideo", "frames:v": 2, "fps_mode": "passthrough"},
            ),
        ],
    )


def storyboard_command(
    binary: str,
    row: Path,
    place: Path,
    count: int,
    gap: float,
    tile: tuple[int, int],
    grid: tuple[int, int],
) -> list[str]:
    """``count`` small pictures of a filled row at key frames ``gap`` seconds apart or more, on
    sheets ``board-<n>.jpg`` of ``grid`` columns and rows. Only key frames are decoded."""
    opened = graph.input(f"file:{row}", skip_frame="nokey", threads=1, **cage.input_options())
    pictures = (
        opened["v:0"]
        .filter("select", f"isnan(prev_selected_t)+gte(t-prev_selected_t,{secs(gap)})")
        .filter("scale", *tile, flags="area", out_range="pc")
        .filter("setsar", 1)
        .filter("format", "yuvj420p")
        .filter("tile", f"{grid[0]}x{grid[1]}")
    )
    sheets = -(-count // (grid[0] * grid[1]))
    options = {**_JPEG, "frames:v": sheets, "q:v": 5, "start_number": 0, "fps_mode": "passthrough"}
    del options["update"]
    return compiled(binary, [graph.output(pictures, f"file:{place}/board-%d.jpg", **options)])


def preview_command(
    binary: str, row: Path, target: Path, start: float, seconds: float
) -> list[str]:
    """A part of a filled row from a key frame on, copied into a silent MP4 of its own."""
    opened = graph.input(f"file:{row}", ss=secs(start), t=secs(seconds), **cage.input_options())
    options = {"c": "copy", "movflags": "+faststart", **mp4_options()}
    return compiled(binary, [graph.output(opened["v:0"], file_url(target), **options)])


def image_command(binary: str, image: Path, picture: Path) -> list[str]:
    """An owner's image as raw video in ``picture``, no larger than it is."""
    opened = graph.input(f"file:{image}", **cage.image_options())
    raw = _raw(opened["v:0"], f"min({LARGEST_STILL},iw)", -2)
    return compiled(binary, [graph.output(raw, file_url(picture), **_RAW)])


def wave_command(binary: str, source: Path, row: AudioRow, picture: Path) -> list[str]:
    """The shape of a sound track as raw video in ``picture``."""
    opened = graph.input(f"file:{source}", **cage.input_options())
    size = f"{WAVE[0]}x{WAVE[1]}"
    drawn = opened[str(row.stream)].filter("showwavespic", size=size, colors="0x4f8fc0")
    return compiled(binary, [graph.output(_raw(drawn, *WAVE), file_url(picture), **_RAW)])


def pictures_command(binary: str, picture: Path, stills: Sequence[Still]) -> list[str]:
    """A raw picture in several sizes and formats at once."""
    options = {**cage.input_options(), "format_whitelist": "yuv4mpegpipe"}
    opened = graph.input(f"file:{picture}", **options)["v:0"].filter(
        "setparams", range="tv", color_primaries="bt709", color_trc="bt709", colorspace=STILL_MATRIX
    )
    copies = opened.filter_multi_output("split", len(stills))
    outputs = []
    for number, still in enumerate(stills):
        jpeg = still.format == "jpeg"
        scaled = (
            copies[number]
            .filter("scale", still.width, still.height, flags="area",
                    out_range="pc" if jpeg else "tv")
            .filter("setsar", 1)
            .filter("format", "yuvj420p" if jpeg else "yuv420p")
        )  # fmt: skip
        outputs.append(graph.output(scaled, file_url(still.path), **_STILLS[still.format]))
    return compiled(binary, outputs)


_ONE: Final[dict[str, Any]] = {
    "frames:v": 1,
    "map_metadata": -1,
    "threads": 1,
    "fflags": "+bitexact",
}
_RAW: Final[dict[str, Any]] = {"f": "yuv4mpegpipe", **_ONE}
_JPEG: Final[dict[str, Any]] = {"f": "image2", "update": 1, "c:v": "mjpeg", "q:v": 4, **_ONE}
_WEBP: Final[dict[str, Any]] = {"f": "webp", "c:v": "libwebp", "quality": 78, **_ONE}
_STILLS: Final[dict[str, dict[str, Any]]] = {
    "jpeg": _JPEG,
    "webp": _WEBP,
    "tiny": {**_WEBP, "quality": 30},
    "avif": {
        "f": "avif",
        "c:v": "libsvtav1",  # a tenth of libaom's time for a still picture
        "preset": 8,
        "crf": 30,
        "svtav1-params": "avif=1:lp=1",
        **_ONE,
    },
}


def _raw(stream: Any, width: int | str, height: int) -> Any:
    return (
        stream.filter(
            "scale", width, height, flags="area", out_range="tv", out_color_matrix=STILL_MATRIX
        )
        .filter("setsar", 1)
        .filter("format", "yuv420p")
    )
