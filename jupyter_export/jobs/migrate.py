"""Bring a store's tables up to date: all of it, or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from .store import StoreTooNew
from .tables import HEAD

if TYPE_CHECKING:
    from alembic.config import Config

VERSION_TABLE = "jupyter_export_version"
LOCK_SECONDS = 60
"""How long a start waits for another process that migrates the same store."""
_ADVISORY_LOCK = 0x6A7570_65787074
"""Any constant that nobody else uses; the key of PostgreSQL's advisory lock."""


def needed(connection: Connection) -> bool:
    """Return whether the tables are older than this program, or not there.

    Raises ``StoreTooNew`` for a database that a newer version made.
    """
    found = _version(connection)
    if found == HEAD:
        return False
    if found is not None and found not in _known(_config()):
        raise StoreTooNew(
            f"The job store was made by a newer version of jupyter_export (its tables are at "
            f"“{found}”, this version knows “{HEAD}”).",
            hint="Update jupyter_export, or give this one another state_dir or db_url.",
        )
    return True


def upgrade(connection: Connection) -> None:
    """Run the migrations that the database lacks, in the transaction of ``connection``: when it
    is not committed, the tables are as they were (SQLite and PostgreSQL keep DDL in transactions).

    On PostgreSQL others who migrate wait for the end of the transaction, at most ``LOCK_SECONDS``;
    in SQLite the transaction must have the write lock. Raises ``StoreTooNew``.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK:d})")
    # Once more: somebody may have been quicker.
    if needed(connection):
        from alembic import command

        config = _config()
        # Alembic leaves a transaction alone that it finds begun.
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _config() -> Config:
    # Alembic takes 0.2 s to import; a store that is up to date need not pay for it.
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _known(config: Config) -> set[str]:
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    row = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).first()
    return str(row[0]) if row else None
