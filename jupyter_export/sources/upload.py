"""An Arrow IPC stream that a caller sent before; how a frame of a notebook reaches a job."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from ..errors import NotFound, SourceFailed
from ..registry import BatchStream, Surroundings
from ..spec import UploadSource


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
    try:
        reader = pa.ipc.open_stream(mapped)
    except (pa.ArrowInvalid, OSError) as error:
        mapped.close()
        raise _unreadable(source.id, error) from None
    return BatchStream(
        schema=reader.schema,
        batches=_batches(reader, source.id),
        total_rows=stated_rows(reader.schema),
        close=mapped.close,
    )


ROWS_KEY = b"jupyter_export.rows"
"""Schema metadata in which the sender may state the number of rows, for progress only."""


def stated_rows(schema: pa.Schema) -> int | None:
    """Return the number of rows that the sender stated in the schema's metadata, if any."""
    stated = (schema.metadata or {}).get(ROWS_KEY)
    return int(stated) if stated is not None and stated.isdigit() else None


def _batches(reader: pa.RecordBatchReader, upload: str) -> Iterator[pa.RecordBatch]:
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except (pa.ArrowInvalid, OSError) as error:
            raise _unreadable(upload, error) from None
        yield batch


def _unreadable(upload: str, error: Exception) -> SourceFailed:
    first = str(error).split("\n", 1)[0]
    return SourceFailed(
        f"The upload {upload} is not a whole Arrow IPC stream: {first}",
        hint="Send the data again.",
    )
