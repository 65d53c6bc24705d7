"""Argument lists for ffmpeg: pure functions, nothing here runs anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import ffmpeg

from app.media import cage
from app.media.grid import TIMESCALE, AudioRow, Plan, VideoRow, VideoSource
from app.media.jumps import straightened
from app.media.poster import LOOK

_graph: Final[Any] = ffmpeg  # it has no types
GLOBAL: Final = ("-hide_banner", "-nostats", "-loglevel", "warning", "-y")
FRAGMENTS: Final = "+empty_moov+default_base_moof+frag_keyframe+frag_discont+cmaf"
UNKNOWN_LEAD: Final = 5.0
"""Seconds decoded before a chunk where nothing is known about gaps between pictures."""
SDR_NITS: Final = 100
"""Nominal peak of standard dynamic range (ITU-R BT.2408 calls 203 for HLG; 100 is zscale's)."""
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
    video = _source(plan)
    first, last = plan.chunks[chunk]
    start, end = plan.boundaries[first], plan.boundaries[last + 1]
    rows = [row for row in (plan.row(name) for name in outputs) if isinstance(row, VideoRow)]
    stream = _film_time(_open(source, video, start / TIMESCALE - attempt.lead, threads), video)
    gap = video.shortest_gap
    if attempt.held:
        count = max(1, round((end - start) * video.rate / TIMESCALE))
        stream = (
            stream.filter("fps", fps=_ratio(video.rate_ratio), start_time=_s(start / TIMESCALE))
            .filter("tpad", stop_mode="clone", stop=-1)
            .filter("trim", end_frame=count)
        )
        gap = float(1 / video.rate)
    else:
        stream = stream.filter(
            "trim", start=_s(start / TIMESCALE - gap / 2), end=_s(end / TIMESCALE - gap / 2)
        )
    largest = max(rows, key=lambda row: row.width * row.height)
    stream = _colours(stream, video, largest)
    forced = [_s(mark / TIMESCALE - gap / 4) for mark in plan.boundaries[first + 1 : last + 1]]
    copies = stream.filter_multi_output("split", len(rows)) if len(rows) > 1 else None
    return _compile(
        binary,
        [
            _graph.output(
                _sized(stream if copies is None else copies[number], row),
                _target(outputs[row.name]),
                **_encoder(row, forced),
            )
            for number, row in enumerate(rows)
        ],
    )


def copy_command(binary: str, source: Path, plan: Plan) -> list[str]:
    """The film's picture as it is, as fragments on stdout, one for each key frame."""
    video = _source(plan)
    opened = _graph.input(f"file:{source}", **cage.input_options(), copyts=None)
    options = {
        "c": "copy",
        "video_track_timescale": TIMESCALE,
        "movflags": "+empty_moov+default_base_moof+frag_keyframe",
        **_container(),
    }
    return _compile(binary, [_graph.output(opened[str(video.stream)], "pipe:1", **options)])


def text_command(binary: str, source: Path, rows: Mapping[int, Path]) -> list[str]:
    """Each text track (by its stream) as SRT in a file, in the container's own time."""
    opened = _graph.input(f"file:{source}", **cage.input_options(), copyts=None)
    outputs = [
        _graph.output(opened[str(stream)], _target(target), **{"c:s": "srt", "f": "srt"})
        for stream, target in rows.items()
    ]
    return _compile(binary, outputs)


def look_command(
    binary: str, source: Path, plan: Plan, seconds: float, picture: Path, *, at_key: bool
) -> list[str]:
    """The picture at a film time (or at the key frame before it) as raw video in ``picture``;
    and on stdout that one and one LATER, small, as `poster.judge` takes them."""
    video = _source(plan)
    largest = max(plan.video, key=lambda row: row.width * row.height)
    stream = _film_time(_open(source, video, seconds - video.lead_in, 1), video)
    stream = stream.filter("trim", start=_s(0.0 if at_key else seconds)).filter(
        "select", f"isnan(prev_selected_t)+gte(t-prev_selected_t,{_s(LATER)})"
    )
    copies = _colours(stream, video, largest).filter_multi_output("split", 2)
    width = min(LARGEST_STILL, largest.width) // 2 * 2
    height = max(2, round(width * largest.height / largest.width / 2) * 2)
    small = copies[1].filter("scale", *LOOK, flags="area", out_range="pc")
    return _compile(
        binary,
        [
            _graph.output(_raw(copies[0], width, height), _target(picture), **_RAW),
            _graph.output(
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
    opened = _graph.input(f"file:{row}", skip_frame="nokey", threads=1, **cage.input_options())
    pictures = (
        opened["v:0"]
        .filter("select", f"isnan(prev_selected_t)+gte(t-prev_selected_t,{_s(gap)})")
        .filter("scale", *tile, flags="area", out_range="pc")
        .filter("setsar", 1)
        .filter("format", "yuvj420p")
        .filter("tile", f"{grid[0]}x{grid[1]}")
    )
    sheets = -(-count // (grid[0] * grid[1]))
    options = {**_JPEG, "frames:v": sheets, "q:v": 5, "start_number": 0, "fps_mode": "passthrough"}
    del options["update"]
    return _compile(binary, [_graph.output(pictures, f"file:{place}/board-%d.jpg", **options)])


def preview_command(
    binary: str, row: Path, target: Path, start: float, seconds: float
) -> list[str]:
    """A part of a filled row from a key frame on, copied into a silent MP4 of its own."""
    opened = _graph.input(f"file:{row}", ss=_s(start), t=_s(seconds), **cage.input_options())
    options = {"c": "copy", "movflags": "+faststart", **_container()}
    return _compile(binary, [_graph.output(opened["v:0"], _target(target), **options)])


def image_command(binary: str, image: Path, picture: Path) -> list[str]:
    """An owner's image as raw video in ``picture``, no larger than it is."""
    opened = _graph.input(f"file:{image}", **cage.image_options())
    raw = _raw(opened["v:0"], f"min({LARGEST_STILL},iw)", -2)
    return _compile(binary, [_graph.output(raw, _target(picture), **_RAW)])


def wave_command(binary: str, source: Path, row: AudioRow, picture: Path) -> list[str]:
    """The shape of a sound track as raw video in ``picture``."""
    opened = _graph.input(f"file:{source}", **cage.input_options())
    size = f"{WAVE[0]}x{WAVE[1]}"
    drawn = opened[str(row.stream)].filter("showwavespic", size=size, colors="0x4f8fc0")
    return _compile(binary, [_graph.output(_raw(drawn, *WAVE), _target(picture), **_RAW)])


def pictures_command(binary: str, picture: Path, stills: Sequence[Still]) -> list[str]:
    """A raw picture in several sizes and formats at once."""
    options = {**cage.input_options(), "format_whitelist": "yuv4mpegpipe"}
    opened = _graph.input(f"file:{picture}", **options)["v:0"].filter(
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
        outputs.append(_graph.output(scaled, _target(still.path), **_STILLS[still.format]))
    return _compile(binary, outputs)


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


def _source(plan: Plan) -> VideoSource:
    if plan.source is None:
        raise ValueError("the plan has no picture")
    return plan.source


def _open(source: Path, video: VideoSource, film_seconds: float, threads: int) -> Any:
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
        options["ss"] = _s(wanted - video.start)
    opened = _graph.input(f"file:{source}", threads=threads, **options)[str(video.stream)]
    if not video.shifts:
        return opened
    return opened.filter("settb", _ratio(base)).filter(
        "setpts",
        straightened("PTS", video.shifts, video.origin, Fraction(*base), part),
    )


def _film_time(stream: Any, video: VideoSource) -> Any:
    """Counts from film time zero, in the stream's own ticks, so exactly; then deinterlaces."""
    timed = stream.filter("settb", _ratio(video.time_base))
    if video.origin:
        timed = timed.filter("setpts", f"PTS-({video.origin})")
    return timed.filter("bwdif", mode="send_frame") if video.deinterlace else timed


def _colours(stream: Any, video: VideoSource, largest: VideoRow) -> Any:
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


def _sized(stream: Any, row: VideoRow) -> Any:
    return (
        stream.filter("scale", row.width, row.height, flags="bicubic", out_range="tv")
        .filter("setsar", 1)
        .filter("format", "yuv420p")
    )


def _raw(stream: Any, width: int | str, height: int) -> Any:
    return (
        stream.filter(
            "scale", width, height, flags="area", out_range="tv", out_color_matrix=STILL_MATRIX
        )
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
        **_container(),
    }
    if forced:
        options["force_key_frames"] = ",".join(forced)
    return options


def _container() -> dict[str, Any]:
    return {"f": "mp4", "map_metadata": -1, "map_chapters": -1, "fflags": "+bitexact"}


def _compile(binary: str, outputs: Sequence[Any]) -> list[str]:
    node = _graph.merge_outputs(*outputs) if len(outputs) > 1 else outputs[0]
    return [binary, *GLOBAL, *(str(part) for part in _graph.get_args(node))]


def _target(path: Path) -> str:
    return f"file:{path}"


def _ratio(pair: tuple[int, int]) -> str:
    return f"{pair[0]}/{pair[1]}"


def _s(seconds: float) -> str:
    """Seconds with microseconds, ffmpeg's own grain; never in exponent form."""
    return f"{seconds:.6f}"
