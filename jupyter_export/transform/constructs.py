"""What a dialect does exactly as the engine does, piece by piece; everything else is ``NotPushed``.

``Constructs`` is what every database of SQL does; ``constructs_full`` has the engine and
PostgreSQL, which do all, ``constructs_some`` has those in between.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, NoReturn

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.sql.elements import False_, Grouping, True_

from .values import Clause, Kind, Value, digits_of, kind_of


class NotPushed(Exception):
    """The dialect does not do this as the engine does it; the engine does it."""


class Constructs:
    """Plain SQL: numbers, dates and times compared, nulls, and, or, not."""

    compared: ClassVar[frozenset[Kind]] = frozenset(
        {Kind.INTEGER, Kind.DECIMAL, Kind.DOUBLE, Kind.DATE, Kind.TIMESTAMP}
    )
    """Of columns that are compared with a value, sorted, counted or grouped."""
    longest_name: ClassVar[int] = 30
    """Bytes of the name of a column that comes out; a longer one is given by the engine."""
    grouping: ClassVar[bool] = False
    """True: group_by, and those aggregates that it has a method for."""

    untyped_is_text: ClassVar[bool] = False
    """True: a column of no known type whose values arrive as text is text."""
    numbers_rows: ClassVar[bool] = False
    """True: rows can be numbered as they come."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect

    def refuse(self, what: str) -> NoReturn:
        raise NotPushed(f"{self.dialect} does not do {what} as the engine does")

    # ------------------------------------------------------------------ values

    def bind(self, value: Any, type_: pa.DataType) -> Clause:
        """Return a bound value."""
        if isinstance(value, float) and not math.isfinite(value):
            self.refuse("numbers that are not finite")
        return sa.bindparam(None, value, type_=self.sql_type(type_), unique=True)

    def boolean(self, value: bool) -> Clause:
        """Return a constant truth."""
        return sa.bindparam(None, 1 if value else 0, type_=sa.Integer(), unique=True) == 1

    def sql_type(self, type_: pa.DataType) -> sa.types.TypeEngine[Any]:
        """Return the type of SQL that holds values of an Arrow type."""
        kind = kind_of(type_)
        if kind is Kind.DECIMAL:
            whole, scale = digits_of(type_)
            return sa.Numeric(whole + scale, scale)
        if kind is Kind.INTEGER and pa.types.is_uint64(type_):
            return sa.Numeric(20, 0)
        if kind is Kind.INTEGER and type_.bit_width < 64:
            return sa.SmallInteger() if type_.bit_width <= 16 else sa.Integer()
        if pa.types.is_float32(type_) or pa.types.is_float16(type_):
            return sa.REAL()
        found = _SQL_TYPES.get(kind)
        if found is None:
            self.refuse(f"a cast to {type_}")
        return found

    def typed(self, value: Value) -> Clause:
        """Return a column of what a step makes, of the type that it is said to have."""
        return value.clause

    # ------------------------------------------------------------------ conditions

    def compare(self, op: str, left: Value, right: Value) -> Clause:
        """Return ``left op right``; both are of one kind, or both numbers, or both moments."""
        self.comparable(left, right)
        return compare(op, left.clause, right.clause)

    def comparable(self, *values: Value) -> None:
        for value in values:
            short = pa.types.is_float32(value.type) or pa.types.is_float16(value.type)
            if short or value.kind not in self.compared:
                self.refuse("this comparison")

    def is_in(self, left: Value, listed: Sequence[Value]) -> Clause:
        self.comparable(left, *listed)
        return left.clause.in_([each.clause for each in listed])

    def distinct_from(self, left: Value, right: Value) -> Clause:
        self.refuse("is distinct from")

    def like(self, text: Value, pattern: Value, insensitive: bool) -> Clause:
        self.refuse("like")

    def contains(self, text: Value, part: Value) -> Clause:
        self.refuse("contains")

    def starts_with(self, text: Value, part: Value) -> Clause:
        self.refuse("starts_with")

    def ends_with(self, text: Value, part: Value) -> Clause:
        self.refuse("ends_with")

    def regex(self, text: Value, pattern: str, insensitive: bool) -> Clause:
        self.refuse("regular expressions")

    # ------------------------------------------------------------------ order and groups

    def key(self, value: Value) -> Value:
        """Return what a group, a distinct row or an order tells apart, in our order."""
        self.comparable(value)
        return value

    def ordered(self, value: Value) -> Clause:
        """Return what our order goes by."""
        return self.key(value).clause

    def in_order(self, value: Value, descending: bool, nulls: str) -> list[Clause]:
        """Return the keys of ORDER BY for one of ours."""
        keyed = self.ordered(value)
        null = sa.case((value.clause.is_(None), 1), else_=0)
        return [
            null.desc() if nulls == "first" else null.asc(),
            keyed.desc() if descending else keyed.asc(),
        ]

    # ------------------------------------------------------------------ aggregates

    def any_of(self, value: Value) -> Value:
        """Return one value of a group, for one that has but one."""
        self.refuse("a pivot")

    def count(self, value: Value | None) -> Value:
        self.refuse("count")

    def aggregate(
        self, function: str, value: Value, p: float | None, order_by: Value | None
    ) -> Value:
        """Return an aggregate other than count; its value was found to fit."""
        self.refuse(function)

    # ------------------------------------------------------------------ expressions

    def text(self, value: Value) -> Value:
        """Return the text form of a value."""
        if value.kind is Kind.TEXT:
            return value
        self.refuse("a value as text")

    def converted(self, value: Value, type_: pa.DataType) -> Value:
        """Return ``value`` as one of ``type_``, which can hold it unchanged."""
        if kind_of(type_) is value.kind:
            return value
        self.refuse("this conversion")

    def field_of(self, value: Value, name: str) -> Value:
        self.refuse("fields of nested values")

    def bucket(self, value: Value, width: Any, zone: str | None) -> Value:
        self.refuse("time_bucket")


_COMPARE: dict[str, Any] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
COMPARISONS = tuple(_COMPARE)
_SQL_TYPES: dict[Kind, sa.types.TypeEngine[Any]] = {
    Kind.BOOLEAN: sa.Boolean(),
    Kind.INTEGER: sa.BigInteger(),
    Kind.DOUBLE: sa.Double(),
    Kind.TEXT: sa.Text(),
    Kind.DATE: sa.Date(),
    Kind.TIMESTAMP: sa.DateTime(),
    Kind.TIMESTAMPTZ: sa.DateTime(timezone=True),
    Kind.TIME: sa.Time(),
    Kind.INTERVAL: sa.Interval(),
    Kind.NULL: sa.Text(),
}


def compare(op: str, left: Clause, right: Clause) -> Clause:
    """Return a comparison of SQL as it stands."""
    if isinstance(right, (True_, False_)) and op not in ("=", "!="):
        # SQLAlchemy would compare nothing with a truth that stands bare
        right = Grouping(right)
    clause: Clause = _COMPARE[op](left, right)
    return clause


def operation(op: str, left: Clause, right: Clause) -> Clause:
    """Return an operator that SQLAlchemy does not know; all of it in parentheses, so that no
    precedence matters."""
    made: Clause = Grouping(Grouping(left).op(op)(Grouping(right)))
    return made
