"""Rows of one result, which can be told to wait on disk: some drivers hold one open result."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa


class Rows:
    """The batches of a result, read from the database or, once ``spool`` was called, from disk."""

    def __init__(
        self,
        schema: pa.Schema,
        batches: Iterator[pa.RecordBatch],
        scratch: Path,
        close: Callable[[], None],
        *,
        begun: bool,
    ) -> None:
        """``begun``: the statement runs already. ``close`` gives the result back to the driver."""
        self.schema = schema
        self.begun = begun
        self.whole = False
        """True: the database has given all rows."""
        self.closed = False
        self._source: Iterator[pa.RecordBatch] | None = batches
        self._path = scratch / f"rows-{uuid.uuid4().hex}.arrows"
        self._reader: pa.RecordBatchStreamReader | None = None
        self._file: pa.NativeFile | None = None
        self._close = close

    @property
    def open(self) -> bool:
        """True: the driver holds a result for these rows."""
        return self.begun and self._source is not None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self

    def __next__(self) -> pa.RecordBatch:
        if self._source is not None:
            for batch in self._source:
                self.begun = True
                return batch
            self.whole = True
            self._give_back()
        if self._reader is not None:
            for batch in self._reader:
                return batch
            self.close()
        raise StopIteration

    def spool(self) -> None:
        """Read what is left into a file below ``scratch``; memory stays flat."""
        if self._source is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with (
                pa.OSFile(str(self._path), "wb") as file,
                pa.ipc.new_stream(file, self.schema) as writer,
            ):
                for batch in self._source:
                    writer.write_batch(batch)
        except BaseException:
            self._path.unlink(missing_ok=True)
            raise
        self.whole = True
        self._give_back()
        self._file = pa.OSFile(str(self._path), "rb")
        self._reader = pa.ipc.open_stream(self._file)

    def _give_back(self) -> None:
        if self._source is not None:
            self._source = None
            self._close()

    def close(self) -> None:
        """Forget the rows that are left, and remove the file. Idempotent."""
        self.closed = True
        self._give_back()
        self._reader = None
        if self._file is not None:
            self._file.close()
            self._file = None
        self._path.unlink(missing_ok=True)


def picked(
    rows: Iterator[pa.RecordBatch],
    schema: pa.Schema,
    positions: Sequence[int],
    names: Sequence[str],
    limit: int | None,
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return the columns at ``positions``, under their new names, of the first ``limit`` rows."""
    chosen = pa.schema(
        [schema.field(p).with_name(n) for p, n in zip(positions, names, strict=True)]
    )

    def batches() -> Iterator[pa.RecordBatch]:
        left = limit
        for batch in rows:
            kept = batch if left is None else batch.slice(0, left)
            yield pa.RecordBatch.from_arrays([kept.column(p) for p in positions], schema=chosen)
            left = None if left is None else left - kept.num_rows
            if left == 0:
                return

    return chosen, batches()
