"""How near an encoded rung is to the film it was made of (VMAF), and how many bytes it takes."""

from __future__ import annotations

import os
import re
import subprocess
from itertools import product
from pathlib import Path

import av

MODEL = "vmaf_v0.6.1"
"""Built into libvmaf; made for 1080 lines seen from three picture heights away."""
COLOURS = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"
"""Said of both, since ffmpeg would convert one whose colours are named to one whose are not."""
EVERY = 3
"""One picture of so many is judged."""


def vmaf(ffmpeg: str, rung: Path, rate: int, film: Path) -> float:
    """The mean over the film, 0…100, of the rung scaled up to the film's size (bicubic).

    A rung of fewer pictures a second (`rate`) than the film is compared with as many of the film's,
    so that missing ones do not count against it; which of them its encoder took is not known, so
    the best score counts. Raises RuntimeError when libvmaf gives none.
    """
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        size, most = (stream.width, stream.height), round(stream.average_rate or rate)
    few = range(max(1, most // rate))
    skips = product(few, few)
    return max(_score(ffmpeg, rung, rate, film, size, skip) for skip in skips)


def _score(
    ffmpeg: str, rung: Path, rate: int, film: Path, size: tuple[int, int], skip: tuple[int, int]
) -> float:
    """The score without so many first pictures of rung and film. The rate is said, since what a
    short file tells of its own is a guess."""
    same = f"setpts=PTS-STARTPTS,fps={rate},{COLOURS}"
    graph = (
        f"[0:v]trim=start_frame={skip[0]},{same},scale={size[0]}:{size[1]}:flags=bicubic,format=yuv420p[rung];"
        f"[1:v]trim=start_frame={skip[1]},{same},format=yuv420p[film];"
        f"[rung][film]libvmaf=model=version={MODEL}:n_subsample={EVERY}"
        f":n_threads={len(os.sched_getaffinity(0))}:shortest=1"
    )
    said = subprocess.run(  # noqa: S603 - our own ffmpeg
        [ffmpeg, "-hide_banner", "-nostats", "-nostdin", "-i", str(rung), "-i", str(film),
         "-lavfi", graph, "-an", "-f", "null", "-"],
        capture_output=True, text=True, check=True,
    ).stderr  # fmt: skip
    found = re.search(r"VMAF score: ([0-9.]+)", said)
    if found is None:
        raise RuntimeError(f"libvmaf gave no score: {said[-500:]}")
    return float(found[1])


def picture_bytes(rung: Path) -> int:
    """The bytes of its picture alone, without sound and container."""
    with av.open(str(rung)) as container:
        return sum(packet.size for packet in container.demux(video=0))
