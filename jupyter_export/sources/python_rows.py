"""Rows as Python values (a database cursor, a worksheet) -> Arrow batches of one schema.

Such sources tell no types that could be trusted, so the first rows decide. A later value that does
not fit is an error that names it: guessing again would change what was written before.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from ..errors import SourceFailed

Row = Sequence[Any]


def schema_of(names: Sequence[str], rows: Sequence[Row]) -> pa.Schema:
    """Return the schema that holds ``rows``; a column without any value becomes text."""
    return pa.schema(
        [pa.field(name, _type_of([row[i] for row in rows])) for i, name in enumerate(names)]
    )


def batches_of(schema: pa.Schema, pieces: Iterable[Sequence[Row]]) -> Iterator[pa.RecordBatch]:
    """Yield one batch for each piece of rows. Raises ``SourceFailed`` naming the first value that
    does not fit its column."""
    done = 0
    for rows in pieces:
        if not rows:
            continue
        arrays = [_array([row[i] for row in rows], field, done) for i, field in enumerate(schema)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        done += len(rows)


def _type_of(values: Sequence[Any]) -> pa.DataType:
    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        return pa.string()
    if kinds <= {int}:
        return pa.int64() if _fits_64_bits(values) else pa.decimal128(38, 0)
    if kinds <= {int, float}:
        return pa.float64()
    if kinds <= {decimal.Decimal, int}:
        return _decimal_type(values)
    if kinds == {dt.datetime}:
        zones = {value.tzinfo is not None for value in values if value is not None}
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
        if kind in simple:
            return simple[kind]
        if kind is list and not any(
            isinstance(e, (dict, list)) for v in values or () for e in v or ()
        ):
            return pa.list_(_type_of([each for value in values if value for each in value]))
    return pa.string()


def _fits_64_bits(values: Sequence[Any]) -> bool:
    return all(value is None or -(2**63) <= value < 2**63 for value in values)


def _decimal_type(values: Sequence[Any]) -> pa.DataType:
    """Keep the largest scale seen, and leave all other digits to the whole numbers."""
    scale = 0
    for value in values:
        if isinstance(value, decimal.Decimal):
            exponent = value.as_tuple().exponent
            if not isinstance(exponent, int):
                return pa.float64()
            scale = max(scale, -exponent)
    return pa.decimal128(38, scale) if scale <= 30 else pa.decimal256(76, scale)


def _array(values: list[Any], field: pa.Field, before: int) -> pa.Array:
    if pa.types.is_string(field.type):
        values = [None if value is None else _as_text(value) for value in values]
    try:
        return pa.array(values, field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError, OverflowError):
        row, value = _first_misfit(values, field.type)
        raise SourceFailed(
            f"Column “{field.name}” began as {field.type}, and row {before + row + 1:,} holds "
            f"{value!r:.60}.",
            hint="Convert the column to one type at its source, e.g. with CAST in the query.",
        ) from None


def _first_misfit(values: list[Any], kind: pa.DataType) -> tuple[int, Any]:
    for row, value in enumerate(values):
        try:
            pa.array([value], kind)
        except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError, OverflowError):
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
