"""grids by their film"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The one on (video_id, role) is of living grids only, which lists and deletions cannot use.
    op.create_index("ix_grids_video_id", "grids", ["video_id"])


def downgrade() -> None:
    op.drop_index("ix_grids_video_id", "grids")
