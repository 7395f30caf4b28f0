"""Leases and attempts of jobs, download links, and the audit trail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

JOBS = "jupyter_export_jobs"
SEARCH_BYTES = 1000


def upgrade() -> None:
    for column in (
        sa.Column("place", sa.String(64), nullable=False, server_default=""),
        sa.Column("confined", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("tries", sa.Integer, nullable=False, server_default="1"),
        sa.Column("retry_at", sa.BigInteger),
        sa.Column("weight", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("history", sa.JSON),
        sa.Column("prepared", sa.JSON),
        sa.Column("search", sa.Text, nullable=False, server_default=""),
        sa.Column("long_search", sa.Text),
    ):
        op.add_column(JOBS, column)
    _fill_search()
    _index()
    op.create_table(
        "jupyter_export_services",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("place", sa.String(64), nullable=False),
        sa.Column("beat", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "jupyter_export_links",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column(
            "job_id",
            sa.String(64),
            sa.ForeignKey("jupyter_export_jobs.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created_by", sa.String(255), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("max_downloads", sa.Integer),
        sa.Column("downloads", sa.Integer, nullable=False, server_default="0"),
        sa.Column("revoked_at", sa.BigInteger),
    )
    op.create_index("ix_jupyter_export_links_job_id", "jupyter_export_links", ["job_id"])
    op.create_table(
        "jupyter_export_audit",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_index("jupyter_export_audit_at", "jupyter_export_audit", ["at"])
    op.create_index("jupyter_export_audit_subject", "jupyter_export_audit", ["subject"])


def _fill_search() -> None:
    texts = ("id", "name", "path", "search", "long_search")
    jobs = sa.table(JOBS, *(sa.column(name, sa.Text) for name in texts))
    connection = op.get_bind()
    found = connection.execute(sa.select(jobs.c.id, jobs.c.name, jobs.c.path)).all()
    filled = (
        sa.update(jobs)
        .where(jobs.c.id == sa.bindparam("job"))
        .values(search=sa.bindparam("short"), long_search=sa.bindparam("long"))
    )
    rows = []
    for job, name, path in found:
        folded = f"{name}\n{path}".casefold()
        fits = len(folded.encode()) <= SEARCH_BYTES
        rows.append({"job": job, "short": folded if fits else "", "long": None if fits else folded})
    if rows:
        connection.execute(filled, rows)


def _index() -> None:
    for name in ("owner", "created", "status"):
        op.drop_index(f"jupyter_export_jobs_{name}", JOBS)
    order, filters = ["created_at", "id"], ["status", "format", "search"]
    op.create_index("jupyter_export_jobs_owner", JOBS, ["created_by", *order, *filters])
    op.create_index("jupyter_export_jobs_created", JOBS, [*order, "created_by", *filters])
    for name, columns, where in (
        ("active", ["status", "created_by", *order], "status IN ('pending', 'running')"),
        ("expiring", ["expires_at"], "status = 'completed' AND expires_at IS NOT NULL"),
        ("long", ["id"], "long_search IS NOT NULL"),
    ):
        op.create_index(
            f"jupyter_export_jobs_{name}",
            JOBS,
            columns,
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )
    if op.get_bind().dialect.name == "postgresql":
        # A listing that reads an index alone needs pages that VACUUM has seen; by default it comes
        # when a fifth of the history is new.
        op.execute(
            f"ALTER TABLE {JOBS} SET (autovacuum_vacuum_scale_factor = 0.02, "
            "autovacuum_vacuum_insert_scale_factor = 0.02)"
        )


def downgrade() -> None:
    for table in ("audit", "links", "services"):
        op.drop_table(f"jupyter_export_{table}")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"ALTER TABLE {JOBS} RESET (autovacuum_vacuum_scale_factor, "
            "autovacuum_vacuum_insert_scale_factor)"
        )
    for name in ("owner", "created", "active", "expiring", "long"):
        op.drop_index(f"jupyter_export_jobs_{name}", JOBS)
    op.create_index("jupyter_export_jobs_owner", JOBS, ["created_by", "created_at", "id"])
    op.create_index("jupyter_export_jobs_created", JOBS, ["created_at", "id"])
    op.create_index("jupyter_export_jobs_status", JOBS, ["status", "expires_at"])
    for column in (
        "long_search", "search", "prepared", "history", "weight", "retry_at", "tries", "confined",
        "place",
    ):  # fmt: skip
        op.drop_column(JOBS, column)
