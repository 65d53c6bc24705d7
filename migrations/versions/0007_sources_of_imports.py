"""the files that imported films came from"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("videos", sa.Column("source", sa.String(length=64), nullable=True))
    op.create_index("ix_videos_owner_id_source", "videos", ["owner_id", "source"], unique=True)


def downgrade() -> None:
    op.drop_index("ix_videos_owner_id_source", "videos")
    op.drop_column("videos", "source")
