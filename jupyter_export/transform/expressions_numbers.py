"""Functions of numbers, and those that choose among values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from .expressions_arithmetic import modulo, power
from .functions import Build, Function, Reader, known_count
from .values import BIGINT, BOOLEAN, DOUBLE, Clause, Kind, Value, decimal, digits_of


def _absolute(reader: Reader, name: str, given: list[Value]) -> Value:
    value = reader.number_of(given[0], name)
    made = sa.func.abs(value.clause, type_=value.clause.type)
    return reader.made(made, value.type, value)


def _sign(reader: Reader, name: str, given: list[Value]) -> Value:
    value = reader.number_of(given[0], name)
    zero, one, minus = (reader.bind(each, BIGINT) for each in (0, 1, -1))
    made = sa.case(
        (value.clause > zero, one),
        (value.clause < zero, minus),
        (value.clause == zero, zero),
        else_=sa.null(),
    )
    return reader.made(made, BIGINT, value, times=3)


def _rounded(reader: Reader, name: str, given: list[Value]) -> Value:
    """Half away from zero, as decimals are rounded; of doubles, what is stored decides: 2.675 is
    a little less than that, and is rounded to 2.67."""
    value = reader.number_of(given[0], name)
    places = known_count(reader, given[1], name, 0, 15) if len(given) > 1 else 0
    if value.kind is Kind.DOUBLE:
        return round_double(reader, value, places)
    return _to_places(reader, value, places, lambda clause, n: sa.func.round(clause, n), 1)


def round_double(reader: Reader, value: Value, places: int) -> Value:
    power_of_ten, half, zero, one = (
        reader.bind(each, DOUBLE) for each in (10.0**places, 0.5, 0.0, 1.0)
    )
    scaled = sa.func.abs(value.clause) * power_of_ten
    down = sa.func.floor(scaled)
    near = (down + sa.case((scaled - down >= half, one), else_=zero)) / power_of_ten
    made = sa.case(
        # beyond, a double has no such places
        (sa.func.abs(value.clause) >= reader.bind(1e15, DOUBLE), value.clause),
        (value.clause < zero, -near),
        else_=near,
    )
    return reader.made(made, DOUBLE, value, times=12)


def _to_places(
    reader: Reader,
    value: Value,
    places: int,
    call: Callable[[Clause, Any], Clause],
    carry: int,
) -> Value:
    """Return an integer as it is, and a decimal with ``places`` digits behind its point."""
    if value.kind is Kind.INTEGER:
        return value
    whole, scale = digits_of(value.type)
    if places >= scale:
        return value
    type_ = decimal(whole + carry, places)
    count: Clause = sa.literal_column(str(int(places)))
    return reader.made(
        sa.cast(call(value.clause, count), reader.speech.sql_type(type_)), type_, value
    )


def _floored(reader: Reader, name: str, given: list[Value]) -> Value:
    value = reader.number_of(given[0], name)
    found = sa.func.floor if name == "floor" else sa.func.ceil
    if value.kind is Kind.DOUBLE:
        return reader.made(found(value.clause), DOUBLE, value)
    return _to_places(reader, value, 0, lambda clause, _: found(clause), 1)


def _truncated(reader: Reader, name: str, given: list[Value]) -> Value:
    value = reader.number_of(given[0], name)
    if value.kind is Kind.DOUBLE:
        return reader.made(sa.func.trunc(value.clause), DOUBLE, value)
    return _to_places(reader, value, 0, lambda clause, _: sa.func.trunc(clause), 0)


def _checked(
    in_sql: str, good: Callable[[Reader, Clause], Clause] | None, words: str = ""
) -> Build:
    """A function of a double; where ``good`` does not hold, PostgreSQL fails, and so do we."""

    def build(reader: Reader, name: str, given: list[Value]) -> Value:
        value = reader.double_of(given[0], name)
        called = reader.full.double_function(in_sql, value.clause)
        if good is None:
            return reader.made(called, DOUBLE, value)
        made = reader.full.unless(
            good(reader, value.clause), called, f"“{name}” of {words}: ", value, DOUBLE
        )
        return reader.made(made, DOUBLE, value, times=4)

    return build


def _at_least_zero(reader: Reader, clause: Clause) -> Clause:
    return clause >= reader.bind(0.0, DOUBLE)


def _above_zero(reader: Reader, clause: Clause) -> Clause:
    return clause > reader.bind(0.0, DOUBLE)


def _within_one(reader: Reader, clause: Clause) -> Clause:
    nan = reader.bind(math.nan, DOUBLE)
    one = reader.bind(1.0, DOUBLE)
    return sa.or_(sa.func.abs(clause) <= one, clause == nan)


def _not_infinite(reader: Reader, clause: Clause) -> Clause:
    return sa.func.abs(clause) != reader.bind(math.inf, DOUBLE)


def _not_too_large(reader: Reader, clause: Clause) -> Clause:
    infinity = reader.bind(math.inf, DOUBLE)
    return sa.or_(clause <= reader.bind(709.782712893384, DOUBLE), clause >= infinity)


def _exp(reader: Reader, name: str, given: list[Value]) -> Value:
    value = reader.double_of(given[0], name)
    zero = reader.bind(0.0, DOUBLE)
    # PostgreSQL fails where the result is too small to be told from zero
    called = sa.case(
        (value.clause < reader.bind(-745.0, DOUBLE), zero), else_=sa.func.exp(value.clause)
    )
    made = reader.full.unless(
        _not_too_large(reader, value.clause), called, "“exp” overflows: ", value, DOUBLE
    )
    return reader.made(made, DOUBLE, value, times=6)


def _pi(reader: Reader, name: str, given: list[Value]) -> Value:
    return reader.made(reader.bind(math.pi, DOUBLE), DOUBLE)


def _atan2(reader: Reader, name: str, given: list[Value]) -> Value:
    one, two = (reader.double_of(each, name) for each in given)
    return reader.made(sa.func.atan2(one.clause, two.clause), DOUBLE, one, two)


def _modulo(reader: Reader, name: str, given: list[Value]) -> Value:
    return modulo(reader, given[0], given[1])


def _power(reader: Reader, name: str, given: list[Value]) -> Value:
    return power(reader, given[0], given[1])


def _tested(value_of: float) -> Build:
    def build(reader: Reader, name: str, given: list[Value]) -> Value:
        value = reader.double_of(given[0], name)
        clause = sa.func.abs(value.clause) if math.isinf(value_of) else value.clause
        return reader.made(clause == reader.bind(value_of, DOUBLE), BOOLEAN, value)

    return build


# ------------------------------------------------------------------ choosing


def _most(reader: Reader, name: str, given: list[Value]) -> Value:
    """greatest and least leave nulls out; text goes by code point."""
    values = reader.one_type(given, name)
    clauses = [reader.full.ordered(each) for each in values]
    if values[0].kind is Kind.NESTED:
        raise reader.takes(name, "plain values", values[0], "its fields")
    made = getattr(sa.func, name)(*clauses, type_=values[0].clause.type)
    return reader.made(made, values[0].type, *values)


def _coalesce(reader: Reader, name: str, given: list[Value]) -> Value:
    values = reader.one_type(given, name)
    made = sa.func.coalesce(*(each.clause for each in values))
    return reader.made(made, values[0].type, *values)


def _nullif(reader: Reader, name: str, given: list[Value]) -> Value:
    one, two = reader.one_type(given, name)
    return reader.made(
        sa.func.nullif(one.clause, two.clause, type_=one.clause.type), one.type, one, two
    )


def _if(reader: Reader, name: str, given: list[Value]) -> Value:
    when = reader.truth(given[0])
    one, two = reader.one_type(given[1:], name)
    made = sa.case((when.clause, one.clause), else_=two.clause)
    return reader.made(made, one.type, when, one, two)


_LOG10 = _checked("log10", _above_zero, "what is not above zero")
NUMBER_FUNCTIONS: dict[str, Function] = {
    "abs": Function(1, 1, _absolute),
    "sign": Function(1, 1, _sign),
    "round": Function(1, 2, _rounded),
    "floor": Function(1, 1, _floored),
    "ceil": Function(1, 1, _floored),
    "ceiling": Function(1, 1, _floored),
    "trunc": Function(1, 1, _truncated),
    "sqrt": Function(1, 1, _checked("sqrt", _at_least_zero, "a negative number")),
    "exp": Function(1, 1, _exp),
    "ln": Function(1, 1, _checked("ln", _above_zero, "what is not above zero")),
    "log": Function(1, 1, _LOG10),
    "log10": Function(1, 1, _LOG10),
    "power": Function(2, 2, _power),
    "pow": Function(2, 2, _power),
    "mod": Function(2, 2, _modulo),
    "sin": Function(1, 1, _checked("sin", _not_infinite, "an infinite number")),
    "cos": Function(1, 1, _checked("cos", _not_infinite, "an infinite number")),
    "tan": Function(1, 1, _checked("tan", _not_infinite, "an infinite number")),
    "asin": Function(1, 1, _checked("asin", _within_one, "a number beyond 1")),
    "acos": Function(1, 1, _checked("acos", _within_one, "a number beyond 1")),
    "atan": Function(1, 1, _checked("atan", None)),
    "atan2": Function(2, 2, _atan2),
    "radians": Function(1, 1, _checked("radians", None)),
    "degrees": Function(1, 1, _checked("degrees", None)),
    "pi": Function(0, 0, _pi),
    "isnan": Function(1, 1, _tested(math.nan)),
    "isinf": Function(1, 1, _tested(math.inf)),
    "greatest": Function(1, None, _most),
    "least": Function(1, None, _most),
    "coalesce": Function(1, None, _coalesce),
    "ifnull": Function(2, 2, _coalesce),
    "nullif": Function(2, 2, _nullif),
    "if": Function(3, 3, _if),
}
