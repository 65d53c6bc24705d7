"""How far an upload to a bucket is, in one small object that any machine can go on from."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from app.storage.bucket import Bucket


@dataclass(frozen=True, slots=True)
class State:
    """How far an upload is: its parts as (tag, bytes), what is behind them, and its first bytes.

    `shared`: each part is an object of its own as well.
    """

    upload_id: str = ""
    parts: tuple[tuple[str, int], ...] = ()
    tail: str = ""
    tail_bytes: int = 0
    head: bytes = b""
    shared: bool = False

    @property
    def in_parts(self) -> int:
        """Bytes in full parts."""
        return sum(size for _, size in self.parts)

    @property
    def size(self) -> int:
        """Bytes that count."""
        return self.in_parts + self.tail_bytes

    def to_json(self) -> bytes:
        """As it is stored."""
        return json.dumps(
            {
                "upload_id": self.upload_id,
                "parts": self.parts,
                "tail": self.tail,
                "tail_bytes": self.tail_bytes,
                "head": base64.b64encode(self.head).decode(),
                "shared": self.shared,
            }
        ).encode()

    @classmethod
    def from_json(cls, data: bytes) -> State:
        """Read it back."""
        said = json.loads(data)
        return cls(
            said["upload_id"],
            tuple((tag, size) for tag, size in said["parts"]),
            said["tail"],
            said["tail_bytes"],
            base64.b64decode(said["head"]),
            said.get("shared", False),
        )


def read_state(bucket: Bucket, place: str) -> State | None:
    """The state of an upload whose objects lie below `place`."""
    try:
        return State.from_json(bucket.read(f"{place}state"))
    except FileNotFoundError:
        return None


def shared_key(place: str, number: int) -> str:
    """The object that a part of a shared file is as well."""
    return f"{place}shared-{number:05}"


def read_shared(bucket: Bucket, place: str, state: State, start: int, length: int) -> bytes:
    """Bytes of a shared file that still comes in. Raises FileNotFoundError once it is whole."""
    pieces, at, end = [], 0, start + length
    for number, (_, size) in enumerate(state.parts, 1):
        first, last = max(start, at), min(end, at + size)
        if first < last:
            key = shared_key(place, number)
            pieces.append(bucket.read(key, first - at, last - first))
        at += size
    return b"".join(pieces)
