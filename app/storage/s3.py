"""Films in a bucket of an S3 server, so that any number of machines share them.

    films/<film>/…             the film's files, by the names they have everywhere
    incoming/<name>/state      how far an upload is, and its tail (`s3_incoming`)

A worker's copies and drafts lie in this machine's scratch folder. Names are used once only: an
object never changes, so a copy is never stale.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from app.storage.base import UNBOUNDED, Entry, FilmGone, Part, Source, open_source
from app.storage.bucket import Bucket, Found
from app.storage.s3_incoming import S3Incoming
from app.storage.s3_object import S3Object
from app.storage.s3_original import S3Original
from app.storage.s3_state import read_state
from app.storage.scratch import Scratch

PARALLEL: Final = 8
"""Files of one attempt that are brought, or stored, at a time."""

BLOCK_BYTES: Final = 1 << 20


class S3Storage:
    """`base.Storage` in a bucket, below a prefix.

    `signing` makes addresses for viewers; without it everything passes through this machine.
    """

    place = "s3"
    look_seconds = 300

    def __init__(
        self,
        bucket: Bucket,
        prefix: str,
        scratch: Scratch,
        *,
        part_bytes: int,
        signing: Bucket | None = None,
    ) -> None:
        self._bucket, self._signing = bucket, signing
        self._films, self._incoming = f"{prefix}films/", f"{prefix}incoming/"
        self._prefix, self._scratch, self._part_bytes = prefix, scratch, part_bytes

    def receive(self, name: str | None = None) -> S3Incoming:
        """An upload in parts; under a name it is written down how far it is."""
        place = None if name is None else f"{self._incoming}{name}/"
        name = name or secrets.token_hex(16)
        return S3Incoming(self._bucket, name, self._key(name, "original"), self._part_bytes, place)

    def received(self, name: str) -> int | None:
        """What the upload's state says."""
        state = read_state(self._bucket, f"{self._incoming}{name}/")
        return None if state is None else state.size

    def drop_received(self, name: str) -> None:
        """Remove state and tail, and the parts of an upload that is no film."""
        place = f"{self._incoming}{name}/"
        state = read_state(self._bucket, place)
        if state is not None and state.upload_id:
            self._bucket.abort(self._key(name, "original"), state.upload_id)
        self._bucket.delete_below(place)

    def adopt(self, source: Path, film: str, _name: str, told: Callable[[int], None]) -> str:
        """Upload it in parts; what an earlier try left is swept with other leftovers."""
        incoming = S3Incoming(self._bucket, film, self._key(film, "original"), self._part_bytes)
        digest = hashlib.sha256()
        try:
            with open_source(source) as file:
                while block := file.read(BLOCK_BYTES):
                    incoming.write(block)
                    digest.update(block)
                    told(len(block))
            incoming.keep(film)
        finally:
            incoming.discard()
        return digest.hexdigest()

    def link(self, source: Path, _film: str) -> None:
        """Never possible: a bucket is another disk."""
        raise OSError(18, "Invalid cross-device link", str(source))

    def reading(
        self, film: str, name: str, part: Part | None = None
    ) -> AbstractContextManager[Source]:
        """A copy of this machine, which others share; of a part far on, one for the caller."""
        origin = S3Original(self._bucket, self._key(film, name), f"{self._incoming}{film}/")
        return self._scratch.copy(film, name, origin, part)

    def bring(self, film: str, names: Sequence[str], place: Path) -> list[Path]:
        """Fetch them into `place`, several at a time."""
        paths = [place / "brought" / name for name in names]
        for folder in {path.parent for path in paths}:
            folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(PARALLEL) as pool:
            for path, data in zip(
                paths, pool.map(lambda name: self.read(film, name), names), strict=True
            ):
                path.write_bytes(data)
        return paths

    def read(self, film: str, name: str) -> bytes:
        """Get the object."""
        return self._bucket.read(self._key(film, name))

    def blocks(self, film: str, name: str) -> Iterator[bytes]:
        """Get the object, range by range, so that no answer is open for long."""
        found = self._bucket.head(self._key(film, name))
        if found is None:
            raise FileNotFoundError(name)
        for start in range(0, found.bytes, self._part_bytes):
            length = min(self._part_bytes, found.bytes - start)
            yield self._bucket.read(found.key, start, length)

    def write_blocks(self, film: str, name: str, blocks: Iterable[bytes]) -> None:
        """Upload it in parts: no object is there before its last byte."""
        incoming = S3Incoming(self._bucket, film, self._key(film, name), self._part_bytes)
        try:
            for block in blocks:
                incoming.write(block)
            incoming.keep(film)
        finally:
            incoming.discard()

    def deliver(self, film: str, name: str) -> S3Object:
        """The object, if it is there."""
        return S3Object(self._bucket, self._signing, self._key(film, name))

    def scratch(self, _film: str, attempt: str) -> Path:
        """A folder on this machine."""
        return self._scratch.begin_attempt(attempt)

    def publish(self, film: str, files: Iterable[tuple[Path, str]]) -> None:
        """Upload them, several at a time; all have been acknowledged on return."""

        def put(file: tuple[Path, str]) -> None:
            path, name = file
            try:
                data = path.read_bytes()
            except FileNotFoundError as error:
                raise FilmGone(film) from error
            self._bucket.put(self._key(film, name), data)
            path.unlink(missing_ok=True)

        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(put, files))

    def drop_scratch(self, _film: str, attempt: str) -> None:
        """Remove the folder of this machine."""
        self._scratch.end_attempt(attempt)

    def delete_film(self, film: str) -> None:
        """Delete every object and upload below the film's name, and this machine's copy."""
        self._bucket.delete_below(self._key(film, ""))
        self._scratch.drop(film)

    def keep_only(self, film: str, name: str) -> None:
        """Delete all objects but one."""
        kept = self._key(film, name)
        found = self._bucket.objects(self._key(film, ""))
        self._bucket.delete([one.key for one in found if one.key != kept])

    def delete(self, film: str, name: str) -> None:
        """Delete the object, and all below it."""
        key = self._key(film, name)
        found = [one.key for one in self._bucket.objects(key)]
        self._bucket.delete([one for one in found if one == key or one.startswith(f"{key}/")])

    def films(self) -> Iterator[str]:
        """The names below `films/`."""
        yield from self._bucket.folders(self._films)

    def entries(self, film: str) -> Iterator[Entry]:
        """The film's objects; a bucket has no folders."""
        prefix = self._key(film, "")
        for found in self._bucket.objects(prefix):
            yield _entry(found.key.removeprefix(prefix), found)

    def entry(self, film: str, name: str) -> Entry | None:
        """An object, or what is like a folder: names that begin so. That is as old as its last."""
        key = self._key(film, name)
        found = self._bucket.head(key) if name else None
        if found is not None:
            return _entry(name, found)
        below = self._bucket.objects(f"{key}/" if name else key)
        ages = [one.modified for one in below]
        return Entry(name, is_folder=True, bytes=0, modified=max(ages)) if ages else None

    def leftovers(self, older_than: float, owned: Container[str] = ()) -> Iterator[str]:
        """States of uploads and uploads in parts that nobody owns."""
        limit = time.time() - older_than
        names: dict[str, float] = {}
        for found in self._bucket.objects(self._incoming):
            name = found.key.removeprefix(self._incoming).split("/")[0]
            names[name] = max(found.modified, names.get(name, 0.0))
        yield from (
            f"incoming/{name}"
            for name, moved in names.items()
            if moved < limit and name not in owned
        )
        for _, key, begun in self._bucket.uploads(self._films):
            name = key.removeprefix(self._films)
            if begun < limit and name.split("/")[0] not in owned:
                yield f"uploads/{name}"

    def sweep_incoming(self, older_than: float, owned: Container[str] = ()) -> int:
        """Remove what `leftovers` finds, and what the dead left on this machine."""
        self._scratch.sweep()
        count = 0
        for name in list(self.leftovers(older_than, owned)):
            kind, _, rest = name.partition("/")
            if kind == "incoming":
                self._bucket.delete_below(f"{self._incoming}{rest}/")
                count += 1
            else:
                for upload_id, key, _ in self._bucket.uploads(self._films + rest):
                    self._bucket.abort(key, upload_id)
        return count

    def copies(self) -> Iterator[str]:
        """Films of which this machine has a copy."""
        return self._scratch.films()

    def drop_copies(self, film: str) -> None:
        """Remove the copy, unless it is being read: then at the next sweep."""
        self._scratch.drop(film)

    def free_bytes(self) -> int:
        """A bucket does not say."""
        return UNBOUNDED

    def check(self) -> None:
        """Write, list, read and delete a small object."""
        key = f"{self._prefix}check/{secrets.token_hex(8)}"
        self._bucket.put(key, b"ok")
        try:
            listed = [found.key for found in self._bucket.objects(key)]
            if listed != [key] or self._bucket.read(key) != b"ok":
                raise OSError(5, "the bucket does not give back what it takes")
        finally:
            self._bucket.delete([key])

    def _key(self, film: str, name: str) -> str:
        return f"{self._films}{film}/{name}"


def _entry(name: str, found: Found) -> Entry:
    return Entry(name, is_folder=False, bytes=found.bytes, modified=found.modified)
