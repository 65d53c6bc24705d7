"""Where a list goes on: the `before` that a page's `Link` names, a text that clients only return.

It says what the last film of the page was ordered by, so that rows which come and go meanwhile
move nothing. All of it is told apart by who made it: a list reads its own kind.
"""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta

from app.errors import InvalidInput

LENGTH = 1200
"""Characters that no cursor exceeds: a title of 200 signs in base64 is the longest."""

_ID = re.compile(r"[1-9][0-9]{0,17}")
_MOMENT = re.compile(r"(0|[1-9][0-9]{0,15})-([1-9][0-9]{0,17})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_id(text: str) -> int:
    """The id in the cursor of a list that is ordered by ids. Raises InvalidInput."""
    if not _ID.fullmatch(text):
        raise wrong_cursor()
    return int(text)


def write_moment(moment: datetime, video_id: int) -> str:
    """The cursor of a list that is ordered by moments, and films of the same moment by id."""
    return f"{(moment - _EPOCH) // timedelta(microseconds=1)}-{video_id}"


def read_moment(text: str) -> tuple[datetime, int]:
    """The moment and the id in such a cursor. Raises InvalidInput."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise wrong_cursor()
    return _EPOCH + timedelta(microseconds=int(found[1])), int(found[2])


def write_title(title: str, series_id: int) -> str:
    """The cursor of a list that is ordered by titles, and equal ones by id."""
    return f"{base64.urlsafe_b64encode(title.encode()).decode()}.{series_id}"


def read_title(text: str) -> tuple[str, int]:
    """The title and the id in such a cursor. Raises InvalidInput."""
    title, _, series_id = text.rpartition(".")
    try:
        found = base64.b64decode(title, altchars=b"-_", validate=True).decode()
    except ValueError:
        raise wrong_cursor() from None
    if "\0" in found:
        raise wrong_cursor()
    return found, read_id(series_id)


def wrong_cursor() -> InvalidInput:
    """What a cursor is answered with that no page of this list can have named."""
    return InvalidInput({"before": ["This is not where a page of this list ended."]})
