"""Which picture stands for a film: a measure of what there is to see, by small pictures alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Final

LOOK: Final = (320, 180)
"""Columns and rows of the small picture that is judged, whatever the film's size: what is blurred
here is blurred on a card, and what is sharp only in full size does not matter."""
LOOK_PIXELS: Final = LOOK[0] * LOOK[1]
LOOK_BYTES: Final = LOOK_PIXELS * 3 // 2
"""4:2:0, full range: all of the grey, then a quarter each of the two colours."""

PLACES: Final = (0.3, 0.5, 0.15, 0.7, 0.22, 0.6, 0.38, 0.08, 0.8, 0.45, 0.03, 0.9)
"""Where to look, as shares of the film, likelier ones first: titles and black are at the ends."""
ENOUGH: Final = 6
GOOD: Final = 0.4
"""After ENOUGH looks, a score like this ends the search."""
APART: Final = 0.5
"""Seconds between two places: closer ones show the same."""

FULL_BITS: Final = 7.0
"""Entropy of the grey of a rich picture (bits, of 8); a title on black has 1 to 2."""
SHARP: Final = 12.0
"""Standard deviation of the Laplacian that counts half: pictures in focus have 15 to 50 at this
size, blurred ones 1 to 5."""
WIDE: Final = 48.0
"""Standard deviation of grey (0 to 255) from which there is contrast enough."""
DARK: Final = 48.0
GLARING: Final = 207.0
COLOURFUL: Final = 12.0
"""Mean distance of the two colours from grey, from which a picture counts as coloured."""
STEADY_LEVEL: Final = 8.0
"""A change of the mean grey from one look to the next that halves the score: a fade."""
STEADY: Final = 40.0
"""The same for the mean change of a pixel: a cross-fade, a cut, a pan."""
UNKNOWN: Final = 0.7
"""Instead of both, where no later picture came: at the film's end."""


def places(duration: float) -> list[float]:
    """The moments to look at (s), in their order."""
    chosen: list[float] = []
    for moment in (round(duration * share, 3) for share in PLACES):
        if all(abs(moment - other) >= APART for other in chosen):
            chosen.append(moment)
    return list(dict.fromkeys([*chosen, 0.0]))  # a film of one picture has it there


def judge(now: bytes, later: bytes = b"") -> float:
    """What there is to see in a small picture, 0 to 1: contrast, detail and colour, in focus.

    Less where all is dark or glaring, and where the picture a moment later is another: then it is
    a fade, or moves. Both are LOOK_BYTES long.
    """
    grey = now[:LOOK_PIXELS]
    counts = Counter(grey)
    mean = sum(value * count for value, count in counts.items()) / LOOK_PIXELS
    variance = sum((value - mean) ** 2 * count for value, count in counts.items()) / LOOK_PIXELS
    shares = [count / LOOK_PIXELS for count in counts.values()]
    bits = -sum(share * math.log2(share) for share in shares)
    edges = math.sqrt(_spread(_laplacian(grey)))
    colour = sum(abs(value - 128) for value in now[LOOK_PIXELS:]) / (LOOK_BYTES - LOOK_PIXELS)
    return (
        min(1.0, bits / FULL_BITS)
        * min(1.0, math.sqrt(variance) / WIDE)
        * edges / (edges + SHARP)
        * min(1.0, mean / DARK)
        * min(1.0, (255 - mean) / (255 - GLARING))
        * (0.7 + 0.3 * min(1.0, colour / COLOURFUL))
        * (_steadiness(grey, mean, later[:LOOK_PIXELS]) if later else UNKNOWN)
    )  # fmt: skip


def _laplacian(grey: bytes) -> Iterator[int]:
    """How each inner pixel differs from its four neighbours; its spread measures focus."""
    width = LOOK[0]
    for start in range(width, LOOK_PIXELS - width, width):
        above = grey[start - width + 1 : start - 1]
        below = grey[start + width + 1 : start + 2 * width - 1]
        row = grey[start : start + width]
        for left, here, right, up, down in zip(row, row[1:], row[2:], above, below, strict=False):
            yield 4 * here - left - right - up - down


def _steadiness(grey: bytes, mean: float, later: bytes) -> float:
    level = abs(sum(later) / LOOK_PIXELS - mean)
    change = sum(abs(a - b) for a, b in zip(grey, later, strict=True)) / LOOK_PIXELS
    return 1 / ((1 + (level / STEADY_LEVEL) ** 2) * (1 + change / STEADY))


def _spread(values: Iterator[int]) -> float:
    """The variance of whole numbers."""
    count = total = squares = 0
    for value in values:
        count, total, squares = count + 1, total + value, squares + value * value
    return squares / count - (total / count) ** 2
