"""The folders that were made for a job."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jupyter_export_jobs", sa.Column("made", sa.JSON))


def downgrade() -> None:
    op.drop_column("jupyter_export_jobs", "made")
