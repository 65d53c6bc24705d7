"""A file that comes in and goes out again to a bucket, part by part.

Full parts are parts of an S3 multipart upload. How far it is stands in one small object, `state`:
the upload, its parts, and the name of a `tail`, an object with the bytes behind the last full part.
One PUT of `state` is what makes bytes count, so that any machine goes on from there, whatever
became of the last one. Bytes that are held back lie in objects of their own until they count: not
every server lets a part be replaced.

A part cannot be read before the upload ends. So the parts of a file that is `shared` are written
twice, once more as objects of their own, which go with the upload's others.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace

from app.storage.base import HEAD_BYTES
from app.storage.bucket import Bucket
from app.storage.s3_errors import UploadGone
from app.storage.s3_state import State, read_shared, read_state, shared_key


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

    def head(self, size: int) -> bytes:
        """The first bytes: out of the state, or of the shared parts."""
        if size <= HEAD_BYTES or not self._place or not self.shared:
            return self._state.head[:size]
        return read_shared(self._bucket, self._place, self._saved, 0, min(size, self.shared))

    def share(self) -> None:
        """Write each part twice from here on, if none was written before."""
        if self._place and not self._state.parts:
            self._state = replace(self._state, shared=True)

    @property
    def shared(self) -> int:
        """Bytes in parts that are written down."""
        return self._saved.in_parts if self._saved.shared else 0

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
        """Nothing to do: it is found by its name."""
        self._require_name(film)

    def keep(self, film: str) -> None:
        """Make the parts one object."""
        self._require_name(film)
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

    def _require_name(self, film: str) -> None:
        if film != self._name:
            raise ValueError("a film has the name under which it is received")

    def _snapshot(self) -> _Kept:
        return _Kept(self._state, bytes(self._buffer))

    def _put_part(self, data: bytes) -> None:
        if not self._state.upload_id:
            upload_id = self._bucket.begin(self._key)
            self._state = replace(self._state, upload_id=upload_id)
        number = len(self._state.parts) + 1
        if self._place and self._state.shared:
            self._bucket.put(shared_key(self._place, number), data)
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
