"""Composition offsets of an MP4 track, which libavformat's frame index does not give."""

from __future__ import annotations

import struct
from array import array
from pathlib import Path
from typing import Final

from app.media.boxes import find, walk

MAX_MOOV: Final = 64 << 20
"""Bytes: the index of a 24 hour film at 60 frames a second stays under this."""


def composition_offsets(path: Path, track: int, count: int) -> array[int] | None:
    """The ``ctts`` offsets (media ticks) of all ``count`` samples of track id ``track``.

    Zeros where the track has none; None where the file's tables do not agree with ``count``.
    """
    try:
        moov = _moov(path)
        return None if moov is None else _offsets(moov, track, count)
    except (ValueError, struct.error):
        return None


def front_index(path: Path) -> int | None:
    """Where the index ends that lies before the pictures, if it is all there; else None.

    A fragmented film has none that would say it all.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        at = 0
        for _ in range(100):
            file.seek(at)
            head = file.read(16)
            if len(head) < 16:
                return None
            length, kind = struct.unpack_from(">I4s", head)
            if length == 1:
                (length,) = struct.unpack_from(">Q", head, 8)
            if kind == b"mdat" or length < 8:
                return None
            if kind == b"moov":
                if length > MAX_MOOV or at + length > size:
                    return None
                file.seek(at)
                try:
                    fragmented = find(file.read(length), b"moov", b"mvex") is not None
                except ValueError:
                    return None
                return None if fragmented else at + length
            at += length
    return None


def _moov(path: Path) -> bytes | None:
    size = path.stat().st_size
    with path.open("rb") as file:
        at = 0
        for _ in range(1000):
            file.seek(at)
            head = file.read(16)
            if len(head) < 8:
                return None
            length, kind = struct.unpack_from(">I4s", head)
            if length == 1 and len(head) == 16:
                (length,) = struct.unpack_from(">Q", head, 8)
            elif length == 0:
                length = size - at
            if length < 8:
                return None
            if kind == b"moov":
                if length > MAX_MOOV or at + length > size:
                    return None
                file.seek(at)
                return file.read(length)
            at += length
    return None


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
