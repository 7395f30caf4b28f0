"""What a dataset's steps do with each column of its source, and what becomes of it.

Only what is used goes through the engine, each column in the form that its use needs; and a column
that comes out as it went in gets its own type back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import sqlglot

from ..spec import And, Comparison, Dataset, Not, Or
from .columns import exported, index_of
from .forms import Use

_CALCULATED = ("sum", "avg", "median", "percentile", "stddev")
_KEEPS = ("min", "max", "first", "last", None)
"""Functions whose value is one of the column's; None: the values of a pivot that do not meet."""


@dataclass
class Trace:
    """Columns of the source by their names."""

    uses: dict[str, Use]
    origins: dict[str, str | None]
    """Column that comes out, before ``rename`` -> the column of the source that its values are
    of, or None: they were made."""


@dataclass
class _Tracing:
    origins: dict[str, str | None]
    found: dict[str, set[Use]] = field(default_factory=dict)

    def use(self, name: str, use: Use) -> None:
        origin = self.origins.get(name)
        if origin is not None:
            self.found.setdefault(origin, set()).add(use)

    def read(self, text: str) -> None:
        for name in _mentioned(text, self.origins):
            self.use(name, Use.CALCULATED)

    def aggregate(self, function: str | None, column: str) -> str | None:
        """Note what an aggregate does with a column; return where its value is from."""
        if function == "count":
            self.use(column, Use.PASSED)
        elif function in _CALCULATED:
            self.use(column, Use.CALCULATED)
        else:
            compared = function in ("min", "max", "count_distinct")
            self.use(column, Use.COMPARED if compared else Use.PASSED)
        return self.origins.get(column) if function in _KEEPS else None


def trace(dataset: Dataset, names: Sequence[str]) -> Trace:
    """Follow ``names`` through the steps of ``dataset``, which were found to fit them.

    ``where`` and ``time_range`` are left out: see ``judged``. Of a pivot, what comes out are the
    columns that it spreads.
    """
    tracing = _Tracing({name: name for name in names})
    for made in dataset.computed:
        tracing.read(made.expression)
        tracing.origins[made.name] = None
    if dataset.group_by or dataset.aggregates:
        _group(dataset, tracing)
    if dataset.pivot is not None:
        pivot = dataset.pivot
        index = index_of(pivot, list(tracing.origins))
        for name in (*index, pivot.on):
            tracing.use(name, Use.COMPARED)
        origins = {name: tracing.origins[name] for name in (*index, pivot.on)}
        value = tracing.aggregate(pivot.function, pivot.values)
        tracing.origins = {**origins, pivot.values: value}
        if dataset.columns.computed:
            # which of the new columns they read is known only to the pivot
            tracing.use(pivot.values, Use.CALCULATED)
            for made in dataset.columns.computed:
                tracing.read(made.expression)
    else:
        _result(dataset, tracing)
    return Trace({n: _needed(found) for n, found in tracing.found.items()}, tracing.origins)


def _group(dataset: Dataset, tracing: _Tracing) -> None:
    grouped: dict[str, str | None] = {}
    for key in dataset.group_by:
        grouped[key.name] = None
        if key.expression is not None:
            tracing.read(key.expression)
        elif key.column is not None:
            tracing.use(key.column, Use.BUCKETED if key.time_bucket else Use.COMPARED)
            grouped[key.name] = tracing.origins.get(key.column)
    for each in dataset.aggregates:
        grouped[each.name] = None
        if each.expression is not None:
            tracing.read(each.expression)
        elif each.column is not None:
            grouped[each.name] = tracing.aggregate(each.function, each.column)
        if each.order_by is not None:
            tracing.use(each.order_by, Use.COMPARED)
    tracing.origins = grouped


def _result(dataset: Dataset, tracing: _Tracing) -> None:
    shown = exported(dataset.columns, list(tracing.origins), dataset.name)
    for made in dataset.columns.computed:
        tracing.read(made.expression)
        tracing.origins[made.name] = None
    bucketed = {key.name for key in dataset.group_by if key.time_bucket}
    for name in shown:
        if dataset.distinct:
            tracing.use(name, Use.COMPARED)
        elif name not in bucketed:
            tracing.use(name, Use.PASSED)
    for key in dataset.sort:
        if key.column not in bucketed:
            tracing.use(key.column, Use.COMPARED)
    tracing.origins = {name: tracing.origins.get(name) for name in shown}


def _needed(found: set[Use]) -> Use:
    """Return the one use that serves all of them."""
    if Use.BUCKETED in found and found != {Use.BUCKETED}:
        # elsewhere the finer digits count
        return Use.CALCULATED
    return max(found)


def judged(dataset: Dataset, schema: pa.Schema) -> dict[str, Use]:
    """Return what ``where`` and ``time_range`` do with the columns that they name."""
    found: dict[str, Use] = {}

    def use(name: str, use: Use) -> None:
        found[name] = max(use, found.get(name, use))

    if dataset.time_range is not None:
        use(dataset.time_range.column, Use.JUDGED)
    for part in _parts(dataset.where):
        if isinstance(part, str):
            for name in _mentioned(part, schema.names):
                kind = schema.field(name).type
                # of nanoseconds, expressions know only those of timestamps without a zone
                zoned = pa.types.is_timestamp(kind) and kind.tz is not None
                finer = zoned or pa.types.is_time(kind)
                use(name, Use.CALCULATED if finer else Use.JUDGED)
        else:
            null = part.op in ("is_null", "not_null") or part.value is None
            use(part.column, Use.PASSED if null else Use.JUDGED)
    return found


def _parts(where: Any) -> list[Comparison | str]:
    if where is None:
        return []
    if isinstance(where, (Comparison, str)):
        return [where]
    if isinstance(where, Not):
        return _parts(where.not_)
    inner = where.and_ if isinstance(where, And) else where.or_ if isinstance(where, Or) else []
    return [part for each in inner for part in _parts(each)]


def _mentioned(text: str, names: Iterable[str]) -> list[str]:
    """Return which of ``names`` an expression may read: every word of it that is one of them."""
    try:
        words = {
            token.text.casefold()
            for token in sqlglot.tokenize(text, read="duckdb")
            if token.token_type is not sqlglot.TokenType.STRING
        }
    except sqlglot.errors.SqlglotError:
        # the compiler says what is wrong
        return list(names)
    # a name that holds dots may stand without quotes
    return [
        name
        for name in names
        if (folded := name.casefold()) in words or words.issuperset(folded.split("."))
    ]
