"""Compression on the way to the sink: one object that turns bytes into fewer bytes."""

from __future__ import annotations

from typing import Any, Protocol

import pyarrow as pa
from isal import isal_zlib

from ..registry import Bytes, Compression

GZIP_LEVEL = 3
"""The highest of ISA-L (0 to 3), and still many times faster than zlib at its lowest."""
_GZIP_CONTAINER = 16 + 15
"""zlib's window bits for a gzip header and trailer around a 32 KiB window (RFC 1952)."""


class Compressor(Protocol):
    def compress(self, data: Bytes) -> Bytes:
        """Return what is ready of the compressed bytes."""

    def finish(self) -> Bytes:
        """Return the rest."""


class Plain:
    """No compression."""

    def compress(self, data: Bytes) -> Bytes:
        return data

    def finish(self) -> Bytes:
        return b""


class Gzip:
    """gzip (RFC 1952) by ISA-L; without a time stamp, so that equal rows give equal bytes."""

    def __init__(self) -> None:
        self._deflate = isal_zlib.compressobj(GZIP_LEVEL, isal_zlib.DEFLATED, _GZIP_CONTAINER)

    def compress(self, data: Bytes) -> Bytes:
        done: bytes = self._deflate.compress(data)
        return done

    def finish(self) -> Bytes:
        done: bytes = self._deflate.flush()
        return done


class ArrowCodec:
    """A streaming codec of Arrow's (zstd, brotli), its output gathered between calls."""

    def __init__(self, name: str) -> None:
        self._gathered = _Gatherer()
        self._stream: Any = pa.CompressedOutputStream(pa.PythonFile(self._gathered, mode="w"), name)

    def compress(self, data: Bytes) -> Bytes:
        self._stream.write(data)
        return self._gathered.take()

    def finish(self) -> Bytes:
        self._stream.close()
        return self._gathered.take()


class _Gatherer:
    """A write-only file whose bytes are taken away as they come."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def compressor(kind: Compression) -> Compressor:
    """Return a fresh compressor of that kind."""
    if kind == "gzip":
        return Gzip()
    return Plain() if kind == "none" else ArrowCodec(kind)
