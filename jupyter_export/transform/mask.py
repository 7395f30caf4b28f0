"""Which rows a condition keeps: asked of the engine, cut out of the original batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import sqlalchemy as sa

from .. import engine
from ..engine.dialect import compiled
from ..errors import InvalidSpec, QueryFailed
from ..registry import BatchStream
from ..spec import Dataset
from .carried import Carried, referred
from .statement import condition_of
from .uses import judged

_ROWS = 65_536
"""Rows that one thread of the engine is asked about at a time."""
_BYTES = 64 * 1024**2
"""Arrow bytes after which the engine is asked, however few the rows."""


class Condition:
    """``where`` and ``time_range`` of a dataset, as SQL of the engine with bound values."""

    def __init__(self, dataset: Dataset, schema: pa.Schema) -> None:
        """Raises ``InvalidSpec`` for what is no condition over ``schema``."""
        self.dataset = dataset.name
        self.carried = Carried(schema, judged(dataset, schema), dataset.name)
        clause = condition_of(dataset, self.carried.table, self.carried.told, "duckdb")
        assert clause is not None
        keep = sa.func.coalesce(clause, sa.false()).label("keep")
        statement = sa.select(keep).select_from(self.carried.table)
        self.carried.narrow(referred(statement))
        self.sql, self.values = compiled(statement)


class Mask:
    """Asks the engine about some batches at a time; its answers cut those batches.

    One question for the whole stream would be less to write, but the engine reads ahead of a slow
    sink until its own buffer is full: with one boolean a row, millions of rows that would wait.
    """

    def __init__(
        self,
        condition: Condition,
        stream: BatchStream,
        scratch: Path,
        memory_limit: int,
        threads: int,
    ) -> None:
        self._condition = condition
        self._stream = stream
        self._scratch = scratch
        self._memory_limit = memory_limit
        self._threads = threads
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
                self._refuse_what_the_engine_refuses(connection)
                for group in _grouped(self._stream.batches, self._threads):
                    keep = self._answers(connection, group)
                    for batch in group:
                        kept = batch.filter(keep.slice(0, batch.num_rows))
                        keep = keep.slice(batch.num_rows)
                        if kept.num_rows:
                            yield kept
            finally:
                self._connection = None

    def _refuse_what_the_engine_refuses(self, connection: Any) -> None:
        empty = pa.Table.from_batches([], self._condition.carried.seen)
        connection.register("source", empty)
        try:
            connection.execute(f"EXPLAIN {self._condition.sql}", self._condition.values)
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as error:
            first = str(error).split("\n", 1)[0].partition(": ")[2].strip().rstrip(".!")
            raise InvalidSpec(
                f"The condition on {self._condition.dataset} cannot be answered: {first}.",
                field="where",
            ) from None

    def _answers(self, connection: Any, group: list[pa.RecordBatch]) -> pa.BooleanArray:
        condition = self._condition
        narrow = [condition.carried.there(batch) for batch in group]
        connection.register("source", pa.Table.from_batches(narrow))
        answers = connection.sql(condition.sql, params=condition.values).to_arrow_table()
        keep = answers.column(0).combine_chunks()
        if len(keep) != sum(batch.num_rows for batch in group):
            raise QueryFailed(
                f"The condition on {condition.dataset} has not one answer for each row."
            )
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
