"""A database connection of this process, given where a document names one of the server's.

Its rows are read here and sent as a frame's are: nobody else has the connection.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequest, InvalidSpec, QueryFailed
from ..spec import parse
from .params import explained, for_driver
from .rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa

_BACKTICKS = ("MySQLdb", "mariadb", "mysql", "pymysql")
"""Drivers whose databases quote names with backticks; those of the others with double quotes."""

_HEED_AFTER = 100_000
"""Instructions of SQLite's machine after which Ctrl-C is looked for: about a millisecond."""


def names_own_connection(source: Mapping[str, Any]) -> bool:
    """Tell a source whose connection is an object from one that names a connection."""
    connection = source.get("connection")
    return source.get("type") in ("sql", "table") and not isinstance(connection, (str, type(None)))


def rows_of_source(source: Mapping[str, Any]) -> Rows:
    """Return the rows of such a source. Raises ``InvalidSpec`` for what is wrong with it."""
    from ..sources.own import is_connection

    connection, params = source["connection"], source.get("params")
    if not is_connection(connection):
        raise InvalidRequest(
            f"A {type(connection).__name__} is not a connection.",
            hint="Give an SQLAlchemy engine, a DBAPI or DuckDB connection, or the name of a "
            "connection of the server.",
            field="source.connection",
        )
    if params is not None and not isinstance(params, Mapping):
        raise InvalidRequest(
            "The params are not a mapping of names to values.", field="source.params"
        )
    # the values of params may be anything that the driver takes, a date for one
    rest = {name: value for name, value in source.items() if name != "params"}
    if params is not None and source["type"] == "table":
        rest["params"] = {}
    checked = parse({"source": {**rest, "connection": "own"}}).datasets[0].source
    if checked.type == "sql":
        return rows_of_query(connection, checked.query, params)
    assert checked.type == "table"
    return rows_of_query(connection, _whole_table(connection, checked.table, checked.schema_))


def refuse_bare_connection(source: Any) -> None:
    """Say what is missing where a connection stands alone. Raises ``InvalidRequest``."""
    from ..sources.own import is_connection

    if is_connection(source):
        raise InvalidRequest(
            "A connection alone does not say which rows.",
            hint='Give {"type": "sql", "connection": …, "query": "SELECT …"}, or a "table" of it.',
        )


def rows_of_query(connection: Any, query: str, params: Mapping[str, Any] | None = None) -> Rows:
    """Return the rows of ``query`` on ``connection``; its params (``:name`` in the query, or as the
    driver has it) are bound by the driver."""
    own = _OwnQuery(connection, query, dict(params or {}))
    return Rows(
        own.read,
        own.interrupt,
        own.close,
        begins_here=_is_duckdb(connection),
        here=own.of_one_thread,
        moments_of=None if _keeps_one_moment(connection) else connection,
    )


class _OwnQuery:
    """One query on a connection of the user's, run again for each ``read``."""

    def __init__(self, connection: Any, query: str, params: dict[str, Any]) -> None:
        self._connection = connection
        self._query = query
        self._params = params
        self._heeding: Any = None
        """SQLite's connection, while it looks for Ctrl-C."""
        self._interrupt: Callable[[], None] | None = None
        self._close: Callable[[], None] | None = None
        self._stopped = False
        """Ctrl-C was pressed; it counts for a query that is only about to begin as well."""
        self.of_one_thread = _is_of_one_thread(connection)

    def read(self) -> pa.RecordBatchReader:
        from ..sources.own import read_query

        self._release()
        if self._stopped:
            raise KeyboardInterrupt
        query, values = for_driver(self._connection, self._query, self._params)
        try:
            reader, _, self._close = read_query(self._connection, query, values, self._begun)
        except (InvalidSpec, QueryFailed) as error:
            reason = explained(error, self._query, self._params)
            if reason is error:  # never its own cause: who follows the causes would not end
                raise
            raise reason from error
        return reader

    def _begun(self, driver: Any, interrupt: Callable[[], None]) -> None:
        self._interrupt = interrupt
        if self.of_one_thread and hasattr(driver, "set_progress_handler"):
            # SQLite runs in the thread that Ctrl-C is meant for: only where Python is called from
            # within is it heard. The answer ends the query also where an exception was lost.
            driver.set_progress_handler(lambda: self._stopped, _HEED_AFTER)
            self._heeding = driver

    def interrupt(self) -> None:
        """End the query, also one that has given no row yet, and each ``read`` before ``close``."""
        self._stopped = True
        if self._interrupt is not None:
            self._interrupt()

    def close(self) -> None:
        self._release()
        self._stopped = False

    def _release(self) -> None:
        if self._heeding is not None:
            with suppress(Exception):  # The user may have closed it: nothing is left to undo.
                self._heeding.set_progress_handler(None, 0)
            self._heeding = None
        close, self._close, self._interrupt = self._close, None, None
        if close is not None:
            close()


def _is_of_one_thread(connection: Any) -> bool:
    """Tell SQLite's connections that refuse every thread but the one that opened them; an engine
    of a database in memory has another database for each thread."""
    sqlite3, alchemy = sys.modules.get("sqlite3"), sys.modules.get("sqlalchemy")
    if sqlite3 is not None and isinstance(connection, sqlite3.Connection):
        return True
    if alchemy is None or getattr(getattr(connection, "dialect", None), "name", "") != "sqlite":
        return False
    pools = (alchemy.pool.SingletonThreadPool, alchemy.pool.StaticPool)
    return isinstance(connection, alchemy.Connection) or isinstance(connection.pool, pools)


def _is_duckdb(connection: Any) -> bool:
    duckdb = sys.modules.get("duckdb")
    return duckdb is not None and isinstance(connection, duckdb.DuckDBPyConnection)


def _keeps_one_moment(connection: Any) -> bool:
    """Tell a connection on which queries that follow one another see the same rows, whatever
    others write meanwhile."""
    if _is_duckdb(connection):
        return True  # Only this process may write, and it waits.
    begun = getattr(connection, "in_transaction", None)
    if begun is None:
        return _is_of_one_thread(connection)  # An engine in memory: nobody else has it.
    begun = bool(begun() if callable(begun) else begun)
    if _is_of_one_thread(connection):
        return begun
    level = connection.get_execution_options().get("isolation_level")
    with suppress(Exception):  # The connection is in no state to be asked: say the weaker thing.
        level = connection.get_isolation_level() if begun else level
    return level in ("REPEATABLE READ", "SERIALIZABLE", "SNAPSHOT")


def _whole_table(connection: Any, table: str, schema: str | None) -> str:
    """Return the query of a whole table, its name quoted as this database does it."""
    dialect = getattr(connection, "dialect", None)
    preparer = getattr(dialect, "identifier_preparer", None)
    parts = [part for part in (schema, table) if part is not None]
    if preparer is not None:
        # a query without params is the driver's as it stands: no percent is doubled for it
        names = [preparer.quote(part.replace("%", "\0")).replace("\0", "%") for part in parts]
    else:
        package = type(connection).__module__.partition(".")[0]
        mark = "`" if package in _BACKTICKS else '"'
        names = [f"{mark}{part.replace(mark, mark * 2)}{mark}" for part in parts]
    return f"SELECT * FROM {'.'.join(names)}"
