"""`workers`: how much faster two workers convert a film than one, in turns on two sites.

The site whose turn it is not has nothing to do.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.media.plan import make_plan
from app.media.probe import probe
from bench.films import Films
from bench.report import Figure, of_seconds
from bench.site import running_site
from bench.whole import convert

GOAL = 1.8
"""On two processors."""
RUNS = 3


def measure(films: Films, runs: int | None) -> Iterator[Figure]:
    """The time with one worker ÷ the time with two."""
    plan = make_plan(probe(films.vp9))
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with running_site(workers=1) as alone, running_site(workers=2) as pair:
        for _ in range(runs or RUNS):
            for workers, site in ((1, alone), (2, pair)):
                answered, ready = convert(site, films.vp9, plan)
                seconds[workers].append(ready - answered)
    found = {"one worker seconds": seconds[1], "two workers seconds": seconds[2]}
    what = f"one worker ÷ two: 1080p60 VP9, {len(plan.video)} rungs"
    yield of_seconds("workers", what, found, GOAL, least=True)
