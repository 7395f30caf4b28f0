"""The folders that were made for a job."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The first releases did not migrate SQLite in a transaction: a start that was cut may have
    # left the column without the number of this version.
    columns = sa.inspect(op.get_bind()).get_columns("jupyter_export_jobs")
    if "made" not in {column["name"] for column in columns}:
        op.add_column("jupyter_export_jobs", sa.Column("made", sa.JSON))


def downgrade() -> None:
    op.drop_column("jupyter_export_jobs", "made")
