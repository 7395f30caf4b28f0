"""Text as the inside of literal strings in code page 1252, whole columns at a time."""

from __future__ import annotations

import codecs
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..strings import offsets, payload, rows_with

ELLIPSIS = 0x85
"""In code page 1252."""
ODD = 0
"""Stands for a character that code page 1252 does not have; controls are gone before."""
TO_SPACE = bytes.maketrans(bytes([*range(32), 127]), b" " * 33)
_TO_SPACE_BUT_NEWLINE = bytes.maketrans(bytes([*range(10), *range(11, 32), 127]), b" " * 32)
_TAB = 9
_LINE_ENDS = (10, 13)


def _odd(error: UnicodeError) -> tuple[bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    return bytes((ODD,)) * (error.end - error.start), error.end


codecs.register_error("jupyter_export.odd", _odd)


def escaped_bytes(raw: bytes) -> bytes:
    return raw.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def escaped(latin: pa.Array) -> pa.Array:
    """Return the cells as the inside of literal strings (ISO 32000-1, 7.3.4.2)."""
    raw = payload(latin).tobytes()
    for special in (b"\\", b"(", b")"):
        if special in raw:
            latin = pc.replace_substring(latin, special, b"\\" + special)
    return latin


def integers(values: np.ndarray[Any, np.dtype[np.int32]]) -> pa.Array:
    """Return small integers as binary text."""
    if len(values) and values.min() >= 0 and values.max() < len(_small()):
        return pc.take(_small(), pa.array(values))
    return pc.cast(pc.cast(pa.array(values), pa.string()), pa.binary())


@cache
def _small() -> pa.Array:
    return pc.cast(pc.cast(pa.array(np.arange(100_000, dtype=np.int32)), pa.string()), pa.binary())


def gathered(
    data: np.ndarray[Any, Any], starts: np.ndarray[Any, Any], ends: np.ndarray[Any, Any]
) -> pa.Array:
    """Return the binary cells ``data[start:end]``."""
    lengths = ends - starts
    places = np.zeros(len(starts) + 1, np.int32)
    np.cumsum(lengths, out=places[1:])
    taken = np.repeat(starts - places[:-1], lengths) + np.arange(places[-1])
    return pa.Array.from_buffers(
        pa.binary(),
        len(starts),
        [None, pa.py_buffer(places), pa.py_buffer(data[taken])],
    )


def encoded(
    text: pa.Array, *, keep_newlines: bool
) -> tuple[pa.Array, np.ndarray[Any, np.dtype[np.bool_]] | None]:
    """Return the cells in code page 1252, a zero for each other character; which had controls."""
    if keep_newlines and b"\r" in payload(text).tobytes():
        text = pc.replace_substring(pc.replace_substring(text, "\r\n", "\n"), "\r", "\n")
    data = payload(text)
    raw = data.tobytes()
    places = _places(text)
    unprintable = None
    if len(data) and (int(data.min()) < 32 or 127 in raw):
        seen = (_TAB, *_LINE_ENDS) if keep_newlines else (_TAB,)
        bad = [c for c in (*range(32), 127) if c not in seen]
        _, mask = rows_with(text, bad)
        if mask is not None:
            unprintable = mask.to_numpy(zero_copy_only=False)
        raw = raw.translate(_TO_SPACE_BUT_NEWLINE if keep_newlines else TO_SPACE)
    if not raw.isascii():
        raw = raw.decode("utf-8", "replace").encode("cp1252", "jupyter_export.odd")
        counts = pc.utf8_length(text).to_numpy(zero_copy_only=False)
        places = np.zeros(len(text) + 1, np.int32)
        np.cumsum(counts, out=places[1:])
    buffers = [None, pa.py_buffer(np.ascontiguousarray(places)), pa.py_buffer(raw)]
    return pa.Array.from_buffers(pa.binary(), len(text), buffers), unprintable


def _places(text: pa.Array) -> Any:
    places = offsets(text)
    return places - places[0]


def bounds(cells: pa.Array) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    offsets = _places(cells)
    return offsets[:-1].astype(np.int64), offsets[1:].astype(np.int64)


def scalar(raw: bytes) -> Any:
    return pa.scalar(raw, pa.binary())
