"""A film's own text tracks as captions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.media.captions import Cue, NotCaptions, read_captions
from app.media.commands import text_command
from app.media.errors import encoder_failed
from app.media.grid import Plan, TextRow
from app.media.limits import STALL_SECONDS, limits_for
from app.media.runner import run


def read_texts(
    source: Path, plan: Plan, place: Path, *, ffmpeg: str, stop: Callable[[], bool]
) -> list[tuple[TextRow, list[Cue]]]:
    """The captions of each text track that has some, read in one pass.

    Raises MediaError (stage text) encoder_failed where nothing could be read, hung; Stopped.
    """
    rows = {row.stream: place / f"text-{row.stream}.srt" for row in plan.text}
    finished = run(
        text_command(ffmpeg, source, rows),
        limits=limits_for(0),
        wall_seconds=900 + plan.duration,
        stall_seconds=STALL_SECONDS,
        stop=stop,
        reads=[source],
        writes=[place],
        stage="text",
    )
    found = []
    for row in plan.text:
        path = rows[row.stream]
        try:
            data = path.read_bytes() if path.is_file() else b""
            found.append((row, read_captions(data, -row.origin)))
        except NotCaptions:
            continue  # a track without a caption that can be read is not worth a menu entry
    if finished.returncode != 0 and not found:
        raise encoder_failed("text", finished.log)
    return found
