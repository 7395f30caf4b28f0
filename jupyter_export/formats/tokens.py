"""A column -> JSON tokens (RFC 8259) of its cells; a null stays null.

Nested values are built from the tokens of what they hold, whole columns at a time.
"""

from __future__ import annotations

import decimal
import json as json_text
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import SourceFailed
from ..registry import Loss, LossLedger
from .cells import Style, decimals, payload, rows_with, text
from .coded import coded
from .floats import floats

MAX_SAFE_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader keeps (RFC 8259, section 6)."""
_SAFE_DIGITS = 15
"""Decimal digits that a double, and so every JSON reader, keeps."""


def json(column: pa.Array, name: str, style: Style, losses: LossLedger) -> pa.Array:
    """Return the cells of ``column`` as JSON tokens; a null stays null, inner nulls are written."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return json(column.storage, name, style, losses)
    few = coded(column)
    if few is not None:
        return pc.take(plain(few[0], name, style, losses), few[1])
    return plain(column, name, style, losses)


def plain(column: pa.Array, name: str, style: Style, losses: LossLedger) -> pa.Array:
    """Return what ``json`` does, value by value."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return json(column.dictionary_decode(), name, style, losses)
    if isinstance(kind, pa.BaseExtensionType):
        return json(column.storage, name, style, losses)
    if pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_integer(kind):
        return _json_integers(column, name, style, losses)
    if pa.types.is_floating(kind):
        return _json_floats(column, name, style, losses)
    if pa.types.is_decimal(kind):
        return _json_decimals(column, name, style, losses)
    if pa.types.is_map(kind):
        return _json_map(column, name, style, losses)
    if pa.types.is_struct(kind):
        return _json_struct(column, name, style, losses)
    if _is_list(kind):
        return _json_list(column, name, style, losses)
    if pa.types.is_interval(kind):
        return pa.array(
            [None if v is None else json_text.dumps(list(v)) for v in column.to_pylist()],
            pa.string(),
        )
    cells = text(column, name, style, losses)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        cells = escaped(cells)
    return _quoted(cells)


def _json_integers(column: pa.Array, name: str, style: Style, losses: LossLedger) -> pa.Array:
    cells = pc.cast(column, pa.string())
    if style.integers == "string" and column.type.bit_width == 64:
        return _quoted(cells)
    if column.type.bit_width == 64 and len(column) > column.null_count:
        ends = pc.min_max(column).as_py()
        if ends["min"] < -MAX_SAFE_INTEGER or ends["max"] > MAX_SAFE_INTEGER:
            # a bare Python integer would pull unsigned values down to 63 bits
            beyond = pc.greater(column, pa.scalar(MAX_SAFE_INTEGER, column.type))
            if pa.types.is_signed_integer(column.type):
                beyond = pc.or_(beyond, pc.less(column, pa.scalar(-MAX_SAFE_INTEGER, column.type)))
            losses.add(
                Loss(
                    "integer_beyond_2_53",
                    name,
                    pc.sum(beyond).as_py(),
                    "integers beyond 2^53 are rounded by readers such as JavaScript",
                    "large_integers=string",
                )
            )
    return cells


def _json_decimals(column: pa.Array, name: str, style: Style, losses: LossLedger) -> pa.Array:
    cells = decimals(column)
    if style.decimals == "string":
        return _quoted(cells)
    kind = column.type
    if kind.precision > _SAFE_DIGITS and len(column) > column.null_count:
        limit = decimal.Decimal(10) ** (_SAFE_DIGITS - kind.scale)
        ends = pc.min_max(column).as_py()
        if ends["max"] >= limit or ends["min"] <= -limit:
            beyond = sum(abs(value) >= limit for value in pc.drop_null(column).to_pylist())
            losses.add(
                Loss(
                    "decimal_beyond_15_digits",
                    name,
                    beyond,
                    "numbers of more than 15 digits are rounded by readers that have only doubles",
                    "decimals=string",
                )
            )
    return cells


def _json_floats(column: pa.Array, name: str, style: Style, losses: LossLedger) -> pa.Array:
    cells = floats(column)
    finite = pc.is_finite(pc.cast(column, pa.float64()) if column.type.bit_width == 16 else column)
    if pc.all(finite, min_count=0).as_py() in (True, None):
        return cells
    odd = pc.sum(pc.invert(finite)).as_py()
    if style.nan == "error":
        raise SourceFailed(
            f"Column “{name}” holds {odd:,} values that JSON has no number for (NaN, Infinity).",
            hint="Choose nan=null or nan=string.",
        )
    if style.nan == "string":
        return pc.if_else(finite, cells, _quoted(cells))
    losses.add(
        Loss("not_a_number", name, odd, "NaN and Infinity are written as null", "nan=string")
    )
    return pc.if_else(finite, cells, pa.scalar(None, pa.string()))


def _json_struct(column: pa.Array, name: str, style: Style, losses: LossLedger) -> pa.Array:
    parts: list[Any] = ["{"]
    for index, (field, child) in enumerate(zip(column.type, column.flatten(), strict=True)):
        key = ("," if index else "") + json_text.dumps(field.name, ensure_ascii=False) + ":"
        inner = json(child, f"{name}.{field.name}", style, losses)
        parts += [key, pc.fill_null(inner, "null")]
    joined = pc.binary_join_element_wise(*parts, "}", "") if len(parts) > 1 else None
    if joined is None:
        joined = pa.array(["{}"] * len(column), pa.string())
    return _nulls_of(column, joined)


def _json_list(column: pa.Array, name: str, style: Style, losses: LossLedger) -> pa.Array:
    inner = pc.fill_null(json(column.flatten(), name, style, losses), "null")
    joined = pc.binary_join(pa.ListArray.from_arrays(_list_offsets(column), inner), ",")
    return _nulls_of(column, pc.binary_join_element_wise("[", joined, "]", ""))


def _json_map(column: pa.Array, name: str, style: Style, losses: LossLedger) -> pa.Array:
    """A map is an object; a key that is no text is written as its text."""
    entries = pc.cast(
        column,
        pa.list_(pa.struct([("key", column.type.key_type), ("value", column.type.item_type)])),
    )
    keys, values = entries.flatten().flatten()
    named = _quoted(escaped(text(keys, name, style, losses)))
    inner = pc.binary_join_element_wise(
        named, pc.fill_null(json(values, name, style, losses), "null"), ":"
    )
    joined = pc.binary_join(pa.ListArray.from_arrays(_list_offsets(entries), inner), ",")
    return _nulls_of(column, pc.binary_join_element_wise("{", joined, "}", ""))


def _list_offsets(column: pa.Array) -> pa.Array:
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    offsets = np.zeros(len(column) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.array(offsets)


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
        or pa.types.is_list_view(kind)
        or pa.types.is_large_list_view(kind)
    )


def _nulls_of(column: pa.Array, cells: pa.Array) -> pa.Array:
    if column.null_count == 0:
        return cells
    return pc.if_else(pc.is_valid(column), cells, pa.scalar(None, pa.string()))


def _quoted(cells: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise('"', cells, '"', "")


def escaped(cells: pa.Array) -> pa.Array:
    """Escape quote, backslash and control characters (RFC 8259, section 7)."""
    data = payload(cells)
    low = np.unique(data[data < 0x20]).tolist() if len(data) and data.min() < 0x20 else []
    # the backslash first: the others bring new ones
    present, rows = rows_with(cells, [0x5C, 0x22, *low])
    if rows is None:
        return cells
    few = pc.filter(cells, rows)
    for code in present:
        few = pc.replace_substring(few, chr(code), json_text.dumps(chr(code))[1:-1])
    return pc.replace_with_mask(cells, rows, few)
