"""One open DuckDB file: relations, and streams of Arrow batches."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.sql.elements import quoted_name

from ... import engine
from ...engine.dialect import DIALECT, compiled
from ...errors import (
    Cancelled,
    ExportError,
    QueryCancelled,
    QueryFailed,
    SourceFailed,
)
from ...losses import Loss
from ...registry import (
    BatchStream,
    Connection,
    Database,
    Relation,
    Retyped,
    Surroundings,
    interrupting,
)
from ...spec import SqlSource, TableSource
from ..sentences import no_rows, no_table, not_selectable, took_too_long, two_statements
from ..spool import Rows, picked
from ..sql.columns import UNTOLD
from ..sql.described import native
from ..sql.inspecting import gathered
from ..sql.queries import one_statement, with_params
from ..sql.shape import limit_of, mentions, taken
from ..watch import Watch
from .types import Exactly, exactly, plain_batch, plain_schema, without_end

_ROWS = 65_536


class _Described:
    """One relation: what it is called in statements."""

    def __init__(
        self,
        clause: sa.FromClause,
        schema: pa.Schema,
        table: tuple[str, str | None] | None = None,
        rows: Rows | None = None,
        losses: tuple[Loss, ...] = (),
    ) -> None:
        self.clause = clause
        self.schema = schema
        self.table = table
        """(table, schema), where it is one."""
        self.rows = rows
        """Of a statement that runs by itself only, and runs already."""
        self.losses = losses


class DuckdbFile(Database):
    """One file, in one transaction; a file that is only read cannot change while it is open."""

    dialect = "duckdb"
    point_in_time = True

    def __init__(
        self, opened: duckdb.DuckDBPyConnection, connection: Connection, here: Surroundings
    ) -> None:
        self._opened = opened
        self._connection = connection
        self._here = here
        self._known: dict[int, _Described] = {}
        self._as_text: dict[str, set[str]] = {}
        """SQL -> its columns whose values Arrow has no place for."""
        self._rows: list[Rows] = []
        self._handed: list[Rows] = []
        """Those of them that a stream was asked for."""
        self._running: set[duckdb.DuckDBPyConnection] = {opened}
        self._closed = False
        if not connection.read_only:
            opened.execute("BEGIN TRANSACTION")

    # -------------------------------------------------------------- relations

    def relation(self, source: TableSource | SqlSource) -> Relation:
        with interrupting(self._here.cancelled, self._interrupt):
            found = self._table(source) if isinstance(source, TableSource) else self._query(source)
        self._known[id(found.clause)] = found
        return Relation(found.clause, found.schema, opaque=found.rows is not None)

    def _table(self, source: TableSource) -> _Described:
        schema = None if source.schema_ is None else quoted_name(source.schema_, True)
        bare = sa.table(quoted_name(source.table, True), schema=schema)
        sql = f"SELECT * FROM {DIALECT.identifier_preparer.format_table(bare)}"
        try:
            chosen = self._chosen(sql, [])
        except QueryFailed:
            known = self._names(source.schema_)
            if known and source.table not in known:
                raise no_table(source, known) from None
            raise
        arrow = self._schema(chosen.around(sql), [])
        clause = sa.table(quoted_name(source.table, True), *_typed(arrow), schema=schema)
        return _Described(clause, arrow, (source.table, source.schema_))

    def _query(self, source: SqlSource) -> _Described:
        with_params(source)  # what is wrong with the params comes first
        text = one_statement(source.query, self.dialect)
        statement = with_params(source.model_copy(update={"query": text}))
        # a comment at the end of a line must not take the bracket along
        inside = with_params(source.model_copy(update={"query": f"{text}\n"}))
        sql, values = compiled(statement)
        with self._explained():
            kinds = [each.type for each in self._opened.extract_statements(sql)]
        if len(kinds) > 1:
            raise two_statements()
        if kinds != [duckdb.StatementType.SELECT]:
            return self._direct(sql, values)
        chosen = self._chosen(sql, values)
        if len(set(chosen.names)) < len(chosen.names):
            return self._direct(sql, values)
        arrow = self._schema(chosen.around(sql), values)
        return _Described(inside.columns(*_typed(arrow)).subquery("selected"), arrow)

    def _direct(self, sql: str, values: Sequence[Any]) -> _Described:
        """Run a statement that runs by itself only, and once: it may write."""
        cursor = self._cursor()
        with self._explained():
            found = _relation(cursor, sql, values)
            if found is None:
                raise no_rows()
            chosen = exactly(found.columns, found.types)
            reader = found.to_arrow_reader(_ROWS)
        schema = plain_schema(reader.schema)
        rows = self._reading(schema, lambda: reader, cursor, None, begun=True)
        unique = {field.name: field for field in schema}
        clause = sa.table("statement", *_typed(pa.schema(list(unique.values()))))
        return _Described(clause, schema, None, rows, chosen.losses)

    def _chosen(self, sql: str, values: Sequence[Any]) -> Exactly:
        """Return how the columns of ``sql`` are selected; it is bound for that, and not run."""
        cursor = self._cursor()
        with self._explained():
            found = _relation(cursor, sql, values)
            if found is None:
                raise no_rows()
            return exactly(found.columns, found.types, self._as_text.get(sql, set()))

    def _schema(self, sql: str, values: Sequence[Any]) -> pa.Schema:
        cursor = self._cursor()
        with self._explained():
            nothing = _relation(cursor, f"SELECT * FROM (\n{sql}\n) AS nothing LIMIT 0", values)
            reader = nothing.to_arrow_reader(1)
            schema = plain_schema(reader.schema)
            reader.read_all()
        return schema

    def _names(self, schema: str | None) -> list[str]:
        return [each["name"] for each in self.tables() if each["schema"] == (schema or "main")]

    # -------------------------------------------------------------- streams

    def stream(self, statement: sa.Select[Any]) -> BatchStream:
        with interrupting(self._here.cancelled, self._interrupt):
            for each in self._known.values():
                if each.rows is not None and mentions(statement, each.clause):
                    return self._whole(each, statement)
            sql, values = compiled(statement)
            chosen = self._chosen(sql, values)
            shown = chosen.around(sql)
            schema = self._schema(shown, values)
        cursor: list[duckdb.DuckDBPyConnection] = []

        def run() -> pa.RecordBatchReader:
            cursor.append(self._cursor())
            return _relation(cursor[0], shown, values).to_arrow_reader(_ROWS)

        rows = self._reading(schema, run, None, sql, begun=False)
        self._handed.append(rows)
        return BatchStream(
            schema, rows, interrupt=self._interrupt, close=rows.close, losses=chosen.losses
        )

    def _whole(self, relation: _Described, statement: sa.Select[Any]) -> BatchStream:
        """Read a statement that runs by itself, and pick columns here."""
        found = taken(statement)
        rows, relation.rows = relation.rows, None
        if found is None or rows is None:
            raise not_selectable()
        self._handed.append(rows)
        full = relation.schema
        positions = [full.get_field_index(name) for name in found.columns]
        names: Sequence[str] = found.names
        if len(set(full.names)) < len(full):
            # two columns have one name: whoever reads will say so
            positions, names = list(range(len(full))), full.names
        schema, batches = picked(rows, full, positions, names, found.limit)
        losses = tuple(each for each in relation.losses if each.column in found.columns)
        return BatchStream(
            schema, batches, interrupt=self._interrupt, close=rows.close, losses=losses
        )

    def _reading(
        self,
        schema: pa.Schema,
        run: Callable[[], pa.RecordBatchReader],
        cursor: duckdb.DuckDBPyConnection | None,
        again: str | None,
        *,
        begun: bool,
    ) -> Rows:
        """Return the rows that ``run`` gives; ``again``: the SQL that may be run once more."""
        watch = Watch(self._connection.statement_timeout, self._interrupt)

        def batches() -> Iterator[pa.RecordBatch]:
            with self._explained(watch), watch.watching():
                reader = run()
            while True:
                if self._here.cancelled.is_set():
                    # an interrupt that came between two calls of the engine has met nothing
                    raise Cancelled("The export was cancelled.")
                with self._explained(watch), watch.watching():
                    batch = next(reader, None)
                if batch is None:
                    return
                self._refuse_endless(batch, again)
                yield plain_batch(batch, schema)

        rows = Rows(schema, batches(), self._here.scratch, lambda: None, begun=begun)
        self._rows.append(rows)
        return rows

    def _refuse_endless(self, batch: pa.RecordBatch, again: str | None) -> None:
        name = without_end(batch)
        if name is None:
            return
        if again is not None and self._connection.read_only:
            self._as_text.setdefault(again, set()).add(name)
            raise Retyped(name)
        raise SourceFailed(
            f"Column “{name}” holds infinity or 24:00:00, which Arrow does not have.",
            hint="CAST it to VARCHAR in the query.",
        )

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a connection that has no open result: what others hold in the transaction that
        writes waits on disk."""
        if self._connection.read_only:
            cursor = self._opened.cursor()
            self._running.add(cursor)
            return cursor
        for rows in self._rows:
            if rows.open:
                rows.spool()
        return self._opened

    def _interrupt(self) -> None:
        for each in list(self._running):
            each.interrupt()

    @contextmanager
    def _explained(self, watch: Watch | None = None) -> Iterator[None]:
        """Turn the engine's errors into ours."""
        try:
            yield
        except (duckdb.Error, pa.ArrowException, OSError, RuntimeError) as error:
            if isinstance(error, ExportError):
                raise
            raise self._of_statement(error, watch) from None

    def _of_statement(self, error: BaseException, watch: Watch | None) -> ExportError:
        name = self._connection.name
        said = engine.explain(error)
        if watch is not None and watch.expired:
            return took_too_long(name, self._connection.statement_timeout)
        # between two batches, the engine has no class of its own for it
        if isinstance(said, Cancelled) or "interrupted" in str(error).lower():
            return QueryCancelled("The query was cancelled.", field="source.query")
        if isinstance(said, QueryFailed):
            said.field = "source.query"
        return said

    # -------------------------------------------------------------- what else there is to know

    def estimate(self, statement: sa.Select[Any]) -> int | None:
        if any(
            each.rows is not None and mentions(statement, each.clause)
            for each in self._known.values()
        ):
            return None
        # a bound limit is no number to the planner
        limit = limit_of(statement)
        sql, values = compiled(statement.limit(None))
        cursor = self._cursor()
        with self._explained():
            found = cursor.execute(f"EXPLAIN (FORMAT json) {sql}", values).fetchall()
        about = _cardinality(json.loads(found[0][1]))
        return about if about is None or limit is None else min(about, limit)

    def tables(self) -> list[dict[str, Any]]:
        cursor = self._cursor()
        mine = "database_name = current_database() AND NOT internal"
        with self._explained():
            columns = cursor.execute(
                "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() "
                f"WHERE {mine} ORDER BY schema_name, table_name, column_index"
            ).fetchall()
            counted = cursor.execute(
                f"SELECT schema_name, table_name, estimated_size FROM duckdb_tables() WHERE {mine}"
            ).fetchall()
            views = cursor.execute(
                f"SELECT schema_name, view_name FROM duckdb_views() WHERE {mine}"
            ).fetchall()
        rows = {(schema, name): about for schema, name, about in counted}
        return gathered(columns, set(views), rows)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            for rows in self._rows:
                rows.close()
            if not self._connection.read_only and all(rows.whole for rows in self._handed):
                with self._explained():
                    self._opened.execute("COMMIT")
        finally:
            # what is not committed is rolled back
            for each in self._running:
                each.close()


def _relation(
    cursor: duckdb.DuckDBPyConnection, sql: str, values: Sequence[Any]
) -> duckdb.DuckDBPyRelation:
    # ``sql`` and not ``execute``: its rows are streamed and not copied
    return cursor.sql(sql, params=list(values)) if values else cursor.sql(sql)


def _typed(schema: pa.Schema) -> list[sa.ColumnClause[Any]]:
    return [
        sa.column(quoted_name(field.name, True), native(UNTOLD, field.type)) for field in schema
    ]


def _cardinality(plan: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the rows that the topmost step of a plan is thought to give."""
    for step in plan:
        about = step.get("extra_info", {}).get("Estimated Cardinality")
        if about is not None:
            return int(about)
        below = _cardinality(step.get("children", ()))
        if below is not None:
            return below
    return None
