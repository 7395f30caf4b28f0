"""Keys of relations as plain words of 64 bits or as bytes, equal exactly where the values are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

_TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_MOST_DIGITS = 76
"""Of Arrow's widest decimal."""


@dataclass(frozen=True)
class Comparison:
    """How keys of two types are compared; ``canonical`` gives either one as what is stored."""

    form: Literal["words", "bytes"]
    canonical: Callable[[pa.Array], pa.Array]
    """Values -> int64 (``words``) or large_binary (``bytes``). A null matches nothing, and what
    the other type cannot hold is null."""


def comparison(one: pa.DataType, other: pa.DataType) -> Comparison | None:
    """Return how values of two types are compared as keys, or None where it is not exact.

    Integers of all widths compare with one another, with whole floats and with decimals; texts
    with texts, bytes with bytes, moments with moments of the same kind of clock.
    """
    one, other = _plain(one), _plain(other)
    if pa.types.is_null(one) or pa.types.is_null(other):
        return Comparison("words", lambda column: pa.nulls(len(column), pa.int64()))
    for both, made in _FAMILIES:
        if both(one) and both(other):
            return made(one, other)
    return None


def _plain(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(kind.storage_type)
    return _plain(kind.value_type) if pa.types.is_dictionary(kind) else kind


def decoded(column: pa.Array) -> pa.Array:
    """Return the values behind an extension type or a dictionary."""
    if isinstance(column.type, pa.BaseExtensionType):
        return decoded(column.storage)
    return decoded(column.dictionary_decode()) if pa.types.is_dictionary(column.type) else column


def _words(convert: Callable[[pa.Array], pa.Array]) -> Comparison:
    return Comparison("words", convert)


def _bytes(one: pa.DataType, other: pa.DataType) -> Comparison:
    return Comparison("bytes", lambda column: pc.cast(column, pa.large_binary()))


def _integers(one: pa.DataType, other: pa.DataType) -> Comparison:
    if one == other == pa.uint64():
        return _words(lambda column: column.view(pa.int64()))
    return _words(_as_int64)


def _as_int64(column: pa.Array) -> pa.Array:
    if column.type == pa.uint64():
        fits = pc.less_equal(column, pa.scalar(2**63 - 1, pa.uint64()))
        column = pc.if_else(fits, column, pa.scalar(None, pa.uint64()))
    return pc.cast(column, pa.int64())


def _floats(one: pa.DataType, other: pa.DataType) -> Comparison:
    def bits(column: pa.Array) -> pa.Array:
        # -0.0 is 0.0, and a NaN is no key
        numbers = pc.add(pc.cast(column, pa.float64()), 0.0)
        return pc.if_else(pc.is_nan(numbers), None, numbers).view(pa.int64())

    return _words(bits)


def _whole_floats(one: pa.DataType, other: pa.DataType) -> Comparison:
    """Integers with nulls among them often arrive as doubles; a double is one exact number."""

    def whole(column: pa.Array) -> pa.Array:
        if not pa.types.is_floating(column.type):
            return _as_int64(column)
        numbers = pc.cast(column, pa.float64())
        inside = pc.and_(pc.greater_equal(numbers, -(2.0**63)), pc.less(numbers, 2.0**63))
        inside = pc.and_(inside, pc.equal(pc.floor(numbers), numbers))
        return pc.cast(pc.if_else(inside, numbers, None), pa.int64(), safe=False)

    return _words(whole)


def _decimals(one: pa.DataType, other: pa.DataType) -> Comparison | None:
    scale = max(0, *(kind.scale for kind in (one, other) if pa.types.is_decimal(kind)))
    whole = max(
        kind.precision - kind.scale if pa.types.is_decimal(kind) else 20 for kind in (one, other)
    )
    if whole + scale > _MOST_DIGITS:
        return None
    wide = pa.decimal256(_MOST_DIGITS, scale)

    def digits(column: pa.Array) -> pa.Array:
        if not pa.types.is_decimal(column.type):
            column = pc.cast(column, pa.decimal128(20, 0))
        return pc.cast(pc.cast(column, wide).view(pa.binary(32)), pa.large_binary())

    return Comparison("bytes", digits)


def _ticks(one: pa.DataType, other: pa.DataType) -> Comparison | None:
    if pa.types.is_timestamp(one) and (one.tz is None) != (other.tz is None):
        return None
    finest = max(_TICKS[one.unit], _TICKS[other.unit])

    def ticks(column: pa.Array) -> pa.Array:
        width = pa.int32() if column.type.bit_width == 32 else pa.int64()
        numbers = pc.cast(column.view(width), pa.int64())
        return _times(numbers, finest // _TICKS[column.type.unit])

    return _words(ticks)


def _times(numbers: pa.Array, factor: int) -> pa.Array:
    """What does not fit is no value that the finer unit has."""
    if factor == 1:
        return numbers
    most = (2**63 - 1) // factor
    fits = pc.and_(pc.less_equal(numbers, most), pc.greater_equal(numbers, -most))
    return pc.multiply(pc.if_else(fits, numbers, None), factor)


def _days(one: pa.DataType, other: pa.DataType) -> Comparison:
    return _words(lambda c: pc.cast(pc.cast(c, pa.date32()).view(pa.int32()), pa.int64()))


def _booleans(one: pa.DataType, other: pa.DataType) -> Comparison:
    return _words(lambda column: pc.cast(column, pa.int64()))


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _is_binary(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_exact(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_decimal(kind))


_FAMILIES: tuple[
    tuple[
        Callable[[pa.DataType], bool],
        Callable[[pa.DataType, pa.DataType], Comparison | None],
    ],
    ...,
] = (
    (pa.types.is_integer, _integers),
    (_is_text, _bytes),
    (pa.types.is_floating, _floats),
    (_is_number, _whole_floats),
    (_is_exact, _decimals),
    (pa.types.is_timestamp, _ticks),
    (pa.types.is_date, _days),
    (pa.types.is_time, _ticks),
    (pa.types.is_duration, _ticks),
    (pa.types.is_boolean, _booleans),
    (_is_binary, _bytes),
)
"""Types that are compared with one another, the narrower families first -> how."""
