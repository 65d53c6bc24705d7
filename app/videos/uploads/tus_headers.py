"""The headers of tus 1.0.0 (https://tus.io/protocols/resumable-upload): read, checked, written."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping

from werkzeug.http import http_date

from app.errors import DomainError, InvalidInput
from app.videos.models import FILENAME_LENGTH, Upload
from app.videos.uploads.writer import Checksum

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,checksum,termination,expiration"
ALGORITHMS = ("sha1", "sha256", "md5")
CHUNK_TYPE = "application/offset+octet-stream"

_NUMBER = re.compile(r"[0-9]{1,18}")
_KEY = re.compile(r"[!-+\--~]+")
"""Visible ASCII without the comma."""


def require_version(given: str | None) -> None:
    """Raise DomainError `tus_version` unless the client speaks our version."""
    if given != VERSION:
        raise DomainError(
            f"Send Tus-Resumable: {VERSION}, the version of tus that is spoken here.",
            code="tus_version",
            status=412,
            headers={"Tus-Version": VERSION},
        )


def read_number(name: str, given: str | None) -> int:
    """A number of bytes. Raises InvalidInput that names the header."""
    if given is None or not _NUMBER.fullmatch(given):
        raise InvalidInput({name: ["This must be a whole number of bytes."]})
    return int(given)


def read_metadata(given: str) -> dict[str, str]:
    """The pairs of an `Upload-Metadata`. Raises InvalidInput.

    Bytes that are no UTF-8 are replaced: they only were a name for people.
    """
    found: dict[str, str] = {}
    for pair in given.split(",") if given.strip() else ():
        key, _, value = pair.strip().partition(" ")
        try:
            text = base64.b64decode(value.strip(), validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            raise _bad_metadata(f"The value of {key[:40]} is no base64.") from None
        if not _KEY.fullmatch(key) or key in found:
            raise _bad_metadata("Each pair needs a name of its own, of visible ASCII signs.")
        found[key] = text
    return found


def read_filename(metadata: Mapping[str, str]) -> str:
    """The name of the file where it came from, in one line; for people, never for a disk."""
    name = metadata.get("filename") or metadata.get("name") or ""
    return "".join(sign if sign.isprintable() else " " for sign in name).strip()[:FILENAME_LENGTH]


def read_checksum(given: str | None) -> Checksum | None:
    """The checksum of a body. Raises DomainError `bad_checksum`."""
    if given is None:
        return None
    algorithm, _, value = given.partition(" ")
    if algorithm not in ALGORITHMS:
        raise _bad_checksum(f"Make the checksum with one of {', '.join(ALGORITHMS)}.")
    digest = hashlib.new(algorithm, usedforsecurity=False)
    try:
        wanted = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        wanted = b""
    if len(wanted) != digest.digest_size:
        raise _bad_checksum(f"This is no base64 of a {algorithm} checksum.")
    return Checksum(digest, wanted)


def progress_headers(upload: Upload, offset: int) -> dict[str, str]:
    """How far the upload is, and until when it can go on."""
    headers = {"Upload-Offset": str(offset)}
    if upload.finished_at is None:
        headers["Upload-Expires"] = http_date(upload.expires_at)
    return headers


def _bad_metadata(why: str) -> InvalidInput:
    return InvalidInput({"Upload-Metadata": [why]})


def _bad_checksum(why: str) -> DomainError:
    return DomainError(why, code="bad_checksum")
