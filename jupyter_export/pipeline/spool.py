"""Rows that wait: read once, and handed on later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from ..errors import Incomplete

MEMORY = 16 * 1024**2
"""Bytes of rows that wait in memory; more of them go to disk."""


class Spool:
    """A stream of Arrow batches on its way through a file, if it is not small."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.rows = 0
        self.bytes = 0
        self._path = path
        self._schema = schema
        self._held: list[pa.RecordBatch] = []
        self._file: pa.OSFile | None = None
        self._writer: pa.RecordBatchStreamWriter | None = None
        self._mapped: pa.MemoryMappedFile | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows
        self.bytes += batch.nbytes
        if self._writer is not None:
            self._writer.write_batch(batch)
            return
        self._held.append(batch)
        if self.bytes > MEMORY:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = pa.OSFile(str(self._path), "wb")
            self._writer = pa.ipc.new_stream(self._file, self._schema)
            for held in self._held:
                self._writer.write_batch(held)
            self._held = []

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows once, in order. Raises ``Incomplete`` where they are not all there."""
        self._end()
        rows = 0
        for batch in self._found():
            rows += batch.num_rows
            yield batch
        if rows != self.rows:
            raise Incomplete(
                f"{self.rows:,} rows were set aside and {rows:,} of them found again.",
                hint="Nothing was published; please report this.",
            )
        self.close()

    def close(self) -> None:
        """Remove the file. Idempotent; batches that were handed out stay whole."""
        self._end()
        self._held = []
        self._mapped = None
        with suppress(PermissionError):  # Windows keeps what is mapped; it goes with its folder
            self._path.unlink(missing_ok=True)

    def _found(self) -> Iterator[pa.RecordBatch]:
        if self._file is None:
            while self._held:
                yield self._held.pop(0)
            return
        # what is mapped can be dropped from memory at any time
        self._mapped = pa.memory_map(str(self._path))
        yield from pa.ipc.open_stream(self._mapped)

    def _end(self) -> None:
        if self._writer is not None and self._file is not None:
            self._writer.close()
            self._file.close()
            self._writer = None
