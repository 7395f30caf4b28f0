"""The spool of frames: Arrow IPC streams on disk, whole or not there.

How long an upload is kept: while an active job reads it, always. A job that failed or was
cancelled may be retried, so its upload stays until the job is deleted or ``KEEP`` has passed.
After a success it stays for ``KEEP_AFTER_SUCCESS``, so that one frame can be sent once and
exported several times, and a day of exports does not fill the disk with frames.

A stream must end with the end-of-stream marker (Arrow columnar format, "IPC Streaming Format"). The
format lets a sender leave it out; we do not, because without it a stream that was cut between two
batches looks whole.
"""

from __future__ import annotations

import errno
import math
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ..errors import DiskFull, InvalidRequest, QueueFull, WriteFailed
from ..sources import arrow_messages
from .filelock import try_lock
from .model import ACTIVE, Caller, Upload
from .store import JobStore

KEEP = timedelta(hours=24)
KEEP_AFTER_SUCCESS = timedelta(minutes=15)
ENDING = ".arrows"
PART = ".part"
UNTOUCHED_SECONDS = 5.0
"""After this time a part file that nobody has locked is one of a sender that was killed."""
MOST_OPEN_OF_ONE = 32
"""Uploads of one user that are under way; each takes a few megabytes of memory."""
LONGEST_TYPE = 1000
"""Characters of a column's type that are shown."""


class OpenUploads:
    """Counts the uploads of each user that are under way: one that comes a byte at a time holds a
    file, and memory, for as long as its sender likes. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: Counter[str] = Counter()

    @contextmanager
    def begun(self, owner: str) -> Iterator[Callable[[], None]]:
        """Count one more, and yield what is to be called once when it is over; a block that fails
        counts none. Raises ``QueueFull``."""
        with self._lock:
            if self._of[owner] >= MOST_OPEN_OF_ONE:
                raise QueueFull(
                    f"{MOST_OPEN_OF_ONE} uploads of yours are under way already.",
                    hint="Wait until one of them has ended.",
                )
            self._of[owner] += 1
        try:
            yield lambda: self._ended(owner)
        except BaseException:
            self._ended(owner)
            raise

    def _ended(self, owner: str) -> None:
        with self._lock:
            self._of[owner] -= 1
            if not self._of[owner]:
                del self._of[owner]


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
        on_kept: Callable[[Upload], None] = lambda _: None,
        grow: Callable[[int], None] = lambda _: None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self.id = upload_id
        self._path = folder / f"{upload_id}{ENDING}"
        self._part = folder / f"{upload_id}{ENDING}{PART}"
        self._store = store
        self._caller = caller
        self._now = now
        self._on_kept = on_kept
        self._grow = grow
        self._on_end = on_end
        self._bytes = 0
        try:
            self._file: IO[bytes] | None = open(  # noqa: SIM115 - finish and abort close it
                self._part, "xb", buffering=0, opener=private
            )
        except OSError as error:
            raise _explain(error) from None
        # As long as it is locked, somebody writes it: see ``sweep``.
        try_lock(self._file.fileno())

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
            self._grow(len(view))
            rest = view
            while len(rest):
                rest = rest[self._file.write(rest) or 0 :]
        except DiskFull:
            self.abort()
            raise
        except OSError as error:
            self.abort()
            raise _explain(error) from None

    def finish(self) -> Upload:
        """Check the stream, keep it, and return what it holds.

        Raises ``InvalidRequest`` when it is empty, truncated, not Arrow, or has no columns.
        """
        if self._file is None:
            raise InvalidRequest("The upload is finished already.")
        file, self._file = self._file, None
        self._on_end()
        if sys.platform == "win32":
            file.close()  # An open file cannot get another name there.
        try:
            with file:  # Locked until it has its name.
                upload = self._keep()
        except BaseException:
            self._part.unlink(missing_ok=True)
            raise
        self._on_kept(upload)
        return upload

    def _keep(self) -> Upload:
        rows, columns = inspect(self._part)
        upload = Upload(
            id=self.id,
            owner=self._caller.name,
            rows=rows,
            bytes=self._bytes,
            columns=columns,
            created_at=self._now(),
        )
        # The record first: one without a file is seen, a file without a record is not.
        self._store.add_upload(upload)
        try:
            os.replace(self._part, self._path)
        except BaseException:
            self._store.delete_upload(self.id)
            raise
        return upload

    def abort(self) -> None:
        """Remove what was written. Does nothing after ``finish``."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._on_end()
            self._part.unlink(missing_ok=True)


def private(path: str, flags: int) -> int:
    """Open a file that, if it is made, is its owner's alone."""
    return os.open(path, flags, 0o600)


def inspect(path: Path) -> tuple[int, tuple[dict[str, str], ...]]:
    """Return rows and columns (``{"name", "type"}``) of the Arrow IPC stream at ``path``.

    Reads the messages' headers only: a stream of gigabytes takes milliseconds, and one that claims
    to be larger than it is takes no memory. Its rows are looked at by the worker that reads them.
    Raises ``InvalidRequest`` for anything but a whole stream.
    """
    import pyarrow as pa

    if path.stat().st_size == 0:
        raise InvalidRequest("The upload is empty.", hint="Send an Arrow IPC stream.")
    try:
        found = arrow_messages.outline(path)
        with path.open("rb") as file:
            schema = pa.ipc.read_schema(pa.py_buffer(file.read(found.schema_bytes)))
        columns = tuple({"name": each.name, "type": _shown(each.type)} for each in schema)
    except arrow_messages.GoesOn:
        raise InvalidRequest(
            "The upload goes on after the end of its Arrow stream.", hint="Send one stream only."
        ) from None
    except arrow_messages.Cut as error:
        raise InvalidRequest(
            f"The upload is cut off: {error}.",
            hint="Send it again, and close the Arrow writer before the last bytes.",
        ) from None
    except (pa.ArrowException, OSError, MemoryError, ValueError) as error:
        first = str(error).split("\n", 1)[0].rstrip(".")[:500]
        raise InvalidRequest(
            f"The upload is not a whole Arrow IPC stream: {first}.",
            hint="Send what pyarrow.ipc.new_stream writes, to its end.",
        ) from None
    if not columns:
        raise InvalidRequest("The upload has no columns.", hint="Send a frame with at least one.")
    return found.rows, columns


def _shown(kind: Any) -> str:
    """Return a column's type as text; that of a struct of thousands of fields is cut."""
    text = str(kind)
    return text if len(text) <= LONGEST_TYPE else f"{text[:LONGEST_TYPE]}…"


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
        if path.name in known:
            continue
        unknown = _modified(path) < (now - KEEP).timestamp()
        if unknown or (path.suffix == PART and _is_left(path)):
            path.unlink(missing_ok=True)


def _is_left(part: Path) -> bool:
    """Tell whether the process that wrote ``part`` has died: its lock went with it."""
    if time.time() - _modified(part) < UNTOUCHED_SECONDS:
        return False  # It may have been made this moment, and not be locked yet.
    try:
        with open(part, "rb+") as file:
            return try_lock(file.fileno())
    except OSError:
        return False


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
