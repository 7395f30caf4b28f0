"""Which rows and which columns: ``where``, ``columns`` and ``limit`` of a dataset.

Batches that need nothing pass through untouched, and a condition is answered by the engine as one
boolean for each row, read from the columns that it names and no others. The rows that stay are cut
out of the original batches, so every type keeps what it is: a decimal of 76 digits, a nanosecond,
a dictionary never go through the engine's own types.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from sqlglot import expressions as sql_tree

from . import engine
from .errors import InvalidSpec, QueryFailed, did_you_mean
from .registry import BatchStream
from .spec import And, Columns, Comparison, Dataset, Not, Or

_ALLOWED_STATEMENTS = (sql_tree.Condition, sql_tree.Paren)
_REFUSED: tuple[type[Any], ...] = (
    sql_tree.Query,
    sql_tree.Subquery,
    sql_tree.Exists,
    sql_tree.Command,
    sql_tree.DDL,
    sql_tree.DML,
    sql_tree.Window,
    sql_tree.AggFunc,
    sql_tree.Parameter,
    sql_tree.Placeholder,
    sql_tree.Star,
    sql_tree.Lambda,
)
_ROWS = 65_536
"""Rows that one thread of the engine is asked about at a time."""
_BYTES = 64 * 1024**2
"""Arrow bytes after which the engine is asked, however few the rows."""


@dataclass(frozen=True)
class Condition:
    """A row condition as SQL of the engine: bound values, and the columns that it names."""

    sql: str
    values: tuple[Any, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """What a dataset takes of its source: a condition, columns in order with new names, a limit."""

    condition: Condition | None
    columns: tuple[int, ...]
    """Positions in the source's schema."""
    schema: pa.Schema
    """The schema of what comes out."""
    limit: int | None
    dataset: str

    @property
    def keeps_all_rows(self) -> bool:
        return self.condition is None and self.limit is None


def compile_selection(dataset: Dataset, schema: pa.Schema) -> Selection:
    """Check ``dataset`` against its source's ``schema``.

    Raises ``InvalidSpec`` for a column that is not there (naming the nearest), two columns of one
    name, and a condition that is no plain boolean expression.
    """
    _refuse_duplicates(schema.names, dataset.name)
    picked = _pick(dataset.columns, schema.names, dataset.name)
    names = [dataset.columns.rename.get(name, name) for name in picked]
    _refuse_duplicates(names, dataset.name)
    positions = tuple(schema.get_field_index(name) for name in picked)
    out = pa.schema([schema.field(i).with_name(n) for i, n in zip(positions, names, strict=True)])
    condition = None
    if isinstance(dataset.where, str):
        condition = _parse(dataset.where, schema.names, dataset.name)
    elif dataset.where is not None:
        values: list[Any] = []
        used: list[str] = []
        sql = _condition_sql(dataset.where, schema.names, dataset.name, values, used)
        condition = Condition(sql, tuple(values), tuple(dict.fromkeys(used)))
    return Selection(condition, positions, out, dataset.limit, dataset.name)


def apply(
    selection: Selection, stream: BatchStream, *, scratch: Path, memory_limit: int, threads: int
) -> BatchStream:
    """Return ``stream`` with the selection applied, lazily and in order."""
    if selection.condition is None:
        chosen = stream.batches
        interrupt = stream.interrupt
    else:
        mask = _Mask(selection, stream, scratch, memory_limit, threads)
        chosen = mask.batches()

        def interrupt() -> None:
            mask.interrupt()
            stream.interrupt()

    total = stream.total_rows if selection.condition is None else None
    if total is not None and selection.limit is not None:
        total = min(total, selection.limit)
    return BatchStream(
        schema=selection.schema,
        batches=_project(selection, stream.schema, chosen),
        total_rows=total,
        interrupt=interrupt,
        close=stream.close,
    )


# ------------------------------------------------------------------ columns


def _refuse_duplicates(names: Sequence[str], dataset: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidSpec(
                f"Two columns of {dataset} are named “{name}”.",
                hint="Give each column a name of its own.",
                field="columns",
            )
        seen.add(name)


def _known(name: str, names: Sequence[str], dataset: str, field: str) -> str:
    if name not in names:
        raise unknown_column(name, names, dataset, field)
    return name


def unknown_column(name: str, names: Sequence[str], dataset: str, field: str) -> InvalidSpec:
    return InvalidSpec(
        f"Column “{name}” is not in {dataset}.", hint=did_you_mean(name, names), field=field
    )


def _pick(columns: Columns, names: Sequence[str], dataset: str) -> list[str]:
    for field in ("include", "exclude", "order", "rename"):
        for name in getattr(columns, field):
            _known(name, names, dataset, f"columns.{field}")
    _refuse_duplicates(columns.include, dataset)
    _refuse_duplicates(columns.order, dataset)
    kept = [n for n in (columns.include or names) if n not in columns.exclude]
    for name in columns.order:
        if name not in kept:
            raise InvalidSpec(
                f"Column “{name}” is ordered but not exported.",
                hint="Include it, or take it out of order.",
                field="columns.order",
            )
    if not kept:
        raise InvalidSpec(f"No column of {dataset} is left to export.", field="columns")
    return [*columns.order, *(name for name in kept if name not in columns.order)]


def _project(
    selection: Selection, schema: pa.Schema, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    left = selection.limit
    same = selection.columns == tuple(range(len(schema)))
    for batch in batches:
        if left is not None:
            if left == 0:
                return
            batch = batch.slice(0, left)
            left -= batch.num_rows
        if same and selection.schema.names == schema.names:
            yield batch
        else:
            arrays = [batch.column(i) for i in selection.columns]
            yield pa.RecordBatch.from_arrays(arrays, schema=selection.schema)
        if left == 0:
            return


# ------------------------------------------------------------------ where


def _condition_sql(
    where: Comparison | And | Or | Not,
    names: Sequence[str],
    dataset: str,
    values: list[Any],
    used: list[str],
) -> str:
    def part(inner: Any) -> str:
        return _condition_sql(inner, names, dataset, values, used)

    if isinstance(where, And):
        return "(" + " AND ".join(part(each) for each in where.and_) + ")"
    if isinstance(where, Or):
        return "(" + " OR ".join(part(each) for each in where.or_) + ")"
    if isinstance(where, Not):
        return f"(NOT {part(where.not_)})"
    used.append(_known(where.column, names, dataset, "where"))
    column = engine.identifier(_engine_names(names)[names.index(where.column)])

    def bound(value: Any) -> str:
        values.append(value)
        return "?"

    given = where.value
    if where.op == "is_null" or (where.op == "=" and given is None):
        return f"({column} IS NULL)"
    if where.op == "not_null" or (where.op == "!=" and given is None):
        return f"({column} IS NOT NULL)"
    if where.op in ("in", "not_in"):
        assert isinstance(given, list)
        listed = ", ".join(bound(each) for each in given)
        return f"({column} {'NOT IN' if where.op == 'not_in' else 'IN'} ({listed}))"
    if where.op == "between":
        assert isinstance(given, list)
        return f"({column} BETWEEN {bound(given[0])} AND {bound(given[1])})"
    function = {
        "contains": "contains",
        "starts_with": "starts_with",
        "ends_with": "ends_with",
        "regex": "regexp_matches",
    }.get(where.op)
    if function is not None:
        return f"{function}(CAST({column} AS VARCHAR), {bound(given)})"
    if where.op in ("like", "ilike"):
        return f"(CAST({column} AS VARCHAR) {where.op.upper()} {bound(given)})"
    return f"({column} {where.op} {bound(given)})"


def _parse(text: str, names: Sequence[str], dataset: str) -> Condition:
    """Read SQL text of one boolean expression; nothing else reaches the engine."""

    def wrong(why: str) -> InvalidSpec:
        return InvalidSpec(
            f"The condition “{text}” {why}.",
            hint="Write one SQL expression over the columns, such as dep_delay > 60.",
            field="where",
        )

    try:
        trees = sqlglot.parse(text, read="duckdb")
    except sqlglot.errors.SqlglotError as error:
        found = getattr(error, "errors", None)
        detail = found[0] if found else {}
        near = detail.get("highlight")
        raise wrong(f"cannot be read near “{near}”" if near else "cannot be read") from None
    except RecursionError:
        raise wrong("is nested too deeply") from None
    if len(trees) != 1 or trees[0] is None:
        raise wrong("is not one expression")
    tree = trees[0]
    if not isinstance(tree, _ALLOWED_STATEMENTS) or isinstance(tree, _REFUSED):
        raise wrong("is not a condition")
    for node in tree.walk():
        if isinstance(node, _REFUSED):
            raise wrong("may hold no query, aggregate or window")
    used: list[str] = []
    folded = {name.casefold(): name for name in reversed(names)}
    shown = dict(zip(names, _engine_names(names), strict=True))
    for column in tree.find_all(sql_tree.Column):
        parts = column.parts
        found = [
            part.name if part.name in shown else folded.get(part.name.casefold()) for part in parts
        ]
        qualified = len(parts) > 1 and parts[0].name in (dataset, "source")
        # as in SQL, table.column comes before column.field
        if qualified and (found[1] is not None or found[0] is None):
            parts[0].pop()
            parts, found = parts[1:], found[1:]
        # what follows the first part is a field of a struct
        real = found[0]
        if real is None:
            raise unknown_column(parts[0].name, names, dataset, "where")
        used.append(real)
        parts[0].replace(sql_tree.to_identifier(shown[real], quoted=True))
    return Condition(tree.sql(dialect="duckdb"), (), tuple(dict.fromkeys(used)))


class _Mask:
    """Asks the engine about some batches at a time; its answers cut those batches.

    One question for the whole stream would be less to write, but the engine reads ahead of a slow
    sink until its own buffer is full: with one boolean a row, millions of rows that would wait.
    """

    def __init__(
        self,
        selection: Selection,
        stream: BatchStream,
        scratch: Path,
        memory_limit: int,
        threads: int,
    ) -> None:
        assert selection.condition is not None
        self._condition = selection.condition
        self._dataset = selection.dataset
        self._stream = stream
        self._scratch = scratch
        self._memory_limit = memory_limit
        self._threads = threads
        self._connection: Any = None
        names = _engine_names(stream.schema.names)
        self._positions = [stream.schema.get_field_index(n) for n in self._condition.columns]
        # a condition without a column still needs one value for each row
        self._seen = pa.schema(
            [_for_engine(stream.schema.field(i)).with_name(names[i]) for i in self._positions]
            or [pa.field("row", pa.int8())]
        )

    def interrupt(self) -> None:
        if self._connection is not None:
            self._connection.interrupt()

    def batches(self) -> Iterator[pa.RecordBatch]:
        with engine.session(
            self._scratch, memory_limit=self._memory_limit, threads=self._threads
        ) as connection:
            self._connection = connection
            try:
                self._refuse_more_than_a_condition(connection)
                for group in _grouped(self._stream.batches, self._threads):
                    keep = self._answers(connection, group)
                    for batch in group:
                        kept = batch.filter(keep.slice(0, batch.num_rows))
                        keep = keep.slice(batch.num_rows)
                        if kept.num_rows:
                            yield kept
            finally:
                self._connection = None

    def _refuse_more_than_a_condition(self, connection: Any) -> None:
        """Where a WHERE stands, the engine itself refuses what would answer once for many rows
        (aggregates and windows of every name) or many times for one (unnest)."""
        connection.register("source", pa.Table.from_batches([], self._seen))
        try:
            connection.execute(
                f"EXPLAIN SELECT 1 FROM source WHERE ({self._condition.sql})",
                list(self._condition.values),
            )
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as error:
            first = str(error).split("\n", 1)[0].partition(": ")[2].strip().rstrip(".!")
            raise InvalidSpec(
                f"The condition on {self._dataset} cannot be answered: {first}.", field="where"
            ) from None

    def _answers(self, connection: Any, group: list[pa.RecordBatch]) -> pa.BooleanArray:
        narrow = []
        for batch in group:
            arrays = [
                _cast(batch.column(i), field)
                for i, field in zip(self._positions, self._seen, strict=False)
            ] or [pa.nulls(batch.num_rows, pa.int8())]
            narrow.append(pa.RecordBatch.from_arrays(arrays, schema=self._seen))
        connection.register("source", pa.Table.from_batches(narrow))
        answers = connection.sql(
            f"SELECT coalesce(CAST(({self._condition.sql}) AS BOOLEAN), false) AS keep FROM source",
            params=list(self._condition.values),
        ).to_arrow_table()
        keep = answers.column(0).combine_chunks()
        if len(keep) != sum(batch.num_rows for batch in group):
            raise QueryFailed(f"The condition on {self._dataset} has not one answer for each row.")
        return keep


def _grouped(batches: Iterator[pa.RecordBatch], threads: int) -> Iterator[list[pa.RecordBatch]]:
    """Gather batches until the engine has a piece of work for each of its threads."""
    group: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        if batch.num_rows:
            group.append(batch)
            rows += batch.num_rows
            size += batch.nbytes
        if rows >= _ROWS * threads or size >= _BYTES:
            yield group
            group, rows, size = [], 0, 0
    if group:
        yield group


def _engine_names(names: Sequence[str]) -> list[str]:
    """Return for each column the name that the engine sees: to it, ``A`` and ``a`` are the same."""
    folded = [name.casefold() for name in names]
    return [f"{name} #{i}" if folded.count(folded[i]) > 1 else name for i, name in enumerate(names)]


def _for_engine(field: pa.Field) -> pa.Field:
    """Return the field as the engine is to see it: only types that it has, for comparing."""
    kind = field.type
    if pa.types.is_timestamp(kind) and kind.tz is not None and kind.unit == "ns":
        return field.with_type(pa.timestamp("ns"))
    if pa.types.is_float16(kind):
        return field.with_type(pa.float32())
    if pa.types.is_decimal(kind):
        return field.with_type(pa.decimal128(38, max(0, min(kind.scale, 38))))
    return field


def _cast(array: pa.Array, field: pa.Field) -> pa.Array:
    if array.type == field.type:
        return array
    if pa.types.is_timestamp(field.type):
        return array.view(field.type)
    try:
        return pc.cast(array, field.type)
    except pa.ArrowInvalid:
        raise QueryFailed(
            f"Column “{field.name}” holds numbers of more digits than a condition can compare.",
            hint="Take it out of the condition.",
        ) from None
