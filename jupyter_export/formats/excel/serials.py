"""Dates and times as serial numbers (ECMA-376 part 1, 18.17.4.1): days since the end of 1899.

Programs disagree before 1900-03-01, because one of them believes in a 29th of February 1900; such
dates, and those after 9999, are written as ISO 8601 text. A worksheet shows milliseconds at best.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..floats import floats, integers
from ..times import END_OF_DAY, ends_of_day
from .found import Found

_EPOCH = 25_569
"""The serial number of 1970-01-01."""
_FIRST = 61 - _EPOCH
"""1900-03-01, in days from 1970."""
_AFTER = 2_958_466 - _EPOCH
"""10000-01-01, in days from 1970."""
_DAY = 86_400
_DAY_MS = 86_400_000
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_FRACTION = 10**12
"""Twelve digits behind the point: finer than the double that they are read into."""
_LONGEST = 10**15
"""Milliseconds of a duration that a double, in days, keeps apart."""

Numbers = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Odd:
    """The values that have no serial number."""

    rows: pa.Array
    """Booleans without null: where they stand."""
    texts: pa.Array
    """What is written for them, one for each."""


def is_serial(kind: pa.DataType) -> bool:
    """Tell whether values of that type are serial numbers in a worksheet."""
    return bool(
        pa.types.is_date(kind)
        or pa.types.is_timestamp(kind)
        or pa.types.is_time(kind)
        or pa.types.is_duration(kind)
    )


def numbers(column: pa.Array, found: Found) -> tuple[pa.Array, Odd | None]:
    """Return the serial numbers as text, nulls kept, and what has none."""
    kind = column.type
    if pa.types.is_date(kind):
        return _dates(pc.cast(column, pa.date32(), safe=False), found)
    if pa.types.is_time(kind):
        return _times(column, found)
    if pa.types.is_duration(kind):
        return _durations(column, found)
    return _timestamps(column, found)


def has_fractions(column: pa.Array) -> bool:
    """Tell whether a column of timestamps, times or durations holds parts of a second."""
    unit = column.type.unit
    if unit == "s":
        return False
    ticks = column.view(pa.int32() if column.type.bit_width == 32 else pa.int64())
    return bool((_filled(pc.cast(ticks, pa.int64())) % _PER_SECOND[unit]).any())


def _dates(column: pa.Array, found: Found) -> tuple[pa.Array, Odd | None]:
    days = column.view(pa.int32())
    odd = _outside(days, _FIRST, _AFTER)
    if odd is not None:
        _report(odd, column, found)
        texts = pc.cast(pc.filter(column, odd), pa.string())
        days = pc.if_else(odd, 0, days)
        return integers(pc.add(days, _EPOCH)), Odd(odd, texts)
    return integers(pc.add(days, _EPOCH)), None


def _times(column: pa.Array, found: Found) -> tuple[pa.Array, Odd | None]:
    kind = column.type
    ticks = column.view(pa.int32() if kind.bit_width == 32 else pa.int64())
    # its number would be 1, which is the first day of the calendar
    odd = ends_of_day(column, found.column)
    texts = None
    if odd is not None:
        texts = pa.repeat(END_OF_DAY, pc.sum(odd).as_py())
        _report(odd, pa.repeat(END_OF_DAY, len(column)), found)
        ticks = pc.if_else(odd, pa.scalar(0, ticks.type), ticks)
    ms = _milliseconds(_filled(pc.cast(ticks, pa.int64())), kind.unit, column, found)
    shown = _like(column, _fixed(None, ms))
    return shown, None if odd is None else Odd(odd, texts)


def _timestamps(column: pa.Array, found: Found) -> tuple[pa.Array, Odd | None]:
    kind = column.type
    per = _PER_SECOND[kind.unit]
    clock = column
    if kind.tz is not None:
        valid = pc.is_valid(column)
        found.add("time_zone", valid, f"the clock of {kind.tz} is kept, and not its name", column)
        clock = _wall_clock(column)
    ticks = clock.view(pa.int64())
    odd = _outside(ticks, _FIRST * _DAY * per, _AFTER * _DAY * per)
    texts = None
    if odd is not None:
        _report(odd, column, found)
        texts = _iso(pc.filter(clock, odd))
        ticks = pc.if_else(odd, 0, ticks)
    ms = _milliseconds(_filled(ticks), kind.unit, column, found)
    days = ms // _DAY_MS
    rest = ms - days * _DAY_MS
    serials = days + _EPOCH
    if not rest.any():
        shown = integers(pa.array(serials))
    elif serials.min() >= 10_000 and serials.max() < 100_000:
        shown = _fixed(serials, rest)
    else:
        wholes = integers(pa.array(serials))
        shown = pc.binary_join_element_wise(
            wholes, pc.binary_replace_slice(_fixed(None, rest), 0, 1, ""), ""
        )
    shown = _like(column, shown)
    return shown, None if odd is None else Odd(odd, texts)


def _wall_clock(column: pa.Array) -> pa.Array:
    naive = column.view(pa.timestamp(column.type.unit))
    if column.type.tz in ("UTC", "Etc/UTC", "Z", "+00:00"):
        return naive
    # far from the years that are written anyway, a zone's rules are not asked
    per = _PER_SECOND[column.type.unit]
    far = _outside(naive.view(pa.int64()), (_FIRST - 2) * _DAY * per, (_AFTER + 2) * _DAY * per)
    if far is None:
        return pc.local_timestamp(column)
    near = pc.if_else(far, pa.scalar(None, column.type), column)
    return pc.if_else(far, naive, pc.local_timestamp(near))


def _iso(clock: pa.Array) -> pa.Array:
    """Return ISO 8601 text; years that Arrow has no text for are seconds from 1970."""
    try:
        return pc.cast(clock, pa.string())
    except pa.ArrowInvalid:
        ticks = pc.cast(clock.view(pa.int64()), pa.string())
        return pc.binary_join_element_wise(ticks, f" {clock.type.unit} from 1970", "")


def _durations(column: pa.Array, found: Found) -> tuple[pa.Array, Odd | None]:
    unit = column.type.unit
    ticks = column.view(pa.int64())
    limit = _LONGEST * _PER_SECOND[unit] // 1000
    odd = _outside(ticks, -limit, limit)
    texts = None
    if odd is not None:
        _report(odd, column, found)
        seconds = pc.cast(pc.filter(ticks, odd), pa.string())
        texts = pc.binary_join_element_wise(seconds, f" {unit}", "")
        ticks = pc.if_else(odd, 0, ticks)
    ms = _milliseconds(_filled(ticks), unit, column, found)
    shown = _like(column, floats(pa.array(ms / _DAY_MS)))
    return shown, None if odd is None else Odd(odd, texts)


def _milliseconds(ticks: Numbers, unit: str, column: pa.Array, found: Found) -> Numbers:
    """Return whole milliseconds; what is finer is cut off and reported."""
    per = _PER_SECOND[unit]
    if per <= 1000:
        return ticks * (1000 // per)
    ms = ticks // (per // 1000)
    finer = ticks != ms * (per // 1000)
    if finer.any():
        found.add("time_precision", pa.array(finer), "Excel keeps milliseconds", column)
    return ms


def _outside(ticks: pa.Array, low: int, high: int) -> pa.Array | None:
    """Return which values are not in ``low <= value < high``, or None if none is."""
    ends = pc.min_max(ticks).as_py()
    if ends["min"] is None or (ends["min"] >= low and ends["max"] < high):
        return None
    low, high = max(low, -(2**63)), min(high, 2**63 - 1)
    wide = pc.cast(ticks, pa.int64())
    return pc.fill_null(pc.or_(pc.less(wide, low), pc.greater_equal(wide, high)), False)


def _report(odd: pa.Array, column: pa.Array, found: Found) -> None:
    found.add("date_out_of_range", odd, "Excel has no number for it; it is written as text", column)


def _filled(ticks: pa.Array) -> Numbers:
    values: Numbers = (pc.fill_null(ticks, 0) if ticks.null_count else ticks).to_numpy()
    return values


def _like(column: pa.Array, shown: pa.Array) -> pa.Array:
    """Return the texts with the nulls of ``column``."""
    if not column.null_count:
        return shown
    return pc.if_else(pc.is_valid(column), shown, pa.scalar(None, pa.string()))


@cache
def _four() -> Numbers:
    """``0000`` … ``9999``, four bytes of text in one number."""
    digits = np.array([f"{i:04d}" for i in range(10_000)], "S4")
    return digits.view(np.uint32)


def _fixed(serials: Numbers | None, ms: Numbers) -> pa.Array:
    """Return texts of one length: five digits of the day (0 without), a point, twelve digits.

    ``ms`` are milliseconds of the day.
    """
    # upwards, because some programs cut seconds off and do not round them; a product that is a
    # whole number may come out larger by a hair
    fraction = np.ceil(ms * (_FRACTION / _DAY_MS) - 0.001).astype(np.int64)
    first = fraction // 10**8
    rest = (fraction - first * 10**8).astype(np.int32)
    middle = rest // 10**4
    four = _four()
    fields = [("tens", "<u4"), ("ones", "u1")] if serials is not None else [("ones", "u1")]
    fields += [("point", "u1"), ("a", "<u4"), ("b", "<u4"), ("c", "<u4")]
    text = np.empty(len(ms), np.dtype(fields))
    if serials is None:
        text["ones"] = ord("0")
    else:
        whole = serials.astype(np.int32)
        tens = whole // 10
        text["tens"] = four[tens]
        text["ones"] = whole - tens * 10 + ord("0")
    text["point"] = ord(".")
    text["a"] = four[first]
    text["b"] = four[middle]
    text["c"] = four[rest - middle * 10**4]
    width = text.dtype.itemsize
    offsets = np.arange(len(ms) + 1, dtype=np.int32) * np.int32(width)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(text.view(np.uint8))]
    return pa.Array.from_buffers(pa.string(), len(ms), buffers, 0)
