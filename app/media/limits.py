"""What a conversion may use of the machine, by the size of the film's picture."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from app.media.grid import TIMESCALE, Plan
from app.media.runner import Limits

STALL_SECONDS: Final = 60.0
BASE: Final = 5 << 28
PER_CORE: Final = 48 << 20
"""Filters run a thread on each core, each with its stack and its heap."""


def limits_for(pixels: int, encoded: int = 0, *, tone_map: bool = False) -> Limits:
    """Limits for a source picture of ``pixels`` and outputs of ``encoded`` pixels altogether.

    Address space, measured with two cores (docs/media.md): 0.8 GB for 800 x 332 with two rungs,
    1.2 GB for 720p with four, 1.4 to 1.6 GB for 1080p with five, 1.8 GB with tone mapping; that
    is about 0.65 GB and up to 240 bytes a pixel. The limit leaves half as much again.
    """
    per_pixel = 400 if tone_map else 240
    return Limits(memory=BASE + (os.cpu_count() or 1) * PER_CORE + (pixels + encoded) * per_pixel)


def row_pixels(plan: Plan, names: Iterable[str]) -> int:
    """The pixels of one picture of each of these rows, altogether."""
    return sum(row.width * row.height for row in plan.video if row.name in set(names))


def wall_seconds(plan: Plan, chunk: int) -> float:
    """A hundred times the chunk's length, and the film's in case all of it is decoded first."""
    first, last = plan.chunks[chunk]
    length = (plan.boundaries[last + 1] - plan.boundaries[first]) / TIMESCALE
    return 300 + 100 * length + plan.duration
