"""An export that is sent as it is made: nothing of it gets a name on a disk.

What was sent cannot be taken back, so the last piece is held back until everything is proved: who
has got all bytes has got a whole export.
"""

from __future__ import annotations

import hashlib
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

from ..errors import SourceFailed
from ..registry import Bytes, Compression, Retyped
from .compression import Compressor, compressor
from .copies import Copies
from .folder import MANIFEST
from .sink import Sink, Written
from .zipped import COMPACT

LEVEL = 1
"""zlib's fastest: the reader waits for the bytes."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The same rows make the same bytes: no entry tells its time."""

PIECE_BYTES = 256 * 1024
"""What is collected before it is sent."""
PATIENCE = 1.0
"""Seconds after which less is sent as well, for rows that come slowly."""


class Outlet:
    """Bytes on their way to ``out`` in pieces; some are always held back until ``release``."""

    def __init__(self, out: Callable[[Bytes], None]) -> None:
        self.bytes = 0
        self.sent = False
        self._out = out
        self._sum = hashlib.sha256()
        self._held: list[Bytes] = []
        self._length = 0
        self._since = time.monotonic()

    @property
    def sha256(self) -> str:
        return self._sum.hexdigest()

    def put(self, data: Bytes) -> None:
        """Take ``data``, which nobody may change any more. May wait for a slow reader."""
        if not len(data):
            return
        self._sum.update(data)
        self.bytes += len(data)
        view = memoryview(data).cast("B")
        for start in range(0, len(view), PIECE_BYTES):
            patient = time.monotonic() - self._since < PATIENCE
            if self._length and (self._length >= PIECE_BYTES or not patient):
                self.release()
            piece = view[start : start + PIECE_BYTES]
            self._held.append(piece)
            self._length += len(piece)

    def release(self) -> None:
        """Send what is held."""
        held, self._held, self._length = self._held, [], 0
        if held:
            self.sent = True
            self._out(held[0] if len(held) == 1 else b"".join(held))
        self._since = time.monotonic()


class PipedSink(Sink):
    """The bytes of one file. ``copies`` keeps what has to be read again to count its rows."""

    def __init__(
        self,
        target: Path,
        out: Callable[[Bytes], None],
        copies: Copies,
        *,
        compression: Compression = "none",
    ) -> None:
        self.target = target
        self._outlet = Outlet(out)
        self._copies = copies
        self._compressor: Compressor | None = compressor(compression)

    @property
    def bytes(self) -> int:
        return self._outlet.bytes

    @property
    def sha256(self) -> str:
        return self._outlet.sha256

    def files(self) -> list[Written]:
        return [Written("", self.bytes, self.sha256)]

    def path_of(self, file: str) -> Path:
        return self._copies.path_of("")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._copies.close()
        check_beginning(error, self._outlet)

    def write(self, data: Bytes, file: str = "") -> None:
        assert self._compressor is not None, "the file is finished"
        self._put(self._compressor.compress(data))

    def finish(self) -> None:
        if self._compressor is not None:
            self._put(self._compressor.finish())
            self._compressor = None

    def publish(self) -> Path:
        """Send the last piece."""
        self._outlet.release()
        return self.target

    def _put(self, data: Bytes) -> None:
        self._copies.add("", data)
        self._outlet.put(data)


class PipedZipSink(Sink):
    """A zip of files that are written one after another, each in one go.

    Sizes and checksum of an entry stand behind it (APPNOTE 4.4.4, general purpose bit 3), in 64
    bits, as nobody knows them before.
    """

    def __init__(
        self,
        target: Path,
        out: Callable[[Bytes], None],
        copies: Copies,
        *,
        compression: Compression = "none",
    ) -> None:
        self.target = target
        self._outlet = Outlet(out)
        self._copies = copies
        self._compression: Compression = compression
        self._files: dict[str, Written] = {}
        self._name: str | None = None
        self._entry: IO[bytes] | None = None
        self._compressor: Compressor | None = None
        self._sum = hashlib.sha256()
        self._size = 0
        self._raw = _Raw(self._outlet.put)
        self._archive: zipfile.ZipFile | None = zipfile.ZipFile(cast(Any, self._raw), "w")

    @property
    def bytes(self) -> int:
        return self._outlet.bytes

    @property
    def sha256(self) -> str:
        return self._outlet.sha256

    def files(self) -> list[Written]:
        if self._archive is None:
            return [Written("", self.bytes, self.sha256)]
        return [file for _, file in sorted(self._files.items())]

    def path_of(self, file: str) -> Path:
        return self._copies.path_of(file)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What is left of a broken zip must not look like its end.
        self._raw.put = lambda data: None
        self._close()
        self._copies.close()
        check_beginning(error, self._outlet)

    def write(self, data: Bytes, file: str = "") -> None:
        if file != self._name:
            self.finish()
            self._begin(file)
        assert self._compressor is not None
        self._put(self._compressor.compress(data))

    def finish(self) -> None:
        """End the file that is being written."""
        if self._compressor is None or self._name is None or self._entry is None:
            return
        self._put(self._compressor.finish())
        self._files[self._name] = Written(self._name, self._size, self._sum.hexdigest())
        self._entry.close()
        self._entry = self._name = self._compressor = None

    def seal(self) -> None:
        if self._archive is not None:
            self._archive.close()
            self._archive = None

    def publish(self) -> Path:
        """Send the last piece."""
        self.seal()
        self._outlet.release()
        return self.target

    def _begin(self, file: str) -> None:
        assert self._archive is not None, "the zip is sealed"
        assert file not in self._files, "the file was finished already"
        entry = zipfile.ZipInfo(file, EPOCH)
        entry.external_attr = 0o644 << 16
        # public from Python 3.13 on
        entry._compresslevel = LEVEL  # type: ignore[attr-defined]
        stored = file.lower().endswith(COMPACT)
        entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
        self._entry = self._archive.open(entry, "w", force_zip64=True)
        self._name, self._sum, self._size = file, hashlib.sha256(), 0
        self._compressor = compressor("none" if file == MANIFEST else self._compression)

    def _put(self, data: Bytes) -> None:
        assert self._name is not None
        assert self._entry is not None
        self._copies.add(self._name, data)
        self._sum.update(data)
        self._size += len(data)
        if len(data):
            self._entry.write(data)

    def _close(self) -> None:
        if self._entry is not None:
            self._entry.close()
            self._entry = None
        if self._archive is not None:
            self._archive.close()
            self._archive = None


class _Raw:
    """The file that cannot seek which ``zipfile`` writes to."""

    def __init__(self, put: Callable[[Bytes], None]) -> None:
        self.put = put

    def write(self, data: Any) -> int:
        # zipfile may use its buffer again
        self.put(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits elsewhere."""


def check_beginning(error: BaseException | None, outlet: Outlet) -> None:
    """Raise where a run wants to begin again, and bytes of the first attempt were sent."""
    if isinstance(error, Retyped) and outlet.sent:
        raise SourceFailed(
            "The database gave a value that does not fit the type of the rows before it, and those "
            "were sent already.",
            hint="Cast the column in the query, or run the export as a job, which begins again.",
        ) from error
