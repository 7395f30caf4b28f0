"""CAST and TRY_CAST of expressions.

Texts must be written as ISO 8601 and SQL write them: '12', '1.5', '2020-01-31',
'2020-01-31 12:00:00', 'true'. What is none fails, and by TRY_CAST is null. Numbers are rounded half
away from zero, doubles to integers half to even.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from ..errors import InvalidSpec
from .expressions_numbers import round_double
from .functions import Reader
from .literals import fitted
from .values import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    NUMBERS,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    Kind,
    Value,
    digits_of,
    kind_of,
)

_TYPES: dict[str, pa.DataType] = {
    "BOOLEAN": BOOLEAN,
    "TINYINT": pa.int16(), "SMALLINT": pa.int16(), "INT": pa.int32(), "BIGINT": BIGINT,
    "FLOAT": pa.float32(), "DOUBLE": DOUBLE, "TEXT": TEXT, "VARCHAR": TEXT, "CHAR": TEXT,
    "DATE": DATE, "TIME": TIME, "TIMESTAMP": TIMESTAMP, "TIMESTAMPNTZ": TIMESTAMP,
    "DATETIME": TIMESTAMP, "TIMESTAMPTZ": TIMESTAMPTZ, "TIMESTAMPLTZ": TIMESTAMPTZ,
}  # fmt: skip
_WORDS = "boolean, integer, bigint, double, decimal(p, s), text, date, time, timestamp, timestamptz"


def type_named(reader: Reader, node: Any) -> pa.DataType:
    """Return the Arrow type that a type of SQL stands for."""
    name = str(getattr(node.this, "value", node.this))
    sizes = [str(each.name or each) for each in node.expressions]
    if name == "DECIMAL":
        precision, scale = (int(each) if each.isdigit() else -1 for each in
                            (*sizes, *("18", "3")[len(sizes):]))  # fmt: skip
        if len(sizes) == 1:
            scale = 0
        if not 1 <= precision <= 38 or not 0 <= scale <= precision:
            raise reader.wrong("holds a decimal that there is not", "At most decimal(38, 38).")
        return pa.decimal128(precision, scale)
    found = _TYPES.get(name)
    if found is None or (sizes and found is not TEXT):
        raise reader.wrong(f"casts to “{name.lower()}”, which is not known", f"Known: {_WORDS}.")
    return found


def cast(reader: Reader, value: Value, type_: pa.DataType, trying: bool = False) -> Value:
    """Return ``value`` as another type; of what does not fit, ``trying`` makes null."""
    to = kind_of(type_)
    if value.kind is Kind.NULL:
        return Value(reader.bind(None, type_), type_)
    if isinstance(value.constant, str) and value.kind is Kind.TEXT and to is not Kind.TEXT:
        return _literal(reader, value, type_, trying)
    if to is Kind.TEXT:
        return reader.full.text(value)
    if value.native:
        value = reader.full.text(value)
    if value.kind is Kind.TEXT:
        return reader.full.from_text(value, type_, trying)
    if (value.kind, to) not in _KNOWN:
        raise reader.wrong(f"casts {value.kind.value} to {to.value}")
    if trying and to in NUMBERS and value.kind in NUMBERS and to is not Kind.DOUBLE:
        return _tried(reader, value, type_)
    return _plain(reader, value, type_)


def _literal(reader: Reader, value: Value, type_: pa.DataType, trying: bool) -> Value:
    """A text that stands there is read here: DATE '2020-01-31' is a date before anything runs."""
    try:
        made, found = fitted(value.constant, Value(sa.null(), type_), reader.field)
        if kind_of(type_) in NUMBERS:
            return _number(reader, value, Decimal(str(made)), type_)
    except InvalidSpec:
        if not trying:
            raise
        return Value(reader.bind(None, type_), type_)
    bound = Value(reader.bind(made, found), found)
    return bound if found.equals(type_) else _plain(reader, bound, type_)


def _number(reader: Reader, value: Value, made: Decimal, type_: pa.DataType) -> Value:
    """Return the number that a text says, as the type holds it."""
    kind = kind_of(type_)
    if kind is Kind.DOUBLE:
        return Value(reader.bind(float(made) or 0.0, type_), type_)
    fits = made.is_finite()
    if kind is Kind.INTEGER:
        fits = fits and made == int(made) and abs(made) < 2 ** (type_.bit_width - 1)
        if fits:
            return Value(reader.bind(int(made), type_), type_, constant=int(made))
    elif fits:
        rounded = made.quantize(Decimal(1).scaleb(-type_.scale), ROUND_HALF_UP, Context(prec=80))
        if abs(rounded) < Decimal(10) ** digits_of(type_)[0]:
            return Value(reader.bind(rounded, type_), type_)
    words = str(type_) if kind is Kind.INTEGER else f"decimal({type_.precision}, {type_.scale})"
    raise reader.wrong(f"casts “{value.constant}” to {words}, which cannot hold it")


def _plain(reader: Reader, value: Value, type_: pa.DataType) -> Value:
    full, to = reader.full, kind_of(type_)
    if value.kind is Kind.BOOLEAN and to in NUMBERS:
        return full.raw(full.raw(value, pa.int32()), type_)
    if value.kind is Kind.INTEGER and to is Kind.BOOLEAN:
        zero = reader.bind(0, BIGINT)
        return reader.made(value.clause != zero, BOOLEAN, value)
    if value.kind is Kind.DOUBLE and to is Kind.DECIMAL:
        value = round_double(reader, full.converted(value, DOUBLE), min(digits_of(type_)[1], 15))
        return full.decimal_of_double(value, type_)
    if value.kind is Kind.TIMESTAMPTZ and to is not Kind.TIMESTAMPTZ:
        value = Value(full.utc(value.clause), TIMESTAMP, value.size + 2)
    return full.converted(value, type_)


def _tried(reader: Reader, value: Value, type_: pa.DataType) -> Value:
    """Return null for a number that is too large."""
    whole, _ = digits_of(type_)
    if kind_of(type_) is Kind.INTEGER:
        most = 2.0 ** (type_.bit_width - 1) - (512 if type_.bit_width == 64 else 0.5)
    else:
        most = 10.0**whole * (1 - 1e-15)
    if not reader.is_engine:
        number = reader.full.converted(value, DOUBLE)
        fits = sa.func.abs(number.clause) < reader.bind(most, DOUBLE)
        made = sa.case((fits, _plain(reader, value, type_).clause), else_=sa.null())
        return reader.made(made, type_, value, times=16)
    tried = reader.full.tried(_plain(reader, value, type_).clause)
    return reader.made(tried, type_, value, times=16)


_NUMERIC = {(one, two) for one in (*NUMBERS, Kind.BOOLEAN) for two in NUMBERS}
_KNOWN = _NUMERIC | {
    (Kind.INTEGER, Kind.BOOLEAN), (Kind.BOOLEAN, Kind.BOOLEAN),
    (Kind.DATE, Kind.DATE), (Kind.DATE, Kind.TIMESTAMP), (Kind.DATE, Kind.TIMESTAMPTZ),
    (Kind.TIMESTAMP, Kind.DATE), (Kind.TIMESTAMP, Kind.TIMESTAMP), (Kind.TIME, Kind.TIME),
    (Kind.TIMESTAMP, Kind.TIMESTAMPTZ), (Kind.TIMESTAMPTZ, Kind.DATE),
    (Kind.TIMESTAMPTZ, Kind.TIMESTAMP), (Kind.TIMESTAMPTZ, Kind.TIMESTAMPTZ),
    (Kind.TIMESTAMP, Kind.TIME), (Kind.TIMESTAMPTZ, Kind.TIME),
}  # fmt: skip
