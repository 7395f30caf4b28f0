"""Finished files as one zip that is made while it is sent: nothing of it is on a disk.

The files follow one another in the standard's streaming form (APPNOTE 4.4.4, general purpose bit
3): sizes and checksum stand behind each, so no byte has to be known before it is read.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import Expired
from ..folders import open_checked
from ..sinks.zipped import COMPACT

PIECE_BYTES = 1024**2
LEVEL = 1
"""zlib's fastest: the reader waits for the bytes."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The same files make the same zip: no entry tells its time."""


class Packed(NamedTuple):
    """One file of a zip: where it is, its name inside, and what it was when it was finished.

    With ``root`` it must lie below that when it is opened.
    """

    path: Path
    name: str
    size: int
    sha256: str
    root: Path | None = None


def zipped(files: Sequence[Packed]) -> Generator[bytes]:
    """Yield the zip of ``files`` in pieces of about ``PIECE_BYTES``; memory stays flat.

    Raises ``Expired`` when a file is gone or has other bytes than its hash says.
    """
    out = _Out()
    target: Any = out
    with zipfile.ZipFile(target, "w") as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.name, EPOCH)
            entry.external_attr = 0o644 << 16
            # public from Python 3.13 on
            entry._compresslevel = LEVEL  # type: ignore[attr-defined]
            stored = file.name.lower().endswith(COMPACT)
            entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            big = file.size > zipfile.ZIP64_LIMIT // 2
            with archive.open(entry, "w", force_zip64=big) as packed:
                for piece in _read(file):
                    packed.write(piece)
                    yield from out.taken(PIECE_BYTES)
    yield from out.taken(1)


def _read(file: Packed) -> Iterator[bytes]:
    """Yield the file's bytes; raise ``Expired`` unless they are the ones that were proved."""
    digest = hashlib.sha256()
    try:
        with open(open_checked(file.path, file.root), "rb", buffering=0) as plain:
            while piece := plain.read(PIECE_BYTES):
                digest.update(piece)
                yield piece
    except OSError:
        raise _changed(file, "is no longer there") from None
    if digest.hexdigest() != file.sha256:
        raise _changed(file, "was changed after its export")


def _changed(file: Packed, how: str) -> Expired:
    return Expired(f"The file “{file.name}” {how}.", hint="Export it again.")


class _Out:
    """The file that cannot seek which ``zipfile`` writes to; its bytes are taken away."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0

    def write(self, data: bytes | bytearray | memoryview) -> int:
        self._parts.append(bytes(data))
        self._length += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing waits elsewhere."""

    def taken(self, at_least: int) -> Iterator[bytes]:
        """Yield what was written, once it is so many bytes."""
        if self._length >= at_least:
            whole = b"".join(self._parts)
            self._parts, self._length = [], 0
            yield whole
