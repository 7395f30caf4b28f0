"""The spool of frames: Arrow IPC streams on disk, whole or not there.

How long an upload is kept: while an active job reads it, always. A job that failed or was
cancelled may be retried, so its upload stays until the job is deleted or ``KEEP`` has passed.
After a success it stays for ``KEEP_AFTER_SUCCESS``, so that one frame can be sent once and
exported several times, and a day of exports does not fill the disk with frames.
"""

from __future__ import annotations

import errno
import math
import os
import struct
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ..errors import DiskFull, InvalidRequest, WriteFailed
from .model import ACTIVE, Caller, Upload
from .store import JobStore

KEEP = timedelta(hours=24)
KEEP_AFTER_SUCCESS = timedelta(minutes=15)
END_OF_STREAM = struct.pack("<iI", -1, 0)
"""The continuation marker with length 0 (Arrow columnar format, "Encapsulated message format").

The format lets a sender leave it out; we do not, because without it a stream that was cut between
two batches looks whole.
"""
ENDING = ".arrows"


class UploadWriter:
    """Takes the bytes of one Arrow IPC stream as they come.

    ``finish`` checks and keeps them; a ``with`` block that ends without it, or ``abort``, leaves
    nothing behind. Not for several threads at once.
    """

    def __init__(
        self,
        folder: Path,
        store: JobStore,
        caller: Caller,
        *,
        upload_id: str,
        now: Callable[[], datetime],
    ) -> None:
        self.id = upload_id
        self._path = folder / f"{upload_id}{ENDING}"
        self._part = folder / f"{upload_id}{ENDING}.part"
        self._store = store
        self._caller = caller
        self._now = now
        self._bytes = 0
        try:
            self._file: IO[bytes] | None = open(  # noqa: SIM115 - finish and abort close it
                self._part, "xb", buffering=0
            )
        except OSError as error:
            raise _explain(error) from None

    def __enter__(self) -> UploadWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append ``data``. Raises ``DiskFull`` or ``WriteFailed``, and then has aborted."""
        if self._file is None:
            raise InvalidRequest("The upload is finished already.")
        view = memoryview(data).cast("B")
        self._bytes += len(view)
        try:
            rest = view
            while len(rest):
                rest = rest[self._file.write(rest) or 0 :]
        except OSError as error:
            self.abort()
            raise _explain(error) from None

    def finish(self) -> Upload:
        """Check the stream, keep it, and return what it holds.

        Raises ``InvalidRequest`` when it is empty, truncated, not Arrow, or has no columns.
        """
        if self._file is None:
            raise InvalidRequest("The upload is finished already.")
        self._file.close()
        self._file = None
        try:
            rows, columns = inspect(self._part)
            upload = Upload(
                id=self.id,
                owner=self._caller.name,
                rows=rows,
                bytes=self._bytes,
                columns=columns,
                created_at=self._now(),
            )
            os.replace(self._part, self._path)
        except BaseException:
            self._part.unlink(missing_ok=True)
            raise
        try:
            self._store.add_upload(upload)
        except BaseException:
            self._path.unlink(missing_ok=True)
            raise
        return upload

    def abort(self) -> None:
        """Remove what was written. Does nothing after ``finish``."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._part.unlink(missing_ok=True)


def inspect(path: Path) -> tuple[int, tuple[dict[str, str], ...]]:
    """Return rows and columns (``{"name", "type"}``) of the Arrow IPC stream at ``path``.

    Reads the messages' headers and, of the batches, one column: the file is mapped, so a stream of
    gigabytes takes milliseconds. Raises ``InvalidRequest`` for anything but a whole stream.
    """
    import pyarrow as pa

    size = path.stat().st_size
    if size == 0:
        raise InvalidRequest("The upload is empty.", hint="Send an Arrow IPC stream.")
    try:
        with pa.memory_map(str(path)) as mapped:
            schema = pa.ipc.open_stream(mapped).schema
            if not len(schema):
                raise InvalidRequest(
                    "The upload has no columns.", hint="Send a frame with at least one."
                )
            columns = tuple({"name": field.name, "type": str(field.type)} for field in schema)
            mapped.seek(0)
            options = pa.ipc.IpcReadOptions(included_fields=[0])
            reader = pa.ipc.open_stream(mapped, options=options)
            rows, end_of_batches = 0, mapped.tell()
            for batch in reader:
                rows, end_of_batches = rows + batch.num_rows, mapped.tell()
            if mapped.tell() != size:
                raise InvalidRequest(
                    "The upload goes on after the end of its Arrow stream.",
                    hint="Send one stream only.",
                )
            # Where the batches end is where the marker must begin: a last cell may look like it.
            mapped.seek(end_of_batches)
            if mapped.read() != END_OF_STREAM:
                raise InvalidRequest(
                    "The upload is cut off: it has no end-of-stream marker.",
                    hint="Send it again, and close the Arrow writer before the last bytes.",
                )
    except (pa.ArrowException, OSError, MemoryError, ValueError) as error:
        if isinstance(error, InvalidRequest):
            raise
        first = str(error).split("\n", 1)[0].rstrip(".")
        raise InvalidRequest(
            f"The upload is not a whole Arrow IPC stream: {first}.",
            hint="Send what pyarrow.ipc.new_stream writes, to its end.",
        ) from None
    return rows, columns


def remove(folder: Path, store: JobStore, upload_id: str) -> None:
    """Remove an upload: its record first, so that no record is without a file."""
    store.delete_upload(upload_id)
    (folder / f"{upload_id}{ENDING}").unlink(missing_ok=True)


def sweep(folder: Path, store: JobStore, now: datetime) -> None:
    """Remove the uploads that no job needs any more, and what a killed sender left."""
    known = set()
    for upload in store.uploads():
        known.add(f"{upload.id}{ENDING}")
        readers = store.readers(upload.id)
        if any(job.status in ACTIVE for job in readers):
            continue
        last_used = max((job.finished_at or job.created_at for job in readers), default=None)
        succeeded = bool(readers) and all(job.status in ("completed", "expired") for job in readers)
        keep = KEEP_AFTER_SUCCESS if succeeded else KEEP
        if now - (last_used or upload.created_at) > keep:
            remove(folder, store, upload.id)
    for path in folder.iterdir():
        if path.name not in known and _modified(path) < (now - KEEP).timestamp():
            path.unlink(missing_ok=True)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return math.inf


def _explain(error: OSError) -> DiskFull | WriteFailed:
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return DiskFull(
            "The disk is full where uploads are kept.", hint="Free some space, then send it again."
        )
    reason = os.strerror(error.errno) if error.errno else str(error)
    return WriteFailed(f"The upload could not be kept: {reason}.")


def ids_in(document: dict[str, Any]) -> list[str]:
    """Return the ids of the uploads that a spec's JSON names, in order, each once."""
    sources = (dataset.get("source", {}) for dataset in document.get("datasets", []))
    return list(dict.fromkeys(s["id"] for s in sources if s.get("type") == "upload"))
