"""Share links: one film, for whoever has the link, until its owner withdraws it.

Nothing here commits.
"""

from __future__ import annotations

import re
import secrets

from sqlalchemy import update

from app.database import db, update_rows
from app.errors import NotFound
from app.videos import policy, queries
from app.videos.models import SHARE_KEY_LENGTH, Video

_KEY = re.compile(rf"[A-Za-z0-9_-]{{{SHARE_KEY_LENGTH}}}")


def share(video: Video) -> str:
    """The key of the film's link, made on the first call; whoever asks again gets the same.

    Two who ask at once get the same one too: only a film without a key takes one.
    """
    if video.share_key is None:
        update_rows(
            update(Video)
            .where(Video.id == video.id, Video.share_key.is_(None))
            .values(share_key=secrets.token_urlsafe(SHARE_KEY_LENGTH * 3 // 4))
        )
        db.session.refresh(video, ["share_key"])
    if video.share_key is None:  # it was withdrawn or deleted in that moment
        raise NotFound("There is no such film.")
    return video.share_key


def unshare(video: Video) -> None:
    """Withdraw the film's link; grants that were made with it die with it. Flushes."""
    video.share_key = None
    db.session.flush()


def find(key: str) -> Video:
    """The film that this link opens, with all that is said of it. Raises NotFound."""
    if _KEY.fullmatch(key):
        found = queries.films().where(Video.share_key == key)
        video = db.session.scalars(found).unique().one_or_none()
        if video is not None and policy.may_watch_shared(key, video, video.owner):
            return video
    raise NotFound("This link does not work any more. Ask whoever gave it to you for a new one.")
