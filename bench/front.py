"""The shipped nginx before a site, and `wrk`, which asks it for segments.

There is no TLS, which would hide the differences, and one more place that has no lock: `/bare/`.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path
from statistics import median

from bench.report import Figure
from bench.shipped import NGINX, copy_shipped
from bench.site import Site, free_port
from config import ROOT

WRK = shutil.which("wrk")

WANTED_BYTES = 300_000
"""Of a segment: that of the rung whose segments come nearest is asked for."""

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


def missing() -> str:
    """The program that is not installed, if any."""
    return "wrk" if WRK is None else "nginx" if NGINX is None else ""


def ready_film(site: Site, film: Path) -> int:
    """Have a film uploaded and converted, and the site at rest: the film's id."""
    film_id, _ = site.client.upload(film)
    site.client.wait(film_id, lambda found: found["status"] == "ready", closely=False)
    site.rest()
    return film_id


def compared(
    benchmark: str,
    what: str,
    rates: Mapping[str, list[float]],
    ways: tuple[str, str],
    note: str,
    goal: float | None = None,
) -> Figure:
    """The rate of one way ÷ that of the other, turn by turn; the goal is the least it should be."""
    one, other = (rates[way] for way in ways)
    ratio = median(a / b for a, b in zip(one, other, strict=True))
    note = f"{median(one):.0f}/s ÷ {median(other):.0f}/s; {note}"
    return Figure(benchmark, what, ratio, "x", goal, note, dict(rates), least=True)


def of_one_rung(grid: Path) -> list[Path]:
    """The segments of the row whose size is nearest to WANTED_BYTES."""
    rows = [sorted(row.glob("*.m4s")) for row in grid.iterdir()]
    return min(rows, key=lambda row: abs(median(f.stat().st_size for f in row) - WANTED_BYTES))


@contextlib.contextmanager
def nginx_before(site: Site, changes: Mapping[str, str] | None = None) -> Iterator[tuple[int, int]]:
    """The shipped nginx before the site, with these changes too: its process, and its port."""
    port, other = free_port(), free_port()
    films = site.data_dir / "media" / "films"
    with tempfile.TemporaryDirectory(prefix="videoflix-bench-nginx-") as place:
        ours = {
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
        copy_shipped("nginx", config, {**ours, **(changes or {})})
        words = [str(NGINX), "-e", f"{place}/error.log", "-c", f"{config}/nginx.conf"]
        process = subprocess.Popen([*words, "-g", "daemon off;"])  # noqa: S603 - our own files
        try:
            until_listening(port)
            yield process.pid, port
        finally:
            process.terminate()
            process.wait()


def wrk(
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


def until_listening(port: int, seconds: float = 30.0) -> None:
    """Wait until somebody takes connections there."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"nobody listens on port {port}")
        time.sleep(0.1)
