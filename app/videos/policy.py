"""Who may do what with a film: pure functions, asked by every list, page, image and stream."""

from __future__ import annotations

import hmac

from sqlalchemy import ColumnElement, and_, or_, true

from app.auth.models import User
from app.videos.models import Video


def may_watch(user: User, video: Video) -> bool:
    """Owners watch their own; everyone signed in watches the global catalogue."""
    if user.disabled_at is not None or not video.playable:
        return False
    return video.is_global or video.owner_id == user.id


def may_watch_shared(key: str, video: Video, owner: User) -> bool:
    """Whoever has the film's link, until it is withdrawn or its owner's account is shut."""
    if owner.disabled_at is not None or not video.playable or video.share_key is None:
        return False
    return hmac.compare_digest(key.encode(), video.share_key.encode())


def may_see(user: User, video: Video) -> bool:
    """Whether the film's existence may be known to this person."""
    return may_watch(user, video) or may_change(user, video)


def may_change(user: User, video: Video) -> bool:
    """Owners change their own films; curators change those of the global catalogue."""
    if user.disabled_at is not None:
        return False
    return video.owner_id == user.id or (video.is_global and user.is_curator) or user.is_admin


def may_share(user: User, video: Video) -> bool:
    """Owners alone hand out links to their films."""
    return user.disabled_at is None and video.owner_id == user.id


def may_publish(user: User, video: Video) -> bool:
    """Curators put films that they may change into the catalogue, and take them out."""
    return may_fill_catalogue(user) and may_change(user, video)


def may_upload(user: User) -> bool:
    """Whoever confirmed their address uploads films."""
    return user.is_verified and user.disabled_at is None


def may_fill_catalogue(user: User) -> bool:
    """Curators add to the global catalogue, and order it."""
    return user.is_curator and may_upload(user)


def in_catalogue() -> ColumnElement[bool]:
    """The global films that can be watched, as a condition of a query."""
    return and_(Video.is_global.is_(True), Video.playable.is_(True))


def watchable(user: User) -> ColumnElement[bool]:
    """`may_watch` as a condition of a query."""
    return and_(Video.playable.is_(True), or_(Video.is_global.is_(True), Video.owner_id == user.id))


def visible(user: User) -> ColumnElement[bool]:
    """`may_see` as a condition of a query."""
    if user.is_admin:
        return true()
    seen = or_(watchable(user), Video.owner_id == user.id)
    return or_(seen, Video.is_global.is_(True)) if user.is_curator else seen
