"""`kept`: segments of a film in a bucket out of nginx's cache, against the same from the disk.

The shipped nginx.conf stands before a site whose films are in a bucket. `wrk` asks for the same
addresses in turns: while only the cache has them, while they lie on the disk too, which nginx looks
at first, and past nginx, through Python.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.accounts import UNLIMITED
from bench.bucket import bucket_server
from bench.films import Films
from bench.front import compared, missing, nginx_before, of_one_rung, ready_film, wrk
from bench.report import Figure, spread
from bench.site import running_site

RUNS = 3
SECONDS = 5
CLIENTS = 64

WORDS = {"disk": "from the disk", "python": "through Python"}


def measure(films: Films, runs: int | None) -> Iterator[Figure]:
    """Ratios within one run; nothing where nginx or wrk is missing, which is said."""
    if lacking := missing():
        yield Figure("kept", "not measured", 0.0, "", None, f"{lacking} is not installed")
        return
    with (
        bucket_server() as (bucket, objects),
        running_site(2, {**UNLIMITED, **bucket, "S3_DELIVERY": "nginx"}) as site,
        nginx_before(site, {"http://127.0.0.1:9000": bucket["S3_ENDPOINT"]}) as (_, port),
    ):
        film_id = ready_film(site, films.copyable)
        stream = site.client.stream(film_id)
        (grid,) = objects.glob(f"*/grid-{stream.rpartition('/')[2]}")
        files = of_one_rung(grid)
        size = median(file.stat().st_size for file in files) / 1000
        paths = [f"{stream}/{file.parent.name}/{file.name}" for file in files]
        copy = site.data_dir / "media" / "films" / grid.parent.name
        wrk(port, paths, CLIENTS, 2)  # so that all are kept
        rates = _rates(runs or RUNS, paths, grid, copy, {"python": site.port, "kept": port})
    note = f"segments of {size:.0f} kB, {CLIENTS} clients, {spread(rates['kept'], 0)}"
    for against, words in WORDS.items():
        what = f"segments/s of a bucket, kept by nginx ÷ {words}"
        yield compared("kept", what, rates, ("kept", against), note)


def _rates(
    runs: int, paths: list[str], grid: Path, copy: Path, ports: dict[str, int]
) -> dict[str, list[float]]:
    """Segments a second of each way, in turns; `copy` is where they lie on the disk meanwhile."""
    rates: dict[str, list[float]] = {"kept": [], "disk": [], "python": []}
    for _ in range(runs):
        for way, found in rates.items():
            if way == "disk":
                shutil.copytree(grid, copy / grid.name)
            load = wrk(ports.get(way, ports["kept"]), paths, CLIENTS, SECONDS)
            if load.errors:
                raise RuntimeError(f"{load.errors} errors, {way}")
            found.append(load.rate)
            shutil.rmtree(copy, ignore_errors=True)
    return rates
