"""Parquet and Arrow files: the types stand in the files, and the rows are read as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from ...errors import ExportError
from ...registry import BatchStream
from ..layouts import plain
from ..upload import whole
from .places import Entry, Place
from .wording import unreadable

_ROWS = 65_536


@dataclass(frozen=True)
class Part:
    """One file that was looked at, and not yet read."""

    entry: Entry
    schema: pa.Schema
    rows: int | None
    open: Callable[[], BatchStream]


def parquet_part(entry: Entry, place: Place) -> Part:
    """Read the footer. Raises ``SourceFailed`` for what is no Parquet file."""
    with _named(entry.shown):
        file = _parquet(entry, place)
        try:
            schema = plain(BatchStream(_own(file.schema_arrow), iter(()))).schema
            rows = file.metadata.num_rows
        finally:
            file.close(force=True)

    def reopen() -> BatchStream:
        with _named(entry.shown):
            file = _parquet(entry, place)
        stream = BatchStream(
            schema=_own(file.schema_arrow),
            batches=_guarded(entry.shown, map(_bare, file.iter_batches(_ROWS))),
            total_rows=rows,
            close=lambda: file.close(force=True),
        )
        return plain(stream)

    return Part(entry, schema, rows, reopen)


def _parquet(entry: Entry, place: Place) -> pq.ParquetFile:
    return pq.ParquetFile(place.open(entry), memory_map=False, pre_buffer=False)


def _own(schema: pa.Schema) -> pa.Schema:
    return schema.remove_metadata()


def _bare(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.replace_schema_metadata(None)


def arrow_part(entry: Entry, place: Place) -> Part:
    """Read the schema of an IPC file or stream, and of a file its number of rows."""
    path = place.local(entry)
    with _named(entry.shown):
        mapped = pa.memory_map(str(path))
        try:
            is_file = mapped.read(6) == b"ARROW1"
            mapped.seek(0)
            reader = pa.ipc.open_file(mapped) if is_file else pa.ipc.open_stream(mapped)
            schema = plain(BatchStream(_own(reader.schema), iter(()))).schema
            rows = _count_rows(mapped) if is_file else None
        finally:
            mapped.close()

    def reopen() -> BatchStream:
        with _named(entry.shown):
            mapped = pa.memory_map(str(path))
            batches: Iterator[pa.RecordBatch]
            if is_file:
                file = pa.ipc.open_file(mapped)
                kinds = file.schema
                batches = (file.get_batch(i) for i in range(file.num_record_batches))
            else:
                stream = pa.ipc.open_stream(mapped)
                kinds = stream.schema
                batches = whole(stream, mapped)
        return plain(
            BatchStream(
                schema=_own(kinds),
                batches=map(_bare, _guarded(entry.shown, batches)),
                total_rows=rows,
                close=mapped.close,
            )
        )

    return Part(entry, schema, rows, reopen)


def _count_rows(mapped: pa.MemoryMappedFile) -> int:
    """Look at one column of each batch: the file is mapped, so nothing else is read."""
    file = pa.ipc.open_file(mapped, options=pa.ipc.IpcReadOptions(included_fields=[0]))
    return sum(file.get_batch(i).num_rows for i in range(file.num_record_batches))


@contextmanager
def _named(shown: str) -> Iterator[None]:
    """Let what is wrong with a file name the file."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, (ExportError, pa.ArrowMemoryError)):
            raise
        raise unreadable(shown, str(error)) from error


def _guarded(shown: str, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    with _named(shown):
        yield from batches
