"""`browse`: the catalogue with 10,000 films, as programs ask for it and as a person opens it.

Lists are asked inside an application in this process, /browse by a Chromium (CHROMIUM, or one on
the PATH; without one its figures are left out). The pictures of the films are drawn.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from apiflask import APIFlask
from flask.testing import FlaskClient
from playwright.sync_api import sync_playwright
from werkzeug.serving import make_server

from app.caching import PREFIX
from app.media.binary import ffmpeg_binary
from app.videos.names import CARD, POSTER, image_file
from bench.accounts import UNLIMITED
from bench.catalogue import full_catalogue
from bench.report import Figure, spread
from bench.site import EMAIL, PASSWORD, configured_ffmpeg, free_port, running_site

FEW, MANY = 100, 10_000
CATEGORIES = 40
REQUESTS = 40
VISITS = 5
LIST = "/api/global-videos/?limit=50"
GROWTH_GOAL = 1.3
BYTES_GOAL = 120.0
SHIFT_GOAL = 0.02
SIZES = {POSTER: "1280x720", CARD: "640x360"}

LARGEST = """() => new Promise(done => {
  const found = {lcp: 0, shift: 0};
  new PerformanceObserver(list => { found.lcp = list.getEntries().at(-1).startTime; })
    .observe({type: 'largest-contentful-paint', buffered: true});
  new PerformanceObserver(list => list.getEntries().forEach(each => { found.shift += each.value; }))
    .observe({type: 'layout-shift', buffered: true});
  setTimeout(() => done(found), 500);
})"""


def measure() -> Iterator[Figure]:
    """Lists of few and of many films, kept and not; the weight of /browse, and how it comes up."""
    kept: dict[int, list[float]] = {}
    made: dict[int, list[float]] = {}
    with running_site(workers=0, settings=UNLIMITED) as site:
        for films in (FEW, MANY):
            with full_catalogue(site, UNLIMITED, films, CATEGORIES) as app:
                client = _sign_in(app)
                kept[films], made[films] = _lists(app, client)
                if films == MANY:
                    yield from _weight(client)
                    yield from _visits(app)
    for what, times in (("uncached", made), ("cached", kept)):
        few, many = median(times[FEW]), median(times[MANY])
        yield Figure("browse", f"GET {LIST}, {MANY:,} films, {what}, own CPU, p50", many, "ms")
        yield Figure(
            "browse",
            f"the same with {MANY:,} ÷ {FEW} films, {what}",
            many / few,
            "x",
            GROWTH_GOAL,
            f"{many:.1f} ÷ {few:.1f} ms",
            {f"{films} films, ms": times[films] for films in (FEW, MANY)},
        )
    yield Figure("browse", "cached ÷ uncached", median(kept[MANY]) / median(made[MANY]), "x", 1.0)


def _sign_in(app: APIFlask) -> FlaskClient:
    client = app.test_client()
    answer = client.post("/api/login/", json={"email": EMAIL, "password": PASSWORD})
    if answer.status_code != 200:
        raise RuntimeError(f"the sign-in failed: {answer.text}")
    return client


def _lists(app: APIFlask, client: FlaskClient) -> tuple[list[float], list[float]]:
    """Own CPU milliseconds of the first page of the list, from the cache and without it, in turns.

    The database is SQLite, so all but Redis is this process; other work on the machine is not.
    """
    redis = app.extensions["redis"]
    kept, made = [], []
    for _ in range(3):
        client.get(LIST)
    for _ in range(REQUESTS):
        redis.delete(*redis.keys(f"{PREFIX}catalogue:leaf:*"))
        made.append(_milliseconds(client))
        kept.append(_milliseconds(client))
    return kept, made


def _milliseconds(client: FlaskClient) -> float:
    begun = time.process_time()
    answer = client.get(LIST)
    seconds = time.process_time() - begun
    if answer.status_code != 200:
        raise RuntimeError(answer.text)
    return 1000 * seconds


def _weight(client: FlaskClient) -> Iterator[Figure]:
    """Compressed bytes of /browse and of each style sheet and script that it brings along."""
    page = client.get("/browse").text
    waiting = re.findall(r'(?:src|href)="(/static/[^"?]+\.(?:css|js))', page)
    parts = {"HTML": page.encode()}
    while waiting:
        path = waiting.pop()
        if path not in parts:
            parts[path] = client.get(path).data
            found = re.findall(rb'(?:from|import) "\./([^"]+)"', parts[path])
            waiting += [f"{path.rsplit('/', 1)[0]}/{name.decode()}" for name in found]
    sizes = {path: len(gzip.compress(body)) / 1000 for path, body in parts.items()}
    yield Figure(
        "browse",
        f"/browse with {MANY:,} films in {CATEGORIES} categories, gzip, before pictures",
        sum(sizes.values()),
        "kB",
        BYTES_GOAL,
        f"HTML {sizes['HTML']:.1f} of {len(parts['HTML']) / 1000:.0f} kB, {len(parts) - 1} files",
    )


def _visits(app: APIFlask) -> Iterator[Figure]:
    """The largest picture and what moves, of a person who opens the page and scrolls it."""
    chromium = (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    )
    if not chromium:
        return
    _draw_pictures(Path(app.config["DATA_DIR"]) / "media" / "films")
    lcp: list[float] = []
    shift: list[float] = []
    with _serving(app) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.request.post(f"{address}/api/login/", data={"email": EMAIL, "password": PASSWORD})
        page = context.new_page()
        for _ in range(VISITS):
            answer = page.goto(f"{address}/browse")
            if answer is None or answer.status != 200 or "/login" in page.url:
                raise RuntimeError(f"/browse did not open: {page.url}")
            page.wait_for_load_state("networkidle")
            for _ in range(20):
                page.mouse.wheel(0, 500)
                page.wait_for_timeout(50)
            page.wait_for_load_state("networkidle")
            seen = page.evaluate(LARGEST)
            lcp.append(seen["lcp"])
            shift.append(seen["shift"])
        browser.close()
    runs = {"LCP ms": lcp, "shift": shift}
    yield Figure("browse", "largest contentful paint", median(lcp), "ms", None, spread(lcp), runs)
    yield Figure("browse", "layout shift", max(shift), "", SHIFT_GOAL, f"of {VISITS} visits")


@contextmanager
def _serving(app: APIFlask) -> Iterator[str]:
    port = free_port()
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{port}"
    finally:
        server.shutdown()
        thread.join()


def _draw_pictures(films: Path) -> None:
    """One film's pictures, and every other film's folder a link to it."""
    first = films / f"{1:032x}"
    for name, size in SIZES.items():
        place = first / image_file(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        command = [ffmpeg_binary(configured_ffmpeg() or None), "-v", "error", "-f", "lavfi"]
        command += ["-i", f"testsrc2=s={size}", "-frames:v", "1", str(place)]
        subprocess.run(command, check=True)  # noqa: S603 - our own ffmpeg
    for number in range(2, MANY + 1):
        (films / f"{number:032x}").symlink_to(first)
