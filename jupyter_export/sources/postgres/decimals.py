"""Decimals of Arrow out of PostgreSQL's text of ``numeric``, exact or not at all."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .misfit import Misfit

UNDECIDED = pa.decimal128(38, 9)
"""What a numeric without a scale is while no value is known."""
_ROOM = 30
"""The most digits behind the point for which 128 bits leave room before it."""


def type_of(digits: int, scale: int) -> pa.DataType | None:
    """Return the decimal of so many digits, or None: Arrow has none of more than 76."""
    if digits <= 38:
        return pa.decimal128(max(digits, 1), scale)
    return pa.decimal256(digits, scale) if digits <= 76 else None


def roomy(whole: int, scale: int) -> pa.DataType | None:
    """Return a decimal for values with so many digits before and behind the point, and for more
    of them before it."""
    if scale <= _ROOM and whole + scale <= 38:
        return pa.decimal128(38, scale)
    return pa.decimal256(76, scale) if whole + scale <= 76 else None


def digits_of(texts: pa.Array) -> tuple[int, int] | None:
    """Return the most digits before and behind the point, or None where there is no value."""
    if len(texts) == texts.null_count:
        return None
    length = pc.binary_length(texts)
    point = pc.find_substring(texts, ".")
    none = pc.less(point, 0)
    signs = pc.cast(pc.starts_with(texts, "-"), pa.int32())
    whole = pc.subtract(pc.if_else(none, length, point), signs)
    behind = pc.if_else(none, 0, pc.subtract(pc.subtract(length, point), 1))
    return pc.max(whole).as_py(), pc.max(behind).as_py()


def parse(texts: pa.Array, kind: Any, *, declared: bool) -> pa.Array:
    """Return the decimals. ``declared``: the database holds them to the digits of ``kind``.

    Raises ``Misfit`` when a value does not fit.
    """
    if not declared:
        # Arrow's own conversion wraps round where a text has more digits than the type
        most = digits_of(texts)
        if most is not None and (most[0] > kind.precision - kind.scale or most[1] > kind.scale):
            raise Misfit("has NaN, Infinity or more digits than the first rows")
    try:
        return pc.cast(texts, kind)
    except pa.ArrowInvalid:
        raise Misfit("has NaN or Infinity") from None
