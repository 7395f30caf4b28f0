"""One schema for the files of a folder: types are widened where no value changes, or refused."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from ...errors import SourceFailed
from .places import FIELD

_UNITS = ("s", "ms", "us", "ns")
_INTEGER_DIGITS = {8: 3, 16: 5, 32: 10, 64: 20}
_EXACT_BITS = {16: 11, 32: 24, 64: 53}
"""Bits of a float -> bits of the integers that it holds without rounding (IEEE 754)."""


def unified(files: Sequence[tuple[str, pa.Schema]]) -> pa.Schema:
    """Return the columns of all files (shown name, schema), in order of their first appearance.

    Raises ``SourceFailed`` naming column and file where no type holds the values of both.
    """
    kinds: dict[str, pa.DataType] = {}
    first: dict[str, str] = {}
    for shown, schema in files:
        if len(set(schema.names)) < len(schema):
            twice = next(name for name in schema.names if schema.names.count(name) > 1)
            raise SourceFailed(f"“{shown}” has two columns named “{twice}”.", field=FIELD)
        for field in schema:
            before = kinds.get(field.name)
            kind = field.type if before is None else wider(before, field.type)
            if kind is None:
                raise SourceFailed(
                    f"Column “{field.name}” is {field.type} in “{shown}”, and {before} in "
                    f"“{first[field.name]}”: no type holds both without a change.",
                    hint="Write the files with one type, or export them one by one.",
                    field=FIELD,
                )
            if kind != before:
                first[field.name] = shown
            kinds[field.name] = kind
    return pa.schema(kinds.items())


def wider(one: pa.DataType, two: pa.DataType) -> pa.DataType | None:
    """Return the type that holds all values of both, or None."""
    if one.equals(two):
        return one
    if pa.types.is_null(one) or pa.types.is_null(two):
        return two if pa.types.is_null(one) else one
    if pa.types.is_dictionary(one) or pa.types.is_dictionary(two):
        return wider(*(k.value_type if pa.types.is_dictionary(k) else k for k in (one, two)))
    for find in (_number, _moment, _bytes, _nested):
        found = find(one, two)
        if found is not None:
            return found
    return None


def _number(one: pa.DataType, two: pa.DataType) -> pa.DataType | None:
    is_ = pa.types
    if is_.is_integer(one) and is_.is_integer(two):
        signed = [k for k in (one, two) if is_.is_signed_integer(k)]
        if len(signed) in (0, 2):
            return one if one.bit_width > two.bit_width else two
        unsigned = one if two is signed[0] else two
        bits = max(signed[0].bit_width, 2 * unsigned.bit_width)
        return {16: pa.int16(), 32: pa.int32(), 64: pa.int64()}.get(bits)
    if is_.is_floating(one) and is_.is_floating(two):
        return one if one.bit_width > two.bit_width else two
    for whole, other in ((one, two), (two, one)):
        if is_.is_integer(whole) and is_.is_floating(other):
            kept = _EXACT_BITS[other.bit_width]
            bits = whole.bit_width - is_.is_signed_integer(whole)
            if bits <= kept:
                return other
            return pa.float64() if bits <= _EXACT_BITS[64] else None
        if is_.is_integer(whole) and is_.is_decimal(other):
            return _decimal(other, _INTEGER_DIGITS[whole.bit_width], 0)
    if is_.is_decimal(one) and is_.is_decimal(two):
        return _decimal(one, two.precision - two.scale, two.scale)
    return None


def _decimal(kind: pa.DataType, whole: int, scale: int) -> pa.DataType | None:
    scale = max(kind.scale, scale)
    digits = max(kind.precision - kind.scale, whole) + scale
    if digits <= 38:
        return pa.decimal128(digits, scale)
    return pa.decimal256(digits, scale) if digits <= 76 else None


def _moment(one: pa.DataType, two: pa.DataType) -> pa.DataType | None:
    is_ = pa.types
    if is_.is_timestamp(one) and is_.is_timestamp(two):
        return pa.timestamp(_finer(one, two), one.tz) if one.tz == two.tz else None
    if is_.is_time(one) and is_.is_time(two):
        unit = _finer(one, two)
        return pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
    if is_.is_duration(one) and is_.is_duration(two):
        return pa.duration(_finer(one, two))
    if is_.is_date(one) and is_.is_date(two):
        return pa.date64()
    return None


def _finer(one: pa.DataType, two: pa.DataType) -> str:
    return str(max(one.unit, two.unit, key=_UNITS.index))


def _bytes(one: pa.DataType, two: pa.DataType) -> pa.DataType | None:
    is_ = pa.types
    for large, tests in (
        (pa.large_string(), (is_.is_string, is_.is_large_string)),
        (pa.large_binary(), (is_.is_binary, is_.is_large_binary)),
    ):
        if all(any(test(kind) for test in tests) for kind in (one, two)):
            return large
    return None


def _nested(one: pa.DataType, two: pa.DataType) -> pa.DataType | None:
    is_ = pa.types
    lists = (is_.is_list, is_.is_large_list)
    if all(any(test(kind) for test in lists) for kind in (one, two)):
        inner = wider(one.value_type, two.value_type)
        if inner is None:
            return None
        same = is_.is_list(one) and is_.is_list(two)
        return pa.list_(inner) if same else pa.large_list(inner)
    if is_.is_struct(one) and is_.is_struct(two):
        names = [field.name for field in one]
        if names != [field.name for field in two]:
            return None
        kinds = [wider(a.type, b.type) for a, b in zip(one, two, strict=True)]
        return None if None in kinds else pa.struct(list(zip(names, kinds, strict=True)))
    return None


def fitted(
    batch: pa.RecordBatch, schema: pa.Schema, shown: str, known: dict[str, pa.Scalar]
) -> pa.RecordBatch:
    """Return ``batch`` of the file ``shown`` with the columns of ``schema``; a column that it does
    not have is ``known``, or null."""
    arrays = []
    for field in schema:
        at = batch.schema.get_field_index(field.name)
        if at < 0:
            value = known.get(field.name, pa.scalar(None, field.type))
            arrays.append(pa.repeat(value, batch.num_rows))
            continue
        column = batch.column(at)
        try:
            if pa.types.is_dictionary(column.type) and not pa.types.is_dictionary(field.type):
                column = column.dictionary_decode()
            arrays.append(column if column.type.equals(field.type) else column.cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            why = str(error).split("\n", 1)[0].rstrip(".")
            raise SourceFailed(
                f"Column “{field.name}” of “{shown}” is {column.type} and does not fit "
                f"{field.type}, which another file needs: {why}.",
                field=FIELD,
            ) from None
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
