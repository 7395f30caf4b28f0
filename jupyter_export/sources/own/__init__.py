"""Databases that are objects of the user's own notebook: their connections, read as they stand.

The connection stays the user's: it is neither closed nor committed, and its transaction is left as
it was. An SQLAlchemy engine gives a connection of its own, whose transaction is rolled back.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, cast

import pyarrow as pa

from ...errors import InvalidSpec
from .begun import Begun

Params: TypeAlias = "Mapping[str, Any] | Sequence[Any] | None"
Reading: TypeAlias = "tuple[pa.RecordBatchReader, Callable[[], None], Callable[[], None]]"
"""The rows, what ends a read that waits (from another thread), what gives everything back."""


def is_connection(value: object) -> bool:
    """Tell whether ``value`` can be asked in SQL by ``read_query``: an SQLAlchemy engine or
    connection, a DuckDB connection or relation, a connection of PEP 249."""
    return _sqlalchemy(value) or _duckdb(value) or _dbapi(value)


def read_query(
    value: object, sql: str, params: Params = None, begun: Begun = lambda *_: None
) -> Reading:
    """Run ``sql`` on the user's own connection.

    ``params`` are bound: by name as ``:name`` for SQLAlchemy, as the driver has it for others.
    ``begun`` is called before the query runs, which may take long to give its first row.
    Raises ``InvalidSpec`` for what is no connection, ``QueryFailed`` with the database's own
    sentence, ``ConnectionFailed``. Read it in the thread that made the connection where its driver
    asks for that (sqlite3).
    """
    if _duckdb(value):
        from .duckdb_object import read_duckdb

        return read_duckdb(value, sql, params, begun)
    if _sqlalchemy(value):
        from .driver import read_sqlalchemy

        return read_sqlalchemy(cast(Any, value), sql, params, begun)
    if _dbapi(value):
        from .driver import read_dbapi

        return read_dbapi(value, sql, params, begun)
    raise InvalidSpec(
        f"A {type(value).__name__} is no connection to a database.",
        hint="Give the name of a connection, an SQLAlchemy engine, a DuckDB connection or one of "
        "a database driver (sqlite3, psycopg, pymysql, …).",
        field="source.connection",
    )


def _sqlalchemy(value: object) -> bool:
    # what was never imported can have made no object
    module = sys.modules.get("sqlalchemy")
    return module is not None and isinstance(value, (module.Engine, module.Connection))


def _duckdb(value: object) -> bool:
    module = sys.modules.get("duckdb")
    return module is not None and isinstance(
        value, (module.DuckDBPyConnection, module.DuckDBPyRelation)
    )


def _dbapi(value: object) -> bool:
    """PEP 249: what has ``cursor``, ``commit``, ``rollback`` and ``close`` that do not wait."""
    if isinstance(value, type) or inspect.ismodule(value):
        return False
    members = [getattr(value, name, None) for name in ("cursor", "commit", "rollback", "close")]
    return all(callable(each) and not inspect.iscoroutinefunction(each) for each in members)
