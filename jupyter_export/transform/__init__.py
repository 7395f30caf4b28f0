"""Which rows and which columns: ``where``, ``columns`` and ``limit`` of a dataset.

Batches that need nothing pass through untouched, and a condition is answered by the engine as one
boolean for each row, read from the columns that it names and no others. The rows that stay are cut
out of the original batches, so every type keeps what it is: a decimal of 76 digits, a nanosecond,
a dictionary never go through the engine's own types.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..registry import BatchStream
from ..spec import Dataset
from .columns import pick, refuse_duplicates
from .condition import Condition, condition_sql, parse
from .mask import Mask


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
    refuse_duplicates(schema.names, dataset.name)
    picked = pick(dataset.columns, schema.names, dataset.name)
    names = [dataset.columns.rename.get(name, name) for name in picked]
    refuse_duplicates(names, dataset.name)
    positions = tuple(schema.get_field_index(name) for name in picked)
    out = pa.schema([schema.field(i).with_name(n) for i, n in zip(positions, names, strict=True)])
    condition = None
    if isinstance(dataset.where, str):
        condition = parse(dataset.where, schema.names, dataset.name)
    elif dataset.where is not None:
        values: list[Any] = []
        used: list[str] = []
        sql = condition_sql(dataset.where, schema.names, dataset.name, values, used)
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
        mask = Mask(selection.condition, selection.dataset, stream, scratch, memory_limit, threads)
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
