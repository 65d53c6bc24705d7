"""Composition offsets of an MP4 track, which libavformat's frame index does not give."""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from app.media.boxes import find, walk

MAX_MOOV: Final = 64 << 20
"""Bytes: the index of a 24 hour film at 60 frames a second stays under this."""

MAX_BOXES: Final = 1000


def composition_offsets(path: Path, track: int, count: int) -> array[int] | None:
    """The ``ctts`` offsets (media ticks) of all ``count`` samples of track id ``track``.

    Zeros where the track has none; None where the file's tables do not agree with ``count``.
    """
    try:
        with path.open("rb") as file:
            moov = _moov(file)
        return None if moov is None else _offsets(moov, track, count)
    except (ValueError, struct.error):
        return None


def front_index(file: BinaryIO) -> int | None:
    """Where the index ends that lies before the pictures, if there is one; it may be cut off."""
    for kind, at, length in _top_boxes(file):
        if kind == b"mdat":
            return None
        if kind == b"moov":
            return at + length if length <= MAX_MOOV else None
    return None


def end_index(file: BinaryIO, whole: int) -> tuple[int, int] | None:
    """Where the pictures begin and end, if an index of a likely size lies behind them.

    ``file`` may be the front of a file of ``whole`` bytes.
    """
    size = file.seek(0, os.SEEK_END)
    for kind, at, length in _top_boxes(file):
        end = at + length
        if kind == b"moov":
            return None
        if kind == b"mdat" and end > size:
            return (at, end) if end < whole <= end + MAX_MOOV else None
    return None


def tells_all(file: BinaryIO) -> bool:
    """Whether the index is all there and of the whole film: that of a fragmented one is not."""
    try:
        moov = _moov(file)
        return moov is not None and find(moov, b"moov", b"mvex") is None
    except ValueError:
        return False


def _moov(file: BinaryIO) -> bytes | None:
    for kind, at, length in _top_boxes(file):
        if kind == b"moov":
            return _read(file, at, length)
    return None


def _top_boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Type, place and length of the boxes of a file, by their headers; the last may be cut off."""
    size, at = file.seek(0, os.SEEK_END), 0
    for _ in range(MAX_BOXES):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        length, kind = struct.unpack_from(">I4s", head)
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack_from(">Q", head, 8)
        elif length == 0:
            length = size - at
        if length < 8:
            return
        yield kind, at, length
        at += length


def _read(file: BinaryIO, at: int, length: int) -> bytes | None:
    """A box of the file; None where it is not all there, or too large to be true."""
    if length > MAX_MOOV or at + length > file.seek(0, os.SEEK_END):
        return None
    file.seek(at)
    return file.read(length)


def _offsets(moov: bytes, track: int, count: int) -> array[int] | None:
    whole = next(walk(moov))
    for trak in walk(moov, whole.body, whole.end):
        if trak.kind != b"trak":
            continue
        tkhd = find(moov, b"tkhd", inside=trak)
        if tkhd is None:
            continue
        place = tkhd.body + (20 if moov[tkhd.body] == 1 else 12)
        if struct.unpack_from(">I", moov, place)[0] != track:
            continue
        table = find(moov, b"mdia", b"minf", b"stbl", inside=trak)
        if table is None:
            return None
        ctts = find(moov, b"ctts", inside=table)
        if ctts is None:
            return array("q", bytes(8 * count))
        (entries,) = struct.unpack_from(">I", moov, ctts.body + 4)
        if ctts.body + 8 + 8 * entries > ctts.end:
            return None
        offsets: array[int] = array("q")
        for run, shift in struct.iter_unpack(
            ">Ii", moov[ctts.body + 8 : ctts.body + 8 + 8 * entries]
        ):
            if len(offsets) + run > count:
                return None
            offsets.extend([shift] * run)
        return offsets if len(offsets) == count else None
    return None
