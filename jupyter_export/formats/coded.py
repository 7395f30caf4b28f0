"""Columns of few distinct values: each value is written once, the rows only point at it.

A dictionary says so itself. Booleans, dates and integers of a narrow range (days of some years,
quantities, hours) are as good: copying a finished text costs a third of making it again.

What is lost is counted in cells all the same: whoever writes the values of ``coded`` gives the
ledger of ``counting``, and counts with ``count``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..registry import Loss, LossLedger

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


# ------------------------------------------------------------------ counting cells


def counting(losses: LossLedger, codes: pa.Array, values: int) -> LossLedger:
    """Return a ledger for writing the ``values`` of a coded column, which counts cells.

    ``count`` then weighs each value by the codes that point at it; a value that no row has loses
    nothing.
    """
    used = pc.drop_null(codes).to_numpy(zero_copy_only=False)
    if not isinstance(losses, _Counting):
        return _Counting(losses, np.bincount(used, minlength=values))
    # a dictionary among the values of another one
    outer = losses.weights[pc.is_valid(codes).to_numpy(zero_copy_only=False)]
    weights = np.bincount(used, outer, minlength=values).astype(np.int64)
    return _Counting(losses.whole, weights)


def inside(losses: LossLedger, lengths: Any) -> LossLedger:
    """Return the ledger for what the cells hold: ``lengths`` inner values in each of them."""
    if not isinstance(losses, _Counting):
        return losses
    return _Counting(losses.whole, np.repeat(losses.weights, np.asarray(lengths)))


def count(losses: LossLedger, marked: Any) -> int:
    """Return how many cells the marked values are; ``marked`` is a mask, its nulls are not."""
    if isinstance(marked, (pa.Array, pa.ChunkedArray)):
        if not isinstance(losses, _Counting):
            return pc.sum(marked).as_py() or 0
        marked = pc.fill_null(marked, False).to_numpy(zero_copy_only=False)
    if isinstance(losses, _Counting):
        return int(losses.weights[marked].sum())
    return int(np.count_nonzero(marked))


class _Counting(LossLedger):
    """Adds to another ledger, and knows how many cells each value stands for."""

    def __init__(self, whole: LossLedger, weights: np.ndarray[Any, np.dtype[Any]]) -> None:
        super().__init__()
        self.whole = whole
        self.weights = weights

    def add(self, loss: Loss) -> None:
        if loss.count != 0:
            self.whole.add(loss)
