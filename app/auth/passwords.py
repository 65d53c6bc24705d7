"""Passwords: what is accepted, and argon2id.

Hashing takes some 90 ms and 64 MiB (RFC 9106, second recommended option, which is argon2-cffi's
default): callers release their database transaction first. A process runs no more hashes at a time
than there are cores, so that a burst of logins cannot take all the memory.
"""

from __future__ import annotations

import os
import threading
import unicodedata
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from itsdangerous.encoding import base64_encode

MIN_LENGTH = 8
MAX_LENGTH = 256

_MAX_RAW = 4 * MAX_LENGTH
"""Text longer than this is refused before it is normalised."""

_LIST = Path(__file__).with_name("common_passwords.txt")

_hasher = PasswordHasher()
_slots = threading.BoundedSemaphore(max(2, os.cpu_count() or 1))


def problems(password: str, address: str = "") -> list[str]:
    """What is wrong with a new password, as sentences; an empty list if nothing is.

    Any character counts, spaces included, and nothing is trimmed. Length is measured in code
    points after NFKC, which is what is hashed.
    """
    if len(password) > _MAX_RAW:
        return [f"Use at most {MAX_LENGTH} characters."]
    if any("\ud800" <= character <= "\udfff" for character in password):
        return ["This password contains something that is not a character."]
    normal = unicodedata.normalize("NFKC", password)
    if len(normal) < MIN_LENGTH:
        return [f"Use at least {MIN_LENGTH} characters."]
    if len(normal) > MAX_LENGTH:
        return [f"Use at most {MAX_LENGTH} characters."]
    folded = normal.casefold()
    if folded in _common() or len(set(folded)) == 1:
        return ["This password is one of the first that anyone would try. Choose another."]
    if address and folded in {address.casefold(), address.partition("@")[0].casefold()}:
        return ["Your password must not be your e-mail address."]
    return []


def hash_password(password: str) -> str:
    """The argon2id hash to store."""
    with _slots:
        return _hasher.hash(_normal(password))


def verify(password_hash: str | None, password: str) -> bool:
    """Whether this is the password. It takes as long where there is no hash at all."""
    right = password_hash is not None and len(password) <= _MAX_RAW
    with _slots:
        try:
            _hasher.verify(password_hash or _nobodys_hash(), _normal(password[:_MAX_RAW]))
        except (VerificationError, InvalidHashError):
            return False
    return right


def is_outdated(password_hash: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


def _normal(password: str) -> bytes:
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def _nobodys_hash() -> str:
    """A hash with today's parameters that belongs to no password we could name."""
    salt = base64_encode(bytes(_hasher.salt_len)).decode().replace("-", "+").replace("_", "/")
    tail = base64_encode(bytes(_hasher.hash_len)).decode().replace("-", "+").replace("_", "/")
    cost = f"m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}"
    return f"$argon2id$v=19${cost}${salt}${tail}"


@cache
def _common() -> frozenset[str]:
    lines = _LIST.read_text(encoding="utf-8").splitlines()
    return frozenset(line.casefold() for line in lines if line and not line.startswith("#"))
