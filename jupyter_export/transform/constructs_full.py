"""The engine and PostgreSQL: every piece, so made that both answer alike.

DuckDB's grammar is PostgreSQL's, and most pieces are the same SQL in both. Where the two differ,
the piece is spelled out until they do not: each is compared in tests through both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from .buckets import Width
from .constructs import compare, operation
from .constructs_texts import Texts
from .literals import offset_of
from .values import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTERVAL,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    Clause,
    Kind,
    Value,
    digits_of,
    kind_of,
    plain,
)

ESCAPE = "\\"
"""Of like and ilike."""


class Full(Texts):
    """What the engine and PostgreSQL have in common."""

    numbers_rows = False
    compared = frozenset(Kind) - {Kind.NESTED}
    longest_name = 63
    grouping = True

    # ------------------------------------------------------------------ values

    def bind(self, value: Any, type_: pa.DataType) -> Clause:
        # with its type said, a value means the same whatever a driver makes of it
        if value is None:
            return sa.cast(sa.null(), self.sql_type(type_))
        if isinstance(value, str) and kind_of(type_) is not Kind.TEXT:
            bound = sa.bindparam(None, value, type_=sa.Text(), unique=True)
        else:
            bound = sa.bindparam(None, value, type_=self.sql_type(type_), unique=True)
        return sa.cast(bound, self.sql_type(type_))

    def boolean(self, value: bool) -> Clause:
        return sa.true() if value else sa.false()

    def raw(self, value: Value, type_: pa.DataType) -> Value:
        """Return a plain CAST."""
        return Value(sa.cast(value.clause, self.sql_type(type_)), type_, value.size + 1)

    def utc(self, clause: Clause) -> Clause:
        """Return a timestamp of the other kind: with its zone if it has none, without if it has."""
        return sa.func.timezone(self.bind("UTC", TEXT), clause)

    def converted(self, value: Value, type_: pa.DataType) -> Value:
        if value.type.equals(type_):
            return value
        if kind_of(type_) is Kind.TIMESTAMPTZ and value.kind in (Kind.DATE, Kind.TIMESTAMP):
            naive = self.converted(value, TIMESTAMP)
            return Value(self.utc(naive.clause), type_, value.size + 2)
        if value.kind is Kind.TIMESTAMPTZ and kind_of(type_) is Kind.TIMESTAMPTZ:
            return Value(value.clause, type_, value.size)
        return self.raw(value, type_)

    # ------------------------------------------------------------------ conditions

    def _alike(self, left: Value, right: Value) -> tuple[Clause, Clause, bool]:
        """Return both sides so that SQL compares them as one type, and whether that is text; a
        column stays as it is (and its index of use) where SQL does that by itself."""
        kinds = {left.kind, right.kind}
        if Kind.NATIVE in kinds:
            return self._natives(left, right)
        if Kind.TIMESTAMPTZ in kinds and kinds & {Kind.TIMESTAMP, Kind.DATE}:
            zoned = [self.converted(each, TIMESTAMPTZ).clause for each in (left, right)]
            return zoned[0], zoned[1], False
        return left.clause, right.clause, Kind.TEXT in kinds

    def _natives(self, left: Value, right: Value) -> tuple[Clause, Clause, bool]:
        """A value of the database's own is compared as that type; two of them as they are."""
        if left.native and right.native and type(left.clause.type) is type(right.clause.type):
            return left.clause, right.clause, False
        for one, other in ((left, right), (right, left)):
            own = one.clause.type
            if other.constant is None or isinstance(own, (sa.types.NullType, sa.JSON)):
                continue
            if one.native and not other.native:
                value = sa.cast(other.clause, own)
                return (value, right.clause, False) if one is right else (left.clause, value, False)
        return self.text(left).clause, self.text(right).clause, True

    def compare(self, op: str, left: Value, right: Value) -> Clause:
        one, two, text = self._alike(left, right)
        if op not in ("=", "!=") and text:
            one = self.by_code_point(one)
        return compare(op, one, two)

    def is_in(self, left: Value, listed: Sequence[Value]) -> Clause:
        sides = [self._alike(left, each) for each in listed]
        if all(one is left.clause for one, _, _ in sides):
            return left.clause.in_([two for _, two, _ in sides])
        return sa.or_(*(compare("=", one, two) for one, two, _ in sides))

    def distinct_from(self, left: Value, right: Value) -> Clause:
        one, two, _ = self._alike(left, right)
        return one.is_distinct_from(two)

    def by_code_point(self, clause: Clause) -> Clause:
        """Return text that is compared and sorted by its code points."""
        return clause

    def like(self, text: Value, pattern: Value, insensitive: bool) -> Clause:
        left, right = self.text(text).clause, pattern.clause
        made = left.ilike(right, escape=ESCAPE) if insensitive else left.like(right, escape=ESCAPE)
        return made

    def contains(self, text: Value, part: Value) -> Clause:
        return sa.func.strpos(self.text(text).clause, part.clause) > sa.literal_column("0")

    def starts_with(self, text: Value, part: Value) -> Clause:
        return sa.func.starts_with(self.text(text).clause, part.clause)

    # ------------------------------------------------------------------ order and groups

    def key(self, value: Value) -> Value:
        if value.kind is Kind.NATIVE:
            value = self.text(value)
        return value

    def ordered(self, value: Value) -> Clause:
        value = self.key(value)
        return self.by_code_point(value.clause) if value.kind is Kind.TEXT else value.clause

    def in_order(self, value: Value, descending: bool, nulls: str) -> list[Clause]:
        keyed = self.ordered(value)
        keyed = keyed.desc() if descending else keyed.asc()
        return [keyed.nulls_first() if nulls == "first" else keyed.nulls_last()]

    # ------------------------------------------------------------------ aggregates

    def count(self, value: Value | None) -> Value:
        return Value(sa.func.count(*([] if value is None else [value.clause])), BIGINT)

    def aggregate(
        self, function: str, value: Value, p: float | None, order_by: Value | None
    ) -> Value:
        if function == "count_distinct":
            return Value(sa.func.count(self.key(value).clause.distinct()), BIGINT)
        if function in ("first", "last"):
            return self.first_of(value, order_by, function == "last")
        if function in ("min", "max"):
            return self._extreme(function, value)
        if function == "sum":
            return self._sum(value)
        number = self.converted(value, DOUBLE).clause
        if function == "avg":
            return Value(sa.func.avg(number), DOUBLE)
        if function == "stddev":
            return Value(sa.func.stddev_samp(number), DOUBLE)
        return Value(self.percentile(number, 0.5 if p is None else p), DOUBLE)

    def _extreme(self, function: str, value: Value) -> Value:
        if value.kind is Kind.BOOLEAN:
            # false comes before true
            name = "bool_and" if function == "min" else "bool_or"
            return Value(getattr(sa.func, name)(value.clause), BOOLEAN)
        made = getattr(sa.func, function)(self.ordered(value))
        return Value(made, self.key(value).type)

    def _sum(self, value: Value) -> Value:
        if value.kind is Kind.DOUBLE:
            return Value(sa.func.sum(self.converted(value, DOUBLE).clause), DOUBLE)
        if value.unbounded:
            return Value(sa.func.sum(value.clause), value.type)
        if value.kind is Kind.DECIMAL:
            whole, scale = digits_of(value.type)
            wide = whole + scale > 38
            type_ = pa.decimal256(76, scale) if wide else pa.decimal128(38, scale)
        else:
            type_ = BIGINT
        return self.raw(Value(sa.func.sum(value.clause), type_), type_)

    def percentile(self, number: Clause, p: float) -> Clause:
        raise NotImplementedError

    def first_of(self, value: Value, order_by: Value | None, last: bool) -> Value:
        """Return the value of the row that comes first; a row without a value in ``order_by``
        comes after all others, for ``last`` as well."""
        raise NotImplementedError

    # ------------------------------------------------------------------ time

    def to_clocks(self, moment: Clause, zone: str) -> Clause:
        """Return a timestamp with a zone as the clocks of ``zone`` show it."""
        offset = offset_of(zone)
        if offset is not None:
            # an offset is no name of a zone, and as one PostgreSQL reads it the other way round
            return self.utc(moment) + self.interval(0, offset)
        return sa.func.timezone(self.bind(zone, TEXT), moment)

    def from_clocks(self, shown: Clause, zone: str) -> Clause:
        """Return the timestamp with a zone at which the clocks of ``zone`` show this time."""
        offset = offset_of(zone)
        if offset is not None:
            return self.utc(shown - self.interval(0, offset))
        return sa.func.timezone(self.bind(zone, TEXT), shown)

    def local(self, value: Value, zone: str) -> Clause:
        """Return a moment as the clocks of ``zone`` show it; what has no zone is UTC."""
        if value.kind is Kind.TIMESTAMPTZ:
            return self.to_clocks(value.clause, zone)
        naive = self.converted(value, TIMESTAMP).clause
        return naive if zone in _UTC else self.to_clocks(self.utc(naive), zone)

    def bucket(self, value: Value, width: Width, zone: str | None) -> Value:
        """Return when the stretch of time begins that holds ``value``, as a value of its type.

        Stretches of an hour and less go by the time that passes, so that both hours of a night in
        which clocks are set back stay apart; longer ones go by what the clocks show.
        """
        zone = zone or value.zone
        local = self.local(value, zone)
        start = self.bucket_start(local, width)
        if value.kind is Kind.DATE:
            return Value(sa.cast(start, sa.Date()), DATE, value.size + 6)
        away = zone not in _UTC
        if away and width.within_an_hour:
            return Value(value.clause - (local - start), plain(value.type), value.size * 3 + 12)
        if value.kind is Kind.TIMESTAMPTZ:
            start = self.from_clocks(start, zone)
        elif away:
            start = self.utc(self.from_clocks(start, zone))
        return Value(start, plain(value.type), value.size + 12)

    def bucket_start(self, local: Clause, width: Width) -> Clause:
        raise NotImplementedError

    def interval(self, months: int, microseconds: int) -> Clause:
        """Return a bound interval of months, or of microseconds."""
        text = f"{months} months" if months else f"{microseconds} microseconds"
        return self.bind(text, INTERVAL)

    # ------------------------------------------------------------------ text forms

    def text(self, value: Value) -> Value:
        kind = value.kind
        if kind is Kind.TEXT:
            if pa.types.is_dictionary(value.type):
                return self.raw(value, TEXT)
            return value
        if kind is Kind.DOUBLE:
            return self.text_of_double(self.converted(value, DOUBLE))
        if kind is Kind.TIMESTAMPTZ:
            naive = self.raw(Value(self.utc(value.clause), TIMESTAMP, value.size), TEXT)
            return Value(naive.clause.concat(self.bind("+00", TEXT)), TEXT, naive.size + 2)
        return self.raw(value, TEXT)

    def text_of_double(self, value: Value) -> Value:
        return self.raw(value, TEXT)

    def decimal_of_double(self, value: Value, type_: pa.DataType) -> Value:
        return self.raw(value, type_)

    # ------------------------------------------------------------------ pieces of expressions

    cost_of_division = 1
    """How often the operands of a division stand in it."""

    def truth_is(self, clause: Clause, wanted: Clause) -> Clause:
        return clause.is_(wanted)

    def roomy(self, value: Value) -> Value:
        """Return a number with room for what a calculation of decimals makes of it."""
        return value

    def joined(self, one: Clause, two: Clause) -> Clause:
        return one.concat(two)

    def times(self, interval: Clause, count: Clause) -> Clause:
        return operation("*", interval, count)

    def interval_of(self, width: Width) -> Clause:
        return self.interval(width.months, width.microseconds)

    def count_argument(self, number: Clause) -> Clause:
        """Return a whole number as functions want it for a count."""
        return number

    def divided(self, left: Value, right: Value, type_: pa.DataType, op: str) -> Clause:
        """Return ``left / right``, ``//`` or ``%``, which fails for a zero."""
        raise NotImplementedError

    def double_function(self, name: str, clause: Clause) -> Clause:
        found: Clause = getattr(sa.func, name)(clause)
        return found

    def unless(
        self, good: Clause, called: Clause, message: str, value: Value, type_: pa.DataType
    ) -> Clause:
        """Return ``called``, or fail for a value that is not good."""
        raise NotImplementedError

    def checked_power(self, made: Value, base: Value, exponent: Value) -> Value:
        raise NotImplementedError

    def upper(self, text: Clause) -> Clause:
        return sa.func.upper(text)

    def backwards(self, text: Clause) -> Clause:
        raise NotImplementedError

    def regex_replaced(self, text: Clause, pattern: str, by: str, options: str) -> Clause:
        raise NotImplementedError

    def regex_extracted(self, text: Clause, pattern: str, group: int) -> Clause:
        raise NotImplementedError

    def since(self, naive: Clause, unit: str) -> Clause:
        """Return how many units have begun since 1970, as a BIGINT."""
        if unit in ("month", "quarter", "year", "decade"):
            parts = [
                sa.cast(sa.func.date_part(sa.literal_column(f"'{each}'"), naive), sa.BigInteger())
                for each in ("year", "month")
            ]
            months = parts[0] * self.bind(12, BIGINT) + (parts[1] - self.bind(1, BIGINT))
            width = {"month": 1, "quarter": 3, "year": 12, "decade": 120}[unit]
            passed: Clause = sa.cast(months, sa.Double())
            units = float(width)
        else:
            passed = sa.cast(sa.func.date_part(sa.literal_column("'epoch'"), naive), sa.Double())
            units = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0,
                     "week": 604800.0}[unit]  # fmt: skip
            if unit == "week":
                # 1970 began on a Thursday
                passed = passed + self.bind(259200.0, DOUBLE)
        return sa.cast(sa.func.floor(passed / self.bind(units, DOUBLE)), sa.BigInteger())

    def formatted(self, naive: Clause, text: str) -> Clause:
        raise NotImplementedError

    def field_of(self, value: Value, name: str) -> Value:
        """Return a field of a struct."""
        self.refuse("fields of nested values")


_UTC = ("UTC", "Etc/UTC")
