"""Dates, times, timestamps and durations as text: ISO 8601, or in the chosen format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import SourceFailed
from ..losses import example
from ..registry import Loss, LossLedger
from . import strftime
from .coded import count
from .strings import of_bytes, payload

if TYPE_CHECKING:
    from .cells import Style

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_UNITS = ("s", "ms", "us", "ns")
_UTC = ("UTC", "Etc/UTC", "Z", "+00:00")
_YEAR_0 = -62_167_219_200
_YEAR_10000 = 253_402_300_800
"""Seconds from 1970: ISO 8601 text has four digits for the year."""
_DAY = 86_400


def moments(column: pa.Array, name: str, style: Style, losses: LossLedger) -> pa.Array:
    """Return the cells of a column of a temporal type (intervals excepted), nulls kept."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        if style.timestamp_format is not None:
            return _formatted_timestamps(column, name, style.timestamp_format, losses)
        return _timestamps(column, name, style)
    if pa.types.is_date(kind):
        days = pc.cast(column, pa.date32())
        _check_years(pc.multiply(days.view(pa.int32()).cast(pa.int64()), _DAY), 1, name)
        if style.date_format is not None:
            return _formatted_dates(days, name, style.date_format, losses)
        return pc.cast(days, pa.string())
    if pa.types.is_time(kind):
        if style.time_format is not None:
            return _formatted_times(column, name, style.time_format, losses)
        return _times(column, name, losses)
    return _durations(column)


# ------------------------------------------------------------------ ISO 8601


def needed_unit(column: pa.Array, at_least: str) -> str:
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


END_OF_DAY = "24:00:00"
"""ISO 8601's end of a day, as a time of its own: PostgreSQL and DuckDB have it, Python has not."""


def ends_of_day(column: pa.Array, name: str) -> pa.Array | None:
    """Return which times are 24:00:00 (booleans without null), or None if none is.

    Raises ``SourceFailed`` for what is no time of a day: Arrow holds any number of ticks.
    """
    ticks = _ticks(column)
    ends = pc.min_max(ticks).as_py()
    day = _DAY * _PER_SECOND[column.type.unit]
    if ends["min"] is None or (ends["min"] >= 0 and ends["max"] < day):
        return None
    if ends["min"] < 0 or ends["max"] > day:
        raise SourceFailed(
            f"Column “{name}” holds a time that is not between 00:00:00 and 24:00:00.",
            hint="Leave such rows out, or export to Parquet or Arrow.",
        )
    return pc.fill_null(pc.equal(ticks, pa.scalar(day, ticks.type)), False)


def _ticks(column: pa.Array) -> pa.Array:
    return column.view(pa.int32() if column.type.bit_width == 32 else pa.int64())


def _times(column: pa.Array, name: str, losses: LossLedger) -> pa.Array:
    late = ends_of_day(column, name)
    kind, ticks = column.type, _ticks(column)
    if late is not None:
        ticks = pc.if_else(late, pa.scalar(0, ticks.type), ticks)
        column = ticks.view(kind)
    cells = pc.cast(column, pa.string())
    if late is not None:
        cells = pc.if_else(late, pc.binary_replace_slice(cells, 0, 2, "24"), cells)
        message = f"readers of times know none of {END_OF_DAY}"
        dropped = late.to_numpy(zero_copy_only=False)
        losses.add(Loss("type", name, count(losses, dropped), message, None, END_OF_DAY))
    if kind.unit in ("us", "ns", "ms") and len(column) > column.null_count:
        per = _PER_SECOND[kind.unit]
        seconds = pc.multiply(pc.divide(ticks, per), per)
        if pc.all(pc.equal(ticks, seconds)).as_py():
            cells = pc.utf8_slice_codeunits(cells, 0, 8)
    return cells


def _durations(column: pa.Array) -> pa.Array:
    """ISO 8601 durations in seconds: ``PT93784.5S``; pandas and DuckDB read them."""
    per = _PER_SECOND[column.type.unit]
    ticks = pc.fill_null(column.view(pa.int64()), 0).to_numpy(zero_copy_only=False)
    negative = ticks < 0
    # the lowest one has no positive fellow of 64 bits with a sign
    unsigned = ticks.astype(np.uint64)
    whole, part = np.divmod(np.where(negative, np.uint64(0) - unsigned, unsigned), np.uint64(per))
    heads = pc.take(pa.array(["PT", "-PT"]), pa.array(negative.astype(np.int8)))
    parts: list[Any] = [heads, pc.cast(pa.array(whole), pa.string())]
    if part.any():
        digits = pc.utf8_slice_codeunits(pc.cast(pa.array(part + np.uint64(per)), pa.string()), 1)
        # the point goes as well where nothing is behind it
        parts.append(pc.utf8_rtrim(pc.binary_join_element_wise(".", digits, ""), "0."))
    cells = pc.binary_join_element_wise(*parts, "S", "")
    return _nulls_of(column, cells)


def _timestamps(column: pa.Array, name: str, style: Style) -> pa.Array:
    """ISO 8601 / RFC 3339: a zone is kept as ``Z`` or as the offset of its wall clock."""
    kind = column.type
    unit = needed_unit(column, (style.units or {}).get(name, "s"))
    naive = column.view(pa.timestamp(kind.unit))
    offset: Any = None
    if kind.tz is not None:
        if kind.tz in _UTC:
            offset = "Z"
        else:
            minutes, naive = _wall_clock(column, naive)
            offset = _offsets(minutes, ":")
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
    if cells.null_count:
        present = pc.is_valid(cells).cast(pa.int8()).to_numpy(zero_copy_only=False)
    offsets = np.zeros(len(cells) + 1, np.int32)
    np.cumsum(present * np.int32(width + len(ending)), out=offsets[1:])
    return of_bytes(matrix.reshape(-1), offsets, cells)


def _wall_clock(column: pa.Array, naive: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return offsets from UTC in minutes and the wall clocks that go with them.

    Local mean times of before the zones (Paris: +00:09:21) are no whole minutes, and RFC 3339 has
    no seconds in an offset: the clock is then set to the whole minute, so that the instant stays.
    """
    per_minute = 60 * _PER_SECOND[column.type.unit]
    utc = naive.view(pa.int64())
    local = pc.local_timestamp(column).view(pa.int64())
    minutes = pc.divide(pc.subtract(local, utc), per_minute)
    clock = pc.add(utc, pc.multiply(minutes, per_minute)).view(naive.type)
    return minutes, clock


def _offsets(minutes: pa.Array, colon: str) -> pa.Array:
    """Return ``+05:30`` for 330."""
    few = pc.dictionary_encode(minutes)
    words = [
        f"{'-' if m < 0 else '+'}{abs(m) // 60:02d}{colon}{abs(m) % 60:02d}"
        for m in few.dictionary.drop_null().to_pylist()
    ]
    return pc.take(pa.array(words, pa.string()), few.indices)


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


# ------------------------------------------------------------------ chosen formats


def _formatted_dates(days: pa.Array, name: str, pattern: str, losses: LossLedger) -> pa.Array:
    numbers = _filled(days.view(pa.int32())).astype(np.int64)
    report = _Report(days, name, losses, pattern, "date_format", "%Y-%m-%d")
    report.days(numbers, pattern)
    (_, parts), *_rest = strftime.segments(pattern)
    return _nulls_of(days, strftime.day_cells(numbers, parts))


def _formatted_times(column: pa.Array, name: str, pattern: str, losses: LossLedger) -> pa.Array:
    per = _PER_SECOND[column.type.unit]
    if ends_of_day(column, name) is not None:
        raise SourceFailed(
            f"Column “{name}” holds {END_OF_DAY}, which a time_format cannot show.",
            hint="Leave such rows out, or the time_format.",
        )
    ticks = _filled(_ticks(column))
    seconds = ticks // per
    report = _Report(column, name, losses, pattern, "time_format", "%H:%M:%S.%f")
    finer = ticks - seconds * per
    report.clock(seconds, pattern)
    report.fractions(finer, pattern, per)
    return _nulls_of(column, _assembled(pattern, None, seconds, finer, per, {}))


def _formatted_timestamps(
    column: pa.Array, name: str, pattern: str, losses: LossLedger
) -> pa.Array:
    kind = column.type
    per = _PER_SECOND[kind.unit]
    letters = strftime.letters(pattern)
    naive = column.view(pa.timestamp(kind.unit))
    zones: dict[str, Any] = {"z": "", "Z": ""}
    report = _Report(column, name, losses, pattern, "timestamp_format", "%Y-%m-%d %H:%M:%S.%f")
    if kind.tz is not None:
        report.complete += "%z"
        if kind.tz in _UTC:
            zones = {"z": "+0000", "Z": "UTC"}
        else:
            minutes, naive = _wall_clock(column, naive)
            if "z" in letters:
                zones["z"] = _offsets(minutes, "")
            if "Z" in letters:
                zones["Z"] = pc.strftime(column, format="%Z")
        if "z" not in letters:
            # the abbreviation of %Z is no offset
            report.zone(str(kind.tz))
    ticks = naive.view(pa.int64())
    _check_years(ticks, per, name)
    numbers = _filled(ticks)
    seconds = numbers // per
    finer = numbers - seconds * per
    days = seconds // _DAY
    clock = seconds - days * _DAY
    report.days(days, pattern)
    report.clock(clock, pattern)
    report.fractions(finer, pattern, per)
    return _nulls_of(column, _assembled(pattern, days, clock, finer, per, zones))


def _assembled(
    pattern: str, days: Any, seconds: Any, finer: Any, per: int, zones: dict[str, Any]
) -> pa.Array:
    """Return the text of each value out of the words for its parts."""
    parts: list[Any] = []
    for part, tokens in strftime.segments(pattern):
        if part == "day":
            parts.append(strftime.day_cells(days, tokens))
        elif part == "clock":
            parts.append(strftime.clock_cells(seconds, tokens))
        else:
            for token in tokens:
                if isinstance(token, str):
                    parts.append(token)
                elif token.letter == "f":
                    micros = finer * (10**6 // per) if per < 10**9 else finer // 1000
                    parts += strftime.micro_cells(micros)
                else:
                    parts.append(zones[token.letter])
    if len(parts) == 1:
        return parts[0]
    if all(isinstance(part, str) for part in parts):
        # a zone alone, and there is none
        return pa.array(["".join(parts)] * len(seconds), pa.string())
    return pc.binary_join_element_wise(*parts, "")


class _Report:
    """Counts what a format drops of a column's values."""

    def __init__(
        self,
        column: pa.Array,
        name: str,
        losses: LossLedger,
        pattern: str,
        option: str,
        complete: str,
    ) -> None:
        self._column = column
        self._name = name
        self._losses = losses
        self._option = option
        self.complete = complete
        """A format that keeps all."""
        self._valid: Any = True
        if column.null_count:
            self._valid = pc.is_valid(column).to_numpy(zero_copy_only=False)
        zoned = pa.types.is_timestamp(column.type) and column.type.tz is not None
        if not strftime.readable(pattern, zoned=zoned):
            self._every("type", "no strptime reads the format back")

    def days(self, days: Any, pattern: str) -> None:
        kept = strftime.day_kept(pattern)
        if kept == "none":
            self._every("time_part", "the day cannot be told from the format")
        elif kept == "two digits":
            years = days.astype("M8[D]").astype("M8[Y]").astype(np.int64) + 1970
            self._add(
                "time_part", (years < 1969) | (years > 2068), "two digits of the year are kept"
            )

    def clock(self, seconds: Any, pattern: str) -> None:
        letters = strftime.letters(pattern)
        hours = strftime.hours_kept(pattern)
        if hours == "all" and {"M", "S"} <= letters:
            return
        hour, rest = np.divmod(seconds, 3600)
        minute, second = np.divmod(rest, 60)
        dropped = np.zeros(len(seconds), np.bool_)
        if hours != "all":
            dropped |= hour >= (12 if hours == "twelve" else 1)
        if "M" not in letters:
            dropped |= minute > 0
        if "S" not in letters:
            dropped |= second > 0
        self._add("time_part", dropped, "a part of the time of day is left out")

    def fractions(self, finer: Any, pattern: str, per: int) -> None:
        if per == 1 or ("f" in strftime.letters(pattern) and per <= 10**6):
            return
        if "f" in strftime.letters(pattern):
            dropped, message = finer % 1000 != 0, "nanoseconds are left out"
            self._add("time_precision", dropped, message)
        else:
            self._add("time_precision", finer != 0, "fractions of a second are left out")

    def zone(self, zone: str) -> None:
        self._every("time_zone", f"the clock of {zone} is written without its offset")

    def _every(self, kind: str, message: str) -> None:
        self._add(kind, np.ones(len(self._column), np.bool_), message)

    def _add(self, kind: str, dropped: Any, message: str) -> None:
        dropped = dropped & self._valid
        cells = count(self._losses, dropped)
        if cells:
            first = self._column.slice(int(np.argmax(dropped)), 1)
            option = f"{self._option}={self.complete}"
            if kind == "time_precision" and "nanoseconds" in message:
                option = f"{self._option}=null"
            shown = example(pc.cast(first, pa.string())[0].as_py())
            self._losses.add(Loss(kind, self._name, cells, message, option, shown))


def _filled(numbers: pa.Array) -> Any:
    filled = pc.fill_null(numbers, 0) if numbers.null_count else numbers
    return filled.to_numpy(zero_copy_only=False)


def _nulls_of(column: pa.Array, cells: pa.Array) -> pa.Array:
    if column.null_count == 0:
        return cells
    return pc.if_else(pc.is_valid(column), cells, pa.scalar(None, pa.string()))
