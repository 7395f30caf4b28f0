"""The steps of a dataset between its source and its format.

Rows that are only chosen (``where``, ``time_range``, ``sample``, ``columns``, ``limit``) are cut
out of the original batches: a condition is answered by the engine as one boolean for each row, so
every type keeps what it is. The other steps are one query of the engine over the stream, in which
a column that is passed on travels in a form that holds it exactly (``forms``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from ..registry import BatchStream, Surroundings
from ..spec import Dataset
from .columns import refuse_duplicates
from .mask import Condition, Mask
from .pivot import spread
from .push import Pushed, at_most, push
from .query import Query, Running
from .sample import sampled
from .statement import exported, names_of

__all__ = ["Pushed", "Selection", "apply", "at_most", "compile_selection", "push"]


@dataclass(frozen=True)
class Selection:
    """What a dataset makes of its source: which rows are taken, and what is made of them."""

    dataset: Dataset
    condition: Condition | None
    """Which rows are taken before all else; None: all, or the query says it."""
    query: Query | None
    """None: the rows come out as they are, with fewer columns or other names."""
    columns: tuple[int, ...]
    """Positions in the source's schema, without a query."""
    schema: pa.Schema | None
    """What comes out; None for a pivot, whose columns are among its rows."""

    @property
    def keeps_all_rows(self) -> bool:
        """True: as many rows come out as go in."""
        return self._takes_all_rows and self.dataset.limit is None

    @property
    def _takes_all_rows(self) -> bool:
        steps = self.dataset
        return not (
            steps.where is not None
            or steps.time_range is not None
            or steps.sample is not None
            or steps.group_by
            or steps.aggregates
            or steps.pivot is not None
            or steps.distinct
        )

    def rows_of(self, total: int | None) -> int | None:
        """Return how many rows come out of ``total``, where that is known."""
        if total is None or not self._takes_all_rows:
            return None
        limit = self.dataset.limit
        return total if limit is None else min(total, limit)


def compile_selection(dataset: Dataset, schema: pa.Schema) -> Selection:
    """Check ``dataset`` against its source's ``schema``, as far as can be without a row.

    Raises ``InvalidSpec`` for a column that is not there (naming the nearest), two columns of one
    name, an expression that is none, and what a column's type does not allow.
    """
    refuse_duplicates(schema.names, dataset.name)
    judged = dataset.where is not None or dataset.time_range is not None
    condition = Condition(dataset, schema) if judged else None
    if not _needs_query(dataset):
        picked = exported(dataset.columns, schema.names, dataset.name)
        positions = tuple(schema.get_field_index(name) for name in picked)
        names = names_of(dataset, schema)
        out = pa.schema(
            [schema.field(i).with_name(n) for i, n in zip(positions, names, strict=True)]
        )
        return Selection(dataset, condition, None, positions, out)
    query: Query | None = None
    if condition is not None and dataset.sample is None and condition.carried.exact:
        # the one query answers it on its way
        query = Query(dataset, schema)
        condition = None
    else:
        done = {"where": None, "time_range": None, "sample": None}
        query = Query(dataset.model_copy(update=done), schema)
    out = None if dataset.pivot is not None else query.restored.schema
    return Selection(dataset, condition, query, (), out)


def _needs_query(dataset: Dataset) -> bool:
    return bool(
        dataset.computed
        or dataset.group_by
        or dataset.aggregates
        or dataset.pivot
        or dataset.columns.computed
        or dataset.distinct
        or dataset.sort
    )


def apply(selection: Selection, stream: BatchStream, here: Surroundings) -> BatchStream:
    """Return ``stream`` with the selection applied, lazily and in order; only a pivot is read to
    its end before its columns are known.

    Raises, for a pivot, what reading raises, and ``InvalidSpec`` for what its columns do not
    allow.
    """
    chosen = stream.batches
    interrupts: list[Callable[[], None]] = []
    if selection.condition is not None:
        mask = Mask(selection.condition, stream, here.scratch, here.memory_limit, here.threads)
        chosen = mask.batches()
        interrupts.append(mask.interrupt)
    if selection.dataset.sample is not None:
        chosen = sampled(chosen, stream.schema, selection.dataset.sample, here.scratch)
    schema, close = selection.schema, stream.close

    def interrupt() -> None:
        for each in (*interrupts, stream.interrupt):
            each()

    if selection.query is None:
        chosen = _project(selection, stream.schema, chosen)
    else:
        running = Running(selection.query, chosen, here)
        interrupts.insert(0, running.interrupt)
        if selection.dataset.pivot is None:
            found = running.batches()
        else:
            schema, found = spread(selection.dataset, running, here, interrupt)
        # the engine reads ahead in threads of its own: it ends before its source does
        close = _both(found.close, stream.close)
        chosen = found
    return replace(
        stream,
        schema=schema,
        batches=chosen,
        total_rows=selection.rows_of(stream.total_rows),
        interrupt=interrupt,
        close=close,
    )


def _both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    def close() -> None:
        try:
            first()
        finally:
            second()

    return close


def _project(
    selection: Selection, schema: pa.Schema, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    assert selection.schema is not None
    left = selection.dataset.limit
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
