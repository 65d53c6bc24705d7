"""films that are converted while they come in"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("videos", sa.Column("received", sa.BigInteger(), nullable=True))
    op.add_column(
        "tasks", sa.Column("needs", sa.BigInteger(), nullable=False, server_default="0")
    )


def downgrade() -> None:
    op.drop_column("tasks", "needs")
    op.drop_column("videos", "received")
