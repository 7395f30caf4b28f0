"""The values of one column become columns: what ``select_of`` grouped is spread in the engine.

Which columns there are is known only when the source has been read to its end; so the grouped rows
wait in a table of the engine, which spills, and everything after the pivot is a query over another.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from ..engine import identifier
from ..engine.dialect import compiled
from ..errors import InvalidSpec, QueryFailed
from ..registry import Surroundings, interrupting
from ..spec import Dataset, Pivot, Sort
from .carried import Restored, column
from .forms import Form
from .query import Query, Running, types_of
from .statement import exported, names_of, select_of
from .values import Kind, kind_of

MAX_COLUMNS = 1000
"""New columns of a pivot; more are a mistake in ``on``."""
_COUNTS = ("count", "count_distinct")


def spread(
    dataset: Dataset, running: Running, here: Surroundings, interrupt: Callable[[], None]
) -> tuple[pa.Schema, Generator[pa.RecordBatch]]:
    """Run the query of ``dataset`` to its end; return what the pivot and the steps after it give:
    its schema, and the batches, which are to be closed.

    Raises ``InvalidSpec`` for too many columns, two of one name, and steps that name a column
    which the pivot does not give; ``QueryFailed`` where values meet that must not.
    """
    known: list[pa.Schema] = []
    batches = _batches(dataset, running, known.append)
    with interrupting(here.cancelled, interrupt):
        # up to where the columns are known; its ``with`` holds the rows until it is closed
        next(batches)
    return known[0], batches


def _batches(
    dataset: Dataset, running: Running, tell: Callable[[pa.Schema], None]
) -> Generator[pa.RecordBatch]:
    """Tell the schema, yield once for that, then yield the batches."""
    assert dataset.pivot is not None
    with running.connected() as connection:
        running.heard()
        spreading = _Spreading(dataset, dataset.pivot, running.query, connection)
        spreading.gather()
        running.heard()
        sql, values, restored = spreading.rest()
        tell(restored.schema)
        yield pa.record_batch([], schema=pa.schema([]))
        yield from running.read(connection, sql, values, restored)


class _Spreading:
    def __init__(self, dataset: Dataset, pivot: Pivot, query: Query, connection: Any) -> None:
        self._dataset = dataset
        self._pivot = pivot
        self._query = query
        self._connection = connection
        self._fields = list(query.restored.schema)
        self._forms: list[Form | None] = list(query.restored.forms)
        count = len(self._fields) - (2 if pivot.function else 3)
        self._index = list(range(count))
        self._on = count
        self._value = count + 1
        self._names: list[str] = []

    # ------------------------------------------------------------------ the grouped rows

    def gather(self) -> None:
        """Read the source into ``long``, and make ``wide`` of it."""
        listed = ", ".join(f"c{i}" for i in range(len(self._fields)))
        self._connection.execute(
            f"CREATE TEMP TABLE long AS SELECT * FROM ({self._query.sql}) AS t({listed})",
            list(self._query.values),
        )
        if self._pivot.function is None:
            self._refuse_meetings()
        # the places of the new columns: dates by time, numbers by size, nulls last
        self._connection.execute(
            f"CREATE TEMP TABLE spread AS SELECT c{self._on} AS found, "
            f"(row_number() OVER (ORDER BY c{self._on} NULLS LAST) - 1)::INTEGER AS place "
            f"FROM (SELECT DISTINCT c{self._on} FROM long)"
        )
        count = self._connection.sql("SELECT count(*) FROM spread").fetchall()[0][0]
        if count > MAX_COLUMNS:
            raise InvalidSpec(
                f"Column “{self._pivot.on}” of {self._dataset.name} has {count:,} values, and a "
                f"pivot makes at most {MAX_COLUMNS:,} columns.",
                hint="Pivot on another column, or take fewer of its values with where.",
                field="pivot.on",
            )
        self._names = self._texts()
        self._refuse_names()
        self._connection.execute(self._wide())

    def _refuse_meetings(self) -> None:
        met = len(self._fields) - 1
        found = self._connection.sql(f"SELECT * FROM long WHERE c{met} > 1 LIMIT 1")
        table = found.to_arrow_table()
        if not table.num_rows:
            return
        (row,) = self._query.restored.batches(table.combine_chunks().to_batches()[0])
        cell = ", ".join(
            f"{row.schema.field(i).name} = {texts_of(row.column(i))[0]}"
            for i in (*self._index, self._on)
        )
        values = row.column(met)[0].as_py()
        raise QueryFailed(
            f"{values:,} values of “{self._pivot.values}” meet in one cell of the pivot ({cell}).",
            hint="Say by pivot.function which one is taken: first, max, sum, …",
        )

    def _texts(self) -> list[str]:
        table = self._connection.sql("SELECT found FROM spread ORDER BY place").to_arrow_table()
        one = Restored(pa.schema([self._fields[self._on]]), [self._forms[self._on]])
        return [
            text
            for batch in table.to_batches()
            for part in one.batches(batch)
            for text in texts_of(part.column(0))
        ]

    def _refuse_names(self) -> None:
        index = {self._fields[i].name for i in self._index}
        seen: set[str] = set()
        for name in self._names:
            if name in seen or name in index:
                other = "a column of the index" if name in index else "another value"
                raise InvalidSpec(
                    f"A column of the pivot would be named “{name}”, as {other} of "
                    f"{self._dataset.name} is.",
                    hint="Give the index another name, or compute a column to pivot on whose "
                    "values differ as text.",
                    field="pivot.on",
                )
            seen.add(name)

    def _wide(self) -> str:
        index = [f"c{i}" for i in self._index]
        cells = []
        empty = 0 if self._pivot.function in _COUNTS else None
        for place in range(len(self._names)):
            cell = identifier(str(place))
            cells.append(f"coalesce({cell}, 0)" if empty == 0 else cell)
        chosen = (
            ", ".join(f"{each} AS w{i}" for i, each in enumerate([*index, *cells])) or "NULL AS w0"
        )
        places = ", ".join(str(place) for place in range(len(self._names)))
        below = ", ".join([*index, "place", f"c{self._value} AS cell"])
        joined = f"SELECT {below} FROM long JOIN spread ON c{self._on} IS NOT DISTINCT FROM found"
        grouped = f" GROUP BY {', '.join(index)}" if index else ""
        ordered = " ORDER BY " + ", ".join(f"{each} NULLS LAST" for each in index) if index else ""
        source = (
            f"(PIVOT ({joined}) ON place IN ({places}) USING first(cell){grouped})"
            if self._names
            else f"(SELECT {', '.join(index) or '1'} FROM long)"
        )
        return f"CREATE TEMP TABLE wide AS SELECT {chosen} FROM {source}{ordered}"

    # ------------------------------------------------------------------ what follows

    def rest(self) -> tuple[str, list[Any], Restored]:
        """Compile ``columns``, ``distinct``, ``sort`` and ``limit`` over ``wide``."""
        value = self._fields[self._value].with_nullable(True)
        schema = pa.schema(
            [
                *(self._fields[i] for i in self._index),
                *(value.with_name(name) for name in self._names),
            ]
        )
        forms = [self._forms[i] for i in self._index]
        forms += [self._forms[self._value]] * len(self._names)
        told = pa.schema(
            [
                field.with_type(field.type if form is None else form.told)
                for field, form in zip(schema, forms, strict=True)
            ]
        )
        dataset = self._dataset.model_copy(update={**_DONE, "sort": self._settled(told)})
        table = sa.table("wide", *(column(f"w{i}", field) for i, field in enumerate(told)))
        sql, values = compiled(select_of(dataset, table, told, "duckdb"))
        kinds = types_of(self._connection, sql, values)
        shown = exported(dataset.columns, schema.names, dataset.name)
        of = dict(zip(schema.names, zip(schema, forms, strict=True), strict=True))
        fields: list[pa.Field] = []
        chosen: list[Form | None] = []
        for name, out, kind in zip(shown, names_of(dataset, schema), kinds, strict=True):
            field, form = of.get(name, (None, None))
            fields.append(pa.field(out, kind) if field is None else field.with_name(out))
            chosen.append(form)
        return sql, values, Restored(pa.schema(fields), chosen)

    def _settled(self, told: pa.Schema) -> list[Sort]:
        """Return the keys of the order; the index settles what they leave open."""
        dataset = self._dataset
        if not dataset.sort and not dataset.distinct:
            return []
        shown = exported(dataset.columns, told.names, dataset.name)
        sorted_by = {each.column for each in dataset.sort}
        return [
            *dataset.sort,
            *(
                Sort(column=told.field(i).name)
                for i in self._index
                if told.field(i).name not in sorted_by
                and (told.field(i).name in shown or not dataset.distinct)
                and kind_of(told.field(i).type) is not Kind.NESTED
            ),
        ]


_DONE: dict[str, Any] = {
    "where": None, "time_range": None, "sample": None, "computed": [], "group_by": [],
    "aggregates": [], "pivot": None,
}  # fmt: skip


def texts_of(array: pa.Array) -> list[str]:
    """Return the text form of each value; of a null, ``null``."""
    if isinstance(array.type, pa.BaseExtensionType):
        return ["null" if value is None else str(value) for value in array.to_pylist()]
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return ["null" if value is None else value.hex() for value in array.to_pylist()]
    if pa.types.is_fixed_size_binary(kind):
        return texts_of(pc.cast(array, pa.binary()))
    try:
        texts = pc.cast(array, pa.string()).to_pylist()
    except pa.ArrowNotImplementedError:
        texts = [None if value is None else str(value) for value in array.to_pylist()]
    return ["null" if text is None else text for text in texts]
