"""People, their sessions and API tokens, and the mails that wait to be sent to them."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum

from flask_login import UserMixin
from sqlalchemy import BigInteger, Double, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, UtcDateTime, now

USERNAME_LENGTH = 80
TOKEN_NAME_LENGTH = 80


class Role(StrEnum):
    """What an account may do beyond its own films; each role includes those before it."""

    MEMBER = "member"
    CURATOR = "curator"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        """Whether this role may do all that the other may."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(other)


class User(UserMixin, Base):
    """An account. `email` is stored as `auth.addresses.normal_email` writes it, so it is unique.

    `pending_email` is the address that will take its place once the link sent there is used. Until
    the address is confirmed, `created_at` is when registration was last begun: `UNVERIFIED_DAYS`
    count from then. `quota_bytes` is what its films may take, None for `USER_QUOTA_BYTES`.
    """

    __tablename__ = "users"
    __table_args__ = ({"sqlite_autoincrement": True},)  # an id in a token never means someone new

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    pending_email: Mapped[str | None] = mapped_column(String(254))
    username: Mapped[str] = mapped_column(String(USERNAME_LENGTH))
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16), default=Role.MEMBER)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    quota_bytes: Mapped[int | None] = mapped_column(BigInteger)

    @property
    def initials(self) -> str:
        """Up to two letters that stand for the person where there is no picture."""
        words = [word for word in re.split(r"[\s._-]+", self.username) if word]
        return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper() or "?"

    @property
    def is_verified(self) -> bool:
        """Whether the address was confirmed."""
        return self.verified_at is not None

    @property
    def is_active(self) -> bool:
        """Whether the account may sign in (Flask-Login's name for it)."""
        return self.disabled_at is None

    @property
    def is_curator(self) -> bool:
        """Whether the account may change the global catalogue."""
        return Role(self.role).includes(Role.CURATOR)

    @property
    def is_admin(self) -> bool:
        """Whether the account may manage users and the queue."""
        return Role(self.role).includes(Role.ADMIN)


class SessionKind(StrEnum):
    """Which of the two cookies a session belongs to."""

    PAGE = "page"
    API = "api"


class Session(Base):
    """One sign-in. It counts while `ended_at` is empty and neither limit is reached.

    `secret_hash` is the SHA-256 of the secret in the page's cookie; a session of the API has one
    that nobody knows, since its tokens are signed and name the row. `refresh_generation` is the one
    generation of refresh tokens that is still good.
    """

    __tablename__ = "sessions"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(8))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    refresh_generation: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    address: Mapped[str] = mapped_column(String(64), default="")
    agent: Mapped[str] = mapped_column(String(200), default="")


class Scope(StrEnum):
    """What an API token may do."""

    READ = "read"
    WRITE = "write"


class ApiToken(Base):
    """A token for a program, until it is withdrawn. Only the SHA-256 of its secret is kept."""

    __tablename__ = "api_tokens"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(TOKEN_NAME_LENGTH))
    scope: Mapped[str] = mapped_column(String(8))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class OutgoingMail(Base):
    """A mail in the outbox: written with what caused it, sent by a job once that is committed.

    `not_before` is in seconds since 1970 by the database's clock; a job that takes the mail moves
    it ahead, so that it is also the lease.
    """

    __tablename__ = "outgoing_mails"
    __table_args__ = (
        Index("ix_outgoing_mails_due", "sent_at", "not_before"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    recipient: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[float] = mapped_column(Double, default=0.0)
    last_error: Mapped[str | None] = mapped_column(String(500))
