"""How moments, times of day, durations and intervals travel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...errors import QueryFailed
from .base import Form, Use, Viewed, validity


def moment(kind: pa.DataType, use: Use) -> Form:
    """Return how a type of time travels."""
    if pa.types.is_timestamp(kind):
        if kind.unit == "ns" and use is Use.JUDGED:
            return _Zoned(kind, pa.timestamp("ns", kind.tz and "UTC"))
        if use >= Use.BUCKETED and (kind.tz is not None or kind.unit == "ns"):
            # functions of time know microseconds
            return _Coarser(kind, pa.timestamp("us", kind.tz and "UTC"), floor=use is Use.BUCKETED)
        return Viewed(kind, pa.timestamp(kind.unit))
    if pa.types.is_date64(kind):
        return Form(kind, pa.date32()) if use >= Use.BUCKETED else Viewed(kind, pa.int64())
    if pa.types.is_time(kind):
        if kind.unit == "ns" and use >= Use.BUCKETED and use is not Use.JUDGED:
            return _Coarser(kind, pa.time64("us"), floor=use is Use.BUCKETED)
        return Form(kind, kind if kind.unit == "ns" else pa.time64("us"))
    if pa.types.is_duration(kind):
        return _Duration(kind) if use >= Use.BUCKETED else Viewed(kind, pa.int64())
    if pa.types.is_interval(kind):
        return _Interval(kind) if use >= Use.COMPARED else _IntervalParts(kind)
    return Form(kind)


class _Zoned(Form):
    """Moments as they are; the engine knows no zone but UTC, and a statement is told the own."""

    def __init__(self, kind: pa.DataType, seen: pa.DataType) -> None:
        super().__init__(kind, seen)

    @property
    def told(self) -> pa.DataType:
        return _with_zone(self.seen, self.kind)

    def there(self, array: pa.Array) -> pa.Array:
        return array.view(self.seen)


def _with_zone(seen: pa.DataType, kind: pa.DataType) -> pa.DataType:
    if not pa.types.is_timestamp(seen) or kind.tz is None:
        return seen
    return pa.timestamp(seen.unit, kind.tz)


class _Coarser(_Zoned):
    """Moments in microseconds; finer digits go only where ``floor`` says so."""

    def __init__(self, kind: pa.DataType, seen: pa.DataType, *, floor: bool) -> None:
        super().__init__(kind, seen)
        self._floor = floor

    def there(self, array: pa.Array) -> pa.Array:
        zoned = pa.types.is_timestamp(self.seen) and self.seen.tz is not None
        if zoned:
            array = array.view(pa.timestamp(self.kind.unit, self.seen.tz))
        if self._floor and self.kind.unit == "ns":
            ticks = array.view(pa.int64())
            # rounded down also before 1970: the whole microseconds of what is left without a rest
            rest = pc.subtract(ticks, pc.multiply(pc.divide(ticks, 1000), 1000))
            down = pc.if_else(pc.less(rest, 0), pc.add(rest, 1000), rest)
            array = pc.divide(pc.subtract(ticks, down), 1000)
            return array.view(self.seen)
        try:
            return pc.cast(array, self.seen)
        except pa.ArrowInvalid:
            raise QueryFailed(
                "holds moments that microseconds do not hold exactly, and expressions know no "
                "finer ones"
            ) from None

    def back(self, array: pa.Array) -> pa.Array:
        return pc.cast(array, self.kind)


class _Duration(Form):
    """An interval of the engine, whose answer is in nanoseconds."""

    def __init__(self, kind: pa.DataType) -> None:
        super().__init__(kind, pa.duration("us"))

    def there(self, array: pa.Array) -> pa.Array:
        try:
            # what has no nanoseconds in 64 bits, the engine would not give back
            pc.cast(array, pa.duration("ns"))
            return pc.cast(array, self.seen)
        except pa.ArrowInvalid:
            raise QueryFailed(
                "holds durations that an expression does not hold exactly: they must be whole "
                "microseconds of less than 292 years"
            ) from None

    def back(self, array: pa.Array) -> pa.Array:
        months, days, nanoseconds = _interval_parts(array)
        if np.any(months):
            raise QueryFailed("has a length in months now, which is no duration")
        total = days.astype(np.int64) * (86_400 * 10**9) + nanoseconds
        made = pa.Array.from_buffers(pa.int64(), len(array), [validity(array), pa.py_buffer(total)])
        return pc.cast(made.view(pa.duration("ns")), self.kind)


class _Interval(Form):
    """An interval of the engine: months, days, microseconds."""

    def there(self, array: pa.Array) -> pa.Array:
        if np.any(_interval_parts(array)[2] % 1000):
            raise QueryFailed("holds intervals with nanoseconds, and queries know microseconds")
        return array


_PARTS = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanoseconds", "<i8")])


def _interval_parts(array: pa.Array) -> tuple[Any, Any, Any]:
    """Return months, days, nanoseconds; zero where the value is null."""
    parts = np.frombuffer(array.buffers()[1] or b"", _PARTS)
    parts = parts[array.offset : array.offset + len(array)]
    valid = np.asarray(pc.is_valid(array))
    return tuple(np.where(valid, parts[name], 0) for name in _PARTS.names or ())  # type: ignore[return-value]


class _IntervalParts(Form):
    """The parts of an interval by themselves, each exact."""

    def __init__(self, kind: pa.DataType) -> None:
        fields = [("months", pa.int32()), ("days", pa.int32()), ("nanoseconds", pa.int64())]
        super().__init__(kind, pa.struct(fields))

    def there(self, array: pa.Array) -> pa.Array:
        children = [pa.array(part) for part in _interval_parts(array)]
        return pa.StructArray.from_arrays(children, fields=list(self.seen), mask=pc.is_null(array))

    def back(self, array: pa.Array) -> pa.Array:
        parts = np.zeros(len(array), _PARTS)
        for i, name in enumerate(_PARTS.names or ()):
            parts[name] = pc.fill_null(array.field(i), 0).to_numpy(zero_copy_only=False)
        return pa.Array.from_buffers(self.kind, len(array), [validity(array), pa.py_buffer(parts)])


class Elapsed(Form):
    """An interval that an expression has made, as the time that it is: a day has 24 hours, as in
    PostgreSQL's own comparison of intervals. No file format has Arrow's three numbers."""

    _PARTS = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanoseconds", "<i8")])

    def __init__(self) -> None:
        super().__init__(pa.duration("us"))

    def back(self, array: pa.Array) -> pa.Array:
        _, values = array.buffers()
        parts = np.frombuffer(values, self._PARTS, count=array.offset + len(array))[array.offset :]
        known = pc.is_valid(array).to_numpy(zero_copy_only=False)
        if (parts["months"][known] != 0).any():
            raise QueryFailed("has months, whose length nobody knows")
        microseconds = parts["days"].astype("i8") * 86_400_000_000 + parts["nanoseconds"] // 1000
        return pa.array(microseconds, pa.int64(), mask=~known).view(self.kind)
