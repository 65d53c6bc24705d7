"""`seek`: how long a viewer waits who goes to a place that nobody has encoded yet.

A film of 20 minutes is being filled, in order, by two workers that never rest. A viewer asks for a
random segment of the lowest rung whose cell is empty and that no worker has in hand, and has it
when its bytes are there; a 503 is asked again after its Retry-After. Between two seeks the workers
go on with the film for a random while, so that the seek meets them anywhere in their work.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from statistics import median, quantiles

from app.media.grid import Plan
from app.media.plan import make_plan
from app.media.probe import probe
from bench.client import Client, Refused
from bench.films import SECONDS, Films, repeated
from bench.report import Figure
from bench.site import running_site

LENGTH, QUICK_LENGTH = 20 * 60, 3 * 60
SEEKS, QUICK_SEEKS = 25, 6
WORKERS = 2
PAUSE_SECONDS = (1.0, 5.0)
RETRY_SECONDS = 2.0
"""What the site's 503 says in Retry-After."""
LIMIT_SECONDS = 120.0
EMPTY = 0


def measure(films: Films, ffmpeg: str, *, quick: bool) -> Iterator[Figure]:
    """Median and 95th percentile of the time from the request to the bytes."""
    times = (QUICK_LENGTH if quick else LENGTH) // SECONDS
    with repeated(ffmpeg, films.rare_keys, times) as film, running_site(WORKERS) as site:
        plan = make_plan(probe(film))
        film_id, _ = site.client.upload(film)
        site.client.wait(film_id, lambda found: bool(found["playable"]), closely=True)
        seconds = list(_seeks(site.client, film_id, plan, QUICK_SEEKS if quick else SEEKS))
        site.client.delete(film_id)
    name = f"seek into an empty cell, {times * SECONDS // 60} min of 1080p24, {_lowest(plan)}"
    note = f"{min(seconds):.2f} … {max(seconds):.2f} s in {len(seconds)} seeks"
    runs = {"seconds": seconds}
    yield Figure("seek", f"{name}, p50", median(seconds), "s", None, note, runs)
    p95 = quantiles(seconds, n=20, method="inclusive")[-1]
    yield Figure("seek", f"{name}, p95", p95, "s", None, note, runs)


def _seeks(client: Client, film_id: int, plan: Plan, count: int) -> Iterator[float]:
    """Seconds of each; the first few cells are left alone, the workers are at them."""
    lowest, stream = _lowest(plan), client.stream(film_id)
    chance = random.Random(count)  # noqa: S311 - the same places each time
    chunks = plan.row_chunks(lowest)
    for _ in range(count):
        time.sleep(chance.uniform(*PAUSE_SECONDS))
        place = chance.choice(_empty(client, film_id, lowest))
        yield _wait_for(client, f"{stream}/{lowest}/{chance.randint(*chunks[place])}.m4s")


def _empty(client: Client, film_id: int, row: str) -> list[int]:
    """The chunks of a row that are neither filled nor being filled."""
    found = client.ask("GET", f"/api/videos/{film_id}/grid/")
    cells = next(shown["cells"] for shown in found["rows"] if shown["name"] == row)
    empty = [chunk for chunk, state in enumerate(cells) if state == EMPTY]
    if not empty:
        raise RuntimeError("The film was full before all seeks were made: take a longer one.")
    return empty


def _wait_for(client: Client, path: str) -> float:
    """Seconds until the segment is there."""
    began = time.monotonic()
    while True:
        try:
            client.fetch(path)
            return time.monotonic() - began
        except Refused as refused:
            if refused.status != 503 or time.monotonic() - began > LIMIT_SECONDS:
                raise
            time.sleep(RETRY_SECONDS)


def _lowest(plan: Plan) -> str:
    return min(plan.video, key=lambda row: row.height).name
