"""Counts the rows of a finished workbook."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from isal import isal_zlib

from ...errors import SourceFailed
from ...registry import RowCounter

SHEET = re.compile(r"xl/worksheets/[^/]+\.xml")
_PACKED = 256 * 1024
"""Bytes that are inflated at a time: what comes out stays in the processor's cache."""
_PLAIN = 64 * _PACKED
_SHARED = 4 * 1024**2
"""Deflated bytes of a sheet from which on two threads share it."""
_FLUSH = b"\x00\x00\xff\xff"
"""The end of an empty stored block (RFC 1951, 3.2.4): deflated data may begin anew behind it."""
_ROW = b"<row>"
_W = _ROW.index(b"w")
_CUT = len(_ROW) - 1
"""Bytes at the end of a piece that may begin a tag."""


class SheetRowCounter(RowCounter):
    """Inflates every worksheet and counts its rows of data.

    A row of data is ``<row>`` without attributes; headings and totals have their number. In a
    worksheet a ``<`` stands nowhere but at the beginning of a tag.
    """

    def finish(self, path: Path) -> int:
        """Raises ``SourceFailed`` where the file is not the workbook it should be."""
        try:
            with zipfile.ZipFile(path) as archive:
                return sum(
                    _rows(path, archive, info)
                    for info in archive.infolist()
                    if SHEET.fullmatch(info.filename)
                )
        # isal declares its error as a variable
        except (zipfile.BadZipFile, isal_zlib.error, OSError) as error:  # type: ignore[misc]
            raise SourceFailed(f"“{path.name}” is not a whole workbook: {error}.") from error


def _rows(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> int:
    if info.compress_type == zipfile.ZIP_DEFLATED and info.compress_size >= _SHARED:
        rows = _shared(path, archive, info)
        if rows is not None:
            return rows
    part = _Part()
    for data in inflated(archive, info):
        part.see(data)
    if (part.crc, part.size) != (info.CRC, info.file_size):
        raise zipfile.BadZipFile(f"{info.filename} is damaged")
    return part.rows


@dataclass
class _Part:
    """What was found in a sheet, or in a part of it."""

    rows: int = 0
    crc: int = 0
    size: int = 0
    first: bytes = b""
    last: bytes = b""
    """The bytes at its ends, where a tag may be cut."""

    def see(self, data: bytes) -> None:
        """Look at the next bytes."""
        self.crc = isal_zlib.crc32(data, self.crc)
        self.size += len(data)
        self.rows += _in_piece(data) + (self.last + data[:_CUT]).count(_ROW)
        if len(self.first) < _CUT:
            self.first = (self.first + data[:_CUT])[:_CUT]
        self.last = (self.last + data[-_CUT:])[-_CUT:]


def _in_piece(data: bytes) -> int:
    """Return ``data.count(b"<row>")``: the letter w is rare, and numpy finds it faster."""
    seen = np.frombuffer(data, np.uint8)
    at = np.flatnonzero(seen == _ROW[_W])
    at = at[(at >= _W) & (at < len(seen) - 1)]
    for index, code in enumerate(_ROW):
        at = at[seen[at + (index - _W)] == code]
    return len(at)


# ------------------------------------------------------------------ one thread


def inflated(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the content of a member in pieces; raises when it is cut off or cannot be inflated."""
    if info.compress_type != zipfile.ZIP_DEFLATED:
        with archive.open(info) as plain:
            while data := plain.read(_PLAIN):
                yield data
        return
    start = _begins(archive, info)
    file = archive.fp
    if file is None:
        raise ValueError("the archive is closed")
    yield from _inflated(file, start, start + info.compress_size, ends=True)


def _begins(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> int:
    """Return where the member's data begins, behind its local header (APPNOTE 4.3.7)."""
    file = archive.fp
    if file is None:
        raise ValueError("the archive is closed")
    file.seek(info.header_offset)
    fixed = file.read(30)
    lengths = int.from_bytes(fixed[26:28], "little") + int.from_bytes(fixed[28:30], "little")
    return info.header_offset + len(fixed) + lengths


def _inflated(file: IO[bytes], start: int, end: int, *, ends: bool) -> Iterator[bytes]:
    """Yield what the bytes from ``start`` to ``end`` hold; ``ends`` with the last block there."""
    inflate = isal_zlib.decompressobj(-isal_zlib.MAX_WBITS)
    while start < end and not inflate.eof:
        file.seek(start)
        packed = file.read(min(_PACKED, end - start))
        if not packed:
            break
        start += len(packed)
        full = False
        while packed or full:
            data = inflate.decompress(packed, _PLAIN)
            packed = inflate.unconsumed_tail
            # what had no room comes with the next call
            full = len(data) == _PLAIN
            yield data
    if inflate.eof != ends or start < end:
        raise zipfile.BadZipFile("a worksheet ends in the wrong place")


# ------------------------------------------------------------------ several threads


def _shared(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> int | None:
    """Count the parts of a sheet at the same time, or return None where it cannot be parted.

    A place where the data may begin anew is guessed; that the guess was right, and that nothing
    is missing, is proved by the checksum of the whole.
    """
    start = _begins(archive, info)
    end = start + info.compress_size
    threads = min(4, os.cpu_count() or 1)
    bounds = [start]
    with path.open("rb") as file:
        for index in range(1, threads):
            place = max(start + info.compress_size * index // threads, bounds[-1])
            file.seek(place)
            found = file.read(min(_SHARED, end - place)).find(_FLUSH)
            if found >= 0:
                bounds.append(place + found + len(_FLUSH))
    bounds.append(end)
    if len(bounds) < 3:
        return None

    def look(index: int) -> _Part:
        part = _Part()
        with path.open("rb") as file:
            last = index == len(bounds) - 2
            for data in _inflated(file, bounds[index], bounds[index + 1], ends=last):
                part.see(data)
        return part

    with ThreadPoolExecutor(threads, thread_name_prefix="jupyter-export-count") as pool:
        try:
            parts = list(pool.map(look, range(len(bounds) - 1)))
        # not parted rightly, or damaged: the whole will tell
        except (zipfile.BadZipFile, isal_zlib.error):  # type: ignore[misc]
            return None
    return _together(parts, info)


def _together(parts: Sequence[_Part], info: zipfile.ZipInfo) -> int | None:
    rows = crc = size = 0
    last = b""
    for part in parts:
        if part.size < _CUT:
            return None
        rows += part.rows + (last + part.first).count(_ROW)
        crc = isal_zlib.crc32_combine(crc, part.crc, part.size)
        size += part.size
        last = part.last
    return rows if (crc, size) == (info.CRC, info.file_size) else None
