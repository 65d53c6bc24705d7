"""Reading and writing ISO base media boxes (ISO/IEC 14496-12), only what fragments need."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

HEADER: Final = 8
LARGE_HEADER: Final = 16


@dataclass(frozen=True)
class Box:
    """A box inside a buffer: its type and where its payload begins and ends (byte offsets)."""

    kind: bytes
    start: int
    body: int
    end: int


def walk(data: bytes | memoryview, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes lying side by side in ``data[start:end]``.

    Raises ValueError when a size points outside the range: boxes from strangers are read too.
    """
    limit = len(data) if end is None else end
    while start + HEADER <= limit:
        size, kind = struct.unpack_from(">I4s", data, start)
        body = start + HEADER
        if size == 1:
            if start + LARGE_HEADER > limit:
                raise ValueError("a box header is cut off")
            (size,) = struct.unpack_from(">Q", data, body)
            body = start + LARGE_HEADER
        elif size == 0:
            size = limit - start
        if size < body - start or start + size > limit:
            raise ValueError("a box is larger than what it lies in")
        yield Box(kind, start, body, start + size)
        start += size


def find(data: bytes | memoryview, *path: bytes, inside: Box | None = None) -> Box | None:
    """The first box along a path of types, for example ``find(moov, b"trak", b"mdia")``."""
    start, end = (0, len(data)) if inside is None else (inside.body, inside.end)
    found: Box | None = inside
    for kind in path:
        found = next((box for box in walk(data, start, end) if box.kind == kind), None)
        if found is None:
            return None
        start, end = found.body, found.end
    return found


def box(kind: bytes, *payload: bytes) -> bytes:
    """A box with its header; payloads under 4 GB only."""
    size = HEADER + sum(map(len, payload))
    return struct.pack(">I4s", size, kind) + b"".join(payload)


def full_box(kind: bytes, version: int, flags: int, *payload: bytes) -> bytes:
    """A box with version (8 bits) and flags (24 bits)."""
    return box(kind, struct.pack(">I", version << 24 | flags), *payload)


def complete_length(data: bytes | bytearray) -> int:
    """How many bytes at the front of ``data`` are complete top-level boxes."""
    done = 0
    while done + HEADER <= len(data):
        (size,) = struct.unpack_from(">I", data, done)
        if size == 1:
            if done + LARGE_HEADER > len(data):
                break
            (size,) = struct.unpack_from(">Q", data, done + HEADER)
        if size < HEADER or done + size > len(data):
            break
        done += size
    return done
