"""A reader of record batches as the bytes of one Arrow IPC stream, in big pieces.

The pieces are made in a thread of their own: batches are read while earlier ones travel, and the
caller's thread only waits on a queue, so Ctrl-C is felt at once whatever the source is doing. Rows
that no other thread may read (``OfThisThread``) are read by the caller as it takes the pieces.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ..errors import ExportError, SourceFailed
from ..sources.upload import ROWS_KEY

PIECE_BYTES = 1024**2
"""Buffers are collected until they are this long; a longer one travels alone, not copied."""
BATCH_ROWS = 65_536
"""Rows of one message: a frame that is one huge batch must not become one huge message."""
QUEUED = 4
"""Pieces that may wait for a slow receiver."""


@dataclass(frozen=True)
class OfThisThread:
    """Marks a reader that only the thread that takes the pieces may read."""

    reader: pa.RecordBatchReader


class _Pieces:
    """A file for pyarrow: what is written to it goes to ``put`` in pieces."""

    closed = False

    def __init__(self, put: Callable[[Any], None]) -> None:
        self._put = put
        self._small: list[Any] = []
        self._length = 0

    def write(self, data: Any) -> int:
        length = len(data)
        if length >= PIECE_BYTES:
            self.flush()
            self._put(data)
        else:
            self._small.append(data)
            self._length += length
            if self._length >= PIECE_BYTES:
                self.flush()
        return length

    def flush(self) -> None:
        if self._small:
            # Slices of one short-lived batch: joined here, before the batch goes.
            self._put(b"".join(self._small))
            self._small, self._length = [], 0

    def close(self) -> None:
        self.closed = True

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False


def stating_rows(reader: pa.RecordBatchReader, rows: int | None) -> pa.RecordBatchReader:
    """Return ``reader`` with the number of its rows in the schema, so that progress has a total."""
    if rows is None:
        return reader
    metadata = {**(reader.schema.metadata or {}), ROWS_KEY: str(rows).encode()}
    schema = reader.schema.with_metadata(metadata)
    return pa.RecordBatchReader.from_batches(
        schema, (batch.replace_schema_metadata(metadata) for batch in reader)
    )


def without_views(schema: pa.Schema) -> pa.Schema:
    """Return ``schema`` with plain text for string views, also in lists, structs and dictionaries.

    A slice of a view column carries all of its column's text, so a stream of slices would send
    the text again with each of them (measured: seven times the bytes for ten slices).
    """
    return pa.schema([field.with_type(_plain(field.type)) for field in schema], schema.metadata)


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary_view(kind):
        return pa.large_binary()
    if pa.types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_plain(kind.value_type)))
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_plain(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain(field.type)) for field in kind])
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _plain(kind.value_type), kind.ordered)
    return kind


def _write(reader: pa.RecordBatchReader, sink: _Pieces) -> Iterator[None]:
    """Write the stream to ``sink``; yield after each message."""
    schema = without_views(reader.schema)
    cast = schema.equals(reader.schema) is False
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), schema) as writer:
        for whole in reader:
            for start in range(0, max(whole.num_rows, 1), BATCH_ROWS):
                batch = whole.slice(start, BATCH_ROWS)
                writer.write_batch(batch.cast(schema) if cast else batch)
                yield
    sink.flush()


def ipc_pieces(
    reader: pa.RecordBatchReader | OfThisThread, *, interrupt: Callable[[], None] | None = None
) -> Iterator[Any]:
    """Yield the stream's bytes (``bytes`` or ``pa.Buffer``) in pieces of about ``PIECE_BYTES``.

    Raises what reading the rows raises, as an ``ExportError``. When the consumer stops early, the
    reading is stopped too: ``interrupt`` ends a read that waits.
    """
    if isinstance(reader, OfThisThread):
        yield from _pieces_of_this_thread(reader.reader)
        return
    rows = reader
    pieces: queue.Queue[Any] = queue.Queue(maxsize=QUEUED)
    stopped = threading.Event()

    def put(piece: Any) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                pieces.put(piece, timeout=0.2)
                return

    def work() -> None:
        try:
            for _ in _write(rows, _Pieces(put)):
                if stopped.is_set():
                    return
            put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=work, name="jupyter-export-upload", daemon=True)
    thread.start()
    ended = False
    try:
        while True:
            try:
                piece = pieces.get(timeout=0.5)
            except queue.Empty:
                continue  # So that Ctrl-C is seen on Windows too.
            if piece is None:
                ended = True
                return
            if isinstance(piece, BaseException):
                ended = True
                raise reading_failed(piece) from piece
            yield piece
    finally:
        stopped.set()
        if not ended and interrupt is not None:
            interrupt()
        thread.join(5)


def _pieces_of_this_thread(reader: pa.RecordBatchReader) -> Iterator[Any]:
    ready: list[Any] = []
    written = _write(reader, _Pieces(ready.append))
    while True:
        try:
            next(written)
        except StopIteration:
            yield from ready
            return
        except Exception as error:
            raise reading_failed(error) from error
        yield from ready
        ready.clear()


def reading_failed(error: BaseException) -> BaseException:
    """Return what was met while rows were read as an ``ExportError``, if it is an ``Exception``."""
    if isinstance(error, ExportError) or not isinstance(error, Exception):
        return error
    first = str(error).strip().split("\n", 1)[0].rstrip(".")
    return SourceFailed(f"Reading the rows failed: {first or type(error).__name__}.")
