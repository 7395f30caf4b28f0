"""SQLite, MySQL and MariaDB: what they do exactly as the engine does, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from .constructs import Constructs, compare
from .values import BIGINT, Clause, Kind, Value


class Sqlite(Constructs):
    """SQLite, whose dates are texts, whose decimals are floats, and whose LIKE ignores case."""

    compared = frozenset({Kind.INTEGER, Kind.DOUBLE, Kind.TEXT})
    longest_name = 1000
    grouping = True

    def sql_type(self, type_: pa.DataType) -> sa.types.TypeEngine[Any]:
        if pa.types.is_decimal(type_):
            self.refuse("decimals")
        return super().sql_type(type_)

    def exact(self, value: Value) -> Clause:
        """Return a value that is compared by its code points, whatever its column declares."""
        return sa.collate(value.clause, "BINARY") if value.kind is Kind.TEXT else value.clause

    def compare(self, op: str, left: Value, right: Value) -> Clause:
        self.comparable(left, right)
        return compare(op, self.exact(left), right.clause)

    def is_in(self, left: Value, listed: Sequence[Value]) -> Clause:
        self.comparable(left, *listed)
        return self.exact(left).in_([each.clause for each in listed])

    def contains(self, text: Value, part: Value) -> Clause:
        self._of_text(text, part)
        return sa.func.instr(text.clause, part.clause) > 0

    def starts_with(self, text: Value, part: Value) -> Clause:
        self._of_text(text, part)
        start = sa.func.substr(text.clause, 1, sa.func.length(part.clause))
        return sa.collate(start, "BINARY") == part.clause

    def ends_with(self, text: Value, part: Value) -> Clause:
        self._of_text(text, part)
        if not part.constant:
            return text.clause.is_not(None)
        end = sa.func.substr(text.clause, -len(part.constant))
        return sa.collate(end, "BINARY") == part.clause

    def _of_text(self, text: Value, part: Value) -> None:
        if text.kind is not Kind.TEXT or part.constant is None:
            self.refuse("a search in what is no text")

    def key(self, value: Value) -> Value:
        self.comparable(value)
        return Value(self.exact(value), value.type, value.size, words=value.words)

    def count(self, value: Value | None) -> Value:
        return Value(sa.func.count(*([] if value is None else [value.clause])), BIGINT)

    def aggregate(
        self, function: str, value: Value, p: float | None, order_by: Value | None
    ) -> Value:
        exact = self.key(value).clause
        if function == "count_distinct":
            return Value(sa.func.count(exact.distinct()), BIGINT)
        if function in ("min", "max"):
            return Value(getattr(sa.func, function)(exact), value.type)
        if function == "sum" and value.kind is Kind.INTEGER:
            return Value(sa.func.sum(exact), BIGINT)
        return super().aggregate(function, value, p, order_by)


class MySql(Constructs):
    """MySQL and MariaDB, whose text ignores case, accents and blanks at the end: it is compared by
    its bytes."""

    compared = Constructs.compared | {Kind.TEXT}
    longest_name = 64
    grouping = True

    def exact(self, value: Value) -> Clause:
        if value.kind is not Kind.TEXT:
            return value.clause
        wide = value.clause.op("USING")(sa.literal_column("utf8mb4"))
        return sa.cast(sa.func.convert(wide), sa.LargeBinary())

    def compare(self, op: str, left: Value, right: Value) -> Clause:
        self.comparable(left, right)
        made: Clause = compare(op, self.exact(left), self.exact(right))
        if op == "=" and self._by_index(left, [right]):
            made = sa.and_(left.clause == right.clause, made)
        return made

    def is_in(self, left: Value, listed: Sequence[Value]) -> Clause:
        self.comparable(left, *listed)
        made: Clause = self.exact(left).in_([self.exact(each) for each in listed])
        if self._by_index(left, listed):
            made = sa.and_(left.clause.in_([each.clause for each in listed]), made)
        return made

    def _by_index(self, column: Value, values: Sequence[Value]) -> bool:
        """Tell whether an index may narrow the rows first: what is the same is also alike, and an
        index knows what is alike. Only ASCII can be compared with a column of any character set."""
        return column.kind is Kind.TEXT and all(
            isinstance(each.constant, str) and each.constant.isascii() for each in values
        )

    def contains(self, text: Value, part: Value) -> Clause:
        self._of_text(text)
        return sa.func.instr(self.exact(text), self.exact(part)) > 0

    def starts_with(self, text: Value, part: Value) -> Clause:
        self._of_text(text)
        return sa.func.instr(self.exact(text), self.exact(part)) == 1

    def ends_with(self, text: Value, part: Value) -> Clause:
        self._of_text(text)
        whole, end = self.exact(text), self.exact(part)
        return sa.func.right(whole, sa.func.length(end)) == end

    def _of_text(self, text: Value) -> None:
        if text.kind is not Kind.TEXT:
            self.refuse("a search in what is no text")

    def key(self, value: Value) -> Value:
        if value.kind is Kind.TEXT:
            # a group is shown by one of its texts
            self.refuse("groups of text")
        return super().key(value)

    def ordered(self, value: Value) -> Clause:
        self.comparable(value)
        return self.exact(value)

    def count(self, value: Value | None) -> Value:
        return Value(sa.func.count(*([] if value is None else [value.clause])), BIGINT)

    def aggregate(
        self, function: str, value: Value, p: float | None, order_by: Value | None
    ) -> Value:
        if function == "count_distinct":
            return Value(sa.func.count(self.ordered(value).distinct()), BIGINT)
        if function in ("min", "max"):
            return Value(getattr(sa.func, function)(self.key(value).clause), value.type)
        return super().aggregate(function, value, p, order_by)
