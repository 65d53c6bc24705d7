"""What two other film services have ffmpeg do with an upload: argument lists, nothing is run here.

The parameters were read in their sources and documents; no code of theirs is here. Where a choice
was open it was made in their favour, and is said. What they do beside ffmpeg (queues, databases,
packaging, uploads within) is left out, in their favour as well.

PeerTube (github.com/Chocobozzz/PeerTube; packages/ffmpeg/src: ffmpeg-default-transcoding-profile,
ffmpeg-vod, shared/presets, shared/encoder-options, ffprobe; packages/core-utils/src/videos/bitrate;
server/core/helpers/ffmpeg/framerate; the job builders of server/core/lib/transcoding):
a film that cannot be taken over is first encoded whole at its own size; then each further size is
encoded from that file by an ffmpeg of its own, one after the other (``concurrency: 1``), straight
into HLS of 4 s in a single file. ``veryfast``, x264's own CRF, ``bf 16``, a key frame every 2 s, at
most 30/s below 720 lines. Its default is one thread a job; here it gets two, for both processors.

MediaCMS (github.com/mediacms-io/mediacms; files/helpers.py, docs/transcoding.md for the preset,
fixtures/encoding_profiles.json for the sizes, deploy/local_install/celery_long.service): an ffmpeg
for each size, all from the upload, as many at once as there are processors, which is Celery's
default; the largest first, so that they end together. ``medium``, CRF 23, a key frame every 4 s.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

QUIET = ("-hide_banner", "-nostats", "-nostdin", "-loglevel", "error", "-y")


@dataclass(frozen=True)
class Step:
    """A command, and of the rung that it makes the file, lines and pictures a second; 0 lines for
    none of its own."""

    command: list[str]
    target: Path
    height: int = 0
    rate: int = 0


@dataclass(frozen=True)
class Recipe:
    """Steps in order, and how many of them may run at a time."""

    name: str
    steps: tuple[Step, ...]
    at_once: int


@dataclass(frozen=True)
class Source:
    """The film: sides in pixels, pictures a second, bits a second of the whole file."""

    path: Path
    width: int
    height: int
    rate: int
    bits: float


PEERTUBE_THREADS = 2
PEERTUBE_CALM_RATE = 30
PEERTUBE_LIVELY_HEIGHT = 720
PEERTUBE_BITS = {1080: 0.10, 720: 0.11, 480: 0.12, 360: 0.15, 240: 0.17, 144: 0.19}
"""Bits a pixel, by the largest of these heights that is not above the rung's."""
PEERTUBE_MARGIN = 1.3
"""A rung gets at most so many times the bit rate of what it is made of."""
PEERTUBE_SOUND = "256k"
"""Where the source's sound does not tell its bit rate, as Opus does not."""

MEDIACMS_KEY_SECONDS = 4
MEDIACMS_KILOBITS = {1080: 4500, 720: 2500, 480: 1000, 360: 500, 240: 300}
MEDIACMS_LIVELY_KILOBITS = {1080: 7500, 720: 3500}
"""Above 30/s."""
MEDIACMS_MARGIN = 1.5
"""The ceiling and the buffer are so many times that."""


def peertube(ffmpeg: str, source: Source, heights: Sequence[int], place: Path) -> Recipe:
    """PeerTube's commands; the first size is the film's own."""
    whole = place / f"{heights[0]}.mp4"
    faststart = ["-movflags", "+faststart", str(whole)]
    encoded = _peertube_command(ffmpeg, source, heights[0], faststart)
    packaged = [ffmpeg, *QUIET, "-i", str(whole), "-c", "copy", *_peertube_hls(place, heights[0])]
    steps = [Step(encoded, whole, heights[0], source.rate), Step(packaged, whole)]
    made = replace(source, path=whole)
    for height in heights[1:]:
        command = _peertube_command(ffmpeg, made, height, _peertube_hls(place, height))
        rate = peertube_rate(source, height)
        steps.append(Step(command, _peertube_file(place, height), height, rate))
    return Recipe("PeerTube", tuple(steps), at_once=1)


def peertube_rate(source: Source, height: int) -> int:
    """Pictures a second."""
    calm = height < min(PEERTUBE_LIVELY_HEIGHT, source.height)
    return min(source.rate, PEERTUBE_CALM_RATE) if calm else source.rate


def peertube_ceiling(source: Source, height: int) -> int:
    """Bits a second."""
    rate = peertube_rate(source, height)
    width = height * source.width / source.height
    step = max(known for known in PEERTUBE_BITS if known <= height)
    usual = width * height * rate * PEERTUBE_BITS[step]
    return round(min(usual, PEERTUBE_MARGIN * source.bits))


def mediacms(ffmpeg: str, source: Source, heights: Sequence[int], place: Path) -> Recipe:
    """MediaCMS's commands."""
    steps = [
        Step(_mediacms_command(ffmpeg, source, height, target), target, height, source.rate)
        for height, target in ((height, place / f"{height}.mp4") for height in heights)
    ]
    return Recipe("MediaCMS", tuple(steps), at_once=len(os.sched_getaffinity(0)))


def _peertube_command(
    ffmpeg: str, source: Source, height: int, container: Sequence[str]
) -> list[str]:
    rate, most = peertube_rate(source, height), peertube_ceiling(source, height)
    options = {
        "threads": PEERTUBE_THREADS,
        "max_muxing_queue_size": 1024,
        "map_metadata": -1,
        "pix_fmt": "yuv420p",
        "c:v": "libx264",
        "vf": f"scale=w=-2:h={height}",
        "preset": "veryfast",
        "maxrate:v": most,
        "bufsize:v": 2 * most,
        "b_strategy": 1,
        "bf": 16,
        "r": rate,
        "g:v": 2 * rate,
        "c:a": "aac",
        "b:a": PEERTUBE_SOUND,
        "ac": 2,
    }
    return [ffmpeg, *QUIET, "-i", str(source.path), *_options(options), *container]


def _peertube_hls(place: Path, height: int) -> list[str]:
    options = {
        "f": "hls",
        "hls_time": 4,
        "hls_list_size": 0,
        "hls_playlist_type": "vod",
        "hls_segment_filename": _peertube_file(place, height),
        "hls_segment_type": "fmp4",
        "hls_flags": "single_file",
    }
    return [*_options(options), str(place / f"{height}.m3u8")]


def _peertube_file(place: Path, height: int) -> Path:
    return place / f"{height}-fragmented.mp4"


def _mediacms_command(ffmpeg: str, source: Source, height: int, target: Path) -> list[str]:
    rates = MEDIACMS_KILOBITS | (MEDIACMS_LIVELY_KILOBITS if source.rate > 30 else {})
    most = round(MEDIACMS_MARGIN * rates[height])
    width = round(height * 16 / 9)
    options = {
        "c:v": "libx264",
        "filter:v": f"scale={width}:{height}:force_original_aspect_ratio=decrease"
        f":force_divisible_by=2:flags=lanczos,fps={source.rate}",
        "pix_fmt": "yuv420p",
        "crf": 23,
        "c:a": "aac",
        "b:a": "128k",
        "ac": 2,
        "maxrate": f"{most}k",
        "bufsize": f"{most}k",
        "force_key_frames": f"expr:gte(t,n_forced*{MEDIACMS_KEY_SECONDS})",
        "x264-params": f"keyint={2 * MEDIACMS_KEY_SECONDS * source.rate}"
        f":keyint-min={MEDIACMS_KEY_SECONDS * source.rate}",
        "preset": "medium",
        "profile:v": "main",
        "level": "4.2",
    }
    return [ffmpeg, *QUIET, "-i", str(source.path), *_options(options), str(target)]


def _options(options: Mapping[str, object]) -> list[str]:
    return [part for name, value in options.items() for part in (f"-{name}", str(value))]
