"""A connection of the user's own by a database driver (PEP 249), or by SQLAlchemy around one."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ...errors import (
    ConnectionFailed,
    ConnectionLost,
    ExportError,
    QueryCancelled,
    QueryFailed,
)
from ..python_rows import Row
from ..sentences import no_rows
from ..sql.columns import Columns, Told
from ..sql.cursors import ROWS
from ..sql.driver_types import driver_types
from ..sql.failures import Redactor, number, sentence, sqlstate
from ..sql.mysql import exactly_selected
from ..sql.mysql_types import field_types
from ..sql.queries import bound, one_statement, selects
from .begun import Begun

_LOST = (0, 2006, 2013, 2055)
_CANCELLED = 1317


def read_sqlalchemy(
    value: sa.Engine | sa.Connection, sql: str, params: Any, begun: Begun
) -> tuple[pa.RecordBatchReader, Callable[[], None], Callable[[], None]]:
    """Run ``sql`` on the connection below, so that the driver's own cursor streams the rows."""
    redact = Redactor(value.engine.url)
    stack = ExitStack()
    connection: sa.Connection
    if isinstance(value, sa.Engine):
        try:
            connection = stack.enter_context(value.connect())
        except (SQLAlchemyError, OSError) as error:
            raise ConnectionFailed(
                f"The engine cannot connect: {sentence(error, redact)}."
            ) from None
        stack.callback(connection.rollback)
    else:
        connection = value
    try:
        text, values = _bound(connection.dialect, sql, params)
        raw = connection.connection.driver_connection
    except (SQLAlchemyError, AttributeError) as error:
        stack.close()
        raise ConnectionFailed(
            f"The connection cannot be used: {sentence(error, redact)}."
        ) from None
    except BaseException:
        stack.close()
        raise
    return _read(raw, text, values, redact, stack, begun)


def read_dbapi(
    value: Any, sql: str, params: Any, begun: Begun
) -> tuple[pa.RecordBatchReader, Callable[[], None], Callable[[], None]]:
    """Run ``sql``, its ``params`` as the driver has them."""
    return _read(value, sql, params or None, Redactor(), ExitStack(), begun)


def _bound(dialect: sa.Dialect, sql: str, params: Any) -> tuple[str, Any]:
    """Return SQL and values as the driver has them; without params, ``sql`` is left alone."""
    if not params:
        return sql, None
    compiled: Any = bound(sql, params).compile(dialect=dialect)
    values = compiled.construct_params()
    if compiled.positiontup is not None:
        return str(compiled), tuple(values[name] for name in compiled.positiontup)
    return str(compiled), values


def _read(
    raw: Any, sql: str, params: Any, redact: Redactor, stack: ExitStack, begun: Begun
) -> tuple[pa.RecordBatchReader, Callable[[], None], Callable[[], None]]:
    driver = type(raw).__module__.split(".", 1)[0]
    opener = _OPENERS.get(driver, _plain)
    interrupt = _Interrupt(_killer(raw) if opener is _mysql else _canceller(raw))
    try:
        text = one_statement(sql, _DIALECTS.get(driver, ""))
        begun(raw, interrupt)
        with _explained(raw, redact):
            opened = opener(raw, text, params, stack, interrupt)
            head = opened.cursor.fetchmany(ROWS) if opened.told is not None else []
            if opened.cursor.description is None or opened.told is None:
                raise no_rows()
            names = [column[0] for column in opened.cursor.description]
            columns = Columns(names, opened.told(), head)
    except BaseException:
        with suppress(Exception):  # what went wrong before matters more
            stack.close()
        raise

    def pieces() -> Iterator[Sequence[Row]]:
        yield head
        while True:
            with _explained(raw, redact):
                rows = opened.cursor.fetchmany(ROWS)
            if not rows:
                return
            yield rows

    def close() -> None:
        with _explained(raw, redact):
            stack.close()

    reader = pa.RecordBatchReader.from_batches(columns.schema, columns.batches(pieces()))
    return reader, interrupt, close


@dataclass(frozen=True)
class _Opened:
    """A cursor with its statement executed."""

    cursor: Any
    told: Callable[[], list[Told]] | None
    """None: there are no rows to read."""


class _Interrupt:
    """Ends what runs, by the driver's own means, and lets nothing begin afterwards."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end
        self._asked = False

    def __call__(self) -> None:
        self._asked = True
        self._end()

    def check(self) -> None:
        if self._asked:
            raise QueryCancelled("The query was cancelled.", field="source.query")


def _execute(cursor: Any, sql: str, params: Any, interrupt: _Interrupt) -> None:
    interrupt.check()
    # without values, a driver takes no “%” for the place of one
    if params is None:
        cursor.execute(sql)
        return
    try:
        cursor.execute(sql, params)
    except (TypeError, ValueError, LookupError) as error:
        # a driver that writes the values into the text (PyMySQL) fails as Python's “%” does
        raise QueryFailed(
            "The query failed: its params do not fit it.",
            hint=f"The driver says: {type(error).__name__}. Write %% for a percent.",
            field="source.query",
        ) from None


def _plain(raw: Any, sql: str, params: Any, stack: ExitStack, interrupt: _Interrupt) -> _Opened:
    cursor = raw.cursor()
    stack.callback(cursor.close)
    if hasattr(cursor, "row_factory"):
        cursor.row_factory = None  # sqlite3: tuples, whatever the user likes
    _execute(cursor, sql, params, interrupt)
    told = (lambda: driver_types(cursor, cursor.description)) if cursor.description else None
    return _Opened(cursor, told)


def _psycopg(raw: Any, sql: str, params: Any, stack: ExitStack, interrupt: _Interrupt) -> _Opened:
    """In a transaction, or savepoint, of our own: afterwards the user's is where it was."""
    stack.enter_context(raw.transaction(force_rollback=True))
    rows = import_module("psycopg.rows")
    named = {"name": f"jupyter_export_{uuid.uuid4().hex}"} if selects(sql) else {}
    cursor = raw.cursor(row_factory=rows.tuple_row, **named)
    stack.callback(cursor.close)
    _execute(cursor, sql, params, interrupt)
    told = (lambda: driver_types(cursor, cursor.description)) if cursor.description else None
    return _Opened(cursor, told)


def _psycopg2(raw: Any, sql: str, params: Any, stack: ExitStack, interrupt: _Interrupt) -> _Opened:
    extensions = import_module("psycopg2.extensions")
    if not raw.autocommit and raw.status == extensions.STATUS_READY:
        stack.callback(raw.rollback)
    tuples = {"cursor_factory": extensions.cursor}
    if selects(sql):
        # outside of a transaction, only such a cursor outlives its statement
        cursor = raw.cursor(uuid.uuid4().hex, withhold=raw.autocommit, **tuples)
    else:
        cursor = raw.cursor(**tuples)
    stack.callback(cursor.close)
    _execute(cursor, sql, params, interrupt)
    return _Opened(cursor, lambda: driver_types(cursor, cursor.description))


def _mysql(raw: Any, sql: str, params: Any, stack: ExitStack, interrupt: _Interrupt) -> _Opened:
    module = import_module(f"{type(raw).__module__.split('.', 1)[0]}.cursors")
    if not getattr(raw, "server_status", 1) & 1:
        # SERVER_STATUS_IN_TRANS: the user had none open
        stack.callback(raw.rollback)
    cursor = raw.cursor(module.SSCursor)

    def give_back() -> None:
        # closing reads to the end: better that it ends soon
        if getattr(raw, "_result", None) is not None and raw._result.unbuffered_active:
            interrupt()
        for _ in range(2):
            with suppress(Exception):  # the KILL, met by what we wait for
                cursor.close()
                raw.ping(reconnect=False)

    stack.callback(give_back)
    decoders, told = getattr(raw, "decoders", None), None
    try:
        if decoders is not None:
            # the server's own text, as ``sql.mysql`` reads it
            raw.decoders = {}
        if selects(sql):
            with suppress(Exception):  # the statement itself will say what is wrong with it
                described = f"SELECT * FROM (\n{sql}\n) selected LIMIT 0"
                _execute(cursor, described, params, interrupt)
                exact = field_types(cursor, cursor.description, zone=None)
                sql = exactly_selected(sql, exact, [column[0] for column in cursor.description])
                cursor.fetchall()
                told = exact
        _execute(cursor, sql, params, interrupt)
    finally:
        if decoders is not None:
            raw.decoders = decoders
    if cursor.description is None:
        return _Opened(cursor, None)
    found = told or field_types(cursor, cursor.description, zone=None)
    return _Opened(cursor, lambda: found)


def _killer(raw: Any) -> Callable[[], None]:
    """Return what ends a statement of a connection of PyMySQL, from another one like it."""
    # where nobody asks for TLS, it is tried and not required
    encrypted = getattr(raw, "_ssl_required", getattr(raw, "ssl", False))

    def kill() -> None:
        with suppress(Exception):  # if no other can be had, nothing can be done
            other = type(raw)(
                host=raw.host,
                port=raw.port,
                user=raw.user,
                password=raw.password,
                unix_socket=raw.unix_socket,
                ssl=raw.ctx if encrypted else None,
            )
            try:
                other.cursor().execute(f"KILL QUERY {int(raw.thread_id())}")
            finally:
                other.close()

    return kill


def _canceller(raw: Any) -> Callable[[], None]:
    for name in ("cancel_safe", "cancel", "interrupt"):
        cancel = getattr(raw, name, None)
        if callable(cancel):
            return cancel  # type: ignore[no-any-return]
    return lambda: None


_OPENERS: dict[str, Callable[[Any, str, Any, ExitStack, _Interrupt], _Opened]] = {
    "MySQLdb": _mysql,
    "psycopg": _psycopg,
    "psycopg2": _psycopg2,
    "pymysql": _mysql,
}
_DIALECTS = {"MySQLdb": "mysql", "psycopg": "postgres", "pymysql": "mysql", "sqlite3": "sqlite"}


@contextmanager
def _explained(raw: Any, redact: Redactor) -> Iterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except ExportError:
        raise
    except _errors(raw) as error:
        raise _of_driver(error, raw, redact) from None


def _errors(raw: Any) -> tuple[type[Exception], ...]:
    module = sys.modules.get(type(raw).__module__.split(".", 1)[0])
    found = [getattr(module, name, None) for name in ("Error", "Warning")]
    named = tuple(e for e in found if isinstance(e, type) and issubclass(e, Exception))
    # a driver that does not name its errors as PEP 249 asks: all of them are its own
    return (*named, OSError) if named else (Exception,)


def _of_driver(error: Exception, raw: Any, redact: Redactor) -> ExportError:
    said = sentence(error, redact)
    if sqlstate(error) == "57014" or number(error) == _CANCELLED or said == "interrupted":
        return QueryCancelled(f"The query was cancelled: {said}.", field="source.query")
    gone = sqlstate(error)[:2] == "08" or sqlstate(error) == "57P01"
    if gone or number(error) in _LOST or getattr(raw, "broken", False):
        return ConnectionLost(f"The connection was lost: {said}.")
    return QueryFailed(f"The query failed: {said}.", field="source.query")
