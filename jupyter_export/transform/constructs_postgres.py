"""The pieces of PostgreSQL, made to answer as the engine does."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.sql.elements import Grouping

from . import regex
from .buckets import BEGIN, BEGIN_OF_MONTHS, Width
from .constructs import operation
from .constructs_full import Full
from .formats import FORMATS
from .values import (
    DOUBLE,
    TEXT,
    TIMESTAMP,
    Clause,
    Kind,
    Value,
    digits_of,
    kind_of,
)


class Postgres(Full):
    """PostgreSQL 14 and later."""

    def typed(self, value: Value) -> Clause:
        # functions and aggregates forget how many digits a decimal has
        as_it_is = isinstance(value.clause, (sa.ColumnClause, sa.Cast)) or value.unbounded
        if value.kind is not Kind.DECIMAL or as_it_is:
            return value.clause
        return sa.cast(value.clause, self.sql_type(value.type))

    def fail(self, message: Clause, type_: pa.DataType) -> Clause:
        # no function raises: a text that is no number does, and is quoted in the message
        return sa.cast(message, self.sql_type(type_))

    def by_code_point(self, clause: Clause) -> Clause:
        return sa.collate(clause, "C")

    def ends_with(self, text: Value, part: Value) -> Clause:
        found = self.text(text).clause
        return sa.func.right(found, sa.func.length(part.clause)) == part.clause

    def contains(self, text: Value, part: Value) -> Clause:
        return sa.func.strpos(self.text(text).clause, part.clause) > 0

    def regex(self, text: Value, pattern: str, insensitive: bool) -> Clause:
        made = self.bind(regex.for_postgresql(pattern), TEXT)
        return sa.type_coerce(
            operation("~*" if insensitive else "~", self.text(text).clause, made), sa.Boolean()
        )

    def percentile(self, number: Clause, p: float) -> Clause:
        return sa.func.percentile_cont(self.bind(float(p), DOUBLE)).within_group(number)

    def first_of(self, value: Value, order_by: Value | None, last: bool) -> Value:
        if order_by is None or value.kind is Kind.NESTED:
            # the order of arrival is known to whoever reads
            self.refuse("first and last without order_by")
        key = self.ordered(order_by)
        ordered = (key.desc() if last else key.asc()).nulls_last()
        return self._first(value, [ordered])

    def any_of(self, value: Value) -> Value:
        if value.kind is Kind.NESTED:
            self.refuse("a pivot of nested values")
        return self._first(value, [])

    def bucket_start(self, local: Clause, width: Width) -> Clause:
        if not width.months:
            return sa.func.date_bin(
                self.interval(0, width.microseconds), local, self.bind(BEGIN, TIMESTAMP)
            )
        year = sa.func.date_part("year", local)
        month = sa.func.date_part("month", local)
        passed = (year - 2000) * 12 + month - 1
        begun = sa.func.floor(passed / float(width.months)) * width.months
        return self.bind(BEGIN_OF_MONTHS, TIMESTAMP) + begun * self.interval(1, 0)

    def _first(self, value: Value, order: list[Clause]) -> Value:
        value = self.key(value)
        array = aggregate_order_by(value.clause, *order)
        gathered = sa.func.array_agg(array if order else value.clause)
        return _of_digits(Value(element(gathered, 1, value.clause.type), value.type), value)

    def key(self, value: Value) -> Value:
        if value.kind is Kind.NESTED:
            self.refuse("an order of nested values")
        return super().key(value)

    def _extreme(self, function: str, value: Value) -> Value:
        if value.kind in (Kind.BINARY, Kind.NESTED):
            self.refuse(f"{function} of {value.kind.value}")
        return _of_digits(super()._extreme(function, value), value)

    def text_of_double(self, value: Value) -> Value:
        """As the engine writes it: 1.0, 1000000000000000.0, nan, inf."""
        shown = sa.cast(value.clause, sa.Text())
        digits = sa.func.replace(sa.func.split_part(sa.func.ltrim(shown, "-"), "e", 1), ".", "")
        long = sa.func.rpad(digits, 16, "0")
        made = sa.case(
            (self.regex(Value(shown, TEXT), "^-?[0-9]+$", False), shown.concat(".0")),
            (
                shown.like("%e+15"),
                sa.case((shown.like("-%"), "-"), else_="")
                .concat(sa.func.left(long, 16))
                .concat(".")
                .concat(sa.func.coalesce(sa.func.nullif(sa.func.substr(digits, 17), ""), "0")),
            ),
            (
                sa.func.lower(shown).in_(["infinity", "-infinity"]),
                sa.func.replace(sa.func.lower(shown), "infinity", "inf"),
            ),
            else_=sa.func.lower(shown),
        )
        return Value(made, TEXT, value.size * 6 + 12)

    def decimal_of_double(self, value: Value, type_: pa.DataType) -> Value:
        # its own cast keeps 15 digits; that of an integer is exact
        whole, scale = digits_of(type_)
        if whole + scale > 18:
            self.refuse("a decimal of so many digits, of a double,")
        scaled = value.clause * self.bind(10.0**scale, DOUBLE)
        half = sa.func.sign(scaled) * self.bind(0.5, DOUBLE)
        # beyond 2 ** 52 there are no halves
        near = sa.case(
            (sa.func.abs(scaled) < self.bind(2.0**52, DOUBLE), sa.func.trunc(scaled + half)),
            else_=scaled,
        )
        integer = sa.cast(sa.cast(near, sa.BigInteger()), sa.Numeric(38, 0))
        unit = self.bind(Decimal(1).scaleb(-scale), pa.decimal128(max(scale, 1), scale))
        shown = sa.func.coalesce(sa.cast(value.clause, sa.Text()), self.bind("", TEXT))
        failed = self.fail(self.bind("no such decimal: ", TEXT).concat(shown), type_)
        made = sa.case(
            (value.clause.is_(None), sa.null()),
            (sa.func.abs(scaled) < self.bind(1e18, DOUBLE), integer * unit),
            else_=failed,
        )
        return Value(sa.cast(made, self.sql_type(type_)), type_, value.size * 7 + 16)

    # ------------------------------------------------------------------ pieces of expressions

    def divided(self, left: Value, right: Value, type_: pa.DataType, op: str) -> Clause:
        one, two = left.clause, right.clause
        if op == "%":
            return sa.func.mod(one, two)
        # integers are divided as integers, cut towards zero
        return operation("/", one, two)

    def double_function(self, name: str, clause: Clause) -> Clause:
        return super().double_function("log" if name == "log10" else name, clause)

    def unless(
        self, good: Clause, called: Clause, message: str, value: Value, type_: pa.DataType
    ) -> Clause:
        # its own functions fail by themselves
        return called

    def checked_power(self, made: Value, base: Value, exponent: Value) -> Value:
        return made

    def count_argument(self, number: Clause) -> Clause:
        return sa.cast(number, sa.Integer())

    def upper(self, text: Clause) -> Clause:
        # the engine has a capital sharp s
        return sa.func.replace(sa.func.upper(text), self.bind("ß", TEXT), self.bind("ẞ", TEXT))

    def backwards(self, text: Clause) -> Clause:
        return sa.func.reverse(text)

    def regex_replaced(self, text: Clause, pattern: str, by: str, options: str) -> Clause:
        self._same_stretch(pattern)
        if "g" in options and regex.may_be_empty(pattern):
            self.refuse("matches of no character")
        flags = "".join(sorted(set(options) - {"s"}))
        return sa.func.regexp_replace(
            text,
            self.bind(regex.for_postgresql(pattern), TEXT),
            self.bind(regex.replacement_for_postgresql(by), TEXT),
            self.bind(flags, TEXT),
        )

    def regex_extracted(self, text: Clause, pattern: str, group: int) -> Clause:
        self._same_stretch(pattern)
        whole = regex.for_postgresql(pattern)
        prefix = "(?i)" if whole.startswith("(?i)") else ""
        bound = self.bind(f"{prefix}({whole.removeprefix(prefix)})", TEXT)
        found = element(sa.func.regexp_match(text, bound), group + 1, sa.Text())
        made = sa.func.coalesce(found, self.bind("", TEXT))
        return sa.case((text.is_(None), sa.null()), else_=made)

    def _same_stretch(self, pattern: str) -> None:
        if not regex.check(pattern):
            self.refuse("a regular expression of alternatives")

    def formatted(self, naive: Clause, text: str) -> Clause:
        return sa.func.to_char(naive, self.bind(to_char(text), TEXT))

    def _read(self, text: Clause, type_: pa.DataType, trying: bool) -> Clause:
        kind = kind_of(type_)
        wanted = self.sql_type(type_)
        if not trying:
            return (
                self._cast_moment(text, kind) if kind is Kind.TIMESTAMPTZ else sa.cast(text, wanted)
            )
        if kind is Kind.DOUBLE:
            return sa.cast(text, wanted)
        self.refuse(f"try_cast of text to {kind.value}")

    def _cast_moment(self, text: Clause, kind: Kind) -> Clause:
        """A text without a zone is UTC, whatever the session's is."""
        zoned = self.regex(Value(text, TEXT), "(Z|[+-][0-9]{2}(:?[0-9]{2})?) *$", False)
        # the last group of a date alone looks like a zone
        timed = sa.and_(text.like(self.bind("%:%", TEXT)), zoned)
        return sa.case(
            (timed, sa.cast(text, sa.DateTime(timezone=True))),
            else_=self.utc(sa.cast(text, sa.DateTime())),
        )


def element(array: Clause, number: int, type_: Any) -> Clause:
    """Return one element of an array, which is in parentheses: it may be a call."""
    made: Clause = sa.type_coerce(Grouping(array), sa.ARRAY(type_))[number]
    return made


def to_char(text: str) -> str:
    """Return a format of strftime as to_char has it; what is no format stands in quotes."""
    made, literal, position = "", "", 0

    def quoted() -> str:
        shown = literal.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{shown}"' if literal else ""

    while position < len(text):
        length = 1
        if text[position] == "%":
            length = 3 if text[position + 1 : position + 2] == "-" else 2
            known = FORMATS[text[position + 1 : position + length]]
            if known is None:
                literal += "%"
            else:
                made += quoted() + known
                literal = ""
        else:
            literal += text[position]
        position += length
    return made + quoted()


def _of_digits(made: Value, value: Value) -> Value:
    """Return an aggregate with the digits that its column was declared with: ``max`` of a
    ``numeric(10,2)`` is a ``numeric`` of any."""
    own = value.clause.type
    if not isinstance(own, sa.Numeric) or own.precision is None or made.kind is not Kind.DECIMAL:
        return made
    return replace(made, clause=sa.cast(made.clause, own))
