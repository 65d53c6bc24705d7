"""Argument lists for ffmpeg: pure functions, nothing here runs anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ffmpeg

from app.media import cage
from app.media.grid import TIMESCALE, AudioRow, Plan, VideoRow, VideoSource
from app.media.tracks import BITS, SURROUND

_graph: Final[Any] = ffmpeg  # it has no types
GLOBAL: Final = ("-hide_banner", "-nostats", "-loglevel", "warning", "-y")
FRAGMENTS: Final = "+empty_moov+default_base_moof+frag_keyframe+frag_discont+cmaf"
AUDIO_FRAGMENT_MICROSECONDS: Final = 1_000_000
LAYOUTS: Final = {1: "mono", 2: "stereo", SURROUND: "5.1"}
UNKNOWN_LEAD: Final = 5.0
"""Seconds decoded before a chunk where nothing is known about gaps between pictures."""
SDR_NITS: Final = 100
"""Nominal peak of standard dynamic range (ITU-R BT.2408 calls 203 for HLG; 100 is zscale's)."""
THUMB_WIDTH: Final = 480
POSTER_WIDTH: Final = 1280
PIXEL_GRID: Final = (64, 36)
"""The little grey picture that is looked at to judge a poster."""


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


def audio_command(binary: str, source: Path, row: AudioRow, *, silent: bool = False) -> list[str]:
    """A sound track as AAC fragments on stdout, exactly ``row.total`` samples from film time
    zero on, after one frame of encoder priming."""
    layout = LAYOUTS[row.channels]
    if silent:
        sound = _graph.input(f"anullsrc=r={row.rate}:cl={layout}", f="lavfi", nostdin=None)
    else:
        opened = _graph.input(f"file:{source}", **cage.input_options(), copyts=None)
        sound = (
            opened[str(row.stream)]
            .filter("asetpts", f"round(PTS-({row.origin!r})/TB)")
            .filter("atrim", start=0)
            .filter("aresample", osr=row.rate, ochl=layout, **{"async": 1}, first_pts=0)
            .filter("apad")
        )
    sound = sound.filter("atrim", end_sample=row.total)
    options = {
        "c:a": "aac",
        "b:a": BITS[row.channels],
        "ar": row.rate,
        "ac": row.channels,
        "frag_duration": AUDIO_FRAGMENT_MICROSECONDS,
        "flush_packets": 1,
        "movflags": "+empty_moov+default_base_moof",
        **_container(),
    }
    return _compile(binary, [_graph.output(sound, "pipe:1", **options)])


def text_command(binary: str, source: Path, rows: Mapping[int, Path]) -> list[str]:
    """Each text track (by its stream) as SRT in a file, in the container's own time."""
    opened = _graph.input(f"file:{source}", **cage.input_options(), copyts=None)
    outputs = [
        _graph.output(opened[str(stream)], _target(target), **{"c:s": "srt", "f": "srt"})
        for stream, target in rows.items()
    ]
    return _compile(binary, outputs)


def still_command(
    binary: str, source: Path, plan: Plan, seconds: float, poster: Path, thumb: Path
) -> list[str]:
    """One picture at a film time as two JPEGs, and as PIXEL_GRID grey bytes on stdout."""
    video = _source(plan)
    largest = max(plan.video, key=lambda row: row.width * row.height)
    opened = _open(source, video, seconds - video.lead_in, 1)
    stream = _film_time(opened, video).filter("trim", start=_s(seconds)).filter("trim", end_frame=1)
    ratio = largest.height / largest.width
    copies = _colours(stream, video, largest).filter_multi_output("split", 3)
    outputs = []
    for number, (target, widest) in enumerate(((poster, POSTER_WIDTH), (thumb, THUMB_WIDTH))):
        width = max(2, min(widest, largest.width) // 2 * 2)
        height = max(2, round(width * ratio / 2) * 2)
        picture = _jpeg(copies[number], width, height)
        outputs.append(_graph.output(picture, _target(target), **_JPEG))
    grey = copies[2].filter("scale", PIXEL_GRID[0], PIXEL_GRID[1], flags="area")
    outputs.append(
        _graph.output(grey.filter("format", "gray"), "pipe:1", f="rawvideo", **{"frames:v": 1})
    )
    return _compile(binary, outputs)


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


def image_command(binary: str, image: Path, poster: Path, thumb: Path) -> list[str]:
    """An owner's image as two JPEGs, neither larger than it is."""
    opened = _graph.input(f"file:{image}", **cage.image_options())
    copies = opened["v:0"].filter_multi_output("split", 2)
    outputs = [
        _graph.output(
            copies[number]
            .filter("scale", f"min({width},iw)", -2, flags="area", out_range="pc")
            .filter("setsar", 1)
            .filter("format", "yuvj420p"),
            _target(target),
            **_JPEG,
        )
        for number, (target, width) in enumerate(((poster, POSTER_WIDTH), (thumb, THUMB_WIDTH)))
    ]
    return _compile(binary, outputs)


def wave_command(binary: str, source: Path, row: AudioRow, poster: Path, thumb: Path) -> list[str]:
    """The shape of a sound track as two JPEGs."""
    opened = _graph.input(f"file:{source}", **cage.input_options())
    picture = opened[str(row.stream)].filter(
        "showwavespic", size=f"{POSTER_WIDTH}x{POSTER_WIDTH * 9 // 16}", colors="0x4f8fc0"
    )
    copies = picture.filter_multi_output("split", 2)
    outputs = [
        _graph.output(_jpeg(copies[number], width, width * 9 // 16), _target(target), **_JPEG)
        for number, (target, width) in enumerate(((poster, POSTER_WIDTH), (thumb, THUMB_WIDTH)))
    ]
    return _compile(binary, outputs)


_JPEG: Final[dict[str, Any]] = {
    "f": "image2",
    "update": 1,
    "frames:v": 1,
    "c:v": "mjpeg",
    "q:v": 4,
    "map_metadata": -1,
    "threads": 1,
    "fflags": "+bitexact",
}


def _source(plan: Plan) -> VideoSource:
    if plan.source is None:
        raise ValueError("the plan has no picture")
    return plan.source


def _open(source: Path, video: VideoSource, film_seconds: float, threads: int) -> Any:
    """The input, sought to a film time at or before which decoding may begin."""
    base = video.time_base
    options: dict[str, Any] = {**cage.input_options(), "copyts": None, "noaccurate_seek": None}
    wanted = film_seconds + video.origin * base[0] / base[1] - video.start
    if wanted > 0:
        options["ss"] = _s(wanted)
    return _graph.input(f"file:{source}", threads=threads, **options)[str(video.stream)]


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


def _jpeg(stream: Any, width: int, height: int) -> Any:
    return (
        stream.filter("scale", width, height, flags="area", out_range="pc")
        .filter("setsar", 1)
        .filter("format", "yuvj420p")
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
