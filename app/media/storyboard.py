"""What one sees of a film without playing it: a storyboard for the time line, and a moving preview.

Both are made of a row that is filled already, by copying or by decoding its key frames alone, so a
film of two hours takes seconds.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av

from app.media.errors import damaged
from app.media.filing import sync_folder, write_synced
from app.media.grid import Plan, VideoRow
from app.media.limits import STALL_SECONDS, limits_for
from app.media.runner import run
from app.media.still_commands import preview_command, storyboard_command

TILE_WIDTH: Final = 160
COLUMNS: Final = 10
ROWS: Final = 10
MOST: Final = 300
"""Pictures of a storyboard: one every 4 s up to 20 minutes, every 24 s of two hours."""

CLOSEST: Final = 1.0
NEARLY: Final = 0.95
"""Key frames do not stand at whole seconds."""

PREVIEW_SECONDS: Final = 8.0
PREVIEW_AT: Final = 0.3
"""Where the preview begins, as a share of the film: after the titles."""

STORYBOARD: Final = "storyboard.vtt"
PREVIEW: Final = "preview.mp4"


@dataclass(frozen=True)
class Sheets:
    """How a storyboard is laid out: the time of each picture (s), and a picture's size."""

    times: tuple[float, ...]
    width: int
    height: int


def make_storyboard(
    plan: Plan,
    row: VideoRow,
    files: Sequence[Path],
    place: Path,
    *,
    ffmpeg: str,
    stop: Callable[[], bool],
) -> list[Path]:
    """Write ``storyboard.vtt``, ``board-<n>.jpg`` and ``preview.mp4`` into ``place``.

    ``files`` are the row's init segment and all its media segments in order. Raises MediaError
    (stage storyboard) ``damaged``, hung; Stopped.
    """
    whole = place / "row.mp4"
    with whole.open("wb") as joined:
        for path in files:
            joined.write(path.read_bytes())
    gap = max(CLOSEST, plan.duration / MOST) * NEARLY
    times = _chosen(_key_times(whole), gap)
    tile = (TILE_WIDTH, max(2, round(TILE_WIDTH * row.height / row.width / 2) * 2))
    sheets = Sheets(tuple(times), *tile)
    begin = plan.duration * PREVIEW_AT if plan.duration > 2 * PREVIEW_SECONDS else 0.0
    start = max((time for time in times if time <= begin), default=0.0)
    finished = None
    for command in (
        storyboard_command(ffmpeg, whole, place, len(times), gap, tile, (COLUMNS, ROWS)),
        preview_command(ffmpeg, whole, place / PREVIEW, start, PREVIEW_SECONDS),
    ):
        finished = run(
            command,
            limits=limits_for(row.width * row.height),
            wall_seconds=300 + plan.duration,
            stall_seconds=STALL_SECONDS,
            stop=stop,
            reads=[whole],
            writes=[place],
            stage="storyboard",
        )
        if finished.returncode != 0:
            raise damaged("storyboard", finished.log, permanent=False)
    whole.unlink()
    boards = [place / board_name(number) for number in range(-(-len(times) // (COLUMNS * ROWS)))]
    made = [*boards, place / PREVIEW]
    if not all(path.is_file() and path.stat().st_size for path in made):
        raise damaged("storyboard", finished.log if finished else "", permanent=False)
    write_synced(place / STORYBOARD, storyboard_vtt(sheets, plan.duration).encode())
    sync_folder(place)
    return [*made, place / STORYBOARD]


def board_name(number: int) -> str:
    """The file of a sheet of pictures."""
    return f"board-{number}.jpg"


def storyboard_vtt(sheets: Sheets, duration: float) -> str:
    """Which part of which sheet shows which time, as players read it: a WebVTT file whose cues
    are addresses with a media fragment (W3C Media Fragments, 4.2.2)."""
    lines = ["WEBVTT", ""]
    for at, (begin, end) in enumerate(itertools.pairwise([*sheets.times, duration])):
        number, tile = divmod(at, COLUMNS * ROWS)
        x, y = tile % COLUMNS * sheets.width, tile // COLUMNS * sheets.height
        part = f"{x},{y},{sheets.width},{sheets.height}"
        lines += [
            f"{_time(0.0 if at == 0 else begin)} --> {_time(max(end, begin + 0.001))}",
            f"{board_name(number)}#xywh={part}",
            "",
        ]
    return "\n".join(lines)


def _key_times(path: Path) -> list[float]:
    """When the key frames of a joined row are shown, in seconds."""
    with av.open(f"file:{path}", format="mp4") as container:
        stream = container.streams.video[0]
        base = stream.time_base
        found = [
            float(packet.pts * base)
            for packet in container.demux(stream)
            if packet.is_keyframe and packet.pts is not None and base is not None
        ]
    if not found:
        raise damaged("storyboard", "no key frames", permanent=False)
    return found


def _chosen(times: Sequence[float], gap: float) -> list[float]:
    """The first, and then each that is ``gap`` seconds or more after the one before."""
    chosen = [times[0]]
    for time in times[1:]:
        if time - chosen[-1] >= gap:
            chosen.append(time)
    return chosen


def _time(seconds: float) -> str:
    whole = math.floor(seconds * 1000)
    hours, rest = divmod(whole, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"
