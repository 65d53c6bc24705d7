"""ids that never come back, on SQLite

Earlier migrations made these tables anew there and lost it: after the newest film was deleted, the
next one got its id.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    for table in ("videos", "grids", "tasks"):
        kept = {"sqlite_autoincrement": True}
        with op.batch_alter_table(table, recreate="always", table_kwargs=kept):
            pass


def downgrade() -> None:
    pass
