"""What the films of an account mean when the account goes, or its owner wants all data."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.auth.models import User
from app.database import db
from app.formatting import rfc3339
from app.videos import queries, service
from app.videos.models import Task, Video
from app.videos.presentation import describe_all, describe_upload
from app.videos.uploads import resumable, room
from app.videos.viewing_models import Saved, Viewing

BATCH = 200


class Films:
    """An account's own films, as `app.auth.belongings` asks for them."""

    def export(self, user_id: int) -> list[dict[str, Any]]:
        """Every own film as the API describes it."""
        user = db.session.get_one(User, user_id)
        films: list[dict[str, Any]] = []
        before: str | None = None
        while True:
            page = queries.owned(user, limit=BATCH, before=before)
            films += describe_all(page.videos, user)
            if page.next_before is None:
                return films
            before = page.next_before

    def remove(self, user_id: int) -> None:
        """Remove every own film, one being converted too."""
        db.session.execute(
            select(Task.id)
            .join(Video, Video.id == Task.video_id)
            .where(Video.owner_id == user_id)
            .order_by(Task.id)
            .with_for_update(of=Task)
        ).all()
        for video in db.session.scalars(select(Video).where(Video.owner_id == user_id)).all():
            service.remove(video)

    def used_bytes(self, user_id: int) -> int:
        """Bytes of all own films, as they came."""
        return room.films_bytes(user_id)


class Uploads:
    """An account's uploads in pieces, as `app.auth.belongings` asks for them."""

    def export(self, user_id: int) -> list[dict[str, Any]]:
        """Every upload that is live or lately finished."""
        return [
            describe_upload(upload, resumable.offset_of(upload))
            for upload in resumable.listed(user_id)
        ]

    def remove(self, user_id: int) -> None:
        """End every upload, one that is being written to as well."""
        resumable.remove_all(user_id)

    def used_bytes(self, user_id: int) -> int:
        """The full length of unfinished uploads."""
        return room.promised_bytes(user_id)


class Viewings:
    """What an account remembers of films, its own and others', as `app.auth.belongings` asks."""

    def export(self, user_id: int) -> list[dict[str, Any]]:
        """Every film begun or seen: how far, and when."""
        found = db.session.execute(
            select(Viewing, Video.title)
            .join(Video, Video.id == Viewing.video_id)
            .where(Viewing.user_id == user_id)
            .order_by(Viewing.seen_at.desc(), Viewing.video_id.desc())
        )
        return [
            {
                "video_id": viewing.video_id,
                "title": title,
                "position": viewing.position,
                "seen_at": rfc3339(viewing.seen_at),
                "watched_at": rfc3339(viewing.watched_at) if viewing.watched_at else None,
            }
            for viewing, title in found
        ]

    def remove(self, user_id: int) -> None:
        """Nothing: the rows go with the account's."""

    def used_bytes(self, user_id: int) -> int:
        """Nothing."""
        return 0


class MyList:
    """The films that an account keeps on its list, as `app.auth.belongings` asks for them."""

    def export(self, user_id: int) -> list[dict[str, Any]]:
        """Every film on the list, and since when."""
        found = db.session.execute(
            select(Saved, Video.title)
            .join(Video, Video.id == Saved.video_id)
            .where(Saved.user_id == user_id)
            .order_by(Saved.saved_at.desc(), Saved.video_id.desc())
        )
        return [
            {"video_id": saved.video_id, "title": title, "saved_at": rfc3339(saved.saved_at)}
            for saved, title in found
        ]

    def remove(self, user_id: int) -> None:
        """Nothing: the rows go with the account's."""

    def used_bytes(self, user_id: int) -> int:
        """Nothing."""
        return 0
