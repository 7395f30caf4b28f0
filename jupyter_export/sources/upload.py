"""An Arrow IPC stream that a caller sent before; how a frame of a notebook reaches a job."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from ..errors import ExportError, NotFound, SourceFailed
from ..registry import BatchStream, Surroundings
from ..spec import UploadSource
from .layouts import plain


def open_upload(source: UploadSource, here: Surroundings) -> BatchStream:
    """Map the upload into memory and read it batch by batch.

    Raises ``NotFound`` when it is gone and ``SourceFailed`` when it is no whole Arrow stream.
    """
    path = here.uploads / f"{source.id}.arrows"
    try:
        mapped = pa.memory_map(str(path))
    except FileNotFoundError:
        raise NotFound(
            f"The upload {source.id} is gone.", hint="Send the data again.", field="source.id"
        ) from None
    except (pa.ArrowInvalid, OSError) as error:
        # an empty file cannot be mapped
        raise _unreadable(source.id, error) from None
    try:
        reader = pa.ipc.open_stream(mapped)
    except (pa.ArrowInvalid, OSError) as error:
        mapped.close()
        raise _unreadable(source.id, error) from None
    return plain(
        BatchStream(
            schema=reader.schema,
            batches=_batches(reader, mapped, source.id),
            total_rows=_total_rows(reader.schema, mapped),
            close=mapped.close,
        )
    )


ROWS_KEY = b"jupyter_export.rows"
"""Schema metadata in which the sender may state the number of rows, for progress only."""


def _total_rows(schema: pa.Schema, mapped: pa.MemoryMappedFile) -> int | None:
    """Return what the sender stated, else count: of mapped batches, one column's headers."""
    stated = (schema.metadata or {}).get(ROWS_KEY)
    if stated is not None and stated.isdigit():
        return int(stated)
    here = mapped.tell()
    mapped.seek(0)
    try:
        options = pa.ipc.IpcReadOptions(included_fields=[0])
        stream = pa.ipc.open_stream(mapped, options=options)
        return int(sum(batch.num_rows for batch in stream))
    except (pa.ArrowInvalid, OSError):
        # the run itself will say what is wrong with the stream
        return None
    finally:
        mapped.seek(here)


def _batches(
    reader: pa.RecordBatchReader, mapped: pa.MemoryMappedFile, upload: str
) -> Iterator[pa.RecordBatch]:
    try:
        yield from whole(reader, mapped)
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, ExportError):
            raise
        raise _unreadable(upload, error) from None


END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""What every IPC stream ends with (Arrow columnar format, "IPC Streaming Format")."""


def whole(reader: pa.RecordBatchReader, mapped: pa.MemoryMappedFile) -> Iterator[pa.RecordBatch]:
    """Yield the stream's batches. Raises ``pa.ArrowInvalid`` when its end is missing, which
    PyArrow takes for an end where the cut is between two batches."""
    end_of_batches = mapped.tell()
    for batch in reader:
        end_of_batches = mapped.tell()
        yield batch
    mapped.seek(end_of_batches)
    if mapped.read(len(END_OF_STREAM)) != END_OF_STREAM:
        raise pa.ArrowInvalid("its end is missing")


def _unreadable(upload: str, error: Exception) -> SourceFailed:
    first = str(error).split("\n", 1)[0].rstrip(".")
    return SourceFailed(
        f"The upload {upload} is not a whole Arrow IPC stream: {first}.",
        hint="Send the data again.",
    )
