"""Bring a store's tables up to date, safely when several processes start at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from .filelock import Waiting
from .store import StoreTooNew
from .tables import HEAD

VERSION_TABLE = "jupyter_export_version"
LOCK_SECONDS = 60.0
_ADVISORY_LOCK = 0x6A7570_65787074
"""Any constant that nobody else uses; the key of PostgreSQL's advisory lock."""


def upgrade(engine: Engine, lock: Path) -> None:
    """Run the migrations that ``engine``'s database lacks.

    One process at a time: the file ``lock`` orders those of this machine, an advisory lock those
    that share a PostgreSQL. Raises ``StoreTooNew`` for a database that a newer version made.
    """
    with engine.connect() as connection:
        if _version(connection) == HEAD:
            return
    with Waiting(lock, LOCK_SECONDS), engine.connect() as connection, _alone(connection):
        found = _version(connection)
        connection.rollback()
        if found == HEAD:
            return
        _run(connection, found)


def _run(connection: Connection, found: str | None) -> None:
    # Alembic takes 0.2 s to import; a store that is up to date need not pay for it.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StoreTooNew(
            f"The job store was made by a newer version of jupyter_export (its tables are at "
            f"“{found}”, this version knows “{HEAD}”).",
            hint="Update jupyter_export, or give this one another state_dir or db_url.",
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    row = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).first()
    return str(row[0]) if row else None


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    if connection.dialect.name != "postgresql":
        yield
        return
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _ADVISORY_LOCK})
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _ADVISORY_LOCK})
        connection.commit()
