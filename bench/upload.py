"""`upload`: what a 2 GB upload costs the web processes in memory, and how fast it is.

The body is a real film followed by a `free` box that fills it up. Its speed is compared, in turns,
with a bare WSGI application (`bench.sink`) that runs under the same gunicorn settings and writes
the same bytes to the same disk.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from statistics import median

from bench.client import BLOCK, Client
from bench.films import Films
from bench.processes import command, resident_bytes
from bench.report import Figure
from bench.site import Site, free_port, running_site
from config import ROOT

SIZE = 2 << 30
MEGABYTE = 10**6
GOAL = 50.0
"""Megabytes."""
RUNS = 3
SAMPLE_SECONDS = 0.02
START_SECONDS = 30.0


class MemoryWatch(threading.Thread):
    """The most memory that some processes hold together, compared with the start."""

    def __init__(self, pids: list[int]) -> None:
        super().__init__(daemon=True, name="memory")
        self._pids = pids
        self._ended = threading.Event()
        self._before = self._peak = resident_bytes(pids)

    def run(self) -> None:
        """Look until `end`."""
        while not self._ended.wait(SAMPLE_SECONDS):
            self._peak = max(self._peak, resident_bytes(self._pids))

    def end(self) -> float:
        """Stop looking; the growth in megabytes."""
        self._ended.set()
        self.join()
        return (self._peak - self._before) / MEGABYTE


def measure(films: Films, runs: int | None) -> Iterator[Figure]:
    """Growth of the web processes, and the site's throughput as a share of the sink's."""
    head = films.copyable.read_bytes()
    growth: list[float] = []
    ours: list[float] = []
    bare: list[float] = []
    with running_site(workers=0) as site, _running_sink(site) as sink:
        for _ in range(runs or RUNS):
            watch = MemoryWatch(site.web())
            watch.start()
            film_id, seconds = _send(site.client, head)
            growth.append(watch.end())
            ours.append(seconds)
            site.client.delete(film_id)
            bare.append(_send(sink, head)[1])
    yield Figure(
        "upload",
        "growth of all web processes during 2 GB",
        max(growth),
        "MB",
        GOAL,
        f"the worst of {len(growth)} runs",
        {"MB": growth},
    )
    rate = [SIZE / MEGABYTE / median(seconds) for seconds in (ours, bare)]
    yield Figure(
        "upload",
        "throughput ÷ a bare WSGI sink",
        rate[0] / rate[1],
        "x",
        None,
        f"{rate[0]:.0f} MB/s ÷ {rate[1]:.0f} MB/s, medians of {len(ours)}",
        {"site seconds": ours, "sink seconds": bare},
    )


def _send(client: Client, head: bytes) -> tuple[int, float]:
    began = time.monotonic()
    film_id, answered = client.upload_blocks(_body(head), SIZE, "big.mp4")
    return film_id, answered - began


def _body(head: bytes) -> Iterator[bytes]:
    """A film and a `free` box (ISO/IEC 14496-12, with a 64-bit size), SIZE bytes altogether.

    The box holds noise, over and over: who looks for line ends meets as many as in a film.
    """
    yield head
    left = SIZE - len(head)
    start = b"\x00\x00\x00\x01free" + left.to_bytes(8, "big")
    yield start
    left -= len(start)
    noise = os.urandom(BLOCK)
    while left:
        yield noise[:left]
        left -= min(left, BLOCK)


@contextlib.contextmanager
def _running_sink(site: Site) -> Iterator[Client]:
    """The sink, under the command that the site's gunicorn was started with."""
    port = free_port()
    with tempfile.TemporaryDirectory(dir=site.data_dir) as place:
        process = subprocess.Popen(  # noqa: S603 - the site's own command
            _sink_command(command(site.web()[0]), port),
            cwd=ROOT,
            env=os.environ | {"SINK": place},
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(lambda: socket.create_connection(("127.0.0.1", port), 1).close())
            yield Client("127.0.0.1", port)
        finally:
            process.terminate()
            process.wait()


def _sink_command(site_command: list[str], port: int) -> list[str]:
    changed = list(site_command)
    changed[changed.index("wsgi:app")] = "bench.sink:app"
    changed[changed.index("--bind") + 1] = f"127.0.0.1:{port}"
    return changed


def _wait_for(attempt: Callable[[], None]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return attempt()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
