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
from pathlib import Path
from statistics import median

from bench.client import BLOCK, Client
from bench.films import Films
from bench.processes import command, resident_bytes
from bench.report import Figure
from bench.site import Site, free_port, running_site
from config import ROOT

SIZE = 2 << 30
MEGABYTE = 10**6
GOAL = 32.0
"""Megabytes."""
SHARE_GOAL = 0.8
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
    """Growth of the web processes, processor time, and throughput as a share of the sink's, of
    uploads by form and by tus in turns."""
    head = films.copyable.read_bytes()
    ways = ("form", "tus")
    growth: dict[str, list[float]] = {way: [] for way in ways}
    seconds: dict[str, list[float]] = {way: [] for way in (*ways, "sink")}
    cpu: dict[str, list[float]] = {way: [] for way in ways}
    with running_site(workers=0) as site, _running_sink(site) as sink:
        senders = {"form": site.client.upload_blocks, "tus": site.client.upload_in_pieces}
        for _ in range(runs or RUNS):
            for way, send in senders.items():
                watch, before = MemoryWatch(site.web()), _cpu_seconds(site.web())
                watch.start()
                film_id, took = _send(send, head)
                growth[way].append(watch.end())
                seconds[way].append(took)
                cpu[way].append((_cpu_seconds(site.web()) - before) / (SIZE / 1e9))
                site.client.delete(film_id)
            seconds["sink"].append(_send(sink.upload_blocks, head)[1])
    bare = SIZE / MEGABYTE / median(seconds["sink"])
    for way in ways:
        yield Figure(
            "upload",
            f"growth of all web processes during 2 GB, {way}",
            max(growth[way]),
            "MB",
            GOAL,
            f"the worst of {len(growth[way])} runs",
            {"MB": growth[way]},
        )
        rate = SIZE / MEGABYTE / median(seconds[way])
        yield Figure(
            "upload",
            f"throughput ÷ a bare WSGI sink, {way}",
            rate / bare,
            "x",
            SHARE_GOAL,
            f"{rate:.0f} MB/s ÷ {bare:.0f} MB/s, medians of {len(seconds[way])}",
            {"site seconds": seconds[way], "sink seconds": seconds["sink"]},
            least=True,
        )
        yield Figure(
            "upload",
            f"processor time of the web processes per GB, {way}",
            median(cpu[way]),
            "s",
            None,
            f"median of {len(cpu[way])}",
            {"seconds": cpu[way]},
        )


def _send(send: Callable[..., tuple[int, float]], head: bytes) -> tuple[int, float]:
    began = time.monotonic()
    film_id, answered = send(_body(head), SIZE, "big.mp4")
    return film_id, answered - began


def _cpu_seconds(pids: list[int]) -> float:
    """User and system time so far, fields 14 and 15 of proc(5) stat."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


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
