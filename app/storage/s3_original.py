"""A film's file in a bucket: one object, or while it comes in the parts that are shared so far."""

from __future__ import annotations

from app.storage.bucket import Bucket
from app.storage.s3_state import State, read_shared, read_state


class S3Original:
    """`growing.Origin` of the object under `key`, whose upload's objects lie below `place`."""

    def __init__(self, bucket: Bucket, key: str, place: str) -> None:
        self._bucket, self._key, self._place = bucket, key, place
        self._coming: State | None = None

    def measure(self) -> tuple[int, bool]:
        """Ask for the object, and if there is none, how far its upload is."""
        found = self._bucket.head(self._key)
        if found is not None:
            return found.bytes, True
        state = read_state(self._bucket, self._place)
        if state is None or not state.shared:
            raise FileNotFoundError(self._key)
        self._coming = state
        return state.in_parts, False

    def fetch(self, start: int, length: int) -> bytes:
        """Read a range of the object, or of the parts that it lies in."""
        if self._coming is not None:
            try:
                return read_shared(self._bucket, self._place, self._coming, start, length)
            except FileNotFoundError:  # its last byte came meanwhile
                self._coming = None
        return self._bucket.read(self._key, start, length)
