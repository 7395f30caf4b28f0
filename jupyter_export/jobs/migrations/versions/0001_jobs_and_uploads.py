"""Jobs, uploads, and which job reads which upload."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # If not exists: the first releases did not migrate SQLite in a transaction, so a start that was
    # cut may have left some of it.
    op.create_table(
        "jupyter_export_jobs",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("format", sa.String(200), nullable=False),
        sa.Column("created_by", sa.String(255), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("spec", sa.JSON, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("root", sa.Text, nullable=False),
        sa.Column("temporary", sa.Boolean, nullable=False),
        sa.Column("progress", sa.JSON, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("download_count", sa.Integer, nullable=False),
        sa.Column("result", sa.JSON),
        sa.Column("error", sa.JSON),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("instance", sa.String(64), nullable=False),
        if_not_exists=True,
    )
    for name, columns in (
        ("owner", ["created_by", "created_at", "id"]),
        ("created", ["created_at", "id"]),
        ("status", ["status", "expires_at"]),
    ):
        op.create_index(
            f"jupyter_export_jobs_{name}", "jupyter_export_jobs", columns, if_not_exists=True
        )
    op.create_table(
        "jupyter_export_uploads",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("columns", sa.JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "jupyter_export_job_uploads",
        sa.Column(
            "job_id",
            sa.String(64),
            sa.ForeignKey("jupyter_export_jobs.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("upload_id", sa.String(64), primary_key=True),
        if_not_exists=True,
    )
    op.create_index(
        "ix_jupyter_export_job_uploads_upload_id",
        "jupyter_export_job_uploads",
        ["upload_id"],
        if_not_exists=True,
    )


def downgrade() -> None:
    op.drop_table("jupyter_export_job_uploads")
    op.drop_table("jupyter_export_uploads")
    op.drop_table("jupyter_export_jobs")
