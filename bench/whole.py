"""`whole`: a whole conversion against one ffmpeg that decodes once, in turns.

The site's time runs from the upload's answer to `ready` and contains all that it does beside the
encoding: probing, the database, checks, posters. See `bench.reference` for the other side.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from app.media.grid import Plan
from app.media.plan import make_plan
from app.media.probe import probe
from bench.films import Films
from bench.reference import reference_seconds
from bench.report import Figure, of_seconds
from bench.site import Site, running_site

GOAL = 1.0
RUNS = 3
WORKERS = 2


def measure(films: Films, ffmpeg: str, runs: int | None) -> Iterator[Figure]:
    """The ratio for each film that must be encoded."""
    with running_site(WORKERS) as site:
        for name, film in films.encoded():
            plan = make_plan(probe(film))
            ours: list[float] = []
            one: list[float] = []
            for _ in range(runs or RUNS):
                answered, ready = convert(site, film, plan)
                ours.append(ready - answered)
                with tempfile.TemporaryDirectory(dir=site.data_dir) as place:
                    one.append(reference_seconds(ffmpeg, film, plan, Path(place)))
            what = f"whole job ÷ one ffmpeg: {name}, {len(plan.video)} rungs"
            found = {"site seconds": ours, "one ffmpeg seconds": one}
            yield of_seconds("whole", what, found, GOAL)


def convert(site: Site, film: Path, plan: Plan) -> tuple[float, float]:
    """The moments (time.monotonic) of the upload's answer and of `ready`; leaves no film.

    Raises RuntimeError when the site made other rungs than the plan says.
    """
    film_id, answered = site.client.upload(film)
    found, moment = site.client.wait(
        film_id, lambda film: bool(film["status"] == "ready"), closely=False
    )
    made = sorted(row["height"] for row in found["renditions"])
    planned = sorted(row.height for row in plan.video)
    if made != planned:
        raise RuntimeError(f"the site made {made}, the plan says {planned}")
    site.client.delete(film_id)
    site.rest()
    return answered, moment
