"""`playable`: how long after an upload its film can be watched, on a site with nothing else to do.

From the moment when the upload's answer has arrived until `GET /api/videos/ID/` says playable,
asked every 20 ms. The film is deleted and the site comes to rest before the next run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.client import Client
from bench.films import Films
from bench.report import Figure, spread
from bench.site import Site, running_site

COPIED_GOAL = 2.0
ENCODED_GOAL = 4.0
RUNS = 5
WORKERS = 2


def measure(films: Films, runs: int | None) -> Iterator[Figure]:
    """Seconds until a copyable film and films that must be encoded are playable."""
    cases = [("1080p60 H.264, copied", films.copyable, COPIED_GOAL)]
    cases += [(f"{name}, encoded", path, ENCODED_GOAL) for name, path in films.encoded()]
    with running_site(WORKERS) as site:
        for name, film, goal in cases:
            seconds = [seconds_to_playable(site, film) for _ in range(runs or RUNS)]
            what = f"upload → playable: {name}"
            note = spread(seconds)
            yield Figure("playable", what, median(seconds), "s", goal, note, {"seconds": seconds})


def seconds_to_playable(site: Site, film: Path) -> float:
    """From the upload's answer on; leaves no film, and no work on it either."""
    client: Client = site.client
    film_id, answered = client.upload(film)
    _, moment = client.wait(film_id, lambda found: bool(found["playable"]), closely=True)
    client.delete(film_id)
    site.rest()
    return moment - answered
