"""``+ - * / // % **`` of expressions: of numbers, and of moments and intervals.

Integers are 64 bits wide, and what goes beyond fails. Decimals stay decimals: the result has the
digits that it needs, 38 at most. ``/`` is the division of doubles; ``//`` and ``%`` take integers
(and ``%`` decimals), and cut towards zero. A division by zero fails.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from .functions import Reader
from .values import (
    BIGINT,
    DATE,
    DOUBLE,
    INTERVAL,
    MOMENTS,
    TIMESTAMP,
    Kind,
    Value,
    common,
    decimal,
    digits_of,
)


def _numbers(reader: Reader, left: Value, right: Value, op: str) -> tuple[Value, Value]:
    return reader.number_of(left, op), reader.number_of(right, op)


def _cast(reader: Reader, clause: Any, type_: pa.DataType, *of: Value) -> Value:
    """Return a result of decimals as exactly the decimal that it is to be."""
    # a number of any digits has no type to be cut to
    if pa.types.is_decimal(type_) and not any(each.unbounded for each in of):
        clause = sa.cast(clause, reader.speech.sql_type(type_))
    return reader.made(clause, type_, *of)


def _plus(reader: Reader, left: Value, right: Value) -> Value:
    if right.kind in MOMENTS and left.kind not in MOMENTS:
        left, right = right, left
    if left.kind in MOMENTS:
        return _moved(reader, left, right, False)
    if left.kind is right.kind is Kind.INTERVAL:
        return reader.made(left.clause + right.clause, INTERVAL, left, right)
    return _sum(reader, left, right, "+")


def _minus(reader: Reader, left: Value, right: Value) -> Value:
    if left.kind in MOMENTS and right.kind in MOMENTS:
        return _between(reader, left, right)
    if left.kind in MOMENTS:
        return _moved(reader, left, right, True)
    if left.kind is right.kind is Kind.INTERVAL:
        return reader.made(left.clause - right.clause, INTERVAL, left, right)
    return _sum(reader, left, right, "-")


def _sum(reader: Reader, left: Value, right: Value, op: str) -> Value:
    left, right = _numbers(reader, left, right, op)
    type_ = common(left.type, right.type)
    assert type_ is not None
    if pa.types.is_decimal(type_):
        whole, scale = digits_of(type_)
        type_ = decimal(whole + 1, scale)
    left, right = _both(reader, left, right, type_)
    made = left.clause + right.clause if op == "+" else left.clause - right.clause
    return _cast(reader, made, type_, left, right)


def _both(reader: Reader, left: Value, right: Value, type_: pa.DataType) -> tuple[Value, Value]:
    """Return both operands as doubles where one of them is."""
    if type_.equals(DOUBLE):
        return reader.double_of(left, "+"), reader.double_of(right, "+")
    if pa.types.is_decimal(type_):
        return reader.full.roomy(left), reader.full.roomy(right)
    return left, right


def _times(reader: Reader, left: Value, right: Value) -> Value:
    for one, other in ((left, right), (right, left)):
        if one.kind is Kind.INTERVAL:
            count = reader.integer_of(other, "*")
            return reader.made(reader.full.times(one.clause, count.clause), INTERVAL, left, right)
    left, right = _numbers(reader, left, right, "*")
    type_ = common(left.type, right.type)
    assert type_ is not None
    if pa.types.is_decimal(type_):
        (w1, s1), (w2, s2) = digits_of(left.type), digits_of(right.type)
        if s1 + s2 > 38:
            raise reader.wrong(
                "multiplies decimals to more digits than there are", "Make one CAST(… AS DOUBLE)."
            )
        type_ = decimal(w1 + w2, s1 + s2)
    left, right = _both(reader, left, right, type_)
    return _cast(reader, left.clause * right.clause, type_, left, right)


def _divided(reader: Reader, left: Value, right: Value) -> Value:
    left, right = reader.double_of(left, "/"), reader.double_of(right, "/")
    made = reader.full.divided(left, right, DOUBLE, "/")
    return reader.made(made, DOUBLE, left, right, times=reader.full.cost_of_division)


def _whole(reader: Reader, left: Value, right: Value) -> Value:
    left, right = reader.integer_of(left, "//"), reader.integer_of(right, "//")
    if not left.type.equals(right.type) or not left.type.equals(BIGINT):
        raise reader.wrong("divides integers of more than 64 bits by “//”")
    made = reader.full.divided(left, right, BIGINT, "//")
    return reader.made(made, BIGINT, left, right, times=reader.full.cost_of_division)


def modulo(reader: Reader, left: Value, right: Value) -> Value:
    left, right = _numbers(reader, left, right, "%")
    type_ = common(left.type, right.type)
    assert type_ is not None
    if type_.equals(DOUBLE):
        raise reader.wrong(
            "takes the rest of a division of doubles by “%”",
            "Make them CAST(… AS DECIMAL(18, 3)) or CAST(… AS BIGINT).",
        )
    made = reader.full.divided(left, right, type_, "%")
    cost = reader.full.cost_of_division
    return reader.made(
        _cast(reader, made, type_, left, right).clause, type_, left, right, times=cost
    )


def power(reader: Reader, left: Value, right: Value) -> Value:
    base, exponent = reader.double_of(left, "**"), reader.double_of(right, "**")
    made = sa.func.power(base.clause, exponent.clause)
    return reader.full.checked_power(reader.made(made, DOUBLE, base, exponent), base, exponent)


def negative(reader: Reader, value: Value) -> Value:
    if value.kind is Kind.INTERVAL:
        minus = reader.bind(-1, BIGINT)
        return reader.made(reader.full.times(value.clause, minus), INTERVAL, value)
    value = reader.number_of(value, "-")
    if value.type.equals(BIGINT):
        # the engine makes the least integer, negated, a wider one
        return reader.made(reader.bind(0, BIGINT) - value.clause, BIGINT, value)
    return reader.made(-value.clause, value.type, value)


# ------------------------------------------------------------------ moments


def _moved(reader: Reader, moment: Value, by: Value, back: bool) -> Value:
    """A moment and an interval; a date and a number of days. A month is of the calendar, and a
    day of a timestamp with a zone is one of UTC."""
    op = "-" if back else "+"
    if moment.kind is Kind.DATE and by.kind is Kind.INTEGER:
        days = sa.cast(by.clause, sa.Integer())
        made = moment.clause - days if back else moment.clause + days
        return reader.made(made, DATE, moment, by)
    if by.kind is not Kind.INTERVAL:
        raise reader.takes(op, "an interval beside a date or timestamp", by, "INTERVAL 1 DAY")
    full = reader.full
    if moment.kind is Kind.TIMESTAMPTZ:
        naive = full.utc(moment.clause)
        made = full.utc(naive - by.clause if back else naive + by.clause)
        return reader.made(made, moment.type, moment, by)
    naive = full.converted(moment, TIMESTAMP).clause
    made = naive - by.clause if back else naive + by.clause
    return reader.made(made, TIMESTAMP, moment, by)


def _between(reader: Reader, left: Value, right: Value) -> Value:
    """The days between two dates, or the interval between two timestamps."""
    if left.kind is right.kind is Kind.DATE:
        made = sa.cast(left.clause - right.clause, sa.BigInteger())
        return reader.made(made, BIGINT, left, right)
    type_ = common(left.type, right.type)
    assert type_ is not None
    left, right = reader.full.converted(left, type_), reader.full.converted(right, type_)
    return reader.made(left.clause - right.clause, INTERVAL, left, right)


ARITHMETIC = {
    "Add": _plus,
    "Sub": _minus,
    "Mul": _times,
    "Div": _divided,
    "IntDiv": _whole,
    "Mod": modulo,
    "Pow": power,
}
"""Names of sqlglot's nodes."""
