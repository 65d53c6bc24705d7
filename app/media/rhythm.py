"""Is the frame rate constant, and which one is it? Measured from time stamps."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Final

from app.media.facts import Rhythm

TOLERANCE: Final = Fraction(3, 10)
"""Share of a frame by which a time stamp may be off its grid: below half, so that rounding to
the grid is one to one; Matroska's milliseconds at 60/s are 0.03."""

USUAL: Final = tuple(
    Fraction(n, d)
    for n, d in (
        (24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (50, 1), (60000, 1001), (60, 1),
        (5, 1), (8, 1), (10, 1), (12, 1), (25, 2), (15000, 1001), (15, 1), (20, 1), (48, 1),
    )
)  # fmt: skip
FASTEST: Final = 60
SLOWEST: Final = 1


def measure(shown: Sequence[int], time_base: Fraction, stated: Iterable[Fraction | None]) -> Rhythm:
    """The rhythm of sorted presentation times, with the rates that the file states as a guess.

    Of the candidates that fit within TOLERANCE the best fitting wins. Without one the rate is
    the usual one nearest to the typical (median) gap.
    """
    guesses = [rate for rate in stated if rate is not None and rate > 0]
    if len(shown) < 2:
        return Rhythm(guesses[0] if guesses else Fraction(25), True, 0.0, 0.0)
    gaps = sorted(b - a for a, b in itertools.pairwise(shown))
    shortest, longest = float(gaps[0] * time_base), float(gaps[-1] * time_base)
    span = (shown[-1] - shown[0]) * time_base
    if gaps[0] > 0 and span > 0:
        mean = (len(shown) - 1) / span
        near = (rate for rate in (*guesses, *USUAL) if abs(rate / mean - 1) < Fraction(1, 50))
        candidates = [*dict.fromkeys(near), mean.limit_denominator(1001)]
        fits = [(_worst(shown, time_base, rate), i) for i, rate in enumerate(candidates)]
        worst, best = min((round(float(w), 3), i) for w, i in fits)
        if worst < TOLERANCE:
            return Rhythm(candidates[best], True, shortest, longest)
    typical = max(gaps[len(gaps) // 2], 1) * time_base
    return Rhythm(nominal(guesses[:1], 1 / typical), False, shortest, longest)


def nominal(guesses: Sequence[Fraction], typical: Fraction) -> Fraction:
    """A rate for pictures that come irregularly: the stated one if it is sane, else usual."""
    for guess in guesses:
        if SLOWEST <= guess <= FASTEST and abs(guess / typical - 1) < Fraction(1, 10):
            return guess
    wanted = min(max(typical, Fraction(SLOWEST)), Fraction(FASTEST))
    return min(USUAL, key=lambda rate: abs(rate / wanted - 1))


def _worst(shown: Sequence[int], time_base: Fraction, rate: Fraction) -> float:
    """The largest distance from the grid, in frames; the grid may sit half-way between."""
    scale, first = float(time_base * rate), shown[0]
    off = [(pts - first) * scale - at for at, pts in enumerate(shown)]
    return max(max(off), -min(off))
