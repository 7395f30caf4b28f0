"""Floating-point numbers as the shortest text that reads back to the same number.

Most columns of doubles hold prices, counts and delays: whole numbers, or at most two digits behind
the point. Such a number is an integer in disguise, and integers are written several times faster
than the shortest digits of a double are found.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .coded import coded

_SAMPLE = 256
_LARGEST = 1e10
"""From here on Arrow writes an exponent, which needs no ``.0`` and which we do not mix with plain
digits. Below it a number with two digits behind the point has at most 12 digits, and a decimal of
up to 15 is the shortest one for its double (IEEE 754, DBL_DIG), so both ways say the same."""


def floats(column: pa.Array) -> pa.Array:
    """Return the cells of a floating-point column, nulls kept; a whole number keeps its ``.0``."""
    if pa.types.is_float16(column.type):
        column = pc.cast(column, pa.float32())
    if len(column) == column.null_count:
        return pc.cast(column, pa.string())
    if pa.types.is_float64(column.type):
        short = _short(column)
        if short is not None:
            return short
    cells = pc.cast(column, pa.string())
    whole = pc.equal(pc.floor(column), column)
    if pc.any(whole).as_py():
        plain = pc.and_(whole, pc.less(pc.abs(column), _LARGEST))
        cells = pc.if_else(plain, pc.binary_join_element_wise(cells, ".0", ""), cells)
    return cells


def _short(column: pa.Array) -> pa.Array | None:
    """Return the cells if no number has more than two digits behind the point, else None."""
    filled = pc.fill_null(column, 0.0) if column.null_count else column
    values = filled.to_numpy(zero_copy_only=False)
    if _hundredths(np.abs(values[:_SAMPLE])) is None:
        return None
    sizes = np.abs(values)
    hundredths = _hundredths(sizes)
    if hundredths is None:
        return None
    rest = (hundredths - np.floor(sizes) * 100.0).astype(np.int8)
    narrow = np.int32 if sizes.max() < 2**31 else np.int64
    wholes = integers(pa.array(np.trunc(values).astype(narrow)))
    # an integer has no -0
    less_than_one = np.signbit(values) & (sizes < 1.0)
    if less_than_one.any():
        wholes = pc.if_else(pa.array(less_than_one), "-0", wholes)
    cells = pc.binary_join_element_wise(wholes, pc.take(_endings(), pa.array(rest)), "")
    if column.null_count:
        cells = pc.if_else(pc.is_valid(column), cells, pa.scalar(None, pa.string()))
    return cells


def integers(column: pa.Array) -> pa.Array:
    """Return the cells of an integer column, nulls kept."""
    few = coded(column)
    if few is None:
        return pc.cast(column, pa.string())
    return pc.take(pc.cast(few[0], pa.string()), few[1])


def _hundredths(sizes: np.ndarray[Any, np.dtype[np.float64]]) -> Any:
    """Return a hundred times each number, whole, or None if one of them is not that."""
    # a NaN or an infinity is not below the limit
    if not sizes.max() < _LARGEST:
        return None
    hundredths = np.rint(sizes * 100.0)
    return hundredths if np.array_equal(hundredths / 100.0, sizes) else None


@cache
def _endings() -> pa.Array:
    """``.0``, ``.01``, … ``.99``, without a zero at the end but the one of a whole number."""
    return pa.array([".0", *(f".{i:02d}".rstrip("0") for i in range(1, 100))], pa.string())
