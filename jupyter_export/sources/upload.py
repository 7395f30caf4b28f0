"""An Arrow IPC stream that a caller sent before; how a frame of a notebook reaches a job."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from ..errors import ExportError, NotFound, OutOfMemory, SourceFailed
from ..registry import BatchStream, Surroundings
from ..spec import UploadSource
from . import arrow_messages
from .layouts import plain


def open_upload(source: UploadSource, here: Surroundings) -> BatchStream:
    """Map the upload into memory and read it batch by batch.

    Raises ``NotFound`` when it is gone, ``SourceFailed`` when it is no whole Arrow stream, and
    ``OutOfMemory`` when one batch of it becomes too large when it is unpacked.
    """
    path = here.uploads / f"{source.id}.arrows"
    try:
        found = arrow_messages.outline(path)
        mapped = pa.memory_map(str(path))
    except FileNotFoundError:
        raise NotFound(
            f"The upload {source.id} is gone.", hint="Send the data again.", field="source.id"
        ) from None
    except (pa.ArrowInvalid, OSError, arrow_messages.Malformed) as error:
        raise _unreadable(source.id, error) from None
    if found.unpacked > 2 * here.memory_limit:
        mapped.close()
        raise OutOfMemory(
            f"The upload {source.id} holds a batch of {found.unpacked // 1000**2:,} MB when it is "
            f"unpacked, and {2 * here.memory_limit // 1000**2:,} MB are allowed.",
            hint="Send it again in smaller batches, or not compressed.",
            field="source.id",
        )
    try:
        reader = pa.ipc.open_stream(mapped)
    except (pa.ArrowInvalid, OSError) as error:
        mapped.close()
        raise _unreadable(source.id, error) from None
    return plain(
        BatchStream(
            schema=reader.schema,
            batches=_batches(reader, mapped, source.id),
            total_rows=_stated(reader.schema, found.rows),
            close=mapped.close,
        )
    )


ROWS_KEY = b"jupyter_export.rows"
"""Schema metadata in which the sender may state the number of rows, for progress only."""


def _stated(schema: pa.Schema, rows: int) -> int:
    """Return the rows that the sender stated: a preview is sent the first ones only."""
    stated = (schema.metadata or {}).get(ROWS_KEY, b"")
    return int(stated) if stated.isdigit() and len(stated) < 19 else rows


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
        # a length or an offset that lies would show memory that is none of its own
        batch.validate(full=True)
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
