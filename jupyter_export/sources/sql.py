"""A table or query of any database that SQLAlchemy knows, streamed.

The statement runs on a server-side cursor inside a transaction that is rolled back, so an export
never changes the database.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from ..errors import InvalidSpec, QueryFailed, SourceFailed, did_you_mean
from ..registry import BatchStream, Surroundings, interrupting, missing
from ..spec import SqlSource, TableSource
from .python_rows import Row, batches_of, schema_of

_ROWS = 10_000


def open_query(source: SqlSource, here: Surroundings) -> BatchStream:
    """Run the query. Raises ``QueryFailed`` with the database's own sentence."""
    try:
        statement = sa.text(source.query).bindparams(**source.params)
    except sa.exc.ArgumentError:
        names = ", ".join(re.findall(r"(?<!:):(\w+)", source.query)) or "none"
        raise InvalidSpec(
            "The params do not fit the query.",
            hint=f"The query names: {names}.",
            field="source.params",
        ) from None
    unbound = [n for n in statement.compile().params if n not in source.params]
    if unbound:
        raise InvalidSpec(
            f"The query names :{unbound[0]}, and the params do not give it.",
            hint="Add it to params; write \\: for a colon that begins no parameter.",
            field="source.params",
        )
    return _stream(source.connection, statement, here)


def open_table(source: TableSource, here: Surroundings) -> BatchStream:
    """Read the whole table. Raises ``InvalidSpec`` naming the nearest when it is not there."""
    table = sa.table(source.table, schema=source.schema_)
    try:
        return _stream(source.connection, sa.select(sa.text("*")).select_from(table), here)
    except QueryFailed:
        database = _engine(source.connection, here)
        try:
            looker = sa.inspect(database)
            names = [
                *looker.get_table_names(source.schema_),
                *looker.get_view_names(source.schema_),
            ]
        except SQLAlchemyError:
            names = []
        finally:
            database.dispose()
        if source.table in names or not names:
            raise
        raise InvalidSpec(
            f"There is no table “{source.table}” on the connection {source.connection}.",
            hint=did_you_mean(source.table, names),
            field="source.table",
        ) from None


def _engine(name: str, here: Surroundings) -> sa.Engine:
    if name not in here.connections:
        raise InvalidSpec(
            f"“{name}” is not a known connection.",
            hint=did_you_mean(name, here.connections),
            field="source.connection",
        )
    try:
        url = sa.engine.make_url(here.connections[name])
        if url.drivername == "postgresql":
            # the driver that our extra brings, whichever SQLAlchemy would take
            url = url.set(drivername="postgresql+psycopg")
        return sa.create_engine(url, poolclass=sa.pool.NullPool)
    except ModuleNotFoundError as error:
        raise missing(error.name, f"The connection {name}") from error
    except (NoSuchModuleError, sa.exc.ArgumentError, TypeError, ValueError):
        # the URL holds a password: not a word of it may leave
        raise SourceFailed(f"The URL of the connection {name} cannot be used.") from None


def _stream(name: str, statement: Any, here: Surroundings) -> BatchStream:
    database = _engine(name, here)
    stack = ExitStack()
    stack.callback(database.dispose)
    try:
        try:
            connection = stack.enter_context(database.connect())
        except SQLAlchemyError as error:
            raise SourceFailed(
                f"The connection {name} cannot be opened: {_reason(error, here.connections[name])}."
            ) from None
        stack.callback(connection.rollback)
        cancel = _canceller(connection.connection.driver_connection)
        # the first rows are waited for here, perhaps for long
        with interrupting(here.cancelled, cancel):
            try:
                result = _execute(connection, statement)
            except SQLAlchemyError as error:
                raise _failed(error, here.connections[name]) from None
            if not result.returns_rows:
                raise QueryFailed("The query returns no rows to export.", field="source.query")
            names = list(result.keys())
            pieces = _pieces(result, here.connections[name])
            sample = next(pieces, [])
        schema = schema_of(names, sample)
    except BaseException:
        stack.close()
        raise
    return BatchStream(
        schema=schema,
        batches=batches_of(schema, chain([sample], pieces)),
        interrupt=cancel,
        close=stack.close,
    )


def _execute(connection: sa.Connection, statement: Any) -> Any:
    """Run the statement in a transaction that cannot write, or whose writing is undone."""
    if connection.dialect.name == "postgresql":
        connection = connection.execution_options(postgresql_readonly=True)
    elif connection.dialect.name == "sqlite":
        # Python's driver begins one by itself only before statements that it takes for writing
        connection.exec_driver_sql("BEGIN")
    return connection.execution_options(stream_results=True, yield_per=_ROWS).execute(statement)


def _pieces(result: Any, url: str) -> Iterator[list[Row]]:
    try:
        for piece in result.partitions(_ROWS):
            yield [tuple(row) for row in piece]
    except SQLAlchemyError as error:
        raise _failed(error, url) from None


def _canceller(raw: Any) -> Any:
    """Return the driver's own way to end a query from another thread, where it has one."""
    for name in ("cancel_safe", "cancel", "interrupt"):
        cancel = getattr(raw, name, None)
        if callable(cancel):
            return cancel
    return lambda: None


def _failed(error: SQLAlchemyError, url: str) -> QueryFailed:
    return QueryFailed(f"The query failed: {_reason(error, url)}.", field="source.query")


def _reason(error: SQLAlchemyError, url: str) -> str:
    """Return the first line of the driver's message, without the URL or its password."""
    text = str(getattr(error, "orig", None) or error).strip().split("\n", 1)[0]
    parsed = sa.engine.make_url(url)
    for secret in (url, parsed.password):
        if secret:
            text = text.replace(str(secret), "***")
    return text.rstrip(".")
