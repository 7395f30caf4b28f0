"""DuckDB's types that Arrow has no twin for, and what is selected instead of their columns."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ... import engine
from ...losses import Loss

_AS_TEXT = {
    "bit": "a string of bits is written as its text",
    "bignum": "an integer of any length is written as its text",
    "time with time zone": "a time with an offset is written as its text",
    "geometry": "geometry is written as its well-known text",
    "variant": "a value of any type is written as its text",
}
_LARGEST = 10**38 - 1
"""Arrow's decimals have 38 digits, some of DuckDB's largest integers have 39."""
_ENDLESS: dict[Any, tuple[int, ...]] = {
    pa.types.is_date32: (2**31 - 1, -(2**31 - 1)),
    pa.types.is_timestamp: (2**63 - 1, -(2**63 - 1)),
    pa.types.is_time64: (86_400_000_000,),
}
"""What Arrow gets for dates and times that it does not have: infinity, 24:00:00."""


@dataclass(frozen=True)
class Exactly:
    """How the columns of a result are selected so that their values arrive whole."""

    names: tuple[str, ...]
    expressions: tuple[str | None, ...]
    """Over the columns of the result; None: the column itself."""
    losses: tuple[Loss, ...]

    def around(self, query: str) -> str:
        """Return ``query`` with its columns selected like that, in its own order."""
        if not any(self.expressions):
            return query
        return f"SELECT {self.projection()} FROM (\n{query}\n) AS exactly"

    def projection(self) -> str:
        """Return the columns as SQL, for a SELECT over the result."""
        return ", ".join(
            engine.identifier(name)
            if expression is None
            else f"{expression} AS {engine.identifier(name)}"
            for name, expression in zip(self.names, self.expressions, strict=True)
        )


def exactly(names: Sequence[str], types: Sequence[Any], as_text: Collection[str] = ()) -> Exactly:
    """Return how to select columns of those ``types`` (DuckDB's own); ``as_text`` names columns
    whose values turned out to have no place in Arrow."""
    expressions: list[str | None] = []
    losses = []
    for name, kind in zip(names, types, strict=True):
        column = engine.identifier(name)
        why = next((_AS_TEXT[each] for each in _ids(kind) if each in _AS_TEXT), None)
        if why is None and name in as_text:
            why = "it holds infinity or 24:00:00, which Arrow does not have, and is written as text"
        expression = None
        if why is not None:
            expression = f"CAST({column} AS VARCHAR)"
            losses.append(Loss("database_type", name, None, why))
        elif kind.id in ("hugeint", "uhugeint"):
            expression = (
                f"CASE WHEN {column} IS NULL OR {column} <= {_LARGEST} "
                f"{f'AND {column} >= -{_LARGEST}' if kind.id == 'hugeint' else ''} "
                f"THEN {column} ELSE error({engine.literal(_too_long(name))}) END::HUGEINT"
            )
        expressions.append(expression)
    return Exactly(tuple(names), tuple(expressions), tuple(losses))


def _too_long(name: str) -> str:
    return f"Column “{name}” holds an integer of 39 digits; CAST it to VARCHAR in the query"


def _ids(kind: Any) -> Iterator[str]:
    """Yield the names of a type and of all types in it."""
    yield kind.id
    if kind.id in ("list", "array", "struct", "map", "union"):
        for _, child in kind.children:
            if hasattr(child, "id"):
                yield from _ids(child)


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Return ``schema`` with UTC by its one name and without the engine's remarks."""
    return pa.schema([field.with_type(_utc(field.type)).remove_metadata() for field in schema])


def _utc(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind) and kind.tz in ("Etc/UTC", "Etc/GMT"):
        return pa.timestamp(kind.unit, "UTC")
    return kind


def plain_batch(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return ``batch`` as ``plain_schema`` says it."""
    arrays = [
        column if column.type == field.type else column.cast(field.type)
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def without_end(batch: pa.RecordBatch) -> str | None:
    """Return the name of a column with a date or time that Arrow does not have."""
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if _endless(column):
            return str(name)
    return None


def _endless(column: pa.Array) -> bool:
    kind = column.type
    for test, numbers in _ENDLESS.items():
        if test(kind):
            plain = column.view(pa.int32() if pa.types.is_date32(kind) else pa.int64())
            bounds = pc.min_max(plain).as_py()
            return bounds["min"] in numbers or bounds["max"] in numbers
    if pa.types.is_struct(kind):
        return any(_endless(each) for each in column.flatten())
    if pa.types.is_map(kind):
        return _endless(column.keys) or _endless(column.items)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _endless(column.flatten())
    return False
