"""A DuckDB connection or relation of the user's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pyarrow as pa

from ... import engine
from ...errors import Cancelled, ExportError, QueryCancelled, QueryFailed, SourceFailed
from ..duckdb.types import exactly, plain_batch, plain_schema, without_end
from ..sentences import no_rows, param_missing, params_unfit
from ..sql.queries import one_statement
from .begun import Begun

_ROWS = 65_536
_IN_USE: tuple[type[Exception], ...] = tuple(
    getattr(duckdb, name) for name in ("ResourceInUseException",) if hasattr(duckdb, name)
)
"""What the engine says from its version 2 on; before, it forgot the other result."""


def read_duckdb(
    value: Any, sql: str, params: Any, begun: Begun
) -> tuple[pa.RecordBatchReader, Callable[[], None], Callable[[], None]]:
    """Run ``sql``; a relation is known in it by its alias (``rel.set_alias("name")``)."""
    sql = one_statement(sql, "duckdb")
    if isinstance(value, duckdb.DuckDBPyRelation):
        return _reading(lambda: value.query(value.alias, sql), lambda: None)
    # a cursor of it would be another connection: without the transaction that is open, temporary
    # tables, registered frames and what was SET
    begun(value, value.interrupt)
    return _reading(lambda: _asked(value, sql, params), value.interrupt)


def _asked(connection: Any, sql: str, params: Any) -> Any:
    return connection.sql(sql, params=params) if params else connection.sql(sql)


def _reading(
    ask: Callable[[], Any], interrupt: Callable[[], None]
) -> tuple[pa.RecordBatchReader, Callable[[], None], Callable[[], None]]:
    try:
        found = ask()
        if found is None:
            raise no_rows()
        chosen = exactly(found.columns, found.types)
        if any(chosen.expressions) and len(set(chosen.names)) == len(chosen.names):
            found = found.project(chosen.projection())
        reader = found.to_arrow_reader(_ROWS)
    except (duckdb.Error, RuntimeError) as error:
        raise _explained(error) from error
    schema = plain_schema(reader.schema)

    def batches() -> Iterator[pa.RecordBatch]:
        while True:
            try:
                batch = next(reader, None)
            except (duckdb.Error, pa.ArrowException, OSError, RuntimeError) as error:
                raise _explained(error) from error
            if batch is None:
                return
            name = without_end(batch)
            if name is not None:
                raise SourceFailed(
                    f"Column “{name}” holds infinity or 24:00:00, which Arrow does not have.",
                    hint="CAST it to VARCHAR in the query.",
                )
            yield plain_batch(batch, schema)

    return pa.RecordBatchReader.from_batches(schema, batches()), interrupt, reader.close


def _explained(error: BaseException) -> ExportError:
    if isinstance(error, _IN_USE):
        return QueryFailed(
            "The connection has a result that is not read to its end.",
            hint="Fetch its rows first (fetchall), or give a connection of its own: "
            "connection.cursor().",
            field="source.connection",
        )
    missing = re.search(r"not provided for the following .*parameters: (\w+)", str(error))
    if missing is not None:
        return param_missing(f"${missing[1]}")
    excess = re.search(r"identifiers of the excess parameters: (\w+)", str(error))
    if excess is not None:
        return params_unfit(f"${excess[1]}", ())
    said = engine.explain(error)
    # between two batches, the engine has no class of its own for it
    if isinstance(said, Cancelled) or "interrupted" in str(error).lower():
        return QueryCancelled("The query was cancelled.", field="source.query")
    said.field = "source.query"
    return said
