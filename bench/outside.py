"""`outside`: the share of a whole conversion during which no ffmpeg works, with one worker.

What is left is ours: waiting in the queue, forks, the database, taking fragments apart, checking
and syncing files, and any ffmpeg that reads no film. The worker is looked at every 5 ms.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from app.media.plan import make_plan
from app.media.probe import probe
from bench.films import Films
from bench.processes import command, descendants, runs
from bench.report import Figure
from bench.site import running_site
from bench.whole import convert

GOAL = 0.03
SAMPLE_SECONDS = 0.005


class Watch(threading.Thread):
    """Notes when an ffmpeg works below a process."""

    def __init__(self, pid: int, ffmpeg: str) -> None:
        super().__init__(daemon=True, name="watch")
        self._pid = pid
        self._ffmpeg = ffmpeg
        self._ended = threading.Event()
        self.spans: list[tuple[float, float]] = []
        """First and last sight of each ffmpeg, by time.monotonic."""

    def run(self) -> None:
        """Look until `end`."""
        current = 0
        while not self._ended.wait(SAMPLE_SECONDS):
            if current and self._works(current):
                self.spans[-1] = (self.spans[-1][0], time.monotonic())
                continue
            current = next((pid for pid in descendants(self._pid) if self._works(pid)), 0)
            if current:
                self.spans.append((time.monotonic(), time.monotonic()))

    def end(self) -> None:
        """Stop looking."""
        self._ended.set()
        self.join()

    def _works(self, pid: int) -> bool:
        return runs(self._ffmpeg, pid) and "-i" in command(pid)


def measure(films: Films, ffmpeg: str) -> Iterator[Figure]:
    """The share for each film that must be encoded, and for the one whose top rung is copied."""
    with running_site(workers=1) as site:
        for name, film in (*films.encoded(), ("1080p60 H.264, copied", films.copyable)):
            watch = Watch(site.workers(), ffmpeg)
            watch.start()
            try:
                answered, ready = convert(site, film, make_plan(probe(film)))
            finally:
                watch.end()
            whole = ready - answered
            between = pauses(watch.spans, answered, ready)
            yield Figure(
                "outside",
                f"time without ffmpeg, one worker: {name}",
                sum(between) / whole,
                "%",
                GOAL,
                f"{sum(between):.2f} s of {whole:.1f} s, {len(watch.spans)} times ffmpeg",
                {"seconds": [whole], "pauses": between},
            )


def pauses(spans: list[tuple[float, float]], began: float, ended: float) -> list[float]:
    """Seconds before the first span, between each two, and after the last."""
    starts = [start for start, _ in spans] + [ended]
    ends = [began] + [end for _, end in spans]
    return [max(0.0, start - end) for start, end in zip(starts, ends, strict=True)]
