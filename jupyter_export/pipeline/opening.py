"""The head of the road: every dataset of a spec, opened, checked and narrowed, none of it read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pyarrow as pa

from .. import registry, transform
from ..errors import Cancelled
from ..registry import Surroundings, Table
from ..spec import Dataset, ExportSpec
from .meter import Meter


@dataclass(frozen=True)
class Opened:
    """One dataset, ready to be read: what is taken of it, as a table."""

    dataset: Dataset
    table: Table
    source_rows: int | None
    """Rows of the source before anything is left out, where it knows."""
    keeps_all_rows: bool


def open_datasets(
    spec: ExportSpec, here: Surroundings, meter: Meter, stack: ExitStack
) -> list[Opened]:
    """Open every dataset of ``spec``; ``stack`` closes them.

    Raises what sources and ``transform.compile_selection`` raise, before any row is read.
    """
    opened = [_open(dataset, here, meter, stack) for dataset in spec.datasets]
    meter.total = _sum([each.table.total_rows for each in opened])
    meter.source_total = _sum([each.source_rows for each in opened])
    return opened


def _open(dataset: Dataset, here: Surroundings, meter: Meter, stack: ExitStack) -> Opened:
    stream = registry.source(dataset.source.type)(dataset.source, here)
    stack.callback(stream.close)
    selection = transform.compile_selection(dataset, stream.schema)
    selected = transform.apply(
        selection,
        replace(stream, batches=_read(stream.batches, meter, here.cancelled)),
        scratch=here.scratch,
        memory_limit=here.memory_limit,
        threads=here.threads,
    )
    stack.enter_context(registry.interrupting(here.cancelled, selected.interrupt))
    table = Table(
        name=dataset.name,
        schema=selected.schema,
        batches=selected.batches,
        total_rows=selected.total_rows,
        description=dataset.model_dump(mode="json", by_alias=True, exclude_defaults=True),
    )
    return Opened(dataset, table, stream.total_rows, selection.keeps_all_rows)


def _read(
    batches: Iterator[pa.RecordBatch], meter: Meter, cancelled: threading.Event
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if cancelled.is_set():
            raise Cancelled("The export was cancelled.")
        meter.read += batch.num_rows
        yield batch


def _sum(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
