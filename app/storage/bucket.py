"""A bucket of an S3 server: the few calls that are needed, with our errors (`s3_errors`).

Whatever is uploaded carries its MD5, which the server checks, and the answer is held against it.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from boto3.session import Session
from botocore.config import Config

from app.storage.base import StorageAway
from app.storage.s3_errors import MISSING, UploadGone, our_errors

BATCH: Final = 1000
"""Objects of one answer or of one deletion: the most that S3 takes."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object: its key, its bytes, when it was written (epoch seconds), and its tag."""

    key: str
    bytes: int
    modified: float
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """Where a bucket is and who asks; empty keys leave that to the machine's role."""

    bucket: str
    endpoint: str = ""
    region: str = "us-east-1"
    access_key: str = ""
    secret_key: str = ""


class Bucket:
    """One bucket. Each process has a client of its own: connections survive no fork."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._clients: dict[int, Any] = {}
        self._making = threading.Lock()
        # Loading the description of S3 takes a tenth of a second, which forks need not do again.
        self._client  # noqa: B018

    @property
    def name(self) -> str:
        """The bucket's name."""
        return self._account.bucket

    def put(self, key: str, data: bytes, mimetype: str = "application/octet-stream") -> None:
        """Write an object."""
        md5 = hashlib.md5(data, usedforsecurity=False)
        with our_errors(key):
            answer = self._client.put_object(
                Bucket=self.name, Key=key, Body=data, ContentType=mimetype, ContentMD5=_text(md5)
            )
        _require_same(answer, md5.hexdigest(), key)

    def get(self, key: str, **wanted: str) -> dict[str, Any]:
        """The server's answer with headers and `Body`. Raises FileNotFoundError, Declined."""
        with our_errors(key):
            answer: dict[str, Any] = self._client.get_object(Bucket=self.name, Key=key, **wanted)
        return answer

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """Bytes of an object. Raises FileNotFoundError."""
        wanted = {} if length is None else {"Range": f"bytes={start}-{start + length - 1}"}
        answer = self.get(key, **wanted)
        with our_errors(key), contextlib.closing(answer["Body"]) as body:
            data: bytes = body.read()
        return data

    def head(self, key: str) -> Found | None:
        """What is under this key."""
        try:
            with our_errors(key):
                answer = self._client.head_object(Bucket=self.name, Key=key)
        except FileNotFoundError:
            return None
        return Found(
            key, answer["ContentLength"], _seconds(answer["LastModified"]), answer.get("ETag", "")
        )

    def objects(self, prefix: str, limit: int = BATCH) -> Iterator[Found]:
        """Every object whose key begins so, page by page."""
        token: dict[str, str] = {}
        while True:
            with our_errors(prefix):
                page = self._client.list_objects_v2(
                    Bucket=self.name, Prefix=prefix, MaxKeys=min(limit, BATCH), **token
                )
            for one in page.get("Contents", ()):
                yield Found(one["Key"], one["Size"], _seconds(one["LastModified"]))
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def folders(self, prefix: str) -> Iterator[str]:
        """The names between the prefix and the next slash."""
        token: dict[str, str] = {}
        while True:
            with our_errors(prefix):
                page = self._client.list_objects_v2(
                    Bucket=self.name, Prefix=prefix, Delimiter="/", **token
                )
            for one in page.get("CommonPrefixes", ()):
                yield one["Prefix"].removeprefix(prefix).rstrip("/")
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def delete(self, keys: list[str]) -> None:
        """Remove objects, whether or not they are there."""
        for at in range(0, len(keys), BATCH):
            batch = [{"Key": key} for key in keys[at : at + BATCH]]
            with our_errors(keys[at]):
                answer = self._client.delete_objects(
                    Bucket=self.name, Delete={"Objects": batch, "Quiet": True}
                )
            for error in answer.get("Errors", ()):
                if error.get("Code") not in MISSING:
                    raise StorageAway(f"cannot delete: {error.get('Code')}")

    def delete_below(self, prefix: str) -> None:
        """Remove every object whose key begins so, and every upload that would become one."""
        for upload_id, key, _begun in self.uploads(prefix):
            self.abort(key, upload_id)
        while keys := [found.key for found in self.objects(prefix)]:
            self.delete(keys)

    def begin(self, key: str) -> str:
        """Begin an upload in parts; its id."""
        with our_errors(key):
            answer = self._client.create_multipart_upload(
                Bucket=self.name, Key=key, ContentType="application/octet-stream"
            )
        return str(answer["UploadId"])

    def put_part(self, key: str, upload_id: str, number: int, data: bytes) -> str:
        """Upload a part, numbered from 1; its tag. Raises UploadGone."""
        md5 = hashlib.md5(data, usedforsecurity=False)
        with our_errors(key):
            answer = self._client.upload_part(
                Bucket=self.name,
                Key=key,
                UploadId=upload_id,
                PartNumber=number,
                Body=data,
                ContentMD5=_text(md5),
            )
        _require_same(answer, md5.hexdigest(), key)
        return str(answer["ETag"])

    def complete(self, key: str, upload_id: str, tags: list[str]) -> None:
        """Make an object of the parts. Raises UploadGone."""
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        with our_errors(key):
            self._client.complete_multipart_upload(
                Bucket=self.name, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}
            )

    def abort(self, key: str, upload_id: str) -> None:
        """Forget an upload with its parts."""
        with contextlib.suppress(UploadGone, FileNotFoundError), our_errors(key):
            self._client.abort_multipart_upload(Bucket=self.name, Key=key, UploadId=upload_id)

    def uploads(self, prefix: str) -> list[tuple[str, str, float]]:
        """(id, key, begun at) of every unfinished upload whose key begins so."""
        found: list[tuple[str, str, float]] = []
        marker: dict[str, str] = {}
        while True:
            try:
                with our_errors(prefix):
                    page = self._client.list_multipart_uploads(
                        Bucket=self.name, Prefix=prefix, **marker
                    )
            except UploadGone:  # as a server may say of none
                return found
            found += [
                (one["UploadId"], one["Key"], _seconds(one["Initiated"]))
                for one in page.get("Uploads", ())
            ]
            if not page.get("IsTruncated"):
                return found
            marker = {
                "KeyMarker": page["NextKeyMarker"],
                "UploadIdMarker": page["NextUploadIdMarker"],
            }

    def sign(self, key: str, seconds: int, mimetype: str, cache: str) -> str:
        """An address that gives this object to whoever has it, for so many seconds."""
        return str(
            self._client.generate_presigned_url(
                "get_object",
                Params={
                    "Bucket": self.name,
                    "Key": key,
                    "ResponseContentType": mimetype,
                    "ResponseCacheControl": cache,
                },
                ExpiresIn=seconds,
            )
        )

    @property
    def _client(self) -> Any:
        process = os.getpid()
        client = self._clients.get(process)
        if client is None:
            with self._making:
                client = self._clients[process] = _session().client(
                    "s3",
                    endpoint_url=self._account.endpoint or None,
                    region_name=self._account.region,
                    aws_access_key_id=self._account.access_key or None,
                    aws_secret_access_key=self._account.secret_key or None,
                    config=Config(
                        signature_version="s3v4",
                        s3={
                            "addressing_style": "path" if self._account.endpoint else "auto",
                            "us_east_1_regional_endpoint": "regional",
                        },
                        # Not every server knows the newer checksums; all know MD5.
                        request_checksum_calculation="when_required",
                        response_checksum_validation="when_required",
                        connect_timeout=5,
                        read_timeout=20,
                        retries={"mode": "standard", "total_max_attempts": 3},
                        max_pool_connections=16,
                    ),
                )
        return client


@functools.cache
def _session() -> Any:
    """boto3's session; it opens nothing, and what it has loaded is kept over forks."""
    return Session()


def _require_same(answer: dict[str, Any], md5: str, key: str) -> None:
    """Raise StorageAway where the server has other bytes than were sent.

    Encrypted buckets give a tag that is no MD5, and not of its form.
    """
    tag = str(answer.get("ETag", "")).strip('"').lower()
    plain = "ServerSideEncryption" not in answer or answer["ServerSideEncryption"] == "AES256"
    if plain and len(tag) == len(md5) and tag != md5:
        raise StorageAway(f"{key} came out with other bytes")


def _text(digest: Any) -> str:
    return base64.b64encode(digest.digest()).decode()


def _seconds(moment: datetime) -> float:
    """Whole seconds: lists know fractions that single answers do not."""
    return float(int(moment.timestamp()))
