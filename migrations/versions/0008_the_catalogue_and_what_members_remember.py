"""the catalogue, and what members remember of it"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_series_owner_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
        sa.UniqueConstraint("owner_id", "title", name=op.f("uq_series_owner_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "categories",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_categories")),
    )
    for table, extra in (
        (
            "viewings",
            [
                sa.Column("position", sa.Double(), nullable=False),
                sa.Column("is_finished", sa.Boolean(), nullable=False),
                sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
                sa.Column("watched_at", sa.DateTime(timezone=True), nullable=True),
            ],
        ),
        ("saved", [sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False)]),
    ):
        op.create_table(
            table,
            sa.Column("user_id", sa.Integer(), nullable=False),
            sa.Column("video_id", sa.Integer(), nullable=False),
            *extra,
            sa.ForeignKeyConstraint(
                ["user_id"],
                ["users.id"],
                name=op.f(f"fk_{table}_user_id_users"),
                ondelete="CASCADE",
            ),
            sa.ForeignKeyConstraint(
                ["video_id"],
                ["videos.id"],
                name=op.f(f"fk_{table}_video_id_videos"),
                ondelete="CASCADE",
            ),
            sa.PrimaryKeyConstraint("user_id", "video_id", name=op.f(f"pk_{table}")),
        )
        op.create_index(f"ix_{table}_video_id", table, ["video_id"])
    op.create_index("ix_viewings_user_id_seen_at", "viewings", ["user_id", "seen_at"])
    op.create_index("ix_saved_user_id_saved_at", "saved", ["user_id", "saved_at"])
    with op.batch_alter_table("videos") as batch:
        for name in ("place", "year", "series_id", "season", "episode"):
            batch.add_column(sa.Column(name, sa.Integer(), nullable=True))
        batch.add_column(sa.Column("share_key", sa.String(length=22), nullable=True))
        batch.create_foreign_key(
            op.f("fk_videos_series_id_series"), "series", ["series_id"], ["id"], ondelete="SET NULL"
        )
        batch.create_index("ix_videos_category", ["category", "id"])
        batch.create_index("ix_videos_series_id", ["series_id", "season", "episode"])
        batch.create_index("ix_videos_share_key", ["share_key"], unique=True)


def downgrade() -> None:
    with op.batch_alter_table("videos") as batch:
        for name in ("share_key", "series_id", "category"):
            batch.drop_index(f"ix_videos_{name}")
        batch.drop_constraint(op.f("fk_videos_series_id_series"), type_="foreignkey")
        for name in ("place", "year", "series_id", "season", "episode", "share_key"):
            batch.drop_column(name)
    for table in ("saved", "viewings", "categories", "series"):
        op.drop_table(table)
