"""Signed tokens: one salt per purpose, a time limit, and a state that changes once they are used.

A mailed link carries the account's id twice, readable (`uid`) and signed, and a fingerprint of what
the link is about to change. Using the link changes that, so it works once; whatever else changes it
(a new password, another link) kills the link as well. Nothing is stored.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any

from flask import current_app
from itsdangerous import BadData, SignatureExpired, URLSafeTimedSerializer
from itsdangerous.encoding import base64_decode, base64_encode

MAX_ID = 2**63 - 1


class Purpose(StrEnum):
    """What a token is for; it is refused for anything else."""

    VERIFY = "verify"
    NEW_ADDRESS = "new_address"
    RESET = "reset"
    ACCESS = "access"
    REFRESH = "refresh"


class TokenInvalid(Exception):
    """The token is none of ours, was changed, or is for something else."""


class TokenExpired(TokenInvalid):
    """The token is genuine but too old."""


def sign(purpose: Purpose, payload: list[int | str]) -> str:
    """A token that carries this payload, readable by everyone, changeable by nobody."""
    return str(_serializer(purpose).dumps(payload))


def read(purpose: Purpose, token: str, max_age: timedelta | None) -> list[Any]:
    """The payload of a token of this purpose; None as age means that any age will do.

    Raises TokenExpired or TokenInvalid.
    """
    try:
        if not is_as_written(token):
            raise TokenInvalid
        seconds = None if max_age is None else int(max_age.total_seconds())
        payload = _serializer(purpose).loads(token, max_age=seconds)
    except SignatureExpired:
        raise TokenExpired from None
    except (BadData, UnicodeError):
        raise TokenInvalid from None
    if not isinstance(payload, list):
        raise TokenInvalid
    return payload


def is_as_written(signed: str) -> bool:
    """Whether a signed text's signature is spelled as we write it.

    Base64 has spellings that decode alike: only one is accepted, so that changing any byte makes a
    signed text invalid. Raises itsdangerous.BadData where it is no base64.
    """
    signature = signed.rsplit(".", 1)[-1]
    return base64_encode(base64_decode(signature)).decode() == signature


def link_parts(purpose: Purpose, user_id: int, state: str) -> tuple[str, str]:
    """`uid` and `token` of a link for this account, good while `state` stays the same."""
    return _uid(user_id), sign(purpose, [user_id, _fingerprint(purpose, state)])


def read_link(purpose: Purpose, uid: str, token: str, max_age: timedelta) -> tuple[int, str]:
    """The account's id and the fingerprint of its state when the link was made.

    Raises TokenExpired or TokenInvalid, the latter also where `uid` is not the signed id.
    """
    match read(purpose, token, max_age):
        case [int(user_id), str(fingerprint)] if 0 < user_id <= MAX_ID and uid == _uid(user_id):
            return user_id, fingerprint
    raise TokenInvalid


def same_state(purpose: Purpose, fingerprint: str, state: str) -> bool:
    """Whether the fingerprint was made of this state."""
    return hmac.compare_digest(fingerprint.encode(), _fingerprint(purpose, state).encode())


def _uid(user_id: int) -> str:
    return urlsafe_b64encode(str(user_id).encode()).decode().rstrip("=")


def _fingerprint(purpose: Purpose, state: str) -> str:
    key = str(current_app.config["SECRET_KEY"]).encode()
    digest = hmac.digest(key, f"videoflix.{purpose}.state:{state}".encode(), "sha256")
    return base64_encode(digest[:16]).decode()


def _serializer(purpose: Purpose) -> URLSafeTimedSerializer:
    return _made_for(purpose, current_app.config["SECRET_KEY"])


@lru_cache
def _made_for(purpose: Purpose, key: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        key,
        salt=f"videoflix.{purpose}",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )
