"""The pieces of DuckDB: what the engine runs."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from ..errors import InvalidSpec, did_you_mean
from .buckets import BEGIN, BEGIN_OF_MONTHS, Width
from .constructs import operation
from .constructs_full import Full
from .values import (
    BIGINT,
    DOUBLE,
    TEXT,
    TIMESTAMP,
    Clause,
    Value,
    digits_of,
)


class _Nanoseconds(sa.types.UserDefinedType[Any]):
    """DuckDB's timestamps of nanoseconds."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "TIMESTAMP_NS"


class Engine(Full):
    """DuckDB, as it runs inside."""

    longest_name = 1_000_000
    numbers_rows = True
    untyped_is_text = True
    cost_of_division = 3

    def sql_type(self, type_: pa.DataType) -> sa.types.TypeEngine[Any]:
        if pa.types.is_timestamp(type_) and type_.unit == "ns" and type_.tz is None:
            return _Nanoseconds()
        return super().sql_type(type_)

    def fail(self, message: Clause, type_: pa.DataType) -> Clause:
        return sa.cast(sa.func.error(message), self.sql_type(type_))

    def ends_with(self, text: Value, part: Value) -> Clause:
        return sa.func.ends_with(self.text(text).clause, part.clause)

    def regex(self, text: Value, pattern: str, insensitive: bool) -> Clause:
        # s: a point is any character, as it is for PostgreSQL
        return sa.func.regexp_matches(
            self.text(text).clause,
            self.bind(pattern, TEXT),
            sa.literal_column("'si'" if insensitive else "'s'"),
        )

    def percentile(self, number: Clause, p: float) -> Clause:
        # the engine takes no bound value here
        return sa.func.quantile_cont(number, sa.literal_column(repr(float(p))))

    def first_of(self, value: Value, order_by: Value | None, last: bool) -> Value:
        assert order_by is not None
        key = self.ordered(order_by)
        ordered = (key.desc() if last else key.asc()).nulls_last()
        made = sa.func.first(aggregate_order_by(value.clause, ordered))
        return Value(made, value.type)

    def any_of(self, value: Value) -> Value:
        return Value(sa.func.first(value.clause), value.type)

    def bucket_start(self, local: Clause, width: Width) -> Clause:
        begin = self.bind(BEGIN_OF_MONTHS if width.months else BEGIN, TIMESTAMP)
        return sa.func.time_bucket(
            self.interval(width.months, width.microseconds), sa.cast(local, sa.DateTime()), begin
        )

    def text_of_double(self, value: Value) -> Value:
        shown = self.raw(value, TEXT)
        # of a number that is none, the sign says nothing
        made = sa.func.replace(shown.clause, self.bind("-nan", TEXT), self.bind("nan", TEXT))
        return Value(made, TEXT, shown.size + 2)

    # ------------------------------------------------------------------ pieces of expressions

    def divided(self, left: Value, right: Value, type_: pa.DataType, op: str) -> Clause:
        one, two = left.clause, right.clause
        if right.constant:
            # never a zero: nothing to look at
            return one % two if op == "%" else operation(op, one, two)
        if op == "/":
            made, zero = operation("/", one, two), two == self.bind(0.0, DOUBLE)
            # nan / 0 is nan, as in PostgreSQL
            zero = sa.and_(zero, sa.not_(sa.func.isnan(one)))
        else:
            made = operation("//", one, two) if op == "//" else one % two
            zero = sa.and_(two == self.bind(0, BIGINT), one.is_not(None))
        failed = self.fail(self.bind("division by zero", TEXT), type_)
        return sa.case((zero, failed), else_=made)

    def roomy(self, value: Value) -> Value:
        # the engine calculates in the width of its operands
        return self.raw(value, pa.decimal128(38, digits_of(value.type)[1]))

    def unless(
        self, good: Clause, called: Clause, message: str, value: Value, type_: pa.DataType
    ) -> Clause:
        shown = sa.func.coalesce(sa.cast(value.clause, sa.Text()), self.bind("", TEXT))
        failed = self.fail(self.bind(message, TEXT).concat(shown), type_)
        return sa.case((value.clause.is_(None), sa.null()), (good, called), else_=failed)

    def checked_power(self, made: Value, base: Value, exponent: Value) -> Value:
        zero = self.bind(0.0, DOUBLE)
        one, two = base.clause, exponent.clause
        infinity = self.bind(float("inf"), DOUBLE)
        bad = sa.or_(
            sa.and_(one < zero, two != sa.func.floor(two)),
            sa.and_(one == zero, two < zero),
            sa.and_(
                made.clause == zero,
                one != zero,
                sa.func.abs(one) < infinity,
                sa.func.abs(two) < infinity,
            ),
            sa.and_(
                sa.func.abs(made.clause) == infinity,
                sa.func.abs(one) < infinity,
                sa.func.abs(two) < infinity,
            ),
        )
        failed = self.fail(self.bind("a power that is no number of its own", TEXT), DOUBLE)
        return Value(sa.case((bad, failed), else_=made.clause), DOUBLE, made.size * 7 + 16)

    def backwards(self, text: Clause) -> Clause:
        # by code points: the engine's own reverse keeps accents on their letters
        letters = sa.func.regexp_extract_all(text, self.bind("(?s).", TEXT))
        return sa.func.array_to_string(sa.func.list_reverse(letters), self.bind("", TEXT))

    def regex_replaced(self, text: Clause, pattern: str, by: str, options: str) -> Clause:
        flags = "".join(sorted({*options, "s"}))
        return sa.func.regexp_replace(
            text, self.bind(pattern, TEXT), self.bind(by, TEXT), self.bind(flags, TEXT)
        )

    def regex_extracted(self, text: Clause, pattern: str, group: int) -> Clause:
        number: Clause = sa.literal_column(str(int(group)))
        return sa.func.regexp_extract(
            text, self.bind(pattern, TEXT), number, sa.literal_column("'s'")
        )

    def formatted(self, naive: Clause, text: str) -> Clause:
        return sa.func.strftime(naive, self.bind(text, TEXT))

    def field_of(self, value: Value, name: str) -> Value:
        inner = value.type
        if not pa.types.is_struct(inner):
            self.refuse("fields of what is no struct")
        index = next(
            (i for i, each in enumerate(inner) if each.name.casefold() == name.casefold()), None
        )
        if index is None:
            raise InvalidSpec(
                f"{value.described}, but no field “{name}”.",
                hint=did_you_mean(name, [each.name for each in inner]),
            )
        found = inner.field(index)
        made = sa.func.struct_extract(value.clause, sa.literal(found.name, literal_execute=False))
        return Value(made, found.type, value.size + 1)

    def _read(self, text: Clause, type_: pa.DataType, trying: bool) -> Clause:
        wanted = self.sql_type(type_)
        return self.tried(sa.cast(text, wanted)) if trying else sa.cast(text, wanted)

    def tried(self, clause: Clause) -> Clause:
        """Return null for what fails."""
        found: Clause = getattr(sa.func, "try")(clause)
        return found
