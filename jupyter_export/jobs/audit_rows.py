"""The audit trail as Arrow: a source as any other."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from .audit_chain import Entry

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 10_000
"""Entries of a batch."""
_TEXTS = ("actor", "action", "subject", "owner", "address", "outcome", "details", "hash")


def reader(entries: Iterable[Entry]) -> pa.RecordBatchReader:
    """Return the entries with the columns ``seq`` (int64), ``at`` (microseconds, UTC), and texts;
    ``details`` is JSON."""
    import pyarrow as pa

    schema = pa.schema(
        [
            ("seq", pa.int64()),
            ("at", pa.timestamp("us", tz="UTC")),
            *((name, pa.string()) for name in _TEXTS),
        ]
    )
    return pa.RecordBatchReader.from_batches(schema, _batches(entries, schema))


def write_stream(entries: Iterable[Entry], write: Callable[[bytes], None]) -> None:
    """Give the Arrow IPC stream of ``entries`` to ``write``, piece by piece."""
    import pyarrow as pa

    rows = reader(entries)
    with pa.ipc.new_stream(pa.PythonFile(_Sink(write), mode="w"), rows.schema) as stream:
        for batch in rows:
            stream.write_batch(batch)


def _batches(entries: Iterable[Entry], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    rest = iter(entries)
    while taken := list(islice(rest, ROWS)):
        columns = [[getattr(entry, name) for entry in taken] for name in schema.names]
        arrays = [
            pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)
        ]
        yield pa.record_batch(arrays, schema=schema)


class _Sink(io.RawIOBase):
    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._write(bytes(data))
        return len(data)
