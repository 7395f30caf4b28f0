"""A column and its type -> the text of its cells, for every text format.

``text`` is built of Arrow's kernels over whole batches; a null stays null. ``Style`` holds what a
file decides once for a column, so that its cells look alike from the first batch to the last.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import InvalidSpec, SourceFailed
from ..registry import Loss, LossLedger
from .floats import floats

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_UNITS = ("s", "ms", "us", "ns")
_YEAR_0 = -62_167_219_200
_YEAR_10000 = 253_402_300_800
"""Seconds from 1970: ISO 8601 text has four digits for the year."""


@dataclass(frozen=True)
class Style:
    """How cells are written; ``units`` holds the precision of each timestamp column."""

    separator: str = " "
    """Between date and time: a space, or T."""
    nan: Literal["text", "null", "string", "error"] = "text"
    integers: Literal["number", "string"] = "number"
    decimals: Literal["number", "string"] = "number"
    units: dict[str, str] | None = None


def units_of(batch: pa.RecordBatch | None) -> dict[str, str]:
    """Return for each timestamp column the coarsest unit that holds the first batch's values.

    A later batch that needs more digits writes more; none writes fewer than these.
    """
    if batch is None:
        return {}
    return {
        field.name: _needed_unit(column, "s")
        for field, column in zip(batch.schema, batch.columns, strict=True)
        if pa.types.is_timestamp(field.type)
    }


# ------------------------------------------------------------------ plain text


def text(column: pa.Array, name: str, style: Style, losses: LossLedger) -> pa.Array:
    """Return the cells of ``column`` as a string array of the same length, nulls kept."""
    kind = column.type
    if pa.types.is_string(kind):
        return column
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pc.cast(column, pa.string())
    if isinstance(kind, pa.BaseExtensionType):
        return text(column.storage, name, style, losses)
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_floating(kind):
        return floats(column)
    if pa.types.is_decimal(kind):
        return decimals(column)
    if pa.types.is_timestamp(kind):
        return _timestamps(column, name, style)
    if pa.types.is_date(kind):
        days = pc.cast(column, pa.date32())
        _check_years(pc.multiply(days.view(pa.int32()).cast(pa.int64()), 86_400), 1, name)
        return pc.cast(days, pa.string())
    if pa.types.is_time(kind):
        return _times(column)
    if pa.types.is_duration(kind):
        return _durations(column)
    if _is_binary(kind):
        return _base64(column, name, losses)
    if pa.types.is_union(kind) or pa.types.is_run_end_encoded(kind):
        raise InvalidSpec(
            f"Column “{name}” ({kind}) has no form as text.",
            hint="Leave it out (columns.exclude), or convert it first.",
            field="columns",
        )
    # nested values, intervals: one JSON token each
    from .tokens import json  # which is built on this module

    nested = json(column, name, Style("T", "null", style.integers, style.decimals), losses)
    losses.add(Loss("nested", name, len(column) - column.null_count, "nested values are JSON text"))
    return nested


def decimals(column: pa.Array) -> pa.Array:
    """Arrow writes very small decimals with an exponent, which is fine for every reader."""
    return pc.cast(column, pa.string())


def _times(column: pa.Array) -> pa.Array:
    cells = pc.cast(column, pa.string())
    if column.type.unit in ("us", "ns", "ms") and len(column) > column.null_count:
        per = _PER_SECOND[column.type.unit]
        ticks = column.view(pa.int32() if column.type.bit_width == 32 else pa.int64())
        seconds = pc.multiply(pc.divide(ticks, per), per)
        if pc.all(pc.equal(ticks, seconds)).as_py():
            cells = pc.utf8_slice_codeunits(cells, 0, 8)
    return cells


def _durations(column: pa.Array) -> pa.Array:
    """ISO 8601 durations in seconds: ``PT93784.5S``; pandas and DuckDB read them."""
    per = _PER_SECOND[column.type.unit]
    digits = len(str(per)) - 1
    ticks = column.view(pa.int64()).to_pylist()
    out: list[str | None] = []
    for tick in ticks:
        if tick is None:
            out.append(None)
            continue
        whole, part = divmod(abs(tick), per)
        fraction = f".{part:0{digits}d}".rstrip("0") if part else ""
        out.append(f"{'-' if tick < 0 else ''}PT{whole}{fraction}S")
    return pa.array(out, pa.string())


def _timestamps(column: pa.Array, name: str, style: Style) -> pa.Array:
    """ISO 8601 / RFC 3339: a zone is kept as ``Z`` or as the offset of its wall clock."""
    kind = column.type
    unit = _needed_unit(column, (style.units or {}).get(name, "s"))
    naive = column.view(pa.timestamp(kind.unit))
    offset: Any = None
    if kind.tz is not None:
        if kind.tz in ("UTC", "Etc/UTC", "Z", "+00:00"):
            offset = "Z"
        else:
            offset, naive = _wall_clock(column, naive)
    _check_years(naive.view(pa.int64()), _PER_SECOND[kind.unit], name)
    # the unit was chosen so that nothing is cut off here
    cells = pc.cast(pc.cast(naive, pa.timestamp(unit), safe=False), pa.string())
    if style.separator != " " or isinstance(offset, str):
        cells = _finished(cells, style.separator, offset if isinstance(offset, str) else "")
    if isinstance(offset, pa.Array):
        cells = pc.binary_join_element_wise(cells, offset, "")
    return cells


def _finished(cells: pa.Array, separator: str, ending: str) -> pa.Array:
    """Set the eleventh byte of each cell and put ``ending`` behind it.

    Every cell has the same length, so this is two strokes over a matrix of bytes.
    """
    valid = len(cells) - cells.null_count
    if valid == 0:
        return cells
    data = payload(cells)
    width = len(data) // valid
    if width * valid != len(data):
        return pc.binary_join_element_wise(
            pc.binary_replace_slice(cells, 10, 11, separator), ending, ""
        )
    matrix = np.empty((valid, width + len(ending)), np.uint8)
    matrix[:, :width] = data.reshape(valid, width)
    matrix[:, 10] = ord(separator)
    matrix[:, width:] = np.frombuffer(ending.encode("ascii"), np.uint8)
    present = np.ones(len(cells), np.int32)
    mask = None
    if cells.null_count:
        validity = pc.is_valid(cells)
        mask = validity.buffers()[1]
        present = validity.cast(pa.int8()).to_numpy(zero_copy_only=False).astype(np.int32)
    offsets = np.zeros(len(cells) + 1, np.int32)
    np.cumsum(present * (width + len(ending)), out=offsets[1:])
    buffers = [mask, pa.py_buffer(offsets), pa.py_buffer(matrix)]
    return pa.Array.from_buffers(pa.string(), len(cells), buffers, cells.null_count)


def _wall_clock(column: pa.Array, naive: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return offsets (``+05:30``) and the wall clocks that go with them.

    Local mean times of before the zones (Paris: +00:09:21) are no whole minutes, and RFC 3339 has
    no seconds in an offset: the clock is then set to the whole minute, so that the instant stays.
    """
    per_minute = 60 * _PER_SECOND[column.type.unit]
    utc = naive.view(pa.int64())
    local = pc.local_timestamp(column).view(pa.int64())
    minutes = pc.divide(pc.subtract(local, utc), per_minute)
    coded = pc.dictionary_encode(minutes)
    words = [
        f"{'-' if m < 0 else '+'}{abs(m) // 60:02d}:{abs(m) % 60:02d}"
        for m in coded.dictionary.drop_null().to_pylist()
    ]
    clock = pc.add(utc, pc.multiply(minutes, per_minute)).view(naive.type)
    return pc.take(pa.array(words, pa.string()), coded.indices), clock


def _needed_unit(column: pa.Array, at_least: str) -> str:
    """Return the coarsest of s, ms, us, ns that loses nothing, and is no coarser than asked."""
    unit: str = column.type.unit
    ticks = column.view(pa.int64())
    # a nested column may share its name with another one: never finer than the type itself
    coarsest = min(at_least, unit, key=_UNITS.index)
    if len(ticks) == ticks.null_count:
        return coarsest
    values = pc.drop_null(ticks).to_numpy()
    for candidate in _UNITS[_UNITS.index(coarsest) : _UNITS.index(unit)]:
        if not (values % (_PER_SECOND[unit] // _PER_SECOND[candidate])).any():
            return candidate
    return unit


def _check_years(ticks: pa.Array, per_second: int, name: str) -> None:
    ends = pc.min_max(ticks).as_py()
    if ends["min"] is None:
        return
    if ends["min"] < _YEAR_0 * per_second or ends["max"] >= _YEAR_10000 * per_second:
        raise SourceFailed(
            f"Column “{name}” holds a date outside the years 0 to 9999, which ISO 8601 text "
            "cannot hold.",
            hint="Leave such rows out, or export to Parquet or Arrow.",
        )


def _base64(column: pa.Array, name: str, losses: LossLedger) -> pa.Array:
    """RFC 4648, section 4."""
    valid = len(column) - column.null_count
    if valid:
        losses.add(Loss("binary", name, valid, "bytes are base64 text"))
    return pa.array(
        [None if v is None else base64.b64encode(v).decode("ascii") for v in column.to_pylist()],
        pa.string(),
    )


def _is_binary(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def rows_with(cells: pa.Array, codes: Sequence[int]) -> tuple[list[int], pa.Array | None]:
    """Return which of the ASCII ``codes`` occur in the cells, and a mask of the cells with one.

    The mask is None when none occurs, which a search of the bytes tells at once; otherwise the
    places of the bytes tell the cells, without looking at each cell.
    """
    data = payload(cells)
    raw = data.tobytes()
    present = [code for code in codes if bytes((code,)) in raw]
    if not present:
        return present, None
    marked = data == present[0]
    for code in present[1:]:
        marked |= data == code
    offsets = _offsets_of(cells)
    rows = np.zeros(len(cells), np.bool_)
    rows[np.searchsorted(offsets, np.flatnonzero(marked) + offsets[0], side="right") - 1] = True
    return present, pa.array(rows)


def _offsets_of(cells: pa.Array) -> np.ndarray[Any, np.dtype[np.int32]]:
    return np.frombuffer(cells.buffers()[1], np.int32, len(cells) + 1, cells.offset * 4)


def payload(cells: pa.Array) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the bytes of a string array's cells, one after another, without a copy."""
    data = cells.buffers()[2]
    if not len(cells) or data is None:
        return np.empty(0, np.uint8)
    offsets = _offsets_of(cells)
    start, end = int(offsets[0]), int(offsets[-1])
    return np.frombuffer(data, np.uint8, end - start, start)


def whole_rows(parts: Sequence[Any], null: str) -> memoryview:
    """Join columns and constant texts row by row and return the bytes of all rows.

    ``parts`` are string arrays of one length, and strings that stand in every row; a null becomes
    ``null``. The last part ends the row.
    """
    joined = pc.binary_join_element_wise(*parts, "", null_handling="replace", null_replacement=null)
    return payload(joined).data
