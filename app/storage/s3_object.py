"""An object of a bucket on its way to a viewer: by a signed address, or through this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

from app.storage.base import Answer
from app.storage.bucket import Bucket
from app.storage.s3_errors import Declined

ADDRESS_SECONDS: Final = 60
"""How long a signed address works: a film that is withdrawn is out of reach within a minute."""

BLOCK_BYTES: Final = 1 << 20

_PASSED: Final = {
    "ContentLength": "Content-Length",
    "ContentRange": "Content-Range",
    "ETag": "ETag",
    "AcceptRanges": "Accept-Ranges",
}


class S3Object:
    """`base.Remote`: an object for a viewer."""

    def __init__(self, bucket: Bucket, signing: Bucket | None, key: str) -> None:
        self._bucket, self._signing, self._key = bucket, signing, key

    def address(self, mimetype: str, cache: str) -> str | None:
        """A signed address."""
        if self._signing is None:
            return None
        return self._signing.sign(self._key, ADDRESS_SECONDS, mimetype, cache)

    def signed_path(self, mimetype: str, cache: str) -> str:
        """The rest of an address that is signed for us; the path unquoted, as servers hold it."""
        parts = urlsplit(self._bucket.sign(self._key, ADDRESS_SECONDS, mimetype, cache))
        return f"{unquote(parts.path)}?{parts.query}"

    def open(self, wanted: Mapping[str, str]) -> Answer:
        """Get it, or the part of it that is wanted."""
        known = {"Range": "Range", "If-None-Match": "IfNoneMatch"}
        asked = {known[name]: value for name, value in wanted.items() if name in known}
        try:
            answer = self._bucket.get(self._key, **asked)
        except Declined as error:
            return Answer(error.status, {}, iter(()))
        headers = {out: str(answer[name]) for name, out in _PASSED.items() if name in answer}
        status = 206 if "ContentRange" in answer else 200
        return Answer(status, headers, _body(answer["Body"]))


def _body(body: object) -> Iterator[bytes]:
    with contextlib.closing(body) as stream:  # type: ignore[type-var]
        yield from stream.iter_chunks(BLOCK_BYTES)  # type: ignore[attr-defined]
