"""What a function of an expression is, and what it may ask of its arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeAlias

import pyarrow as pa
import sqlalchemy as sa

from ..errors import InvalidSpec
from .constructs import Constructs
from .constructs_engine import Engine
from .constructs_full import Full
from .literals import fitted
from .values import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    MOMENTS,
    NUMBERS,
    TEXT,
    Clause,
    Kind,
    Value,
    common,
    kind_of,
    plain,
)

AGGREGATES = frozenset(
    [
        "count",
        "sum",
        "avg",
        "mean",
        "min",
        "max",
        "median",
        "mode",
        "stddev",
        "stddev_samp",
        "stddev_pop",
        "variance",
        "var_samp",
        "var_pop",
        "first",
        "last",
        "any_value",
        "arg_min",
        "arg_max",
        "min_by",
        "max_by",
        "string_agg",
        "group_concat",
        "listagg",
        "array_agg",
        "list",
        "histogram",
        "quantile",
        "quantile_cont",
        "quantile_disc",
        "percentile_cont",
        "percentile_disc",
        "approx_quantile",
        "approx_count_distinct",
        "bool_and",
        "bool_or",
        "product",
        "kurtosis",
        "skewness",
        "entropy",
        "mad",
        "corr",
        "covar_pop",
        "covar_samp",
        "regr_slope",
        "row_number",
        "rank",
        "dense_rank",
        "lag",
        "lead",
        "ntile",
        "first_value",
        "last_value",
    ]
)
"""Refused as aggregates, not as names that nobody knows."""


class Reader:
    """What the builders of functions need of whoever reads an expression."""

    def __init__(self, speech: Constructs, field: str) -> None:
        self.speech = speech
        self.field = field

    def wrong(self, why: str, hint: str | None = None) -> InvalidSpec:
        """Return the error that says what is wrong with the expression."""
        raise NotImplementedError

    @property
    def full(self) -> Full:
        """The pieces of a dialect that has them all. Raises ``NotPushed`` for another one."""
        if not isinstance(self.speech, Full):
            self.speech.refuse("functions")
        return self.speech

    @property
    def is_engine(self) -> bool:
        return isinstance(self.full, Engine)

    def made(self, clause: Clause, type_: pa.DataType, *of: Value, times: int = 1) -> Value:
        """Return a value built of others, which stand ``times`` times in it."""
        return Value(clause, type_, sum(each.size for each in of) * times + times)

    def bind(self, value: Any, type_: pa.DataType) -> Clause:
        return self.speech.bind(value, type_)

    # ------------------------------------------------------------------ arguments

    def plain(self, value: Value) -> Value:
        """Return a value that is no bare NULL, which has no type of its own."""
        if value.kind is Kind.NULL:
            return Value(self.bind(None, TEXT), TEXT)
        return value

    def fit(self, value: Value, other: Value) -> Value:
        """Return a literal as what ``other`` is; all else as it is."""
        given = value.constant
        if given is None or other.constant is not None or other.kind is Kind.NULL:
            return value
        fits = (other.kind is value.kind and other.kind is not Kind.DOUBLE) or (
            value.kind in NUMBERS and other.kind in (Kind.INTEGER, Kind.DECIMAL)
        )
        if fits:
            return value
        if other.kind in (Kind.INTERVAL, Kind.BINARY, Kind.NESTED):
            return value
        made, type_ = fitted(given, other, self.field)
        return replace(value, clause=self.bind(made, type_), type=type_)

    def truth(self, value: Value) -> Value:
        if value.kind is Kind.NULL:
            return Value(self.bind(None, BOOLEAN), BOOLEAN)
        if value.kind is not Kind.BOOLEAN:
            raise self.wrong(f"takes {value.kind.value} where true or false must stand")
        return value

    def text_of(self, value: Value, name: str) -> Value:
        """Return an argument that must be text; the database's own types have a text form."""
        if value.kind is Kind.NULL:
            return self.plain(value)
        if value.kind not in (Kind.TEXT, Kind.NATIVE):
            raise self.takes(name, "text", value, "CAST(… AS TEXT)")
        return self.speech.text(value)

    def number_of(self, value: Value, name: str) -> Value:
        """Return an argument that must be a number, as BIGINT, DOUBLE or a decimal."""
        if value.kind is Kind.NULL:
            return Value(self.bind(None, DOUBLE), DOUBLE)
        if value.native and isinstance(value.clause.type, sa.Numeric):
            # a number of more digits than Arrow has
            return self.full.raw(value, DOUBLE)
        if value.kind not in NUMBERS:
            raise self.takes(name, "numbers", value, "CAST(… AS DOUBLE)")
        type_ = plain(value.type)
        # whatever the decimals of a database are, theirs is the cast of the result
        if kind_of(type_) is Kind.DECIMAL and value.kind is Kind.DECIMAL:
            return replace(value, type=type_)
        return replace(self.full.converted(value, type_), constant=value.constant)

    def double_of(self, value: Value, name: str) -> Value:
        if isinstance(value.constant, (int, Decimal)):
            number = float(value.constant)
            return Value(self.bind(number, DOUBLE), DOUBLE, constant=value.constant)
        return self.full.converted(self.number_of(value, name), DOUBLE)

    def integer_of(self, value: Value, name: str) -> Value:
        if value.kind is Kind.NULL:
            return Value(self.bind(None, BIGINT), BIGINT)
        if value.kind is not Kind.INTEGER:
            raise self.takes(name, "whole numbers", value, "CAST(… AS BIGINT)")
        return self.number_of(value, name)

    def moment_of(self, value: Value, name: str) -> Value:
        if value.kind is Kind.TEXT and value.constant is not None:
            raise self.wrong(
                f"gives “{name}” a text where a date or timestamp must stand",
                f"Write TIMESTAMP '{value.constant}' or DATE '{value.constant}'.",
            )
        if value.kind not in MOMENTS:
            raise self.takes(name, "dates or timestamps", value, "CAST(… AS TIMESTAMP)")
        return value

    def takes(self, name: str, what: str, value: Value, hint: str) -> InvalidSpec:
        return self.wrong(
            f"gives “{name}” {value.kind.value}, and it takes {what}", f"Write {hint}."
        )

    def one_type(self, values: Sequence[Value], name: str) -> list[Value]:
        """Return values of which one is taken, all of one type."""
        typed = [v for v in values if v.constant is None] or list(values)
        values = [self.fit(v, typed[0]) for v in values]
        type_: pa.DataType | None = pa.null()
        for value in values:
            if value.native:
                value = self.speech.text(value)
            found = common(type_ if type_ is not None else pa.null(), value.type)
            if found is None:
                raise self.wrong(
                    f"lets “{name}” choose among {kind_of(type_).value} and {value.kind.value}",
                    "Make them one type with CAST(… AS …).",
                )
            type_ = found
        assert type_ is not None
        if kind_of(type_) is Kind.NULL:
            type_ = TEXT
        return [self._as(value, type_) for value in values]

    def _as(self, value: Value, type_: pa.DataType) -> Value:
        if value.kind is Kind.NULL:
            return Value(self.bind(None, type_), type_)
        if value.native:
            value = self.speech.text(value)
        if not isinstance(self.speech, Full):
            return self.speech.converted(value, type_)
        return self.full.converted(value, type_)


Build: TypeAlias = Callable[[Any, str, list[Value]], Value]


@dataclass(frozen=True)
class Function:
    """A function that expressions may call."""

    least: int
    most: int | None
    """Arguments; None: any number."""
    build: Build

    def __call__(self, reader: Reader, name: str, arguments: list[Value]) -> Value:
        """Return the call. Raises ``InvalidSpec`` for arguments that it cannot take."""
        count = len(arguments)
        if count < self.least or (self.most is not None and count > self.most):
            raise reader.wrong(f"gives “{name}” {count or 'no'} {_plural(count)}, {self._wanted}")
        return self.build(reader, name, arguments)

    @property
    def _wanted(self) -> str:
        if self.most is None:
            return f"and it takes {self.least} or more"
        if self.least == self.most:
            return f"and it takes {self.least}"
        return f"and it takes {self.least} to {self.most}"


def _plural(count: int) -> str:
    return "argument" if count == 1 else "arguments"


def known_value(reader: Reader, value: Value, name: str) -> str:
    """Return an argument that must be written out as text, for it decides what is built."""
    if not isinstance(value.constant, str):
        raise reader.wrong(
            f"gives “{name}” something that is not a plain text in quotes",
            "Write it out, as 'text'.",
        )
    return value.constant


def known_count(reader: Reader, value: Value, name: str, least: int, most: int) -> int:
    """Return an argument that must be written out as a whole number."""
    count = value.constant
    if not isinstance(count, int) or isinstance(count, bool) or not least <= count <= most:
        raise reader.wrong(
            f"needs a whole number from {least} to {most} in “{name}”", "Write it out."
        )
    return count
