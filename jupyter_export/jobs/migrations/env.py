"""What Alembic runs: the migrations, on the connection that ``migrate.upgrade`` holds."""

from __future__ import annotations

from alembic import context

from jupyter_export.jobs.migrate import VERSION_TABLE
from jupyter_export.jobs.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    # SQLite changes a column by copying its table.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
