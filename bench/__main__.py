"""`make bench [ARGS="playable whole --json"]`: run the benchmarks, print their figures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from app.media.binary import ffmpeg_binary
from bench import accounts, outside, pieces, playable, report, upload, whole
from bench.films import COPYABLE, bench_films
from bench.machine import NOISY_SHARE, busy_share, this_machine
from bench.report import Figure
from bench.site import configured_ffmpeg

NAMES = ("playable", "whole", "outside", "upload", "pieces", "accounts")


def main() -> None:
    """Run what was asked for. A missed goal is a result, not an error."""
    wishes = _wishes()
    ffmpeg = ffmpeg_binary(configured_ffmpeg() or None)
    machine = this_machine(ffmpeg)
    figures: list[Figure] = []
    with bench_films(ffmpeg) as films:
        benchmarks: dict[str, Callable[[], Iterator[Figure]]] = {
            "playable": lambda: playable.measure(films, wishes.runs),
            "whole": lambda: whole.measure(films, ffmpeg, wishes.runs),
            "outside": lambda: outside.measure(films, ffmpeg),
            "upload": lambda: upload.measure(films, wishes.runs),
            "pieces": lambda: pieces.measure(wishes.film, ffmpeg),
            "accounts": accounts.measure,
        }
        for name in wishes.benchmarks or NAMES:
            _say(f"{name} …")
            share = busy_share()
            doubt = f"; {share:.0%} busy with other work before" if share > NOISY_SHARE else ""
            for figure in benchmarks[name]():
                figures.append(replace(figure, note=figure.note + doubt))
                _say(f"  {figure.what}: {figure.value:.3f} ({figure.note}{doubt})")
    print((report.as_json if wishes.json else report.table)(machine, figures))


def _wishes() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=sys.modules["bench"].__doc__)
    parser.add_argument("benchmarks", nargs="*", metavar="BENCHMARK", help=", ".join(NAMES))
    parser.add_argument("--json", action="store_true", help="print JSON, with every single run")
    parser.add_argument("--runs", type=int, help="runs of each measurement")
    parser.add_argument("--film", type=Path, default=COPYABLE, help="another film for `pieces`")
    wishes = parser.parse_args()
    for name in wishes.benchmarks:
        if name not in NAMES:
            parser.error(f"there is no benchmark {name}: choose from {', '.join(NAMES)}")
    return wishes


def _say(text: str) -> None:
    """Say how it goes, beside the result."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
