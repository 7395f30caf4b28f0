"""A column -> JSON tokens (RFC 8259) of its cells; a null stays null.

Nested values are built from the tokens of what they hold, whole columns at a time.
"""

from __future__ import annotations

import decimal
import json as json_text
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import SourceFailed
from ..losses import example
from ..registry import Loss, LossLedger
from . import moments
from .cells import Style, decimals, text
from .coded import coded, count, inside
from .floats import floats
from .strings import payload, rows_with

MAX_SAFE_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader keeps (RFC 8259, section 6)."""
_SAFE_DIGITS = 15
"""Decimal digits that a double, and so every JSON reader, keeps."""


@dataclass(frozen=True)
class Spelling:
    """How values become tokens; ``style`` says how those look that are texts in JSON too."""

    style: Style
    nan: Literal["null", "string", "error"] = "null"
    integers: Literal["number", "string"] = "number"
    decimals: Literal["number", "string"] = "number"
    moments: Literal["text", "unix", "unix_ms"] = "text"
    """Dates and timestamps as texts, or as seconds or milliseconds since 1970."""
    stringify: bool = False
    """Nested values as a JSON text inside a string."""


def json(column: pa.Array, name: str, style: Style, losses: LossLedger) -> pa.Array:
    """Return the cells of ``column`` as JSON tokens, for formats that only hold text."""
    nan = style.nan if style.nan != "text" else "null"
    spelling = Spelling(style, nan, style.integers, style.decimals)
    return tokens(column, name, spelling, losses)


def tokens(column: pa.Array, name: str, spelling: Spelling, losses: LossLedger) -> pa.Array:
    """Return the cells of ``column`` as JSON tokens; a null stays null, inner nulls are written."""
    few = few_tokens(column, name, spelling, losses)
    if few is not None:
        return pc.take(*few)
    cells, quoted = unquoted(column, name, spelling, losses)
    return _quoted(cells) if quoted else cells


def few_tokens(
    column: pa.Array, name: str, spelling: Spelling, losses: LossLedger
) -> tuple[pa.Array, pa.Array] | None:
    """Return (tokens, codes) of a column of few distinct values, or None.

    None too where a value is changed: losses count cells, so every cell is then looked at.
    """
    few = coded(column)
    if few is None:
        return None
    met = LossLedger()
    try:
        cells, quoted = unquoted(few[0], name, spelling, met)
    except SourceFailed:
        # perhaps by a value that no row points at
        return None
    if len(met):
        return None
    return (_quoted(cells) if quoted else cells), few[1]


def unquoted(
    column: pa.Array, name: str, spelling: Spelling, losses: LossLedger
) -> tuple[pa.Array, bool]:
    """Return the cells value by value, and whether each one still needs its quotes.

    The quotes of a column without nulls can stand in the row, which is a pass over the text less.
    """
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return unquoted(column.storage, name, spelling, losses)
    if pa.types.is_dictionary(kind):
        return unquoted(column.dictionary_decode(), name, spelling, losses)
    if pa.types.is_run_end_encoded(kind):
        return unquoted(pc.run_end_decode(column), name, spelling, losses)
    if pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return pc.cast(column, pa.string()), False
    if pa.types.is_integer(kind):
        return _integers(column, name, spelling, losses)
    if pa.types.is_floating(kind):
        return _floats(column, name, spelling, losses), False
    if pa.types.is_decimal(kind):
        return _decimals(column, name, spelling, losses)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _moments(column, name, spelling, losses)
    if pa.types.is_nested(kind) and not pa.types.is_union(kind):
        return _nested(column, name, spelling, losses)
    if pa.types.is_interval(kind):
        lists = [None if v is None else json_text.dumps(list(v)) for v in column.to_pylist()]
        return pa.array(lists, pa.string()), False
    cells = text(column, name, spelling.style, losses)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        cells = escaped(cells)
    return cells, True


# ------------------------------------------------------------------ numbers


def _integers(
    column: pa.Array, name: str, spelling: Spelling, losses: LossLedger
) -> tuple[pa.Array, bool]:
    cells = pc.cast(column, pa.string())
    if column.type.bit_width < 64:
        return cells, False
    if spelling.integers == "string":
        return cells, True
    if len(column) > column.null_count:
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
                    count(losses, beyond),
                    "integers beyond 2^53 are rounded by readers such as JavaScript",
                    "large_integers=string",
                    example(pc.filter(column, beyond)[0].as_py()),
                )
            )
    return cells, False


def _decimals(
    column: pa.Array, name: str, spelling: Spelling, losses: LossLedger
) -> tuple[pa.Array, bool]:
    cells = decimals(column)
    if spelling.decimals == "string":
        return cells, True
    kind = column.type
    if kind.precision > _SAFE_DIGITS and len(column) > column.null_count:
        limit = decimal.Decimal(10) ** (_SAFE_DIGITS - kind.scale)
        ends = pc.min_max(column).as_py()
        if ends["max"] >= limit or ends["min"] <= -limit:
            values = column.to_pylist()
            beyond = np.array([value is not None and abs(value) >= limit for value in values])
            losses.add(
                Loss(
                    "decimal_beyond_15_digits",
                    name,
                    count(losses, beyond),
                    "numbers of more than 15 digits are rounded by readers that have only doubles",
                    "decimals=string",
                    example(values[int(beyond.argmax())]),
                )
            )
    return cells, False


def _floats(column: pa.Array, name: str, spelling: Spelling, losses: LossLedger) -> pa.Array:
    cells = floats(column)
    wide = pc.cast(column, pa.float64()) if column.type.bit_width == 16 else column
    finite = pc.is_finite(wide)
    if pc.all(finite, min_count=0).as_py() in (True, None):
        return cells
    odd = count(losses, pc.invert(finite))
    if spelling.nan == "error":
        raise SourceFailed(
            f"Column “{name}” holds {odd:,} values that JSON has no number for (NaN, Infinity).",
            hint="Choose nan=null or nan=string.",
        )
    if spelling.nan == "string":
        return pc.if_else(finite, cells, _quoted(cells))
    shown = example(pc.filter(wide, pc.invert(finite))[0].as_py())
    losses.add(
        Loss("not_a_number", name, odd, "NaN and Infinity are written as null", "nan=string", shown)
    )
    return pc.if_else(finite, cells, pa.scalar(None, pa.string()))


# ------------------------------------------------------------------ moments


def _moments(
    column: pa.Array, name: str, spelling: Spelling, losses: LossLedger
) -> tuple[pa.Array, bool]:
    if spelling.moments != "text":
        numbers = moments.since_1970(column, name, spelling.moments, losses)
        return pc.cast(numbers, pa.string()), False
    if spelling.style.timestamp_format is None:
        return text(column, name, spelling.style, losses), True
    if pa.types.is_date(column.type):
        # one format for dates and timestamps: a date is its midnight
        column = pc.cast(pc.cast(column, pa.date32()), pa.timestamp("s"))
    met = LossLedger()
    cells = text(column, name, spelling.style, met)
    for loss in met:
        losses.add(replace(loss, option="date_format=iso"))
    return escaped(cells), True


# ------------------------------------------------------------------ nested values


def _nested(
    column: pa.Array, name: str, spelling: Spelling, losses: LossLedger
) -> tuple[pa.Array, bool]:
    inner = replace(spelling, stringify=False)
    if pa.types.is_map(column.type):
        cells = _map(column, name, inner, losses)
    elif pa.types.is_struct(column.type):
        cells = _struct(column, name, inner, losses)
    else:
        cells = _list(column, name, inner, losses)
    if not spelling.stringify:
        return cells, False
    if len(cells) > cells.null_count:
        valid = count(losses, pc.is_valid(cells))
        shown = example(pc.drop_null(cells)[0].as_py())
        losses.add(
            Loss("nested", name, valid, "nested values are JSON text", "arrays=expand", shown)
        )
    return escaped(cells), True


def _struct(column: pa.Array, name: str, spelling: Spelling, losses: LossLedger) -> pa.Array:
    parts: list[Any] = ["{"]
    for index, (field, child) in enumerate(zip(column.type, column.flatten(), strict=True)):
        inner = tokens(child, f"{name}.{field.name}", spelling, losses)
        parts += [("," if index else "") + key(field.name) + ":", pc.fill_null(inner, "null")]
    if len(parts) > 1:
        return _nulls_of(column, pc.binary_join_element_wise(*parts, "}", ""))
    return _nulls_of(column, pa.array(["{}"] * len(column), pa.string()))


def _list(column: pa.Array, name: str, spelling: Spelling, losses: LossLedger) -> pa.Array:
    offsets = _list_offsets(column)
    within = inside(losses, np.diff(offsets.to_numpy()))
    inner = pc.fill_null(tokens(column.flatten(), name, spelling, within), "null")
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, inner), ",")
    return _nulls_of(column, pc.binary_join_element_wise("[", joined, "]", ""))


def _map(column: pa.Array, name: str, spelling: Spelling, losses: LossLedger) -> pa.Array:
    """A map is an object; a key that is no text is written as its text."""
    entries = pc.cast(
        column,
        pa.list_(pa.struct([("key", column.type.key_type), ("value", column.type.item_type)])),
    )
    keys, values = entries.flatten().flatten()
    offsets = _list_offsets(entries)
    within = inside(losses, np.diff(offsets.to_numpy()))
    shown = text(keys, name, spelling.style, within)
    _look_for_repeated_keys(shown, offsets, name, losses)
    inner = pc.binary_join_element_wise(
        _quoted(escaped(shown)), pc.fill_null(tokens(values, name, spelling, within), "null"), ":"
    )
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, inner), ",")
    return _nulls_of(column, pc.binary_join_element_wise("{", joined, "}", ""))


def _look_for_repeated_keys(
    keys: pa.Array, offsets: pa.Array, name: str, losses: LossLedger
) -> None:
    """Of two members of one name, readers keep one or refuse the object (RFC 8259, section 4)."""
    if len(keys) < 2:
        return
    of_row = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets.to_numpy()))
    pairs = pa.table({"row": of_row, "key": keys}).group_by(["row", "key"])
    counted = pairs.aggregate([([], "count_all")])
    again = pc.sum(pc.subtract(counted["count_all"], 1)).as_py()
    if again:
        twice = counted.filter(pc.greater(counted["count_all"], 1))
        losses.add(
            Loss(
                "duplicate_key",
                name,
                again,
                "entries of a map that have one key: readers of JSON keep one of them",
                "format.type=arrow",
                example(twice["key"][0].as_py()),
            )
        )


def _list_offsets(column: pa.Array) -> pa.Array:
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    offsets = np.zeros(len(column) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.array(offsets)


def _nulls_of(column: pa.Array, cells: pa.Array) -> pa.Array:
    if column.null_count == 0:
        return cells
    return pc.if_else(pc.is_valid(column), cells, pa.scalar(None, pa.string()))


# ------------------------------------------------------------------ texts


def key(name: str) -> str:
    """Return the token of a member's name."""
    return json_text.dumps(name, ensure_ascii=False)


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
