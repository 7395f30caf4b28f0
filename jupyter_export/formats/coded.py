"""Columns of few distinct values: each value is written once, the rows only point at it.

A dictionary says so itself. Booleans, dates and integers of a narrow range (days of some years,
quantities, hours) are as good: copying a finished text costs a third of making it again.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_ROWS_PER_VALUE = 4
"""Rows that must share each possible value before the detour pays."""
_LARGEST = 2**31


def coded(column: pa.Array) -> tuple[pa.Array, pa.Array] | None:
    """Return (values, codes) with ``values.take(codes)`` equal to ``column``, or None.

    ``values`` has the column's type, or its value type; a null is a null code.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return (
            (column.dictionary, column.indices) if len(column.dictionary) <= len(column) else None
        )
    if pa.types.is_boolean(kind):
        return pa.array([False, True]), pc.cast(column, pa.int8())
    if pa.types.is_date32(kind):
        return _of_range(column.view(pa.int32()), kind)
    if pa.types.is_integer(kind):
        return _of_range(column, kind)
    return None


def _of_range(numbers: pa.Array, kind: pa.DataType) -> tuple[pa.Array, pa.Array] | None:
    ends = pc.min_max(numbers).as_py()
    low, high = ends["min"], ends["max"]
    if low is None or low <= -_LARGEST or high >= _LARGEST:
        return None
    if (high - low + 1) * _ROWS_PER_VALUE > len(numbers):
        return None
    values = pa.array(np.arange(low, high + 1), numbers.type).view(kind)
    return values, pc.subtract(numbers, pa.scalar(low, numbers.type))
