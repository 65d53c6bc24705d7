"""What the grid is compared with: one ffmpeg that decodes once and writes the whole ladder as HLS.

It is what one would type by hand: same rungs, same encoder settings and same segment boundaries as
the plan, sound included, all threads that ffmpeg likes to use, no checks and no database. It runs
as nice as the site's own ffmpeg, so that other work on the machine harms both alike.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from app.media.grid import TIMESCALE, Plan, VideoRow
from config import Settings

AUDIO = ("-c:a", "aac", "-b:a", "128k", "-ar", "48000", "-ac", "2")
"""As `app.media.sound.audio_command` encodes a track."""
CUTS = ("-fps_mode", "passthrough", "-g", "100000", "-sc_threshold", "0", "-forced-idr", "1")
"""Every picture as it comes, and key frames only where they are asked for."""
SEGMENT_SECONDS = 4
EARLIER = TIMESCALE // 250
"""Ticks by which a key frame is asked for before its picture: less than a frame at 60/s."""


def reference_command(ffmpeg: str, film: Path, plan: Plan, place: Path) -> list[str]:
    """The command that fills `place` with master.m3u8 and a playlist for each row of the plan."""
    count = len(plan.video)
    outputs = "".join(f"[s{number}]" for number in range(count))
    graph = [f"[0:v]split={count}{outputs}"]
    graph += [
        f"[s{number}]scale={row.width}:{row.height}:flags=bicubic:out_range=tv,"
        f"setsar=1,format=yuv420p[v{number}]"
        for number, row in enumerate(plan.video)
    ]
    command = [ffmpeg, "-hide_banner", "-nostats", "-nostdin", "-loglevel", "error", "-y"]
    command += ["-i", f"file:{film}", "-filter_complex", ";".join(graph)]
    for number, row in enumerate(plan.video):
        command += ["-map", f"[v{number}]", *_encoder(number, row, plan)]
    for sound in plan.audio:
        command += ["-map", f"0:{sound.stream}"]
    command += [*AUDIO, *CUTS]
    command += ["-f", "hls", "-hls_time", str(SEGMENT_SECONDS), "-hls_playlist_type", "vod"]
    command += ["-hls_segment_type", "fmp4", "-hls_flags", "independent_segments"]
    command += ["-hls_segment_filename", str(place / "%v" / "%d.m4s")]
    command += ["-var_stream_map", " ".join(_variants(plan)), "-master_pl_name", "master.m3u8"]
    return [*command, str(place / "%v" / "index.m3u8")]


def reference_seconds(ffmpeg: str, film: Path, plan: Plan, place: Path) -> float:
    """Run it; how long it took. Raises RuntimeError when it wrote other segments than planned."""
    began = time.monotonic()
    subprocess.run(as_nice(reference_command(ffmpeg, film, plan, place)), check=True)  # noqa: S603
    seconds = time.monotonic() - began
    for row in plan.video:
        written = len(list((place / row.name).glob("*.m4s")))
        if written != len(plan.frames):
            raise RuntimeError(f"{row.name}: {written} segments, not {len(plan.frames)}")
    return seconds


def as_nice(command: Sequence[str]) -> list[str]:
    """The command, standing back as far as a site's conversion does unless it is told otherwise."""
    return ["nice", "-n", str(Settings().WORKER_NICE), *command]


def _encoder(number: int, row: VideoRow, plan: Plan) -> list[str]:
    marks = [f"{(mark - EARLIER) / TIMESCALE:.6f}" for mark in plan.boundaries[1:-1]]
    options = {
        "c": "libx264",
        "preset": row.preset,
        "profile": "high",
        "level": f"{row.level // 10}.{row.level % 10}",
        "crf": str(row.crf),
        "maxrate": f"{row.maxrate}k",
        "bufsize": f"{row.bufsize}k",
        "enc_time_base": f"1/{TIMESCALE}",
        # once for each stream: said for all, ffmpeg 9.0 gives the second one its first mark only
        "force_key_frames": ",".join(marks) or "0",
    }
    return [part for name, value in options.items() for part in (f"-{name}:v:{number}", value)]


def _variants(plan: Plan) -> list[str]:
    group = ",agroup:sound" if plan.audio else ""
    variants = [f"v:{number}{group},name:{row.name}" for number, row in enumerate(plan.video)]
    sounds = enumerate(plan.audio)
    return variants + [f"a:{number},agroup:sound,name:{row.name}" for number, row in sounds]
