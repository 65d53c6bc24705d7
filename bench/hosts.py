"""`hosts`: how much faster two worker hosts convert a film than one, in turns.

A host is `flask worker` on a processor and in a folder of its own (binding it needs Linux). It
shares nothing with the site and the other host but PostgreSQL, Redis and the bucket, whose servers
run on the same processors: with two machines there is more to gain.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from app.media.plan import make_plan
from app.media.probe import probe
from bench.bucket import bucket_server
from bench.films import Films
from bench.report import Figure, of_seconds
from bench.search import postgresql
from bench.site import Site, running_site
from bench.whole import convert
from config import ROOT

RUNS = 3


def measure(films: Films, runs: int | None) -> Iterator[Figure]:
    """The time with one host ÷ the time with two."""
    plan = make_plan(probe(films.vp9))
    seconds: dict[int, list[float]] = {1: [], 2: []}
    own = {"SECRET_KEY": secrets.token_urlsafe(48)}
    with (
        tempfile.TemporaryDirectory(prefix="videoflix-bench-") as place,
        bucket_server() as (bucket, _),
        postgresql(place) as url,
        running_site(0, {**own, **bucket, "DATABASE_URL": url}) as site,
    ):
        for _ in range(runs or RUNS):
            for hosts in seconds:
                with contextlib.ExitStack() as stack:
                    for number in range(hosts):
                        stack.enter_context(_host(site, Path(place) / f"host-{number}", number))
                    answered, ready = convert(site, films.vp9, plan)
                seconds[hosts].append(ready - answered)
    found = {"one host seconds": seconds[1], "two hosts seconds": seconds[2]}
    what = f"one worker host ÷ two, a processor each: 1080p60 VP9, {len(plan.video)} rungs"
    yield of_seconds("hosts", what, found)


@contextlib.contextmanager
def _host(site: Site, folder: Path, processor: int) -> Iterator[None]:
    """One more machine that works for the site."""
    folder.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "wsgi", "worker", "--count", "1"],
        cwd=ROOT,
        env=site.environment | {"DATA_DIR": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.sched_setaffinity(process.pid, {processor})
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
