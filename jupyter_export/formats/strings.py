"""String arrays as what they are: bytes and the places where each cell ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def payload(cells: pa.Array) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the bytes of a string array's cells, one after another, without a copy."""
    data = cells.buffers()[2]
    if not len(cells) or data is None:
        return np.empty(0, np.uint8)
    places = offsets(cells)
    start, end = int(places[0]), int(places[-1])
    return np.frombuffer(data, np.uint8, end - start, start)


def offsets(cells: pa.Array) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Return where each cell begins, and after them where the last one ends."""
    if not len(cells):
        return np.zeros(1, np.int32)
    return np.frombuffer(cells.buffers()[1], np.int32, len(cells) + 1, cells.offset * 4)


def of_bytes(
    data: np.ndarray[Any, np.dtype[np.uint8]],
    places: np.ndarray[Any, np.dtype[Any]],
    like: pa.Array,
) -> pa.Array:
    """Return the string array with these bytes and offsets, and the nulls of ``like``."""
    mask = pc.is_valid(like).buffers()[1] if like.null_count else None
    buffers = [mask, pa.py_buffer(places.astype(np.int32, copy=False)), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.string(), len(like), buffers, like.null_count)


def rows_with(cells: pa.Array, codes: Sequence[int]) -> tuple[list[int], pa.Array | None]:
    """Return which of the ASCII ``codes`` occur in the cells, and a mask of the cells with one.

    The mask is None when none occurs, which a search of the bytes tells at once; otherwise the
    places of the bytes tell the cells, without looking at each cell.
    """
    data = payload(cells)
    raw = data.tobytes()
    present = [code for code in codes if bytes((code,)) in raw]
    if not present:
        return present, None
    marked = data == present[0]
    for code in present[1:]:
        marked |= data == code
    places = offsets(cells)
    rows = np.zeros(len(cells), np.bool_)
    rows[np.searchsorted(places, np.flatnonzero(marked) + places[0], side="right") - 1] = True
    return present, pa.array(rows)


def replaced(cells: pa.Array, old: str, new: str) -> pa.Array:
    """Return the cells with another character in place of ``old``; both are ASCII."""
    data = payload(cells)
    found = data == ord(old)
    if not found.any():
        return cells
    data = data.copy()
    data[found] = ord(new)
    return of_bytes(data, offsets(cells) - offsets(cells)[0], cells)


def inserted(
    cells: pa.Array,
    at: np.ndarray[Any, np.dtype[np.int64]],
    each: np.ndarray[Any, np.dtype[Any]],
    text: str,
) -> pa.Array:
    """Return the cells with ``text`` before each of the bytes ``at`` (places in the payload).

    ``each`` tells how many of them lie in each cell.
    """
    word = np.frombuffer(text.encode("utf-8"), np.uint8)
    data, places = payload(cells), offsets(cells)
    new = np.sort(at) + np.arange(len(at)) * len(word)
    out = np.empty(len(data) + len(at) * len(word), np.uint8)
    old = np.ones(len(out), np.bool_)
    for i, byte in enumerate(word):
        old[new + i] = False
        out[new + i] = byte
    out[old] = data
    moved = (places - places[0]).astype(np.int64)
    moved[1:] += np.cumsum(each) * len(word)
    return of_bytes(out, moved, cells)


def whole_rows(parts: Sequence[Any], null: str) -> memoryview:
    """Join columns and constant texts row by row and return the bytes of all rows.

    ``parts`` are string arrays of one length, and strings that stand in every row; a null becomes
    ``null``. The last part ends the row.
    """
    joined = pc.binary_join_element_wise(*parts, "", null_handling="replace", null_replacement=null)
    return payload(joined).data
