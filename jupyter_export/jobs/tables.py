"""The tables of the store. A change here needs a migration in ``migrations/versions``."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

HEAD = "0002"
"""The migration that makes these tables; a store that has it already need not load Alembic."""

metadata = MetaData()

jobs = Table(
    "jupyter_export_jobs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("format", String(200), nullable=False),
    Column("created_by", String(255), nullable=False),
    # Times are microseconds since 1970 UTC: exact, and they sort alike in every database.
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("expires_at", BigInteger),
    Column("spec", JSON, nullable=False),
    Column("path", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("root", Text, nullable=False),
    Column("temporary", Boolean, nullable=False),
    Column("progress", JSON, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("download_count", Integer, nullable=False),
    Column("result", JSON(none_as_null=True)),
    Column("error", JSON(none_as_null=True)),
    Column("version", Integer, nullable=False),
    Column("instance", String(64), nullable=False),
    Column("made", JSON(none_as_null=True)),
    Index("jupyter_export_jobs_owner", "created_by", "created_at", "id"),
    Index("jupyter_export_jobs_created", "created_at", "id"),
    Index("jupyter_export_jobs_status", "status", "expires_at"),
)

uploads = Table(
    "jupyter_export_uploads",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("owner", String(255), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("columns", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

job_uploads = Table(
    "jupyter_export_job_uploads",
    metadata,
    Column(
        "job_id",
        String(64),
        ForeignKey("jupyter_export_jobs.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    # No foreign key: a job's record outlives the frame that it read.
    Column("upload_id", String(64), primary_key=True, index=True),
)
