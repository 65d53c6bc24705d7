"""Numbers of docs/media.md: ``python -m tests.media.measure FILM`` (not a test)."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from app.media.binary import ffmpeg_binary
from app.media.cells import fill_chunk, fill_row
from app.media.commands import ChunkTry, chunk_command
from app.media.plan import PlanOptions, make_plan
from app.media.probe import probe
from tests.media.playback import never


def measure(name: str, work: Callable[[Path], object]) -> None:
    with tempfile.TemporaryDirectory() as place:
        began, before = time.monotonic(), os.times()
        work(Path(place))
        wall, after = time.monotonic() - began, os.times()
    own = after.user + after.system - before.user - before.system
    child = (
        after.children_user + after.children_system
        - before.children_user - before.children_system
    )  # fmt: skip
    print(f"{name:36} wall {wall:6.2f} s   own CPU {own:5.2f} s   ffmpeg CPU {child:6.2f} s")


def main(film: Path) -> None:
    binary = ffmpeg_binary(os.environ.get("FFMPEG_BINARY"))
    facts = probe(film)
    plan, copied = make_plan(facts, PlanOptions(copy=False)), make_plan(facts)
    rows = [row.name for row in plan.video]

    def chunks(place: Path, names: list[str], which: range) -> None:
        for chunk in which:
            fill_chunk(film, plan, chunk, names, place, ffmpeg=binary, stop=never)

    def row(place: Path, name: str) -> None:
        list(fill_row(film, copied, name, place, ffmpeg=binary, stop=never))

    def at_once(place: Path) -> None:
        whole = dataclasses.replace(plan, chunks=((0, len(plan.frames) - 1),))
        outputs = {name: place / name for name in rows}
        command = chunk_command(binary, film, whole, 0, outputs, ChunkTry(False, 0.1))
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)

    measure("probe and plan", lambda _: make_plan(probe(film)))
    small = min(rows, key=lambda name: abs(int(name[:-1]) - 360))
    measure(f"first segment at {small}", lambda place: chunks(place, [small], range(1)))
    measure("grid, all rungs, chunk by chunk",
            lambda place: chunks(place, rows, range(len(plan.chunks))))  # fmt: skip
    measure("one ffmpeg that decodes once", at_once)
    for name in [r.name for r in copied.video if r.mode == "copy"] + [r.name for r in plan.audio]:
        measure(f"{name}, whole row", lambda place, name=name: row(place, name))  # type: ignore[misc]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
