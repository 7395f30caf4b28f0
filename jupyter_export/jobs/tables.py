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
    text,
    true,
)

HEAD = "0004"
"""The migration that makes these tables; a store that has it already need not load Alembic."""

SEARCH_BYTES = 1000
ORDER = ("created_at", "id")
"""The order of a listing."""
FILTERS = ("status", "format", "search")
"""What it filters by, beside the owner."""
# Conditions of partial indices. A query uses the index only if it says the same words: not with
# values that are sent apart from the statement.
IS_ACTIVE = "status IN ('pending', 'running')"
IS_KEPT = "status = 'completed' AND expires_at IS NOT NULL"
IS_LONG = "long_search IS NOT NULL"

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
    Column("place", String(64), nullable=False, server_default=""),
    Column("confined", Boolean, nullable=False, server_default=true()),
    Column("tries", Integer, nullable=False, server_default="1"),
    Column("retry_at", BigInteger),
    Column("weight", BigInteger, nullable=False, server_default="0"),
    Column("history", JSON(none_as_null=True)),
    Column("prepared", JSON(none_as_null=True)),
    # Name and path, casefolded: what a listing searches. See ``search_columns``.
    Column("search", Text, nullable=False, server_default=""),
    Column("long_search", Text),
    # A listing reads these rows, 20 times narrower than a job with its spec, and then no more jobs
    # than it shows. No other index begins with a column it filters by: a planner that knows no
    # figures would take it, and look up the wide row of each completed job.
    Index("jupyter_export_jobs_owner", "created_by", *ORDER, *FILTERS),
    # With the owner, too: for one who has nearly all jobs PostgreSQL prefers this one.
    Index("jupyter_export_jobs_created", *ORDER, "created_by", *FILTERS),
    # What services ask all the time, however long the history is.
    Index(
        "jupyter_export_jobs_active",
        "status",
        "created_by",
        *ORDER,
        sqlite_where=text(IS_ACTIVE),
        postgresql_where=text(IS_ACTIVE),
    ),
    Index(
        "jupyter_export_jobs_expiring",
        "expires_at",
        sqlite_where=text(IS_KEPT),
        postgresql_where=text(IS_KEPT),
    ),
    Index(
        "jupyter_export_jobs_long",
        "id",
        sqlite_where=text(IS_LONG),
        postgresql_where=text(IS_LONG),
    ),
)


def search_columns(name: str, path: str) -> dict[str, str | None]:
    """Return what ``search`` and ``long_search`` hold for a job of this name and path.

    An index row of PostgreSQL has room for 2,700 bytes, so the rare text that is longer than
    ``SEARCH_BYTES`` (UTF-8) stands in a column of its own, and ``search`` is empty.
    """
    folded = f"{name}\n{path}".casefold()
    if len(folded.encode()) <= SEARCH_BYTES:
        return {"search": folded, "long_search": None}
    return {"search": "", "long_search": folded}


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

services = Table(
    "jupyter_export_services",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("place", String(64), nullable=False),
    # Grows with each heartbeat; others watch it with clocks of their own, so that no jump of the
    # wall clock ends a lease.
    Column("beat", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)

links = Table(
    "jupyter_export_links",
    metadata,
    Column("id", String(64), primary_key=True),
    Column(
        "job_id",
        String(64),
        ForeignKey("jupyter_export_jobs.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    # The artifact: a retry of the job makes another one, which this link does not open.
    Column("sha256", String(64), nullable=False),
    Column("created_by", String(255), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("max_downloads", Integer),
    Column("downloads", Integer, nullable=False, server_default="0"),
    Column("revoked_at", BigInteger),
)

audit = Table(
    "jupyter_export_audit",
    metadata,
    # Without gaps: the number is a part of what is hashed.
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(255), nullable=False),
    Column("action", String(32), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("owner", String(255), nullable=False),
    Column("address", String(64), nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("details", Text, nullable=False),
    Column("hash", String(64), nullable=False),
    Index("jupyter_export_audit_at", "at"),
    Index("jupyter_export_audit_subject", "subject"),
)

templates = Table(
    "jupyter_export_templates",
    metadata,
    Column("owner", String(255), primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("description", Text),
    Column("format", String(200)),
    Column("document", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
