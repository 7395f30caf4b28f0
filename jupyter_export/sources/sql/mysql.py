"""MySQL and MariaDB: one consistent snapshot, no writing, and the exact types of their results.

- ``TINYINT(1)`` stays a small integer: it holds -128 to 127, and BOOLEAN is a word for it.
- ``BIT(1)`` is a truth value, a longer ``BIT`` an unsigned integer.
- ``TIME`` is a duration: it may be negative and longer than a day.
- ``TIMESTAMP`` is an instant: the session's zone is UTC, and so is the column's.
- ``FLOAT`` is sent with 6 digits: it is selected as DOUBLE, and its own value comes out of that.
- A date that no calendar has (0000-00-00) makes the whole column text, and is reported.
- Geometry is selected as its well-known text, and reported.

Rows arrive as the server's own text, so that Arrow makes values of them and not Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.sql.elements import quoted_name

from . import inspecting
from .columns import Told
from .failures import number
from .kinds import Kind
from .mysql_types import field_types
from .queries import ordered_without_limit

_REFUSED = (1044, 1045, 1049, 1698, 1862, 3118, 4151)
_LOST = (0, 1053, 1077, 1927, 2006, 2013, 2055, 4031)
_CANCELLED = 1317
_TIMED_OUT = (1969, 3024)
"""Numbers of errors: https://mariadb.com/kb/en/mariadb-error-code-reference/,
https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html"""
_ALL = 18446744073709551615
"""Rows of a LIMIT that limits nothing, as the manual has it."""
_HIDDEN = "('information_schema', 'mysql', 'performance_schema', 'sys')"


class Mysql(Kind):
    point_in_time = True
    several = False
    describes = True
    # MariaDB drops ORDER BY inside another query unless it has a LIMIT
    # (https://mariadb.com/kb/en/why-is-order-by-in-a-from-subquery-ignored/)
    keeps_order = False

    def engine(self) -> sa.Engine:
        options: dict[str, Any] = {}
        driver = self.url.get_driver_name()
        if driver in ("pymysql", "mysqldb"):
            # the server keeps the rows until they are asked for
            module = "pymysql" if driver == "pymysql" else "MySQLdb"
            options["cursorclass"] = import_module(f"{module}.cursors").SSCursor
            if "charset" not in self.url.query:
                options["charset"] = "utf8mb4"
        options.update(self.connection.options)
        self._engine = sa.create_engine(self.url, poolclass=sa.pool.NullPool, connect_args=options)
        return self._engine

    def begin(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql("SET SESSION time_zone = '+00:00'")
        connection.exec_driver_sql("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        begin = "START TRANSACTION WITH CONSISTENT SNAPSHOT"
        if self.connection.read_only:
            # also for a transaction that a statement of the user's might begin
            connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
            begin += ", READ ONLY"
        if self.timeout and self._mariadb(connection):
            connection.exec_driver_sql(f"SET SESSION max_statement_time = {int(self.timeout)}")
        elif self.timeout:
            connection.exec_driver_sql(f"SET SESSION max_execution_time = {self.timeout * 1000}")
        connection.exec_driver_sql(begin)

    def _mariadb(self, connection: sa.Connection) -> bool:
        return bool(getattr(connection.dialect, "is_mariadb", False))

    def interrupter(self, connection: sa.Connection) -> Callable[[], None]:
        raw: Any = connection.connection.driver_connection
        own: Any = getattr(raw, "thread_id", None) or getattr(raw, "connection_id", None)
        identity = own() if callable(own) else own

        def kill() -> None:
            # MySQL is told from another connection; if none can be had, nothing can be done
            with suppress(Exception), self._engine.connect() as other:
                other.exec_driver_sql(f"KILL QUERY {int(identity)}")

        return kill

    def watches(self) -> bool:
        return False

    def options(self) -> dict[str, Any]:
        return {}

    @contextmanager
    def streaming(self, connection: sa.Connection) -> Iterator[None]:
        raw: Any = connection.connection.driver_connection
        decoders = getattr(raw, "decoders", None)
        if self.url.get_driver_name() != "pymysql" or not isinstance(decoders, dict):
            yield
            return
        raw.decoders = {}
        try:
            yield
        finally:
            raw.decoders = decoders

    def give_back(
        self, connection: sa.Connection, result: Any, interrupt: Callable[[], None]
    ) -> None:
        # closing reads to the end: better that it ends soon
        interrupt()
        _forget_if_closed(connection)
        for _ in range(2):
            # the second time, a KILL that came late has met this instead of the next statement
            with suppress(Exception):  # the KILL's own, or those of a connection that is gone
                # first the cursor, whose complaint SQLAlchemy would log
                result.cursor.close()
                connection.exec_driver_sql("DO 0")
        with suppress(Exception):  # as above
            result.close()

    def abandon(self, connection: sa.Connection, interrupt: Callable[[], None]) -> None:
        # the server goes on with a query whose client has left, until it has rows to send
        interrupt()
        _forget_if_closed(connection, anyway=True)
        connection.invalidate()

    def nothing_of(self, source: str) -> str:
        return f"SELECT * FROM {source} LIMIT 0"

    def sortable(self, query: str) -> str:
        return _sortable(query)

    def told(self, cursor: Any, description: Sequence[Sequence[Any]]) -> list[Told]:
        return field_types(cursor, description)

    def still(self, connection: sa.Connection, table: str, schema: str | None) -> bool:
        """Tables of an engine without transactions (MyISAM, Aria) show every change at once."""
        found = connection.execute(
            sa.text(
                "SELECT e.transactions FROM information_schema.tables AS t "
                "JOIN information_schema.engines AS e ON e.engine = t.engine "
                "WHERE t.table_schema = coalesce(:schema, database()) AND t.table_name = :name"
            ),
            {"schema": schema, "name": table},
        ).scalar()
        return found != "NO"

    def estimate_table(
        self, connection: sa.Connection, table: str, schema: str | None
    ) -> int | None:
        found = connection.execute(
            sa.text(
                "SELECT table_rows FROM information_schema.tables "
                "WHERE table_schema = coalesce(:schema, database()) AND table_name = :name"
            ),
            {"schema": schema, "name": table},
        ).scalar()
        return None if found is None else int(found)

    def estimate(self, connection: sa.Connection, statement: sa.Select[Any]) -> int | None:
        """What EXPLAIN thinks it has to look at, for statements that give a row for each."""
        compiled: Any = statement.compile(connection, compile_kwargs={"render_postcompile": True})
        values: Any = compiled.params
        if compiled.positiontup is not None:
            values = tuple(compiled.params[name] for name in compiled.positiontup)
        found = connection.exec_driver_sql(f"EXPLAIN {compiled}", values).mappings().all()
        rows = 1
        for step in found:
            about = step.get("rows")
            if step.get("select_type") not in ("SIMPLE", "PRIMARY") or about is None:
                continue
            rows *= int(about)
        first = next(iter(found), None)
        return None if first is None or first.get("rows") is None else rows

    def tables(self, connection: sa.Connection) -> list[dict[str, Any]]:
        columns = connection.exec_driver_sql(
            "SELECT table_schema, table_name, column_name, column_type "
            f"FROM information_schema.columns WHERE table_schema NOT IN {_HIDDEN} "
            "ORDER BY table_schema, table_name, ordinal_position"
        ).all()
        tables = connection.exec_driver_sql(
            "SELECT table_schema, table_name, table_type, table_rows "
            f"FROM information_schema.tables WHERE table_schema NOT IN {_HIDDEN}"
        ).all()
        views = {(schema, name) for schema, name, kind, _ in tables if "VIEW" in kind}
        rows = {
            (schema, name): None if about is None else int(about)
            for schema, name, _, about in tables
        }
        return inspecting.gathered([tuple(each) for each in columns], views, rows)

    def refused_login(self, error: BaseException) -> bool:
        return number(error) in _REFUSED

    def lost(self, error: BaseException) -> bool:
        return number(error) in _LOST

    def cancelled(self, error: BaseException) -> bool:
        return number(error) == _CANCELLED

    def timed_out(self, error: BaseException) -> bool:
        return number(error) in _TIMED_OUT


def _forget_if_closed(connection: sa.Connection, *, anyway: bool = False) -> None:
    """Let PyMySQL's objects not read from a connection that is closed when they go."""
    raw: Any = connection.connection.driver_connection
    result: Any = getattr(raw, "_result", None)
    if hasattr(result, "unbuffered_active") and (anyway or not getattr(raw, "open", True)):
        result.unbuffered_active = False


def _sortable(query: str) -> str:
    return f"{query}\nLIMIT {_ALL}"


def exactly_selected(query: str, told: Sequence[Told], names: Sequence[str]) -> str:
    """Return ``query`` so that all values of its columns arrive whole, in its own order."""
    if not any(each.exact for each in told):
        return query
    dialect: Any = mysql.dialect(paramstyle="named")
    shown = []
    for each, name in zip(told, names, strict=True):
        column: sa.ColumnElement[Any] = sa.column(quoted_name(name, True))
        made = (each.exact(column) if each.exact else column).label(quoted_name(name, True))
        shown.append(str(sa.select(made).compile(dialect=dialect)).removeprefix("SELECT ").strip())
    inner = _sortable(query) if ordered_without_limit(query, "mysql") else query
    return f"SELECT {', '.join(shown)} FROM (\n{inner}\n) selected"
