"""several grids of a film, measured loudness and speed, placeholders"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

LIVE = sa.text("role <> 'retired'")


def upgrade() -> None:
    with op.batch_alter_table("grids") as grids:
        grids.drop_constraint("uq_grids_video_id", type_="unique")
        grids.add_column(
            sa.Column("role", sa.String(length=8), nullable=False, server_default="current")
        )
        grids.add_column(sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_grids_video_id_role",
        "grids",
        ["video_id", "role"],
        unique=True,
        sqlite_where=LIVE,
        postgresql_where=LIVE,
    )
    op.create_index("ix_grids_retired_at", "grids", ["retired_at"])
    with op.batch_alter_table("tasks") as tasks:
        tasks.add_column(sa.Column("grid_id", sa.Integer(), nullable=True))
        tasks.add_column(sa.Column("work", sa.Double(), nullable=False, server_default="0"))
        tasks.add_column(sa.Column("seconds", sa.Double(), nullable=True))
        tasks.create_foreign_key(
            "fk_tasks_grid_id_grids", "grids", ["grid_id"], ["id"], ondelete="CASCADE"
        )
    op.create_index("ix_tasks_grid_id", "tasks", ["grid_id"])
    op.execute(
        "UPDATE tasks SET grid_id = (SELECT id FROM grids WHERE grids.video_id = tasks.video_id) "
        "WHERE kind IN ('chunk', 'row')"
    )
    for name in ("loudness", "loudness_range", "true_peak"):
        op.add_column("renditions", sa.Column(name, sa.Double(), nullable=True))
    op.add_column("videos", sa.Column("placeholder", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("videos", "placeholder")
    for name in ("true_peak", "loudness_range", "loudness"):
        op.drop_column("renditions", name)
    op.drop_index("ix_tasks_grid_id", "tasks")
    with op.batch_alter_table("tasks") as tasks:
        tasks.drop_constraint("fk_tasks_grid_id_grids", type_="foreignkey")
        tasks.drop_column("seconds")
        tasks.drop_column("work")
        tasks.drop_column("grid_id")
    op.execute("DELETE FROM grids WHERE role <> 'current'")
    op.drop_index("ix_grids_retired_at", "grids")
    op.drop_index("ix_grids_video_id_role", "grids")
    with op.batch_alter_table("grids") as grids:
        grids.drop_column("retired_at")
        grids.drop_column("role")
        grids.create_unique_constraint("uq_grids_video_id", ["video_id"])
