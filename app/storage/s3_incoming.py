"""A file that comes in and goes out again to a bucket, part by part.

Full parts are parts of an S3 multipart upload. How far it is stands in one small object, `state`:
the upload, its parts, and the name of a `tail`, an object with the bytes behind the last full part.
One PUT of `state` is what makes bytes count, so that any machine goes on from there, whatever
became of the last one. Bytes that are held back lie in objects of their own until they count: not
every server lets a part be replaced.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from app.storage.bucket import Bucket
from app.storage.s3_errors import UploadGone

HEAD_BYTES: Final = 4096
"""So many first bytes are kept in the state: a part cannot be read again."""


@dataclass(frozen=True, slots=True)
class State:
    """How far an upload is: its parts as (tag, bytes), what is behind them, and its first bytes."""

    upload_id: str = ""
    parts: tuple[tuple[str, int], ...] = ()
    tail: str = ""
    tail_bytes: int = 0
    head: bytes = b""

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
        )


def read_state(bucket: Bucket, place: str) -> State | None:
    """The state of an upload whose objects lie below `place`."""
    try:
        return State.from_json(bucket.read(f"{place}state"))
    except FileNotFoundError:
        return None


@dataclass(slots=True)
class _Kept:
    """Where a file stood when it was opened or held back: to this it can be cut."""

    state: State
    buffer: bytes
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = self.state.in_parts + len(self.buffer)


class S3Incoming:
    """An object that is received under `key`; with a `place` for its state it can be resumed."""

    def __init__(
        self, bucket: Bucket, name: str, key: str, part_bytes: int, place: str | None = None
    ) -> None:
        self._bucket, self._name, self._key = bucket, name, key
        self._part_bytes, self._place = part_bytes, place
        found = read_state(bucket, place) if place else None
        self._state = self._saved = found or State()
        self._waiting: list[str] = []
        self._buffer = bytearray()
        if self._state.tail and place:
            self._buffer += bucket.read(place + self._state.tail)
        self._kept_at = self._snapshot()
        self._opened = self.size or -1
        self._held = self._done = False

    @property
    def name(self) -> str:
        """The name under which it is received."""
        return self._name

    @property
    def size(self) -> int:
        """Bytes received."""
        return self._state.in_parts + len(self._waiting) * self._part_bytes + len(self._buffer)

    @property
    def path(self) -> Path | None:
        """None: parts cannot be read before there are all."""
        return None

    def head(self, size: int) -> bytes:
        """The first bytes, at most HEAD_BYTES."""
        return self._state.head[:size]

    def write(self, data: bytes) -> int:
        """Keep the bytes until there is a full part of them; then upload that."""
        if len(self._state.head) < HEAD_BYTES:
            more = data[: HEAD_BYTES - len(self._state.head)]
            self._state = replace(self._state, head=self._state.head + more)
        self._buffer += data
        while len(self._buffer) >= self._part_bytes:
            part = bytes(self._buffer[: self._part_bytes])
            if self._held:
                self._waiting.append(f"{self._place}held-{secrets.token_hex(8)}")
                self._bucket.put(self._waiting[-1], part)
            else:
                self._put_part(part)
                self._save(b"")
            del self._buffer[: self._part_bytes]
        return len(data)

    def hold_back(self) -> None:
        """Full parts wait from here on, as objects of their own."""
        self._kept_at = self._snapshot()
        self._held = True

    def accept(self) -> None:
        """Make parts of what waits; it counts at `close` at the latest."""
        for key in self._waiting:
            self._put_part(self._bucket.read(key))
        self._bucket.delete(self._waiting)
        self._waiting, self._held = [], False

    def rewind(self, size: int) -> None:
        """Cut what was not uploaded, or all that came since the file was opened or held back."""
        self._bucket.delete(self._waiting)
        self._waiting, self._held = [], False
        if size == self._kept_at.size:
            upload_id = self._state.upload_id
            self._state = replace(self._kept_at.state, upload_id=upload_id)
            self._buffer = bytearray(self._kept_at.buffer)
        elif size == 0:
            self._state = State(upload_id=self._state.upload_id)
            self._buffer.clear()
        else:
            keep = size - self._state.in_parts
            if not 0 <= keep <= len(self._buffer):
                raise ValueError("an upload cannot be cut in the middle of a part")
            del self._buffer[keep:]
            self._state = replace(self._state, head=self._state.head[:size])

    def sync(self) -> None:
        """Write down how far it is."""
        if self._place and not self._held and self.size != self._saved.size:
            self._save(bytes(self._buffer))

    def show(self, film: str) -> None:
        """Never asked for: there is no `path`."""
        raise NotImplementedError(film)

    def keep(self, film: str) -> None:
        """Make the parts one object."""
        if film != self._name:
            raise ValueError("a film has the name under which it is received")
        size = self.size
        if size == self._opened and self._is_there(size):  # who did this died before saying so
            self._done = True
            return
        try:
            if not self._state.upload_id:
                self._bucket.put(self._key, bytes(self._buffer))
            else:
                if self._buffer:
                    self._put_part(bytes(self._buffer))
                    self._buffer.clear()
                tags = [tag for tag, _ in self._state.parts]
                self._bucket.complete(self._key, self._state.upload_id, tags)
        except UploadGone:
            self._forget()  # its sender begins anew
            raise
        self._done = True

    def close(self) -> None:
        """Write down how far it is; what was held back never came."""
        if self._done:
            return
        if self._held:
            self.rewind(self._kept_at.size)
        self.sync()
        self._done = True

    def discard(self) -> None:
        """Remove all that came, unless it was kept."""
        if not self._done:
            self._forget()

    def _snapshot(self) -> _Kept:
        return _Kept(self._state, bytes(self._buffer))

    def _put_part(self, data: bytes) -> None:
        if not self._state.upload_id:
            upload_id = self._bucket.begin(self._key)
            self._state = replace(self._state, upload_id=upload_id)
        number = len(self._state.parts) + 1
        try:
            tag = self._bucket.put_part(self._key, self._state.upload_id, number, data)
        except UploadGone:
            self._forget()
            raise
        self._state = replace(self._state, parts=(*self._state.parts, (tag, len(data))))

    def _save(self, tail: bytes) -> None:
        """Let all count that is in parts, and these bytes behind them."""
        if not self._place:
            return
        name = f"tail-{secrets.token_hex(8)}" if tail else ""
        if tail:
            self._bucket.put(self._place + name, tail)
        state = replace(self._state, tail=name, tail_bytes=len(tail))
        self._bucket.put(f"{self._place}state", state.to_json())
        if self._saved.tail:
            self._bucket.delete([self._place + self._saved.tail])
        self._saved = state

    def _is_there(self, size: int) -> bool:
        found = self._bucket.head(self._key)
        return found is not None and found.bytes == size

    def _forget(self) -> None:
        self._done = True
        if self._state.upload_id:
            self._bucket.abort(self._key, self._state.upload_id)
        if self._place:
            self._bucket.delete_below(self._place)
