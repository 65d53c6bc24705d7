"""What members remember of films, and the order that curators gave the catalogue."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, UtcDateTime, now
from app.videos.models import CATEGORY_LENGTH


class Viewing(Base):
    """How far a member has come in a film. It is an entry of "continue watching" until finished.

    `position` is in seconds; `seen_at` is the moment at which it was true. `watched_at` is when the
    film was last finished, also while it is watched once more.
    """

    __tablename__ = "viewings"
    __table_args__ = (
        Index("ix_viewings_user_id_seen_at", "user_id", "seen_at"),
        Index("ix_viewings_video_id", "video_id"),
    )

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    video_id: Mapped[int] = mapped_column(
        ForeignKey("videos.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[float] = mapped_column(default=0.0)
    is_finished: Mapped[bool] = mapped_column(default=False)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    watched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Saved(Base):
    """A film on a member's list."""

    __tablename__ = "saved"
    __table_args__ = (
        Index("ix_saved_user_id_saved_at", "user_id", "saved_at"),
        Index("ix_saved_video_id", "video_id"),
    )

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    video_id: Mapped[int] = mapped_column(
        ForeignKey("videos.id", ondelete="CASCADE"), primary_key=True
    )
    saved_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class Category(Base):
    """The place that curators gave a category in the catalogue: 1 comes first."""

    __tablename__ = "categories"

    name: Mapped[str] = mapped_column(String(CATEGORY_LENGTH), primary_key=True)
    place: Mapped[int]
