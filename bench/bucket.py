"""`s3`: a whole conversion with films in a bucket against one on this disk, in turns.

The bucket is that of `rclone serve s3` on the same disk: what is measured is the way there and
back, on processors that the server shares, not somebody's network. And how soon a long film can be
watched there: one with its index first need not be fetched for that.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from app.media.plan import make_plan
from app.media.probe import probe
from bench.films import SECONDS, Films, repeated
from bench.lengths import playable
from bench.playable import ENCODED_GOAL
from bench.report import Figure, of_seconds
from bench.site import free_port, running_site
from bench.whole import convert

GOAL = 1.15
LONG_SECONDS = 20 * 60
RUNS = 3
WORKERS = 2
KEY, SECRET, BUCKET = "bench", "bench-bench-bench", "films"


def measure(films: Films, ffmpeg: str, runs: int | None) -> Iterator[Figure]:
    """The ratio for each film that must be encoded, from the upload's beginning to `ready`; then
    the seconds from the end of a long film's upload until it is playable."""
    with (
        bucket_server() as (settings, _),
        running_site(WORKERS) as local,
        running_site(WORKERS, settings) as remote,
    ):
        for name, film in films.encoded():
            plan = make_plan(probe(film))
            took: dict[int, list[float]] = {local.port: [], remote.port: []}
            for _ in range(runs or RUNS):
                for site in (local, remote):
                    begun = time.monotonic()
                    took[site.port].append(convert(site, film, plan)[1] - begun)
            found = {"S3 seconds": took[remote.port], "local seconds": took[local.port]}
            yield of_seconds("s3", f"whole job with S3 ÷ with this disk: {name}", found, GOAL)
        for index_first in (True, False):
            where = "first" if index_first else "last"
            what = f"upload → playable with S3: 20 min of 1080p24 H.264, its index {where}"
            times = LONG_SECONDS // SECONDS
            with repeated(ffmpeg, films.rare_keys, times, index_first=index_first) as long:
                yield playable("s3", what, remote, long, runs or RUNS, ENCODED_GOAL)


@contextlib.contextmanager
def bucket_server() -> Iterator[tuple[dict[str, str], Path]]:
    """A server for a while: the settings of a site whose films go there, and their folder."""
    with tempfile.TemporaryDirectory(prefix="videoflix-bench-s3-") as root:
        (Path(root) / BUCKET).mkdir()
        port = free_port()
        process = subprocess.Popen(  # noqa: S603 - our own argument list
            [
                str(Path(sys.executable).with_name("rclone")), "serve", "s3",
                "--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}",
                "--config", "/dev/null", root,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            while True:
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                if process.poll() is not None:
                    raise RuntimeError("rclone did not start")
                time.sleep(0.05)
            settings = {
                "STORAGE": "s3",
                "S3_BUCKET": BUCKET,
                "S3_ENDPOINT": f"http://127.0.0.1:{port}",
                "S3_ACCESS_KEY": KEY,
                "S3_SECRET_KEY": SECRET,
            }
            yield settings, Path(root) / BUCKET / "films"
        finally:
            process.terminate()
            process.wait()
