"""The first rows of an export, and what it would lose; nothing is written.

Losses are found by the very encoder that would write the file: it gets a sample of the rows, and
its counts are scaled up to all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import Any, cast

import pyarrow as pa

from .. import registry
from ..errors import ExportError
from ..formats import cells, tokens
from ..losses import Loss, LossLedger
from ..registry import Retyped, Surroundings, Table
from ..spec import ExportSpec
from . import encoding
from .explaining import explained
from .meter import Meter
from .opening import Databases, Opened, Opening

SAMPLE_ROWS = 10_000
"""Rows of each dataset that losses and size are estimated from."""
SAMPLE_BYTES = 32 * 1024**2
"""Bytes in memory after which a sample of very wide rows ends."""
_SAFE = 2**53
LONGEST_CELL = 1000
"""Characters of a cell that are shown; the whole of it may be a book. A nested value that is longer
is shown as text."""
_ONCE = ("duplicate_header", "sheet_name")
"""Kinds that are counted once for a file, however many its rows."""


@dataclass(frozen=True)
class Preview:
    """What an export would hold, as JSON values."""

    datasets: tuple[dict[str, Any], ...]
    """``{"name", "columns": [{"name", "type"}], "rows", "total_rows", "estimated"}`` for each:
    rows as lists of JSON values; ``total_rows`` None where nobody knows, and an estimate where
    ``estimated``."""
    losses: tuple[Loss, ...]
    format: str
    bytes_estimate: int | None
    """Bytes of the finished file before any compression around it."""

    def to_json(self) -> dict[str, Any]:
        return {
            "datasets": list(self.datasets),
            "losses": [loss.to_json() for loss in self.losses],
            "format": self.format,
            "bytes_estimate": self.bytes_estimate,
        }


@dataclass(frozen=True)
class _Sample:
    """The first rows of a dataset, and whether they are all."""

    table: Table
    batches: tuple[pa.RecordBatch, ...]
    whole: bool
    total_rows: int | None
    estimated: bool = False
    """``total_rows`` is what a database estimates."""

    @property
    def rows(self) -> int:
        return sum(batch.num_rows for batch in self.batches)


def preview(spec: ExportSpec, here: Surroundings, rows: int = 20) -> Preview:
    """Return the first ``rows`` rows of each dataset of ``spec`` and its losses, estimated.

    Raises what ``run`` would raise up to and including the encoding of the sample.
    """
    with explained(here), ExitStack() as stack:
        databases = Databases(here, stack)
        while True:
            try:
                return _attempt(spec, here, databases, rows)
            except Retyped:
                continue  # as in a run


def losses_of_types(opened: Sequence[Opened], choice: registry.Choice) -> LossLedger:
    """Return a ledger of what the types alone tell: of reading them, and of writing them."""
    losses = LossLedger()
    for each in opened:
        ledger = losses.of(each.table.name if len(opened) > 1 else None)
        for loss in (*each.losses, *choice.format.losses(each.table.schema, choice.options)):
            ledger.add(loss)
    return losses


def _attempt(spec: ExportSpec, here: Surroundings, databases: Databases, rows: int) -> Preview:
    with ExitStack() as stack:
        choice = registry.choose(spec, here.target.name)
        context = encoding.context_of(spec, choice, here)
        most = max(rows, SAMPLE_ROWS)
        # one more tells whether there are more
        opened = Opening(here, databases, Meter(), stack, most + 1).open(spec)
        samples = [_sample(each, most) for each in opened]
        losses = losses_of_types(opened, choice)
        tables = [replace(each.table, batches=iter(each.batches)) for each in samples]
        size = 0
        with closing(cast(Any, encoding.encode(tables, choice, context, losses))) as chunks:
            for chunk in chunks:
                size += len(chunk.data)
        return Preview(
            datasets=tuple(_shown(each, rows) for each in samples),
            losses=(*(_scaled(loss, samples) for loss in losses), *_beyond(choice, samples)),
            format=choice.format.type,
            bytes_estimate=_scaled_size(size, samples),
        )


def _sample(opened: Opened, most: int) -> _Sample:
    batches: list[pa.RecordBatch] = []
    left, size = most, SAMPLE_BYTES
    whole = True
    for batch in opened.table.batches:
        if left == 0:
            whole = batch.num_rows == 0 and whole
            if not whole:
                break
            continue
        kept = batch.slice(0, left)
        if kept.num_rows and kept.nbytes > size:
            kept = kept.slice(0, max(1, size * kept.num_rows // kept.nbytes))
        batches.append(kept)
        whole = batch.num_rows == kept.num_rows
        left -= kept.num_rows
        size -= kept.nbytes
        if not whole:
            break
        if size <= 0:
            left = 0
    if whole and not opened.cut:
        return _Sample(opened.table, tuple(batches), True, sum(b.num_rows for b in batches))
    if opened.table.total_rows is not None or opened.rows_estimate is None:
        return _Sample(opened.table, tuple(batches), False, opened.table.total_rows)
    # an estimate may be older than the rows that were seen
    estimate = max(opened.rows_estimate, sum(b.num_rows for b in batches) + 1)
    return _Sample(opened.table, tuple(batches), False, estimate, estimated=True)


def _scaled(loss: Loss, samples: Sequence[_Sample]) -> Loss:
    sample = next((s for s in samples if s.table.name == loss.dataset), samples[0])
    if sample.whole or loss.kind in _ONCE or loss.column not in sample.table.schema.names:
        return loss
    count = loss.count
    if count is not None and sample.total_rows is not None and sample.rows:
        count = round(count * sample.total_rows / sample.rows)
    return replace(loss, count=count, estimated=True)


def _scaled_size(size: int, samples: Sequence[_Sample]) -> int | None:
    """Return the bytes of all rows; a dataset weighs as much as its rows do in memory."""
    seen = whole = 0.0
    for sample in samples:
        held = 1 + sum(batch.nbytes for batch in sample.batches)
        if sample.total_rows is None:
            return None
        seen += held
        whole += held if not sample.rows else held * sample.total_rows / sample.rows
    return round(size * whole / seen)


def _beyond(choice: registry.Choice, samples: Sequence[_Sample]) -> Iterator[Loss]:
    """Yield what no sample shows: that there are more rows than the format holds."""
    most = choice.format.capabilities.max_rows
    for sample in samples:
        if most is not None and (sample.total_rows or 0) > most and not sample.whole:
            yield Loss(
                "rows_beyond_limit",
                sample.table.name,
                (sample.total_rows or 0) - most,
                f"{choice.format.label} holds {most:,} rows in one place",
                dataset=sample.table.name if len(samples) > 1 else None,
                estimated=True,
            )


def _shown(sample: _Sample, rows: int) -> dict[str, Any]:
    schema = sample.table.schema
    head = pa.Table.from_batches(sample.batches, schema).slice(0, rows)
    columns = [list(_values(head.column(i), f.name)) for i, f in enumerate(schema)]
    return {
        "name": sample.table.name,
        "columns": [{"name": f.name, "type": str(f.type)} for f in schema],
        "rows": [list(row) for row in zip(*columns, strict=True)],
        "total_rows": sample.total_rows,
        "estimated": sample.estimated,
    }


def _values(column: pa.ChunkedArray, name: str) -> Iterator[Any]:
    """Yield JSON values that a browser shows as they are: integers it would round are texts."""
    style = cells.Style(separator=" ", nan="string")
    for chunk in column.chunks:
        try:
            found = tokens.json(chunk, name, style, LossLedger()).to_pylist()
        except (ExportError, pa.ArrowException):
            # a type without a JSON form: Python's own text shows what is there
            yield from (None if v is None else _cut(str(v)) for v in chunk.to_pylist())
            continue
        for token in found:
            value = None if token is None else json.loads(token)
            if isinstance(value, int) and abs(value) > _SAFE:
                value = str(value)
            elif value is not None and len(token) > LONGEST_CELL:
                value = _cut(value if isinstance(value, str) else token)
            yield value


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"
