"""A value inside a statement: what SQLAlchemy builds, and the Arrow type that it has."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

import pyarrow as pa
import sqlalchemy as sa

Clause: TypeAlias = "sa.ColumnElement[Any]"


class Kind(Enum):
    """What can be done with a value; the words are those of our sentences."""

    BOOLEAN = "true or false"
    INTEGER = "whole numbers"
    DECIMAL = "decimals"
    DOUBLE = "numbers"
    TEXT = "text"
    DATE = "dates"
    TIMESTAMP = "timestamps without a zone"
    TIMESTAMPTZ = "timestamps with a zone"
    TIME = "times of day"
    INTERVAL = "intervals"
    BINARY = "bytes"
    NULL = "nulls"
    NATIVE = "values of a type of the database's own"
    """Arrives as text, but the database compares it in its own way: ``uuid``, ``inet``, an enum."""
    NESTED = "nested values"


NUMBERS = (Kind.INTEGER, Kind.DECIMAL, Kind.DOUBLE)
MOMENTS = (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ)

NULL = pa.null()
BOOLEAN = pa.bool_()
BIGINT = pa.int64()
DOUBLE = pa.float64()
TEXT = pa.string()
DATE = pa.date32()
TIME = pa.time64("us")
TIMESTAMP = pa.timestamp("us")
TIMESTAMPTZ = pa.timestamp("us", "UTC")
INTERVAL = pa.month_day_nano_interval()
MOST_DIGITS = 38
"""Of a decimal, as the engine holds it."""


@dataclass(frozen=True)
class Value:
    """An expression with its type."""

    clause: Clause
    type: pa.DataType
    size: int = 1
    """How much of a statement it takes; what is used twice counts twice."""
    constant: Any = None
    """The text or number that stood there, so that it may become what it is compared with."""
    native: bool = False
    """True: text for Arrow, a type of its own for the database."""
    words: str = ""
    """What a sentence calls it: a column's name, or empty."""

    @property
    def kind(self) -> Kind:
        return Kind.NATIVE if self.native else kind_of(self.type)

    @property
    def unbounded(self) -> bool:
        """True: a number of as many digits as it likes, whatever its Arrow type says of them."""
        own: Any = self.clause.type
        is_numeric = isinstance(own, sa.Numeric) and not isinstance(own, sa.Float)
        return is_numeric and own.precision is None and self.kind is Kind.DECIMAL

    @property
    def zone(self) -> str:
        """Where the days of a timestamp begin; UTC for what has no zone."""
        return (pa.types.is_timestamp(self.type) and self.type.tz) or "UTC"

    @property
    def described(self) -> str:
        """The value as a sentence begins with it."""
        if self.words:
            return f"Column “{self.words}” holds {self.kind.value}"
        if self.constant is not None:
            return f"“{self.constant}” is not one of a column of {self.kind.value}"
        return f"An expression gives {self.kind.value}"


def kind_of(type_: pa.DataType) -> Kind:
    """Return what values of an Arrow type are to us."""
    is_ = pa.types
    if is_.is_dictionary(type_):
        return kind_of(type_.value_type)
    for kind, tests in _TESTS.items():
        if any(getattr(is_, test)(type_) for test in tests):
            return kind
    if is_.is_timestamp(type_):
        return Kind.TIMESTAMP if type_.tz is None else Kind.TIMESTAMPTZ
    return Kind.NESTED


_TESTS: dict[Kind, tuple[str, ...]] = {
    Kind.BOOLEAN: ("is_boolean",),
    Kind.INTEGER: ("is_integer",),
    Kind.DECIMAL: ("is_decimal",),
    Kind.DOUBLE: ("is_floating",),
    Kind.TEXT: ("is_string", "is_large_string", "is_string_view"),
    Kind.DATE: ("is_date",),
    Kind.TIME: ("is_time",),
    Kind.INTERVAL: ("is_interval", "is_duration"),
    Kind.BINARY: (
        "is_binary", "is_large_binary", "is_fixed_size_binary", "is_binary_view",
    ),
    Kind.NULL: ("is_null",),
}  # fmt: skip


def digits_of(type_: pa.DataType) -> tuple[int, int]:
    """Return the digits of a number before and after its point, as a decimal needs them."""
    if pa.types.is_dictionary(type_):
        return digits_of(type_.value_type)
    if pa.types.is_decimal(type_):
        return type_.precision - type_.scale, type_.scale
    return (20 if pa.types.is_uint64(type_) else 19), 0


def decimal(whole: int, scale: int) -> pa.DataType:
    """Return the decimal type with so many digits before and after the point, 38 at most."""
    scale = max(0, min(scale, MOST_DIGITS))
    return pa.decimal128(max(1, min(whole + scale, MOST_DIGITS)), scale)


def common(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    """Return the type that values of both types can have without a change, or None."""
    one, two = kind_of(first), kind_of(second)
    if one is Kind.NULL:
        return plain(second)
    if two is Kind.NULL:
        return plain(first)
    if one in NUMBERS and two in NUMBERS:
        if Kind.DOUBLE in (one, two):
            return DOUBLE
        if one is two is Kind.INTEGER and not _beyond_bigint(first, second):
            return BIGINT
        (w1, s1), (w2, s2) = digits_of(first), digits_of(second)
        return decimal(max(w1, w2), max(s1, s2))
    if one in MOMENTS and two in MOMENTS and one is not two:
        if Kind.TIMESTAMPTZ in (one, two):
            return TIMESTAMPTZ
        return TIMESTAMP
    return plain(first) if one is two and one is not Kind.NESTED else None


def _beyond_bigint(*types: pa.DataType) -> bool:
    return any(pa.types.is_uint64(each) for each in types)


def plain(type_: pa.DataType) -> pa.DataType:
    """Return the type that an expression over a column of that type has."""
    kind = kind_of(type_)
    if kind is Kind.INTEGER:
        return decimal(20, 0) if _beyond_bigint(type_) else BIGINT
    if kind is Kind.DECIMAL:
        return decimal(*digits_of(type_))
    if kind is Kind.TIMESTAMP:
        return TIMESTAMP if type_.unit != "ns" else type_
    if kind is Kind.TIMESTAMPTZ:
        return pa.timestamp("us", type_.tz)
    return _PLAIN.get(kind, type_)


_PLAIN: dict[Kind, pa.DataType] = {
    Kind.BOOLEAN: BOOLEAN,
    Kind.DOUBLE: DOUBLE,
    Kind.TEXT: TEXT,
    Kind.DATE: DATE,
    Kind.TIME: TIME,
    Kind.INTERVAL: INTERVAL,
}
