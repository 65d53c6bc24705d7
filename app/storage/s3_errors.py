"""What an S3 server refuses, as our errors.

404 is a FileNotFoundError, a full bucket an OSError as of a full disk, and everything else (no
answer, wrong keys, no leave) StorageAway, with what an operator can do.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from app.storage.base import StorageAway

MISSING: Final = {"404", "NoSuchKey", "NotFound"}
_FULL: Final = {"507", "QuotaExceeded", "InsufficientStorage", "XMinioStorageFull"}
_WHY: Final = {
    "AccessDenied": "no leave: check the rights of S3_ACCESS_KEY on the bucket",
    "403": "no leave: check S3_ACCESS_KEY, S3_SECRET_KEY and their rights on the bucket",
    "InvalidAccessKeyId": "an unknown key: check S3_ACCESS_KEY",
    "NoSuchBucket": "there is no such bucket: check S3_BUCKET",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
    "SignatureDoesNotMatch": "a wrong key: check S3_SECRET_KEY and S3_REGION",
}


class Declined(Exception):
    """An object was asked for under a condition: it is not sent, for the reason of this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class UploadGone(StorageAway):
    """The parts of an upload are no longer there: it was completed or given up."""


@contextlib.contextmanager
def our_errors(key: str) -> Iterator[None]:
    """Turn what is raised inside into our errors; `key` is what was asked for."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = str(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
        if code in MISSING:
            raise FileNotFoundError(errno.ENOENT, "There is no such object", key) from None
        if status in {"304", "416"}:
            raise Declined(int(status)) from None
        if code in _FULL or status in _FULL:
            raise OSError(errno.ENOSPC, "The bucket is full") from error
        if code == "NoSuchUpload":
            raise UploadGone(code) from None
        raise StorageAway(_WHY.get(code, code or status)) from error
    except BotoCoreError as error:
        raise StorageAway(f"no answer ({type(error).__name__}): check S3_ENDPOINT") from error
