"""`peers`: what the same film costs as two other film services convert it, and what comes out.

In turns on the same processors: the site, from the upload's answer to `ready` with all that it does
besides, and only the ffmpeg commands of PeerTube and of MediaCMS (see `bench.recipes`), all as nice
as the site's own, for the sizes of the site's ladder. The film is the one in VP9, of which nobody
can take anything over. Of the last turn each rung is compared with the film (see `bench.quality`).
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.media.grid import Plan
from app.media.plan import make_plan
from app.media.probe import probe
from bench.films import Films
from bench.quality import picture_bytes, vmaf
from bench.recipes import Recipe, Source, mediacms, peertube
from bench.reference import as_nice
from bench.report import Figure, of_seconds
from bench.site import Site, running_site

GOALS = {"PeerTube": 1.7, "MediaCMS": 2.5}
OURS = "Videoflix"
RUNS = 2
WORKERS = 2

Rungs = dict[tuple[str, int], tuple[Path, int]]
"""By whose it is and how many lines it has: the file, and its pictures a second."""


def measure(films: Films, ffmpeg: str, runs: int | None) -> Iterator[Figure]:
    """The ratio of each to the site, then the quality and the bytes of every rung."""
    film = films.vp9
    plan = make_plan(probe(film))
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="videoflix-bench-") as place:
        rungs: Rungs = {}
        with running_site(WORKERS) as site:
            for _ in range(runs or RUNS):
                seconds.setdefault(OURS, []).append(_convert(site, film, plan, Path(place), rungs))
                for recipe in _recipes(ffmpeg, film, plan, Path(place)):
                    seconds.setdefault(recipe.name, []).append(_run(recipe))
                    made = (step for step in recipe.steps if step.height)
                    rungs |= {(recipe.name, s.height): (s.target, s.rate) for s in made}
        for name, goal in GOALS.items():
            what = f"{name}'s ffmpeg commands ÷ whole job: 1080p60 VP9, {len(plan.video)} rungs"
            found = {f"{name} seconds": seconds[name], "site seconds": seconds[OURS]}
            yield of_seconds("peers", what, found, goal, least=True)
        for (name, height), (path, rate) in sorted(rungs.items(), key=lambda item: -item[0][1]):
            size = picture_bytes(path)
            score = vmaf(ffmpeg, path, rate, film)
            what = f"VMAF of {height}p scaled up to the film's size: {name}"
            note = f"{size / 1e6:.2f} MB, {rate}/s"
            yield Figure("peers", what, score, "", None, note, {"bytes": [size]})


def _recipes(ffmpeg: str, film: Path, plan: Plan, place: Path) -> list[Recipe]:
    largest = plan.video[0]
    source = Source(
        path=film,
        width=largest.width,
        height=largest.height,
        rate=round(largest.frame_rate),
        bits=8 * film.stat().st_size / plan.duration,
    )
    heights = [row.height for row in plan.video]
    found = []
    for make in (peertube, mediacms):
        (place / make.__name__).mkdir(exist_ok=True)
        found.append(make(ffmpeg, source, heights, place / make.__name__))
    return found


def _run(recipe: Recipe) -> float:
    """Seconds for all steps."""
    began = time.monotonic()
    with ThreadPoolExecutor(recipe.at_once) as pool:
        commands = [as_nice(step.command) for step in recipe.steps]
        for ended in [pool.submit(subprocess.run, command, check=True) for command in commands]:
            ended.result()
    return time.monotonic() - began


def _convert(site: Site, film: Path, plan: Plan, place: Path, rungs: Rungs) -> float:
    """Seconds from the upload's answer to `ready`; the rungs are fetched as files afterwards."""
    client = site.client
    film_id, answered = client.upload(film)
    _, ready = client.wait(film_id, lambda found: bool(found["status"] == "ready"), closely=False)
    site.rest()
    stream = client.stream(film_id)
    for row in plan.video:
        names = ["init.mp4", *(f"{number}.m4s" for number in range(plan.segment_count(row.name)))]
        path = place / f"{row.name}.mp4"
        path.write_bytes(b"".join(client.fetch(f"{stream}/{row.name}/{name}") for name in names))
        rungs[OURS, row.height] = path, round(row.frame_rate)
    client.delete(film_id)
    site.rest()
    return ready - answered
