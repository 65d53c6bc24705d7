"""`pieces`: what `app.media` takes for each piece of one film, without a site.

Wall time, and beside it the processor time of this process and of ffmpeg: where the two cores are
shared with other work, the latter say more.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from app.media.cells import CellResult, fill_chunk, fill_row
from app.media.grid import Plan
from app.media.images import make_poster
from app.media.plan import PlanOptions, make_plan
from app.media.probe import probe
from bench.reference import reference_seconds
from bench.report import Figure

FIRST_HEIGHT = 360
"""The rung whose first cell is measured: the nearest to this height."""


def measure(film: Path, ffmpeg: str) -> Iterator[Figure]:
    """Every piece of one film, one after the other."""
    facts = probe(film)
    plan, usual = make_plan(facts, PlanOptions(copy=False)), make_plan(facts)
    rows = [row.name for row in plan.video]

    yield _timed("probe and plan", lambda _: make_plan(probe(film)))
    if plan.video:
        first = min(plan.video, key=lambda row: abs(row.height - FIRST_HEIGHT)).name
        yield _timed(f"first cell at {first}", lambda p: _chunk(film, plan, 0, [first], p, ffmpeg))
    yield _timed("poster", lambda p: make_poster(film, usual, p, ffmpeg=ffmpeg, stop=_never))
    for name in [row.name for row in usual.video if row.mode == "copy"]:
        yield _timed(f"{name} copied, whole row", _row_filler(film, usual, name, ffmpeg))
    for name in [row.name for row in usual.audio]:
        yield _timed(f"{name}, whole row", _row_filler(film, usual, name, ffmpeg))
    if plan.video:
        yield _timed(
            f"{len(rows)} rungs, one chunk after the other",
            lambda p: [_chunk(film, plan, at, rows, p, ffmpeg) for at in range(len(plan.chunks))],
        )
        yield _timed(
            f"{len(rows)} rungs and sound, one ffmpeg that decodes once",
            lambda p: reference_seconds(ffmpeg, film, plan, p),
        )


def _chunk(
    film: Path, plan: Plan, at: int, rows: list[str], place: Path, ffmpeg: str
) -> list[CellResult]:
    return fill_chunk(film, plan, at, rows, place, ffmpeg=ffmpeg, stop=_never)


def _row_filler(film: Path, plan: Plan, name: str, ffmpeg: str) -> Callable[[Path], object]:
    return lambda place: list(fill_row(film, plan, name, place, ffmpeg=ffmpeg, stop=_never))


def _never() -> bool:
    return False


def _timed(what: str, work: Callable[[Path], object]) -> Figure:
    with tempfile.TemporaryDirectory(prefix="videoflix-bench-") as place:
        began, before = time.monotonic(), os.times()
        work(Path(place))
        wall, after = time.monotonic() - began, os.times()
    own = after.user + after.system - before.user - before.system
    children = after.children_user + after.children_system
    children -= before.children_user + before.children_system
    note = f"own CPU {own:.2f} s, ffmpeg CPU {children:.2f} s"
    runs = {"wall": [wall], "own CPU": [own], "ffmpeg CPU": [children]}
    return Figure("pieces", what, wall, "s", None, note, runs)
