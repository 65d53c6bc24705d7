"""`make bench [ARGS="playable whole --json"]`: run the benchmarks, print their figures."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from app.media.binary import ffmpeg_binary
from bench import (
    accounts,
    browse,
    bucket,
    busy,
    delivery,
    early,
    hosts,
    kept,
    killed,
    lengths,
    outside,
    peers,
    pieces,
    playable,
    report,
    request,
    search,
    seek,
    upload,
    whole,
    workers,
)
from bench.films import COPYABLE, bench_films
from bench.machine import NOISY_SHARE, busy_share, this_machine
from bench.report import Figure
from bench.site import configured_ffmpeg

MINUTES = {
    "playable": 2.0,
    "lengths": 6.0,
    "seek": 4.0,
    "busy": 2.0,
    "whole": 5.0,
    "workers": 5.0,
    "hosts": 6.0,
    "peers": 12.0,
    "outside": 3.0,
    "killed": 4.0,
    "upload": 3.0,
    "early": 4.0,
    "pieces": 2.0,
    "accounts": 2.0,
    "request": 0.5,
    "delivery": 2.5,
    "kept": 1.5,
    "s3": 8.0,
    "search": 1.0,
    "browse": 2.0,
}
"""All benchmarks in their order, and what they take on two processors without `--runs`."""


def main() -> None:
    """Run what was asked for. A missed goal is a result, not an error."""
    wishes = _wishes()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no site outlives this
    names = wishes.benchmarks or list(MINUTES)
    quick = "less than " if wishes.runs == 1 else ""
    _say(f"{', '.join(names)}: {quick}about {sum(MINUTES[name] for name in names):.0f} minutes")
    ffmpeg = ffmpeg_binary(configured_ffmpeg() or None)
    machine = this_machine(ffmpeg)
    figures: list[Figure] = []
    with bench_films(ffmpeg) as films:
        runs, short = wishes.runs, wishes.quick
        benchmarks: dict[str, Callable[[], Iterator[Figure]]] = {
            "playable": lambda: playable.measure(films, runs),
            "lengths": lambda: lengths.measure(films, ffmpeg, runs, quick=short),
            "seek": lambda: seek.measure(films, ffmpeg, quick=short),
            "busy": lambda: busy.measure(films, ffmpeg, quick=short),
            "whole": lambda: whole.measure(films, ffmpeg, runs),
            "workers": lambda: workers.measure(films, runs),
            "hosts": lambda: hosts.measure(films, runs),
            "peers": lambda: peers.measure(films, ffmpeg, runs),
            "outside": lambda: outside.measure(films, ffmpeg),
            "killed": lambda: killed.measure(films, ffmpeg),
            "upload": lambda: upload.measure(films, runs),
            "early": lambda: early.measure(films, ffmpeg, runs),
            "pieces": lambda: pieces.measure(wishes.film, ffmpeg),
            "accounts": accounts.measure,
            "request": request.measure,
            "delivery": lambda: delivery.measure(films, runs),
            "kept": lambda: kept.measure(films, runs),
            "s3": lambda: bucket.measure(films, ffmpeg, runs),
            "search": search.measure,
            "browse": browse.measure,
        }
        for name in names:
            _say(f"{name} …")
            share = busy_share()
            doubt = f"; {share:.0%} busy with other work before" if share > NOISY_SHARE else ""
            for figure in benchmarks[name]():
                figures.append(replace(figure, note=figure.note + doubt))
                _say(f"  {figure.what}: {figure.value:.3f} ({figure.note}{doubt})")
    print((report.as_json if wishes.json else report.table)(machine, figures))


def _wishes() -> argparse.Namespace:
    known = ", ".join(MINUTES)
    parser = argparse.ArgumentParser(prog="make bench", description=sys.modules["bench"].__doc__)
    parser.add_argument("benchmarks", nargs="*", metavar="BENCHMARK", help=known)
    parser.add_argument("--json", action="store_true", help="print JSON, with every single run")
    parser.add_argument("--runs", type=int, help="runs of each measurement")
    parser.add_argument(
        "--quick", action="store_true", help="one run of each, without the longest films"
    )
    parser.add_argument("--film", type=Path, default=COPYABLE, help="another film for `pieces`")
    wishes = parser.parse_args()
    if wishes.quick:
        wishes.runs = wishes.runs or 1
    for name in wishes.benchmarks:
        if name not in MINUTES:
            parser.error(f"there is no benchmark {name}: choose from {known}")
    return wishes


def _say(text: str) -> None:
    """Say how it goes, beside the result."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
