"""The rungs of a film: sizes, qualities, and what a playlist may promise about them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from app.media.levels import codec_name, smallest_level

HEIGHTS: Final = (1080, 720, 480, 360, 240)
"""Lines of the usual rungs, largest first."""
CLOSEST: Final = Fraction(9, 10)
"""A usual height within a tenth of the source's own adds nothing and is left out."""
FASTEST: Final = 60
"""Frames a second; a faster source is halved until it fits."""
FULL_HD_KILOBITS: Final = 6_000
"""Ceiling for 1920 x 1080 at up to 30/s; other sizes by (pixels / these pixels) ** 0.75, which
gives 3.3 Mbit/s at 720p and 1.2 Mbit/s at 360p; half as much again at 60/s."""
LOWEST_KILOBITS: Final = 120
SMALLEST_LEVEL: Final = 20


@dataclass(frozen=True)
class Encoding:
    """How rungs are encoded: their lines (largest first), x264's preset and its constant rate
    factor, 0 (lossless) to 51."""

    heights: tuple[int, ...] = HEIGHTS
    preset: str = "veryfast"
    crf: int = 23


@dataclass(frozen=True)
class Rung:
    """One encoded size. ``maxrate`` and ``bufsize`` are in kbit/s and kbit, ``level`` is times
    ten; ``codecs`` is what the level forces into the stream."""

    name: str
    width: int
    height: int
    crf: int
    maxrate: int
    bufsize: int
    preset: str
    level: int
    codecs: str


def slowed(rate: Fraction) -> Fraction:
    """The rate, halved until it is at most FASTEST."""
    while rate > FASTEST:
        rate /= 2
    return rate


def make_ladder(
    width: int, height: int, rate: Fraction, encoding: Encoding | None = None
) -> tuple[Rung, ...]:
    """The rungs for a picture of ``width`` x ``height`` square pixels seen upright.

    They are named by the short side for portrait pictures and by the height for others, largest
    first, never larger than the picture, with even sides.
    """
    encoding = encoding or Encoding()
    portrait = height > width
    own = min(width if portrait else height, encoding.heights[0])
    sides = [own, *(side for side in encoding.heights if side < own * CLOSEST)]
    rungs: dict[str, Rung] = {}
    for side in sides:
        scale = Fraction(side, width if portrait else height)
        rung = _rung(_even(width * scale), _even(height * scale), rate, encoding, portrait=portrait)
        rungs.setdefault(rung.name, rung)
    return tuple(rungs.values())


def _even(length: Fraction) -> int:
    """Down to even, so that nothing is scaled up; an encoder needs two pixels at least."""
    return max(2, int(length) // 2 * 2)


def ceiling(width: int, height: int, rate: Fraction) -> int:
    """The highest sustained kbit/s for a size (pixels) and a rate (frames/s)."""
    share = math.pow(width * height / (1920 * 1080), 0.75)
    lively = 1 + 0.5 * min(1.0, max(0.0, float(rate) - 30) / 30)
    return max(LOWEST_KILOBITS, round(FULL_HD_KILOBITS * share * lively))


def _rung(width: int, height: int, rate: Fraction, encoding: Encoding, *, portrait: bool) -> Rung:
    maxrate = ceiling(width, height, rate)
    level = max(SMALLEST_LEVEL, smallest_level(width, height, rate, maxrate))
    return Rung(
        name=f"{width if portrait else height}p",
        width=width,
        height=height,
        crf=encoding.crf,
        maxrate=maxrate,
        bufsize=maxrate,
        preset=encoding.preset,
        level=level,
        codecs=codec_name(level),
    )
