"""A zip file written forwards, from members that were deflated in pieces.

A workbook's rows are deflated where they are made, on several threads: each piece ends at a byte
boundary with an empty stored block and refers to nothing before it (a full flush, RFC 1951 and
zlib's manual), so that pieces are joined by putting them one after another.

Sizes and checksums are known before a member's header is written, so headers are plain: no data
descriptors, which some readers of workbooks refuse, and Zip64 (APPNOTE 4.3.14, 4.5.3) only where
a number does not fit into 32 bits, which others refuse.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import TracebackType

from isal import isal_zlib

from ...registry import Bytes

_LEVEL = 1
_SLICE = 8 * 1024**2
"""Bytes that are deflated, or read from a temporary file, at a time."""
_IN_MEMORY = 256 * 1024
"""A smaller member never becomes a file."""
_EMPTY_FINAL_BLOCK = b"\x03\x00"
"""Fixed codes, nothing in it, the last block (RFC 1951, section 3.2.3)."""
_FULL_16, _FULL_32 = 0xFFFF, 0xFFFFFFFF
_DOS_1980 = 0x0021
"""The first day of the DOS calendar, at midnight: what Excel writes for all members."""
_DEFLATED = 8
_UTF_8 = 0x0800
_VERSION, _VERSION_ZIP64 = 20, 45


@dataclass(frozen=True)
class Piece:
    """A part of a member, deflated on its own; the deflated data goes on behind it."""

    data: bytes
    crc: int
    """CRC-32 of the bytes before."""
    size: int
    """Of the bytes before."""

    @property
    def packed(self) -> int:
        return len(self.data)

    def read(self) -> Iterator[bytes]:
        """Yield the deflated bytes."""
        yield self.data


def deflated(data: Bytes) -> Piece:
    """Deflate a piece; releases the GIL."""
    packer = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, -isal_zlib.MAX_WBITS)
    packed = packer.compress(data) + packer.flush(isal_zlib.Z_FULL_FLUSH)
    return Piece(packed, isal_zlib.crc32(data), len(data))


@dataclass
class _Start:
    """Where a section of a spool begins, and the checksum of what it holds so far."""

    place: int = 0
    size: int = 0
    crc: int = 0


class Spool:
    """A member on its way: its deflated pieces in a temporary file, checksum and sizes added up."""

    def __init__(self, scratch: Path) -> None:
        """``scratch`` is the folder of the temporary file, which has no name and goes with it."""
        scratch.mkdir(parents=True, exist_ok=True)
        self._file = SpooledTemporaryFile(_IN_MEMORY, dir=str(scratch))  # noqa: SIM115
        self.crc = 0
        self.size = 0
        self.packed = 0
        self._section = _Start()

    def append(self, piece: Piece) -> None:
        self._file.write(piece.data)
        self.crc = isal_zlib.crc32_combine(self.crc, piece.crc, piece.size)
        self._section.crc = isal_zlib.crc32_combine(self._section.crc, piece.crc, piece.size)
        self.size += piece.size
        self.packed += len(piece.data)

    def write(self, data: Bytes) -> None:
        """Deflate ``data`` and append it."""
        view = memoryview(data)
        for start in range(0, len(view), _SLICE):
            self.append(deflated(view[start : start + _SLICE]))

    def section(self) -> Section:
        """Return what was appended since the last section, and begin the next one."""
        begun = self._section
        self._section = _Start(self.packed, self.size)
        return Section(self, begun.place, self.packed, begun.crc, self.size - begun.size)

    def read(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the deflated bytes, or those from ``start`` to ``end``."""
        end = self.packed if end is None else end
        while start < end:
            # two sections may be read by turns
            self._file.seek(start)
            data = self._file.read(min(_SLICE, end - start))
            start += len(data)
            yield data

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@dataclass(frozen=True)
class Section:
    """A part of a spool, which may be put into a member without the rest of it."""

    spool: Spool
    start: int
    end: int
    crc: int
    size: int

    @property
    def packed(self) -> int:
        return self.end - self.start

    def read(self) -> Iterator[bytes]:
        """Yield the deflated bytes."""
        return self.spool.read(self.start, self.end)


@dataclass(frozen=True)
class _Member:
    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int

    def local(self) -> bytes:
        """APPNOTE 4.3.7; both sizes stand in the Zip64 field if one of them has to (4.5.3)."""
        extra = b""
        packed, size = self.packed, self.size
        if max(packed, size) >= _FULL_32:
            extra = struct.pack("<HHQQ", 1, 16, size, packed)
            packed = size = _FULL_32
        return (
            struct.pack(
                "<4s5H3L2H",
                b"PK\x03\x04",
                _VERSION_ZIP64 if extra else _VERSION,
                self.flags,
                self.method,
                0,
                _DOS_1980,
                self.crc,
                packed,
                size,
                len(self.name),
                len(extra),
            )
            + self.name
            + extra
        )

    def central(self) -> bytes:
        """APPNOTE 4.3.12; the Zip64 field holds what has no room, in this order (4.5.3)."""
        wide = b""
        shown = []
        for number in (self.size, self.packed, self.offset):
            if number >= _FULL_32:
                wide += struct.pack("<Q", number)
            shown.append(min(number, _FULL_32))
        size, packed, offset = shown
        extra = struct.pack("<HH", 1, len(wide)) + wide if wide else b""
        version = _VERSION_ZIP64 if extra else _VERSION
        return (
            struct.pack(
                "<4s6H3L5H2L",
                b"PK\x01\x02",
                version,
                version,
                self.flags,
                self.method,
                0,
                _DOS_1980,
                self.crc,
                packed,
                size,
                len(self.name),
                len(extra),
                0,
                0,
                0,
                0,
                offset,
            )
            + self.name
            + extra
        )


class Archive:
    """A zip file; each method gives the bytes that come next, to be written in this order."""

    def __init__(self) -> None:
        self._members: list[_Member] = []
        self._offset = 0

    def add(self, name: str, data: bytes) -> bytes:
        """Return a small member whole."""
        packed = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, -isal_zlib.MAX_WBITS)
        body = packed.compress(data) + packed.flush()
        crc = isal_zlib.crc32(data)
        return self._header(name, _DEFLATED, crc, len(body), len(data)) + self._counted(body)

    def add_spool(self, name: str, *parts: Spool | Section | Piece) -> Iterator[bytes]:
        """Yield the bytes of one member whose content is that of ``parts``, in their order."""
        crc = 0
        for part in parts:
            crc = isal_zlib.crc32_combine(crc, part.crc, part.size)
        packed = sum(part.packed for part in parts) + len(_EMPTY_FINAL_BLOCK)
        yield self._header(name, _DEFLATED, crc, packed, sum(part.size for part in parts))
        for part in parts:
            for data in part.read():
                yield self._counted(data)
        yield self._counted(_EMPTY_FINAL_BLOCK)

    def add_stream(self, name: str, chunks: Iterable[Bytes], scratch: Path) -> Iterator[bytes]:
        """Yield the bytes of one member of any size, which goes through a temporary file."""
        with Spool(scratch) as spool:
            for chunk in chunks:
                spool.write(chunk)
            yield from self.add_spool(name, spool)

    def copy(self, other: zipfile.ZipFile, name: str) -> Iterator[bytes]:
        """Yield a member of another zip file as it is, without inflating it.

        Raises ``zipfile.BadZipFile`` when its local header is not where it should be.
        """
        info = other.getinfo(name)
        yield self._header(
            info.filename, info.compress_type, info.CRC, info.compress_size, info.file_size
        )
        file = other.fp
        if file is None:
            raise ValueError("the other zip file is closed")
        file.seek(info.header_offset)
        fixed = file.read(30)
        if fixed[:4] != b"PK\x03\x04" or len(fixed) < 30:
            raise zipfile.BadZipFile(f"no local header of {name}")
        name_length, extra_length = struct.unpack_from("<2H", fixed, 26)
        place = info.header_offset + 30 + name_length + extra_length
        end = place + info.compress_size
        while place < end:
            # whoever takes these bytes may read other members in between
            file.seek(place)
            data = file.read(min(_SLICE, end - place))
            if not data:
                raise zipfile.BadZipFile(f"{name} is cut off")
            place += len(data)
            yield self._counted(data)

    def close(self) -> bytes:
        """Return the central directory (APPNOTE 4.3.12 to 4.3.16)."""
        entries = b"".join(member.central() for member in self._members)
        count, size, offset = len(self._members), len(entries), self._offset
        end = b""
        if count >= _FULL_16 or size >= _FULL_32 or offset >= _FULL_32:
            record = struct.pack(
                "<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, offset
            )
            end = record + struct.pack("<4sLQL", b"PK\x06\x07", 0, offset + size, 1)
        few = min(count, _FULL_16)
        end += struct.pack(
            "<4s4H2LH",
            b"PK\x05\x06",
            0,
            0,
            few,
            few,
            min(size, _FULL_32),
            min(offset, _FULL_32),
            0,
        )
        return entries + end

    def _header(self, name: str, method: int, crc: int, packed: int, size: int) -> bytes:
        raw = name.encode("utf-8")
        flags = 0 if name.isascii() else _UTF_8
        member = _Member(raw, flags, method, crc, packed, size, self._offset)
        self._members.append(member)
        return self._counted(member.local())

    def _counted(self, data: bytes) -> bytes:
        self._offset += len(data)
        return data
