"""How late the sound of a row is against the source's own, by how loud both are when."""

from __future__ import annotations

import subprocess
from array import array
from collections.abc import Sequence
from pathlib import Path

STEP = 80
"""Samples at 8 kHz: 10 ms."""
QUIET = 30
"""Of 32768: where nothing is louder, there is nothing to hear."""
FARTHEST = 20
"""Steps that a row may be late or early by and still be recognised."""
SECONDS = 20


def lateness(path: Path, stream: int, zero: float, row: bytes, binary: str) -> int | None:
    """Hundredths of a second; None where there is nothing to recognise it by.

    ``zero`` is film time zero in seconds after the first time stamp in the file, from which ffmpeg
    counts when it is left alone.
    """
    opened = [binary, "-v", "error", "-nostdin", "-i", str(path), "-map", f"0:{stream}"]
    source = _loudness(opened, zero)
    made = _loudness([binary, "-v", "error", "-f", "mp4", "-i", "pipe:0"], 0, row)
    length = min(len(source), len(made)) - 2 * FARTHEST
    if length < 2 * FARTHEST or max(source[: length + 2 * FARTHEST]) < QUIET * STEP:
        return None
    kept = made[FARTHEST : FARTHEST + length]
    off = {late: sum(abs(a - b) for a, b in zip(source[FARTHEST - late :], kept, strict=False))
           for late in range(-FARTHEST, FARTHEST + 1)}  # fmt: skip
    best = min(off, key=lambda late: off[late])
    usual = sum(off.values()) / len(off)
    return best if off[best] < usual / 2 else None  # steady sound fits everywhere


def _loudness(command: Sequence[str], skip: float, data: bytes | None = None) -> list[int]:
    """The sum of the samples' sizes in each step from ``skip`` seconds on."""
    filters = "aresample=8000:async=1:first_pts=0"
    command = [*command, "-af", filters, "-ac", "1", "-t", str(SECONDS + skip), "-f", "s16le"]
    done = subprocess.run(
        [*command, "pipe:1"], input=data, check=True, capture_output=True, timeout=60
    )
    sizes = [abs(value) for value in array("h", done.stdout)[round(max(skip, 0) * 8000) :]]
    return [sum(sizes[at : at + STEP]) for at in range(0, len(sizes) - STEP, STEP)]
