"""`busy`: how long a page's request waits while both workers convert a film.

One client asks for a signed-in list, one request after the other: at rest, and while a film of
which all rungs must be encoded is converted. Then the same of a site whose conversion does not
stand back (`WORKER_NICE=0`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import quantiles

from bench.accounts import UNLIMITED
from bench.client import Client
from bench.films import SECONDS, Films, repeated
from bench.report import Figure
from bench.site import Site, running_site

WORKERS = 2
LENGTH, QUICK_LENGTH = 10 * 60, 3 * 60
ASKING_SECONDS = 15.0
PAUSE_SECONDS = 0.01
LIST = "/api/local-videos/?limit=20"


def measure(films: Films, ffmpeg: str, *, quick: bool) -> Iterator[Figure]:
    """95th percentiles, as ratios to those of the same site at rest."""
    times = (QUICK_LENGTH if quick else LENGTH) // SECONDS
    with repeated(ffmpeg, films.rare_keys, times) as film:
        for words, settings in (("", {}), (", WORKER_NICE=0", {"WORKER_NICE": "0"})):
            with running_site(WORKERS, UNLIMITED | settings) as site:
                film_id, _ = site.client.upload(film)
                site.client.wait(film_id, lambda found: bool(found["playable"]), closely=True)
                busy = _waits(site.client)
                _stop_converting(site, film_id)
                rest = _waits(site.client)
            p95, at_rest = (quantiles(waits, n=20)[-1] for waits in (busy, rest))
            yield Figure(
                "busy",
                f"a list while two workers convert ÷ at rest, p95{words}",
                p95 / at_rest,
                "x",
                None,
                f"{p95:.1f} ÷ {at_rest:.1f} ms, {len(busy)} and {len(rest)} requests",
                {"busy": busy, "rest": rest},
            )


def _waits(client: Client) -> list[float]:
    """Milliseconds of each request for a list."""
    found = []
    end = time.monotonic() + ASKING_SECONDS
    while time.monotonic() < end:
        began = time.monotonic()
        client.ask("GET", LIST)
        found.append(1000 * (time.monotonic() - began))
        time.sleep(PAUSE_SECONDS)
    return found


def _stop_converting(site: Site, film_id: int) -> None:
    """The film stays, so that the list is the same. Raises Refused if it was ready too soon."""
    site.client.ask("POST", f"/api/videos/{film_id}/cancel/")
    site.rest()
