"""captions, and posters that their owners choose"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "subtitles",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("video_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("label", sa.String(length=60), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("is_forced", sa.Boolean(), nullable=False),
        sa.Column("is_embedded", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["video_id"],
            ["videos.id"],
            name=op.f("fk_subtitles_video_id_videos"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subtitles")),
        sa.UniqueConstraint("name", name=op.f("uq_subtitles_name")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_subtitles_video_id", "subtitles", ["video_id"])
    op.add_column("videos", sa.Column("poster_time", sa.Double(), nullable=True))
    op.add_column(
        "videos",
        sa.Column("has_storyboard", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column(
        "videos",
        sa.Column("images_version", sa.Integer(), nullable=False, server_default=sa.text("0")),
    )


def downgrade() -> None:
    op.drop_column("videos", "images_version")
    op.drop_column("videos", "has_storyboard")
    op.drop_column("videos", "poster_time")
    op.drop_index("ix_subtitles_video_id", "subtitles")
    op.drop_table("subtitles")
