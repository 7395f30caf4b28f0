"""PostgreSQL: exact types, one snapshot for everything that a job reads, rows by COPY.

A psycopg connection is the *session*: it holds the snapshot, describes statements and is asked
about the catalogue. Each statement is read in a connection of its own that takes over the
session's snapshot, by ADBC where it is installed and by psycopg otherwise. What a column becomes
is decided from its type before anything is read (``columns``); a value that only its row can tell
(infinity, NaN, a second dimension) is remembered, and the run begins again (``Retyped``).
"""

from __future__ import annotations

from ...errors import MissingDependency
from ...registry import Connection, Database, Surroundings, missing

__all__ = ["open_postgres"]


def open_postgres(connection: Connection, here: Surroundings) -> Database:
    """Open the connection and its snapshot.

    Raises ``LoginRefused``, ``ConnectionFailed``, ``SourceFailed`` (a URL that cannot be used) and
    ``MissingDependency``.
    """
    try:
        from .database import PostgresDatabase
    except ModuleNotFoundError as error:
        raise missing(error.name, f"The connection {connection.name}") from error
    except ImportError as error:
        # psycopg is there, and neither of its two ways to libpq is
        raise MissingDependency(
            f"The connection {connection.name} needs libpq, which psycopg does not find.",
            hint='pip install "psycopg[binary]"',
        ) from error
    return PostgresDatabase(connection, here)
