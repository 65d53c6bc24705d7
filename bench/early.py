"""`early`: from the last byte of an upload to a film that plays, and to one that is whole, with its
index at the front, so that it is converted while it comes in, and at the end.

The upload is held to a usual line's pace; on loopback nothing could begin before its end.
"""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.client import POLL_SECONDS, Client
from bench.films import Films
from bench.report import Figure, spread
from bench.site import Site, running_site

WORKERS = 2
RUNS = 3
RATE = 3_000_000
"""Bytes a second: 24 Mbit/s."""
BLOCK = 1 << 16


def measure(films: Films, ffmpeg: str, runs: int | None) -> Iterator[Figure]:
    """Seconds after the last byte, with and without a head start."""
    with tempfile.TemporaryDirectory(prefix="videoflix-bench-early-") as place:
        fast, slow = Path(place) / "front.mp4", Path(place) / "end.mp4"
        for path, options in ((fast, ["-movflags", "+faststart"]), (slow, [])):
            subprocess.run(  # noqa: S603 - our own ffmpeg
                [ffmpeg, "-v", "error", "-nostdin", "-i", str(films.rare_keys), "-c", "copy",
                 *options, str(path)],
                check=True,
            )  # fmt: skip
        with running_site(WORKERS) as site:
            for name, path in (("index at the front", fast), ("index at the end", slow)):
                found = [_once(site, path) for _ in range(runs or RUNS)]
                for number, what in enumerate(("playable", "ready")):
                    seconds = [each[number] for each in found]
                    note = f"{spread(seconds)}; at {RATE / 1e6:.0f} MB/s"
                    yield Figure(
                        "early",
                        f"last byte → {what}: {name}, encoded",
                        median(seconds),
                        "s",
                        None,
                        note,
                        {"seconds": seconds},
                    )


class PlayableWatch(threading.Thread):
    """Notes when a film begins to be playable, whoever uploads it."""

    def __init__(self, client: Client) -> None:
        super().__init__(daemon=True, name="playable")
        self._client = client
        self.moment = 0.0

    def run(self) -> None:
        """Look until there is a playable film."""
        while not any(film["playable"] for film in self._client.ask("GET", "/api/local-videos/")):
            time.sleep(POLL_SECONDS)
        self.moment = time.monotonic()


def _once(site: Site, film: Path) -> tuple[float, float]:
    """Seconds from the last byte to playable and to ready; negative where it was before."""
    client: Client = site.client
    watch = PlayableWatch(client.twin())
    watch.start()
    film_id, ended = client.upload_in_pieces(_paced(film), film.stat().st_size, film.name)
    _, ready = client.wait(film_id, lambda found: found["status"] == "ready", closely=False)
    watch.join()
    client.delete(film_id)
    site.rest()
    return watch.moment - ended, ready - ended


def _paced(path: Path) -> Iterator[bytes]:
    began, sent = time.monotonic(), 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block
            sent += len(block)
            time.sleep(max(0.0, began + sent / RATE - time.monotonic()))
