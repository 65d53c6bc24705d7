"""Films and their grids: the truth about what exists, what is filled and who works on what.

A `Video` has a `Grid` (one plan); a grid has `Rendition` rows; a row has a `Cell` for each chunk; a
`Task` is the piece of work that fills certain cells (or makes the plan, or the pictures). Claims
live on tasks: a lease, timed by the database's clock, and a fence that grows with every claim.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.auth.models import User
from app.database import Base, UtcDateTime, now
from app.storage import home

NEVER_REUSE_IDS = {"sqlite_autoincrement": True}
"""A grant or a job that names a deleted row must not meet a newer one; PostgreSQL never reuses."""

TITLE_LENGTH = 200
DESCRIPTION_LENGTH = 5000
CATEGORY_LENGTH = 60
LABEL_LENGTH = 60
FILENAME_LENGTH = 255
SHARE_KEY_LENGTH = 22


class Status(StrEnum):
    """What has become of an upload."""

    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TaskKind(StrEnum):
    """What a task does."""

    PLAN = "plan"
    CHUNK = "chunk"
    ROW = "row"
    POSTER = "poster"
    TEXT = "text"
    STORYBOARD = "story"


class TaskState(StrEnum):
    """Whether a task is still to be done."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


class GridRole(StrEnum):
    """What a grid is to its film: shown, being filled to take over, or still seen to its end."""

    CURRENT = "current"
    NEXT = "next"
    RETIRED = "retired"


LIVE = text(f"role <> '{GridRole.RETIRED}'")


class Series(Base):
    """The title that episodes of one owner share. Who may watch an episode may know of it."""

    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("owner_id", "title"), NEVER_REUSE_IDS)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(TITLE_LENGTH))


class Video(Base):
    """A film: what a person said of it, and what has become of it.

    In a row of the catalogue those with a `place` come first, 1 before 2. An episode has a series,
    a season and a number. Whoever has the `share_key` may watch it without an account.

    `may_copy` falls when copying a row of it proved impossible: it is then planned anew. The poster
    is an image of the owner's own, else the picture at `poster_time` (seconds), else a good one;
    `images_version` grows with each new one, so that no cache shows the old. While its file still
    comes in, `received` says how many of its `size` bytes are there; it is None afterwards.
    `source` identifies the file that an import took, so that it is never taken twice. `storage` is
    the place of its files: `app.storage`.
    """

    __tablename__ = "videos"
    __table_args__ = (
        Index("ix_videos_owner_id_id", "owner_id", "id"),
        Index("ix_videos_global_id", "is_global", "playable", "id"),
        Index("ix_videos_owner_id_sha256", "owner_id", "sha256"),
        Index("ix_videos_owner_id_source", "owner_id", "source", unique=True),
        Index("ix_videos_category", "category", "id"),
        Index("ix_videos_series_id", "series_id", "season", "episode"),
        Index("ix_videos_share_key", "share_key", unique=True),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    film: Mapped[str] = mapped_column(String(32), unique=True)
    title: Mapped[str] = mapped_column(String(TITLE_LENGTH))
    description: Mapped[str] = mapped_column(Text, default="")
    category: Mapped[str] = mapped_column(String(CATEGORY_LENGTH), default="")
    is_global: Mapped[bool] = mapped_column(default=False)
    place: Mapped[int | None]
    year: Mapped[int | None]
    series_id: Mapped[int | None] = mapped_column(ForeignKey("series.id", ondelete="SET NULL"))
    season: Mapped[int | None]
    episode: Mapped[int | None]
    share_key: Mapped[str | None] = mapped_column(String(SHARE_KEY_LENGTH))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    size: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    source: Mapped[str | None] = mapped_column(String(64))
    storage: Mapped[str] = mapped_column(String(8), default=home, server_default="local")

    status: Mapped[str] = mapped_column(String(16), default=Status.PROCESSING)
    playable: Mapped[bool] = mapped_column(default=False)
    playable_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ready_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_stage: Mapped[str | None] = mapped_column(String(32))
    error_message: Mapped[str | None] = mapped_column(Text)
    error_hint: Mapped[str | None] = mapped_column(Text)

    duration: Mapped[float | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    has_images: Mapped[bool] = mapped_column(default=False)
    has_storyboard: Mapped[bool] = mapped_column(default=False)
    may_copy: Mapped[bool] = mapped_column(default=True)
    poster_time: Mapped[float | None]
    images_version: Mapped[int] = mapped_column(default=0)
    placeholder: Mapped[str | None] = mapped_column(Text)

    owner: Mapped[User] = relationship(lazy="raise")
    series: Mapped[Series | None] = relationship(lazy="raise")
    grids: Mapped[list[Grid]] = relationship(
        back_populates="video", lazy="raise", passive_deletes=True
    )
    subtitles: Mapped[list[Subtitle]] = relationship(
        lazy="raise", viewonly=True, order_by="Subtitle.id"
    )


class Grid(Base):
    """One plan of a film; its cells say how much of it exists.

    A film has one `current` grid, while it is converted again a `next` one beside it, and those
    that are `retired` until nobody can be watching them any more.
    """

    __tablename__ = "grids"
    __table_args__ = (
        Index(
            "ix_grids_video_id_role",
            "video_id",
            "role",
            unique=True,
            sqlite_where=LIVE,
            postgresql_where=LIVE,
        ),
        Index("ix_grids_video_id", "video_id"),
        Index("ix_grids_retired_at", "retired_at"),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    video_id: Mapped[int] = mapped_column(ForeignKey("videos.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(8), default=GridRole.CURRENT)
    plan: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    video: Mapped[Video] = relationship(back_populates="grids", lazy="raise")
    renditions: Mapped[list[Rendition]] = relationship(
        back_populates="grid", lazy="raise", order_by="Rendition.id", passive_deletes=True
    )


class Rendition(Base):
    """A row of the grid. Bytes and bit rates (bits per second) are measured, once it is full.

    Of sound the loudness is measured as well (EBU R128): integrated in LUFS, its range in LU, the
    true peak in dBTP.
    """

    __tablename__ = "renditions"
    __table_args__ = (UniqueConstraint("grid_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    grid_id: Mapped[int] = mapped_column(ForeignKey("grids.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(8))
    name: Mapped[str] = mapped_column(String(32))
    width: Mapped[int | None]
    height: Mapped[int | None]
    codecs: Mapped[str] = mapped_column(String(64))
    language: Mapped[str | None] = mapped_column(String(35))
    label: Mapped[str | None] = mapped_column(String(200))
    is_default: Mapped[bool] = mapped_column(default=False)
    chunks: Mapped[int]
    init_bytes: Mapped[int | None]
    init_sha256: Mapped[str | None] = mapped_column(String(64))
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    peak_bitrate: Mapped[int | None] = mapped_column(BigInteger)
    average_bitrate: Mapped[int | None] = mapped_column(BigInteger)
    loudness: Mapped[float | None]
    loudness_range: Mapped[float | None]
    true_peak: Mapped[float | None]

    grid: Mapped[Grid] = relationship(back_populates="renditions", lazy="raise")


class Subtitle(Base):
    """Captions of a film: a track of the film's own, or a file that its owner added."""

    __tablename__ = "subtitles"
    __table_args__ = (Index("ix_subtitles_video_id", "video_id"), NEVER_REUSE_IDS)

    id: Mapped[int] = mapped_column(primary_key=True)
    video_id: Mapped[int] = mapped_column(ForeignKey("videos.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(32), unique=True)
    language: Mapped[str] = mapped_column(String(35))
    label: Mapped[str] = mapped_column(String(LABEL_LENGTH))
    is_default: Mapped[bool] = mapped_column(default=False)
    is_forced: Mapped[bool] = mapped_column(default=False)
    is_embedded: Mapped[bool] = mapped_column(default=False)


WHOLE = 2**62
"""A task that needs so many bytes of its film's file needs all there are, once it is whole."""


class Task(Base):
    """A piece of work. `lease_until`, `not_before`, `queued_until`, `wanted_at` are epoch seconds.

    It may be claimed while it is waiting, its lease is over and `not_before` has come. `tier` and
    `position` order it within a film; `wanted_at` is when a viewer began to wait for it. It fills
    cells of the grid `grid_id`, or does something for the film as a whole. `work` says how much it
    is (millions of encoded pixels), `seconds` how long the attempt took that ended well. So many
    bytes of the film's file must be there as `needs` says, if it is known which part is needed.
    """

    __tablename__ = "tasks"
    __table_args__ = (
        Index("ix_tasks_state_tier", "state", "tier", "video_id", "position"),
        Index("ix_tasks_video_id", "video_id"),
        Index("ix_tasks_grid_id", "grid_id"),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    video_id: Mapped[int] = mapped_column(ForeignKey("videos.id", ondelete="CASCADE"))
    grid_id: Mapped[int | None] = mapped_column(ForeignKey("grids.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(8))
    state: Mapped[str] = mapped_column(String(8), default=TaskState.WAITING)
    tier: Mapped[int] = mapped_column(default=0)
    position: Mapped[int] = mapped_column(default=0)
    wanted_at: Mapped[float | None]
    queued_until: Mapped[float] = mapped_column(default=0.0)
    not_before: Mapped[float] = mapped_column(default=0.0)
    lease_until: Mapped[float] = mapped_column(default=0.0)
    fence: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(120))
    request_id: Mapped[str | None] = mapped_column(String(64))
    work: Mapped[float] = mapped_column(default=0.0)
    seconds: Mapped[float | None]
    needs: Mapped[int] = mapped_column(BigInteger, default=0)
    log: Mapped[str | None] = mapped_column(Text)


class Cell(Base):
    """A rendition in a chunk. Filled once its checked bytes are on the disk under their names.

    `segments` holds `[bytes, sha256, seconds, key_frame_end]` of each segment in order; the last is
    the byte at which its first picture ends.
    """

    __tablename__ = "cells"
    __table_args__ = (
        UniqueConstraint("rendition_id", "chunk"),
        Index("ix_cells_task_id", "task_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    rendition_id: Mapped[int] = mapped_column(ForeignKey("renditions.id", ondelete="CASCADE"))
    chunk: Mapped[int]
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    filled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    segments: Mapped[list[tuple[int, str, float, int]] | None] = mapped_column(JSON)


class Upload(Base):
    """A film that is coming in, in pieces and perhaps over days.

    `name` is its address and the name of its file; the file's length is the true offset, `received`
    what was known of it when a request last ended. One request at a time may write: it holds the
    lease (epoch seconds of the database's clock) and its `fence`. `video_id` is the film that it
    has become. `said` is the `Upload-Metadata` that it was begun with, to the letter.
    """

    __tablename__ = "uploads"
    __table_args__ = (
        Index("ix_uploads_owner_id", "owner_id"),
        Index("ix_uploads_video_id", "video_id"),
        Index("ix_uploads_expires_at", "expires_at"),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(32), unique=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    video_id: Mapped[int | None] = mapped_column(ForeignKey("videos.id", ondelete="SET NULL"))
    said: Mapped[str] = mapped_column(Text, default="")
    filename: Mapped[str] = mapped_column(String(FILENAME_LENGTH), default="")
    title: Mapped[str] = mapped_column(String(TITLE_LENGTH))
    description: Mapped[str] = mapped_column(Text, default="")
    category: Mapped[str] = mapped_column(String(CATEGORY_LENGTH), default="")
    is_global: Mapped[bool] = mapped_column(default=False)
    length: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_until: Mapped[float] = mapped_column(default=0.0)
    fence: Mapped[int] = mapped_column(default=0)
