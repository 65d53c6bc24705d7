"""`lengths`: whether a long film is playable as soon as a short one.

Films of 30 s, 20 minutes and 2 hours, once with a top rung that is copied and once with rungs that
are all encoded: the clips, one after the other, over and over. Each is deleted once it is playable,
so that nobody waits hours for the rest of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.films import SECONDS, Films, repeated
from bench.playable import COPIED_GOAL, ENCODED_GOAL, WORKERS, seconds_to_playable
from bench.report import Figure, spread
from bench.site import Site, running_site

LENGTHS = (("30 s", 30), ("20 min", 20 * 60), ("2 h", 2 * 60 * 60))
RUNS = 3


def measure(films: Films, ffmpeg: str, runs: int | None, *, quick: bool) -> Iterator[Figure]:
    """Seconds until each is playable; `quick` leaves out the longest."""
    cases = [("H.264 1080p60, copied", films.copyable, COPIED_GOAL)]
    cases += [("H.264 1080p24, rare key frames, encoded", films.rare_keys, ENCODED_GOAL)]
    with running_site(WORKERS) as site:
        for name, film, goal in cases:
            for length, wanted in LENGTHS[:-1] if quick else LENGTHS:
                with repeated(ffmpeg, film, wanted // SECONDS) as long:
                    what = f"upload → playable: {length} of {name}"
                    yield playable("lengths", what, site, long, runs or RUNS, goal)


def playable(
    benchmark: str, what: str, site: Site, film: Path, runs: int, goal: float | None
) -> Figure:
    """Seconds from the upload's answer until a film can be watched, and its size."""
    seconds = [seconds_to_playable(site, film) for _ in range(runs)]
    note = f"{film.stat().st_size / 1e6:.0f} MB, {spread(seconds)}"
    return Figure(benchmark, what, median(seconds), "s", goal, note, {"seconds": seconds})
