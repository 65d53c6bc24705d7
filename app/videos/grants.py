"""Stream grants: the part of a stream's path that opens one film for one viewer for some hours.

A grant is signed, not stored. It says who may read what until when: a member, or whoever has the
film's share link. Whether that is still true (the film deleted, withdrawn, the viewer disabled) is
asked of the table each time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer

from app.auth.tokens import is_as_written
from app.errors import NotFound

_SALT = "videoflix.stream-grant.1"

STEP_SECONDS = 3600
"""Ends are rounded up to whole hours, so that a picture keeps its address, and its place in the
browser's cache, for an hour."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A film, its viewer (a member's id, or the share key), and the end as epoch seconds."""

    video_id: int
    viewer: int | str
    expires: int


def issue(video_id: int, viewer: int | str) -> tuple[str, Grant]:
    """Make a grant that lasts GRANT_HOURS, and up to an hour more."""
    wanted = time.time() + current_app.config["GRANT_HOURS"] * 3600
    expires = int(-(-wanted // STEP_SECONDS) * STEP_SECONDS)
    grant = Grant(video_id, viewer, expires)
    key = current_app.config["SECRET_KEY"]
    return _written(key, video_id, viewer, expires // STEP_SECONDS), grant


@lru_cache(maxsize=4096)
def _written(key: str, video_id: int, viewer: int | str, steps: int) -> str:
    """The grant's text: the same for an hour, and asked for by every list that shows the film."""
    return str(_serializer(key).dumps([video_id, viewer, steps]))


def read(text: str) -> Grant:
    """Check a grant. Raises NotFound for one that is forged, garbled or over."""
    try:
        if not is_as_written(text):
            raise NotFound
        key = current_app.config["SECRET_KEY"]
        video_id, viewer, steps = _serializer(key).loads(text)
        grant = Grant(int(video_id), viewer, int(steps) * STEP_SECONDS)
    except (BadData, ValueError, TypeError):
        raise NotFound from None
    if grant.expires < time.time():
        raise NotFound("This address has expired. Open the film again.")
    return grant


def _serializer(key: str) -> URLSafeSerializer:
    return URLSafeSerializer(key, salt=_SALT)
