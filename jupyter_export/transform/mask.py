"""Which rows a condition keeps: asked of the engine, cut out of the original batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from .. import engine
from ..errors import InvalidSpec, QueryFailed
from ..registry import BatchStream
from .condition import Condition, engine_names

_ROWS = 65_536
"""Rows that one thread of the engine is asked about at a time."""
_BYTES = 64 * 1024**2
"""Arrow bytes after which the engine is asked, however few the rows."""


class Mask:
    """Asks the engine about some batches at a time; its answers cut those batches.

    One question for the whole stream would be less to write, but the engine reads ahead of a slow
    sink until its own buffer is full: with one boolean a row, millions of rows that would wait.
    """

    def __init__(
        self,
        condition: Condition,
        dataset: str,
        stream: BatchStream,
        scratch: Path,
        memory_limit: int,
        threads: int,
    ) -> None:
        self._condition = condition
        self._dataset = dataset
        self._stream = stream
        self._scratch = scratch
        self._memory_limit = memory_limit
        self._threads = threads
        self._connection: Any = None
        names = engine_names(stream.schema.names)
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
