"""`delivery`: what it costs that nginx asks for a grant before it sends a segment from the disk.

The shipped nginx.conf stands before a site, without TLS (which would hide the difference), with one
more place that has no lock. `wrk` asks for the same segments there, with a grant, and past
nginx through Python, in turns; then as a thousand viewers at once; then it asks gunicorn for a
signed-in list and for the least that Flask can answer.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from statistics import median

from bench.accounts import UNLIMITED
from bench.films import Films
from bench.front import (
    compared,
    missing,
    nginx_before,
    of_one_rung,
    ready_film,
    until_listening,
    wrk,
)
from bench.processes import command, descendants, resident_bytes
from bench.report import Figure, spread
from bench.site import Site, free_port, running_site
from config import ROOT

RUNS = 3
SECONDS = 5
CLIENTS = 64
VIEWERS = 1000
VIEWERS_SECONDS = 20
DISK_GOAL = 0.9
LIST_GOAL = 0.3
PAUSE_SECONDS = 2
"""Lines that are opened while others close often all come to one of gunicorn's processes."""
GROWTH_GOAL = 64.0
"""Megabytes."""

LIST = "/api/local-videos/?limit=20"
LEAST = "/api/categories/"


def measure(films: Films, runs: int | None) -> Iterator[Figure]:
    """Ratios within one run; nothing where nginx or wrk is missing, which is said."""
    if lacking := missing():
        yield Figure("delivery", "not measured", 0.0, "", None, f"{lacking} is not installed")
        return
    with running_site(workers=2, settings=UNLIMITED) as site:
        film_id = ready_film(site, films.copyable)
        yield from _segments(site, site.client.stream(film_id), runs or RUNS)
        yield from _lists(site, runs or RUNS)


def _segments(site: Site, stream: str, runs: int) -> Iterator[Figure]:
    media = site.data_dir / "media" / "films"
    grid = stream.rpartition("/")[2]
    (folder,) = media.glob(f"*/grid-{grid}")
    files = of_one_rung(folder)
    names = [f"{file.parent.name}/{file.name}" for file in files]
    ways = {
        "bare": [f"/bare/{folder.parent.name}/grid-{grid}/{name}" for name in names],
        "granted": [f"{stream}/{name}" for name in names],
        "python": [f"{stream}/{name}" for name in names],
    }
    rates: dict[str, list[float]] = {way: [] for way in ways}
    with nginx_before(site) as (nginx, port):
        for _ in range(runs):
            for way, paths in ways.items():
                target = site.port if way == "python" else port
                load = wrk(target, paths, CLIENTS, SECONDS)
                if load.errors:
                    raise RuntimeError(f"{load.errors} errors, {way}")
                rates[way].append(load.rate)
        pids = [nginx, *descendants(nginx), *site.web()]
        before = resident_bytes(pids)
        viewers = wrk(port, ways["granted"], VIEWERS, VIEWERS_SECONDS)
        growth = (resident_bytes(pids) - before) / 1e6
    size = median(file.stat().st_size for file in files) / 1000
    note = f"segments of {size:.0f} kB, {CLIENTS} clients, {spread(rates['granted'], 0)}"
    for against, goal in (("bare", DISK_GOAL), ("python", None)):
        what = f"segments/s with a grant ÷ {_WORDS[against]}"
        yield compared("delivery", what, rates, ("granted", against), note, goal)
    seen = f"{viewers.rate:.0f} segments/s for {VIEWERS_SECONDS} s"
    crowd = f"{VIEWERS} viewers"
    yield Figure("delivery", f"errors of {crowd}", viewers.errors, "", 0.0, seen)
    yield Figure(
        "delivery",
        f"growth of nginx and gunicorn, {VIEWERS} viewers",
        growth,
        "MB",
        GROWTH_GOAL,
        seen,
    )


_WORDS = {"bare": "nginx without a lock", "python": "through Python"}


def _lists(site: Site, runs: int) -> Iterator[Figure]:
    headers = [f"Cookie: {site.client.cookies()}"]
    site.client.ask("GET", LIST)
    rates: dict[str, list[float]] = {"list": [], "least": [], "bare": []}
    with _bare_flask(site) as port:
        for _ in range(runs):
            for way, path in (("list", LIST), ("least", LEAST), ("bare", "/")):
                target = port if way == "bare" else site.port
                time.sleep(PAUSE_SECONDS)
                load = wrk(target, [path], CLIENTS, SECONDS, headers)
                if load.errors:
                    raise RuntimeError(f"{load.errors} errors, {way}")
                rates[way].append(load.rate)
    what = "requests/s of a signed-in list ÷ a bare Flask answer"
    yield compared("delivery", what, rates, ("list", "bare"), "the same gunicorn", LIST_GOAL)
    what = "the same of the categories, which a cache answers: what it takes to be asked at all"
    yield compared("delivery", what, rates, ("least", "bare"), "the same gunicorn")


@contextlib.contextmanager
def _bare_flask(site: Site) -> Iterator[int]:
    """`bench.bare` under the command that the site's gunicorn was started with: its port."""
    port = free_port()
    words = list(command(site.web()[0]))
    words[words.index("wsgi:app")] = "bench.bare:app"
    words[words.index("--bind") + 1] = f"127.0.0.1:{port}"
    environment = os.environ | {"DATA_DIR": str(site.data_dir)}
    process = subprocess.Popen(  # noqa: S603 - the site's own command
        words, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
    )
    try:
        until_listening(port)
        yield port
    finally:
        process.terminate()
        process.wait()
