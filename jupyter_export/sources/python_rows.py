"""Rows as Python values (a database cursor, a worksheet) -> Arrow batches of one schema.

Such sources tell no types that could be trusted, so the first rows decide. A later value that does
not fit is an error that names it: guessing again would change what was written before.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from ..errors import SourceFailed

Row = Sequence[Any]


def schema_of(names: Sequence[str], rows: Sequence[Row]) -> pa.Schema:
    """Return the schema that holds ``rows``; a column without any value becomes text."""
    return pa.schema(
        [pa.field(name, type_of([row[i] for row in rows])) for i, name in enumerate(names)]
    )


def batches_of(schema: pa.Schema, pieces: Iterable[Sequence[Row]]) -> Iterator[pa.RecordBatch]:
    """Yield one batch for each piece of rows. Raises ``SourceFailed`` naming the first value that
    does not fit its column."""
    done = 0
    for rows in pieces:
        if not rows:
            continue
        arrays = [array_of([row[i] for row in rows], field, done) for i, field in enumerate(schema)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        done += len(rows)


def type_of(values: Sequence[Any]) -> pa.DataType:
    """Return the type that holds all ``values``; text where they have none in common."""
    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        return pa.string()
    if kinds <= {int}:
        return pa.int64() if _fits_64_bits(values) else _decimal_type(values)
    if kinds <= {int, float}:
        return pa.float64()
    if kinds <= {decimal.Decimal, int}:
        return _decimal_type(values)
    if kinds == {dt.datetime}:
        zones = {value.tzinfo is not None for value in values if value is not None}
        if len(zones) == 2:
            return pa.string()
        return pa.timestamp("us", "UTC" if zones == {True} else None)
    simple = {
        bool: pa.bool_(),
        str: pa.string(),
        bytes: pa.binary(),
        memoryview: pa.binary(),
        dt.date: pa.date32(),
        dt.time: pa.time64("us"),
        dt.timedelta: pa.duration("us"),
    }
    if len(kinds) == 1:
        kind = kinds.pop()
        if kind is dt.time and any(value is not None and value.tzinfo for value in values):
            return pa.string()
        if kind in simple:
            return simple[kind]
        if kind is list and not any(
            isinstance(e, (dict, list)) for v in values or () for e in v or ()
        ):
            return pa.list_(type_of([each for value in values if value for each in value]))
    return pa.string()


def _fits_64_bits(values: Sequence[Any]) -> bool:
    return all(value is None or -(2**63) <= value < 2**63 for value in values)


def _decimal_type(values: Sequence[Any]) -> pa.DataType:
    """Keep the largest scale seen, and leave all other digits to the whole numbers."""
    scale = whole = 0
    for value in values:
        if value is None:
            continue
        _, digits, exponent = decimal.Decimal(value).as_tuple()
        if not isinstance(exponent, int):
            # NaN and Infinity, which no Arrow decimal holds
            return pa.string()
        scale = max(scale, -exponent)
        whole = max(whole, len(digits) + exponent)
    if scale <= 30 and whole + scale <= 38:
        return pa.decimal128(38, scale)
    return pa.decimal256(76, scale) if whole + scale <= 76 else pa.string()


def array_of(values: list[Any], field: pa.Field, before: int) -> pa.Array:
    """Return a column's ``values`` as ``field`` says; ``before``: rows that came earlier.

    Raises ``SourceFailed`` naming the first value that does not fit.
    """
    if pa.types.is_string(field.type):
        values = [None if value is None else _as_text(value) for value in values]
    try:
        return exactly(values, field.type)
    except MISFITS:
        row, value = _first_misfit(values, field.type)
        raise SourceFailed(
            f"Column “{field.name}” began as {field.type}, and row {before + row + 1:,} holds "
            f"{value!r:.60}.",
            hint="Convert the column to one type at its source, e.g. with CAST in the query.",
        ) from None


def exactly(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """``pa.array`` that loses nothing: by itself it makes 1 of 1.5, and a date of a date-time.

    Raises one of ``MISFITS`` for a value that is no ``kind``.
    """
    accepted = next(kinds for test, kinds in _ACCEPTED if test(kind))
    if accepted is not None:
        for found in {type(value) for value in values}:
            if found not in accepted and found is not type(None):
                raise TypeError(f"{found.__name__} is no {kind}")
    if pa.types.is_timestamp(kind):
        for value in values:
            if value is not None and (value.tzinfo is None) != (kind.tz is None):
                raise TypeError("some have a zone, and some have none")
    elif pa.types.is_time(kind):
        if any(value is not None and value.tzinfo is not None for value in values):
            raise TypeError("Arrow's times have no zone")
    elif pa.types.is_list(kind):
        exactly([each for value in values if value for each in value], kind.value_type)
    return pa.array(values, kind)


MISFITS = (pa.ArrowException, TypeError, ValueError, OverflowError, ArithmeticError)
_ACCEPTED: tuple[tuple[Callable[[pa.DataType], bool], tuple[type, ...] | None], ...] = (
    (pa.types.is_boolean, (bool,)),
    (pa.types.is_integer, (int,)),
    (pa.types.is_floating, (float, int)),
    (pa.types.is_decimal, (decimal.Decimal, int)),
    (pa.types.is_date, (dt.date,)),
    (pa.types.is_timestamp, (dt.datetime,)),
    (pa.types.is_time, (dt.time,)),
    (pa.types.is_duration, (dt.timedelta,)),
    (pa.types.is_binary, (bytes, memoryview)),
    (pa.types.is_list, (list,)),
    (lambda kind: True, None),
)
"""Arrow types -> the exact Python types that they hold without a change."""


def _first_misfit(values: list[Any], kind: pa.DataType) -> tuple[int, Any]:
    for row, value in enumerate(values):
        try:
            exactly([value], kind)
        except MISFITS:
            return row, value
    return 0, values[0]


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).hex()
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, (uuid.UUID, decimal.Decimal)):
        return str(value)
    return str(value)
