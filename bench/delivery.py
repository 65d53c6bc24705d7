"""`delivery`: what it costs that nginx asks for a grant before it sends a segment from the disk.

The shipped nginx.conf stands before a site, without TLS (which would hide the difference), with one
more place that has no lock. `wrk` asks for the same segments there, with a grant, and past
nginx through Python, in turns; then as a thousand viewers at once; then it asks gunicorn for a
signed-in list and for the least that Flask can answer.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path
from statistics import median

from bench.accounts import UNLIMITED
from bench.films import Films
from bench.processes import command, descendants, resident_bytes
from bench.report import Figure, spread
from bench.shipped import NGINX, copy_shipped
from bench.site import Site, free_port, running_site
from config import ROOT

WRK = shutil.which("wrk")
RUNS = 3
SECONDS = 5
CLIENTS = 64
VIEWERS = 1000
VIEWERS_SECONDS = 20
WANTED_BYTES = 300_000
"""Of a segment: that of the rung whose segments come nearest is asked for."""

DISK_GOAL = 0.9
LIST_GOAL = 0.3
GROWTH_GOAL = 64.0
"""Megabytes."""

LIST = "/api/local-videos/?limit=20"

SCRIPT = """
local paths = {{{paths}}}
local next = 0
request = function()
  next = next % #paths + 1
  return wrk.format("GET", paths[next])
end
"""


@dataclass(frozen=True)
class Load:
    """What wrk saw."""

    rate: float
    errors: int


def measure(films: Films, runs: int | None) -> Iterator[Figure]:
    """Ratios within one run; nothing where nginx or wrk is missing, which is said."""
    if WRK is None or NGINX is None:
        missing = "wrk" if WRK is None else "nginx"
        yield Figure("delivery", "not measured", 0.0, "", None, f"{missing} is not installed")
        return
    with running_site(workers=2, settings=UNLIMITED) as site:
        film_id, _ = site.client.upload(films.copyable)
        site.client.wait(film_id, lambda film: film["status"] == "ready", closely=False)
        site.rest()
        yield from _segments(site, site.client.stream(film_id), runs or RUNS)
        yield from _lists(site, runs or RUNS)


def _segments(site: Site, stream: str, runs: int) -> Iterator[Figure]:
    media = site.data_dir / "media" / "films"
    grid = stream.rpartition("/")[2]
    (folder,) = media.glob(f"*/grid-{grid}")
    files = _of_one_rung(folder)
    names = [f"{file.parent.name}/{file.name}" for file in files]
    ways = {
        "bare": [f"/bare/{folder.parent.name}/grid-{grid}/{name}" for name in names],
        "granted": [f"{stream}/{name}" for name in names],
        "python": [f"{stream}/{name}" for name in names],
    }
    rates: dict[str, list[float]] = {way: [] for way in ways}
    with _nginx(site) as (nginx, port):
        for _ in range(runs):
            for way, paths in ways.items():
                target = site.port if way == "python" else port
                load = _wrk(target, paths, CLIENTS, SECONDS)
                if load.errors:
                    raise RuntimeError(f"{load.errors} errors, {way}")
                rates[way].append(load.rate)
        pids = [nginx, *descendants(nginx), *site.web()]
        before = resident_bytes(pids)
        viewers = _wrk(port, ways["granted"], VIEWERS, VIEWERS_SECONDS)
        growth = (resident_bytes(pids) - before) / 1e6
    size = median(file.stat().st_size for file in files) / 1000
    note = f"segments of {size:.0f} kB, {CLIENTS} clients, {spread(rates['granted'], 0)}"
    for against, goal in (("bare", DISK_GOAL), ("python", None)):
        yield Figure(
            "delivery",
            f"segments/s with a grant ÷ {_WORDS[against]}",
            median(a / b for a, b in zip(rates["granted"], rates[against], strict=True)),
            "x",
            goal,
            f"{median(rates['granted']):.0f}/s ÷ {median(rates[against]):.0f}/s; {note}",
            rates,
            least=True,
        )
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
    rates: dict[str, list[float]] = {"list": [], "bare": []}
    with _bare_flask(site) as port:
        for _ in range(runs):
            for way, target, path in (("list", site.port, LIST), ("bare", port, "/")):
                load = _wrk(target, [path], CLIENTS // 4, SECONDS, headers)
                if load.errors:
                    raise RuntimeError(f"{load.errors} errors, {way}")
                rates[way].append(load.rate)
    yield Figure(
        "delivery",
        "requests/s of a signed-in list ÷ a bare Flask answer",
        median(a / b for a, b in zip(rates["list"], rates["bare"], strict=True)),
        "x",
        LIST_GOAL,
        f"{median(rates['list']):.0f}/s ÷ {median(rates['bare']):.0f}/s, the same gunicorn",
        rates,
        least=True,
    )


def _of_one_rung(grid: Path) -> list[Path]:
    """The segments of the row whose size is nearest to WANTED_BYTES."""
    rows = [sorted(row.glob("*.m4s")) for row in grid.iterdir()]
    return min(rows, key=lambda row: abs(median(f.stat().st_size for f in row) - WANTED_BYTES))


@contextlib.contextmanager
def _nginx(site: Site) -> Iterator[tuple[int, int]]:
    """The shipped nginx before the site: its process, and its port."""
    port, other = free_port(), free_port()
    films = site.data_dir / "media" / "films"
    with tempfile.TemporaryDirectory(prefix="videoflix-bench-nginx-") as place:
        changes = {
            "user www-data;": f"user {getuser()};",
            "/run/nginx.pid": f"{place}/nginx.pid",
            "/var/log/nginx/": f"{place}/",
            "/var/lib/nginx/videoflix": f"{place}/grants",
            "/srv/videoflix/media": str(films.parent),
            "/opt/videoflix/current/": f"{ROOT}/",
            "films.example.org": "127.0.0.1",
            "server unix:/run/videoflix/web.sock": f"server 127.0.0.1:{site.port}",
            "keepalive_timeout 30s;": "keepalive_timeout 5s;",
            "listen 80 default_server;": f"listen 127.0.0.1:{other};",
            "listen [::]:80 default_server;": "",
            "listen 443 ssl http2 default_server;": f"listen 127.0.0.1:{other};",
            "listen [::]:443 ssl http2 default_server;": "",
            "ssl_reject_handshake on;": "",
            "ssl_certificate /etc/videoflix/tls/fullchain.pem;": "",
            "ssl_certificate_key /etc/videoflix/tls/privkey.pem;": "",
            "listen 443 ssl http2;": f"listen 127.0.0.1:{port};",
            "listen [::]:443 ssl http2;": f"location /bare/ {{ alias {films}/; gzip off; }}",
        }
        config = Path(place) / "conf"
        copy_shipped("nginx", config, changes)
        words = [str(NGINX), "-e", f"{place}/error.log", "-c", f"{config}/nginx.conf"]
        process = subprocess.Popen([*words, "-g", "daemon off;"])  # noqa: S603 - our own files
        try:
            _until_listening(port)
            yield process.pid, port
        finally:
            process.terminate()
            process.wait()


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
        _until_listening(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wrk(
    port: int, paths: list[str], clients: int, seconds: int, headers: list[str] | None = None
) -> Load:
    """Ask for the paths in turn, with so many connections."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT.format(paths=", ".join(f'"{path}"' for path in paths)))
        script.flush()
        words = [str(WRK), "--threads=2", f"--connections={clients}", f"--duration={seconds}s"]
        words += ["--timeout=20s", f"--script={script.name}"]
        words += [f"--header={header}" for header in headers or []]
        said = subprocess.run(  # noqa: S603 - our own words
            [*words, f"http://127.0.0.1:{port}"], check=True, capture_output=True, text=True
        ).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if rate is None:
        raise RuntimeError(said)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    broken = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    errors = int(refused[1]) if refused else 0
    errors += sum(map(int, broken.groups())) if broken else 0
    return Load(float(rate[1]), errors)


def _until_listening(port: int, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"nobody listens on port {port}")
        time.sleep(0.1)
