"""where the files of films are"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "videos", sa.Column("storage", sa.String(length=8), server_default="local", nullable=False)
    )


def downgrade() -> None:
    op.drop_column("videos", "storage")
