"""`killed`: what `kill -9` costs, in processor seconds and in cells that are encoded twice.

A film is converted by two workers once in peace and once for each kind of process: when it is half
done, the ffmpeg that has worked longest, the job that started it, or the worker that runs the job
is killed. What the dying ffmpeg had used until then is lost. Which cells were begun again is read
from the database's own count of claims.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.client import Client
from bench.films import Films
from bench.processes import command, descendants, parent, processor_seconds, runs
from bench.report import Figure
from bench.site import Site, running_site

WORKERS = 2
HALF = 0.4
"""From this progress on somebody is killed."""
BEGUN_SECONDS = 1.5
"""Processor seconds that the ffmpeg must have used by then: its cells are well under way."""
LIMIT_SECONDS = 600.0
SAMPLE_SECONDS = 0.02
KINDS = ("ffmpeg", "job", "worker")
"""Each is the parent of the one before."""
BEING_FILLED = 1

CELLS_BEGUN_AGAIN = """
    SELECT COALESCE(SUM(tasks.fence - 1), 0) FROM cells JOIN tasks ON tasks.id = cells.task_id
    WHERE tasks.fence > 1
"""


@dataclass(frozen=True)
class Conversion:
    """Of one film: processor seconds of all ffmpegs, those that a kill lost, the cells that were
    in flight then, and the cells that were begun again."""

    whole: float
    lost: float
    in_flight: int
    again: int


class Meter(threading.Thread):
    """Adds up the processor time of every ffmpeg below a process."""

    def __init__(self, pid: int, ffmpeg: str) -> None:
        super().__init__(daemon=True, name="meter")
        self._pid = pid
        self._ffmpeg = ffmpeg
        self._ended = threading.Event()
        self.seconds: dict[int, float] = {}
        """Last seen of each, by process id."""

    def run(self) -> None:
        """Look until `end`."""
        while not self._ended.wait(SAMPLE_SECONDS):
            for pid in films_ffmpegs(self._pid, self._ffmpeg):
                self.seconds[pid] = max(processor_seconds(pid), self.seconds.get(pid, 0.0))

    def end(self) -> float:
        """Stop looking; the sum."""
        self._ended.set()
        self.join()
        return sum(self.seconds.values())


def measure(films: Films, ffmpeg: str) -> Iterator[Figure]:
    """Seconds lost and cells encoded twice, for each kind of process."""
    with running_site(WORKERS) as site:
        peace = _convert(site, films.vp9, ffmpeg, None)
        for kind in KINDS:
            found = _convert(site, films.vp9, ffmpeg, kind)
            share = found.whole / peace.whole
            note = f"all ffmpegs {found.whole:.1f} s, {peace.whole:.1f} s without: {share:.2f}"
            values = {"with a kill": [found.whole], "without": [peace.whole]}
            what = f"kill -9 of a {kind}"
            yield Figure("killed", f"{what}: CPU seconds lost", found.lost, "s", None, note, values)
            yield Figure(
                "killed",
                f"{what}: cells encoded twice",
                found.again - peace.again,
                "",
                found.in_flight,
                f"{found.in_flight} were in flight",
            )


def films_ffmpegs(pid: int, ffmpeg: str) -> list[int]:
    """All ffmpegs below a process that work on a film."""
    return [one for one in descendants(pid) if runs(ffmpeg, one) and "-i" in command(one)]


def _convert(site: Site, film: Path, ffmpeg: str, kind: str | None) -> Conversion:
    """Convert the film, and kill a process of this kind once it is half done."""
    meter = Meter(site.workers(), ffmpeg)
    meter.start()
    lost, in_flight = 0.0, 0
    try:
        film_id, _ = site.client.upload(film)
        if kind is not None:
            lost, in_flight = _kill(site, film_id, ffmpeg, kind)
        site.client.wait(film_id, lambda found: bool(found["status"] == "ready"), closely=False)
    finally:
        whole = meter.end()
    with closing(sqlite3.connect(site.data_dir / "videoflix.sqlite")) as database:
        again = int(database.execute(CELLS_BEGUN_AGAIN).fetchone()[0])
    site.client.delete(film_id)
    site.rest()
    return Conversion(whole, lost, in_flight, again)


def _kill(site: Site, film_id: int, ffmpeg: str, kind: str) -> tuple[float, int]:
    """Kill; the processor seconds of the ffmpeg that ends with it, and the cells in flight."""
    site.client.wait(film_id, lambda found: found["progress"] >= HALF, closely=False)
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        working = films_ffmpegs(site.workers(), ffmpeg)
        longest = max(working, key=processor_seconds, default=0)
        if longest and processor_seconds(longest) >= BEGUN_SECONDS:
            in_flight = _being_filled(site.client, film_id)
            victim = longest
            for _ in range(KINDS.index(kind)):
                victim = parent(victim)
            lost = processor_seconds(longest)
            if victim:
                os.kill(victim, signal.SIGKILL)
                return lost, in_flight
        time.sleep(SAMPLE_SECONDS)
    raise TimeoutError("no ffmpeg worked long enough to be killed")


def _being_filled(client: Client, film_id: int) -> int:
    """The cells that somebody is at."""
    found = client.ask("GET", f"/api/videos/{film_id}/grid/")
    return sum(row["cells"].count(BEING_FILLED) for row in found["rows"])
