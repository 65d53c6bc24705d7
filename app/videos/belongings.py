"""What the films of an account mean when the account goes, or its owner wants all data."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.auth.models import User
from app.database import db
from app.videos import queries, resumable, room, service
from app.videos.models import Task, Video
from app.videos.presentation import describe_all, describe_upload

BATCH = 200


class Films:
    """An account's own films, as `app.auth.belongings` asks for them."""

    def export(self, user_id: int) -> list[dict[str, Any]]:
        """Every own film as the API describes it."""
        user = db.session.get_one(User, user_id)
        films: list[dict[str, Any]] = []
        before: int | None = None
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
