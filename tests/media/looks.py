"""What a film's first picture looks like, roughly: the mean colours of its four quarters."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from app.media.facts import VideoFacts

MATRICES = {1: "bt709", 5: "bt601", 6: "bt601", 9: "bt2020"}


def of_source(path: Path, video: VideoFacts, binary: str) -> list[int]:
    """Of the source's picture, put upright; its colours are taken as the file says, else as
    players guess (BT.601 below 720 lines, BT.709 from there on)."""
    usual = "bt709" if min(video.width, video.height) >= 720 else "bt601"
    matrix, spread = MATRICES.get(video.matrix, usual), "pc" if video.full_range else "tv"
    return _quarters(
        [binary, "-v", "error", "-nostdin", "-i", str(path), "-map", f"0:{video.index}"],
        f"in_color_matrix={matrix}:in_range={spread}",
    )


def of_row(row: bytes, binary: str) -> list[int]:
    """Of a row that was made; its colours are taken as it says itself."""
    return _quarters([binary, "-v", "error", "-f", "mp4", "-i", "pipe:0"], "", row)


def difference(one: Sequence[int], other: Sequence[int]) -> int:
    """The largest, in steps of 256."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _quarters(command: list[str], colours: str, data: bytes | None = None) -> list[int]:
    """Twelve numbers: red, green, blue of upper left, upper right, lower left, lower right."""
    whole = f"scale=flags=bilinear+accurate_rnd+full_chroma_inp:{colours}".rstrip(":")
    small = f"{whole},format=gbrp,scale=2:2:flags=area,format=rgb24"
    command = [*command, "-frames:v", "1", "-vf", small, "-f", "rawvideo"]
    done = subprocess.run(
        [*command, "pipe:1"], input=data, check=True, capture_output=True, timeout=60
    )
    assert len(done.stdout) == 12, done.stderr
    return list(done.stdout)
