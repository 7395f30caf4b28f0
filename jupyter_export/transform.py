"""Which rows and which columns: ``where``, ``columns`` and ``limit`` of a dataset.

Batches that need nothing pass through untouched, and a condition is answered by the engine as one
boolean for each row, read from the columns that it names and no others. The rows that stay are cut
out of the original batches, so every type keeps what it is: a decimal of 76 digits, a nanosecond,
a dictionary never go through the engine's own types.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from sqlglot import expressions as sql_tree

from . import engine
from .errors import InvalidSpec, did_you_mean
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
    column = engine.identifier(where.column)

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
    for column in tree.find_all(sql_tree.Column):
        parts = column.parts
        if len(parts) > 1 and parts[0].name in (dataset, "source"):
            column.set("table", None)
            parts = parts[1:]
        # what follows the first part is a field of a struct
        name = parts[0].name
        real = name if name in names else folded.get(name.casefold())
        if real is None:
            raise unknown_column(name, names, dataset, "where")
        used.append(real)
        parts[0].replace(sql_tree.to_identifier(real, quoted=True))
    return Condition(tree.sql(dialect="duckdb"), (), tuple(dict.fromkeys(used)))


class _Mask:
    """The engine reads the condition's columns ahead; its answers cut the batches that wait."""

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
        self._stream = stream
        self._scratch = scratch
        self._memory_limit = memory_limit
        self._threads = threads
        self._waiting: deque[pa.RecordBatch] = deque()
        self._connection: Any = None

    def interrupt(self) -> None:
        if self._connection is not None:
            self._connection.interrupt()

    def batches(self) -> Iterator[pa.RecordBatch]:
        with engine.session(
            self._scratch, memory_limit=self._memory_limit, threads=self._threads
        ) as connection:
            self._connection = connection
            try:
                yield from self._cut(connection)
            finally:
                self._connection = None

    def _cut(self, connection: Any) -> Iterator[pa.RecordBatch]:
        schema = self._stream.schema
        positions = [schema.get_field_index(name) for name in self._condition.columns]
        narrow = pa.schema([_for_engine(schema.field(i)) for i in positions])
        # a condition without a column still needs one value for each row
        seen = narrow if positions else pa.schema([pa.field("row", pa.int8())])

        def columns() -> Iterator[pa.RecordBatch]:
            for batch in self._stream.batches:
                if batch.num_rows == 0:
                    continue
                self._waiting.append(batch)
                if positions:
                    arrays = [
                        _cast(batch.column(i), field)
                        for i, field in zip(positions, narrow, strict=True)
                    ]
                else:
                    arrays = [pa.nulls(batch.num_rows, pa.int8())]
                yield pa.RecordBatch.from_arrays(arrays, schema=seen)

        connection.register("source", pa.RecordBatchReader.from_batches(seen, columns()))
        query = (
            f"SELECT coalesce(CAST(({self._condition.sql}) AS BOOLEAN), false) AS keep FROM source"
        )
        answers = connection.sql(query, params=list(self._condition.values)).to_arrow_reader(65536)
        for answer in answers:
            keep = answer.column(0)
            while len(keep):
                batch = self._waiting[0]
                taken = keep.slice(0, batch.num_rows)
                keep = keep.slice(len(taken))
                if len(taken) == batch.num_rows:
                    self._waiting.popleft()
                else:
                    self._waiting[0] = batch.slice(len(taken))
                    batch = batch.slice(0, len(taken))
                kept = batch.filter(taken)
                if kept.num_rows:
                    yield kept


def _for_engine(field: pa.Field) -> pa.Field:
    """Return the field as the engine is to see it: only types that it has, for comparing."""
    kind = field.type
    if pa.types.is_timestamp(kind) and kind.tz is not None and kind.unit == "ns":
        return field.with_type(pa.timestamp("ns"))
    if pa.types.is_float16(kind):
        return field.with_type(pa.float32())
    if pa.types.is_decimal256(kind):
        return field.with_type(pa.float64())
    return field


def _cast(array: pa.Array, field: pa.Field) -> pa.Array:
    if array.type == field.type:
        return array
    if pa.types.is_timestamp(field.type):
        return array.view(field.type)
    return pc.cast(array, field.type)
