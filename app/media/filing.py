"""Writing a cell's files for good, and what is told about them."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av

from app.media.errors import damaged, disk_full
from app.media.grid import AudioRow, Plan
from app.media.segments import first_sample_end
from app.media.sound import Loudness


@dataclass(frozen=True)
class Segment:
    """A media segment: its index in the row, size in bytes, SHA-256 and duration in seconds.

    ``first_sample_end``: so many bytes from its start give a picture row's key frame.
    """

    index: int
    bytes: int
    sha256: str
    duration: float
    first_sample_end: int


@dataclass(frozen=True)
class CellResult:
    """A filled cell. ``files`` are the media segments in order; ``frames`` counts pictures, or
    AAC frames. The init segment of a row is the same for all of its chunks. ``loudness`` is that of
    the whole row, with its last cell; None for pictures and silence."""

    row: str
    chunk: int
    init: Path
    init_sha256: str
    init_bytes: int
    segments: tuple[Segment, ...]
    files: tuple[Path, ...]
    frames: int
    loudness: Loudness | None = None


def file_cell(
    plan: Plan,
    row: str,
    chunk: int,
    init: bytes,
    segments: Sequence[tuple[int, bytes]],
    frames: int,
    place: Path,
) -> CellResult:
    """Check that the first segment decodes, write ``place/row/…`` and sync it.

    Raises MediaError ``damaged`` or ``disk_full``.
    """
    stage = "audio" if isinstance(plan.row(row), AudioRow) else "video"
    if not decodes(init + segments[0][1]):
        raise damaged(stage, f"{row}: segment {segments[0][0]} does not decode")
    folder = place / row
    try:
        folder.mkdir(exist_ok=True)
        first = folder / "init.mp4"
        write_synced(first, init)
        files = []
        for index, data in segments:
            path = folder / f"{index}.m4s"
            write_synced(path, data)
            files.append(path)
        sync_folder(folder)
        sync_folder(place)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise disk_full(stage, str(error)) from error
        raise
    return CellResult(
        row=row,
        chunk=chunk,
        init=first,
        init_sha256=hashlib.sha256(init).hexdigest(),
        init_bytes=len(init),
        segments=tuple(
            Segment(
                index,
                len(data),
                hashlib.sha256(data).hexdigest(),
                plan.segment_duration(row, index),
                first_sample_end(data),
            )
            for index, data in segments
        ),
        files=tuple(files),
        frames=frames,
    )


def decodes(data: bytes) -> bool:
    """Does an init segment followed by a media segment give a picture, or sound?"""
    try:
        with av.open(io.BytesIO(data), "r", format="mp4") as container:
            stream = container.streams[0]
            return any(packet.decode() for packet in container.demux(stream))
    except (av.FFmpegError, OSError, ValueError, IndexError):
        return False


def write_synced(path: Path, data: bytes) -> None:
    """Write a file and have it on the disk on return."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Have a directory's new names on the disk on return."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
