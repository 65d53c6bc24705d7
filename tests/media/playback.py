"""Plays what was made, as a player would: init segment, then media segments, decoded."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from app.media.cells import CellResult, fill_chunk, fill_row
from app.media.errors import MediaError
from app.media.facts import SourceFacts
from app.media.grid import Plan, VideoRow
from app.media.plan import PlanOptions, make_plan


@dataclass
class Played:
    """Presentation times in seconds of decoded frames, and one picture size or sample count."""

    times: list[Fraction]
    samples: int
    size: tuple[int, int]


def never() -> bool:
    return False


def convert(
    source: Path, plan: Plan, place: Path, binary: str, rows: Iterable[str] | None = None
) -> dict[str, list[CellResult]]:
    """Fill the whole grid, each chunk by its own process."""
    wanted = set(rows) if rows is not None else {r.name for r in (*plan.video, *plan.audio)}
    cells: dict[str, list[CellResult]] = {name: [] for name in wanted}
    encoded = [r.name for r in plan.video if r.mode == "encode" and r.name in wanted]
    for chunk in range(len(plan.chunks) if encoded else 0):
        for cell in fill_chunk(source, plan, chunk, encoded, place, ffmpeg=binary, stop=never):
            cells[cell.row].append(cell)
    for row in (*plan.video, *plan.audio):
        if row.name in wanted and row.name not in encoded:
            cells[row.name] += fill_row(source, plan, row.name, place, ffmpeg=binary, stop=never)
    return cells


def convert_film(
    facts: SourceFacts,
    source: Path,
    place: Path,
    binary: str,
    rows: Callable[[Plan], Iterable[str]],
) -> tuple[Plan, dict[str, list[CellResult]]]:
    """Plan and convert; where a copy fails, plan again without copies, as a pipeline does."""
    plan = make_plan(facts)
    try:
        return plan, convert(source, plan, place, binary, rows(plan))
    except MediaError as error:
        if error.code != "copy_failed":
            raise
    plan = make_plan(facts, PlanOptions(copy=False))
    return plan, convert(source, plan, place, binary, rows(plan))


def whole(cells: list[CellResult]) -> bytes:
    """A row as one file."""
    files = [path for cell in cells for path in cell.files]
    return cells[0].init.read_bytes() + b"".join(path.read_bytes() for path in files)


def play(data: bytes) -> Played:
    """Decode a row; every time stamp must be there."""
    played = Played([], 0, (0, 0))
    with av.open(io.BytesIO(data), "r", format="mp4") as container:
        for frame in container.decode(container.streams[0]):
            assert frame.pts is not None
            assert frame.time_base is not None
            played.times.append(frame.pts * frame.time_base)
            if isinstance(frame, av.VideoFrame):
                played.size = (frame.width, frame.height)
            else:
                played.samples += frame.samples
    return played


def check_row(plan: Plan, name: str, cells: list[CellResult]) -> Played:
    """What must hold for every row: returns what was decoded."""
    row = plan.row(name)
    assert [cell.chunk for cell in cells] == list(range(len(plan.row_chunks(name))))
    assert len({cell.init_sha256 for cell in cells}) == 1
    indexes = [segment.index for cell in cells for segment in cell.segments]
    assert indexes == list(range(plan.segment_count(name)))
    played = play(whole(cells))
    assert all(a < b for a, b in zip(played.times, played.times[1:], strict=False))
    assert played.times[0] == 0
    if isinstance(row, VideoRow):
        assert played.size == (row.width, row.height)
        assert len(played.times) == sum(cell.frames for cell in cells)
        marks = {round(float(time) * 90_000) for time in played.times}
        assert set(plan.boundaries[:-1]) <= marks
        peak, _ = bandwidth(plan, name, cells)
        assert peak <= row.bandwidth
    else:
        assert played.samples == row.total
    return played


def bandwidth(plan: Plan, name: str, cells: list[CellResult]) -> tuple[float, float]:
    """Peak of segments of at least half a target duration, and average, in bits/s."""
    segments = [segment for cell in cells for segment in cell.segments]
    target = max(segment.duration for segment in segments)
    peak = max(8 * s.bytes / s.duration for s in segments if s.duration >= target / 2)
    length = sum(segment.duration for segment in segments)
    return peak, 8 * sum(segment.bytes for segment in segments) / length
