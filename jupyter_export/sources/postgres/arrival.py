"""How the values of one type arrive: what the server casts, what comes, what becomes of it.

ADBC reads COPY's binary form and is exact for some types only. Measured with every type against
PostgreSQL's own text: it gives ``inet``, ranges, geometry, ``bit`` and whatever it does not know
as the raw bytes, ``money`` without its point, ``oid`` as a signed number; it flattens arrays of
several dimensions; infinite dates overflow. So the server casts what it would get wrong, and what
only a value can tell is looked for in every batch. ``numeric`` is cast to text as well: 1,000,000
of them are read in 0.19 s and made decimals in 0.03 s, where the driver's own conversion from the
binary form takes 0.51 s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from . import decimals
from .misfit import Misfit
from .readers import BINARY_NUMERIC
from .types import PgType, Types, numeric_digits

Finish = Callable[[pa.Array], pa.Array]
"""Values as they came -> values of the final type. Raises ``Misfit``."""

FIRST_DAY = -2_440_588
"""4714-11-24 BC in days from 1970, PostgreSQL's first one. What lies below is one of the
infinities, or a year beyond 294246: both wrap round in the driver's sum."""
FIRST_MOMENT = FIRST_DAY * 86_400_000_000
_DAY = 86_400_000_000
_MOST_DAYS = 2**63 // _DAY - 110_000
"""Days whose microseconds fit 64 bits, together with the most hours that nanoseconds count."""


@dataclass(frozen=True)
class Arrival:
    """How the values of a column arrive."""

    type: pa.DataType
    """What they are in the end."""
    wire: pa.DataType
    """What the reader hands over; extension types are unwrapped."""
    casts: tuple[str, ...] = ()
    """Types that the server casts to, or functions (“f()”) that it calls, one after the other."""
    finish: Finish | None = None
    """None: what comes is what is wanted."""
    lost: str | None = None
    """What is said of a type that becomes text and is none by nature."""
    unscaled: bool = False
    """A numeric without a scale: the first rows decide."""
    dimensions: int = 0
    """Of an array; 1 is checked, and 0 is for those that have one by their type."""
    elements: Arrival | None = None
    fields: tuple[Arrival, ...] = ()


@dataclass(frozen=True)
class Learnt:
    """What only its values told of a column."""

    decimal: pa.DataType | None = None
    """What holds a numeric without a scale."""
    dimensions: int = 1
    """Of every array."""
    text: str | None = None
    """Why it is read as text, as the end of a sentence: “has infinity”."""
    elements: bool = False
    """It is the elements of an array that are read as text."""


def as_text(shown: str, why: str | None = None) -> Arrival:
    """Return the arrival as the database's own text; ``shown`` names the type in the loss."""
    because = f": it {why}" if why else ""
    lost = f"PostgreSQL's {shown} is written as text{because}"
    return Arrival(pa.string(), pa.string(), ("text",), lost=lost)


def arrival_of(
    types: Types,
    oid: int,
    modifier: int,
    fraction: Callable[[], int],
    learnt: Learnt = Learnt(),
) -> Arrival:
    """Return how values of a type arrive. ``fraction`` tells the digits behind money's point."""
    found, modifier = types.plain(oid, modifier)
    if learnt.text is not None and not (found.element and learnt.elements):
        return as_text(found.shown, learnt.text)
    if found.element:
        element = arrival_of(
            types, found.element, modifier, fraction, replace(learnt, dimensions=1)
        )
        return _array(found, element, learnt.dimensions)
    if found.kind == "e":
        return Arrival(pa.string(), pa.string())
    if found.kind == "c":
        return _composite(
            found,
            {
                name: _uncast(arrival_of(types, part, inner, fraction))
                for name, part, inner in found.fields
            },
        )
    if found.name == "numeric":
        return numeric(numeric_digits(modifier), learnt.decimal)
    if found.name == "money":
        return replace(
            numeric(None, pa.decimal128(19, fraction())), casts=("numeric", "text"), unscaled=False
        )
    if found.name == "inet":
        return replace(as_text("inet"), casts=_INET)
    known = _KNOWN.get(found.name)
    return known if known is not None else as_text(found.shown)


def numeric(digits: tuple[int, int] | None, decided: pa.DataType | None = None) -> Arrival:
    """Return how a numeric arrives: of ``digits`` (precision, scale), or of the ``decided`` type,
    or of one that the first rows decide."""
    declared = digits is not None
    if digits is not None:
        precision, scale = digits
        if scale < 0:
            precision, scale = precision - scale, 0
        decided = decimals.type_of(max(precision, scale), scale)
        if decided is None:
            return as_text("numeric", f"has {max(precision, scale)} digits, more than 76")
    unscaled = decided is None
    kind = decimals.UNDECIDED if decided is None else decided
    return Arrival(
        kind,
        pa.string(),
        ("text",),
        finish=lambda texts: decimals.parse(texts, kind, declared=declared),
        unscaled=unscaled,
    )


# ------------------------------------------------------------------ scalars


def _dates(days: pa.Array) -> pa.Array:
    _no_wrap(days.view(pa.int32()), FIRST_DAY, "infinity")
    return days


def _moments(moments: pa.Array) -> pa.Array:
    _no_wrap(moments.view(pa.int64()), FIRST_MOMENT, "infinity or a year beyond 294246")
    return moments


def _no_wrap(ticks: pa.Array, first: int, what: str) -> None:
    least = pc.min(ticks).as_py()
    if least is not None and least < first:
        raise Misfit(f"has {what}")


def _clock(times: pa.Array) -> pa.Array:
    latest = pc.max(times.view(pa.int64())).as_py()
    if latest is not None and latest >= _DAY:
        raise Misfit("has 24:00:00")
    return times


_MONTH_DAY_NANO = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanoseconds", "<i8")])


def _durations(intervals: pa.Array) -> pa.Array:
    """Return intervals as durations: a day is 24 hours, as PostgreSQL compares them. A month has
    no such length, and is no duration."""
    raw = intervals.buffers()[1]
    parts = np.frombuffer(raw, _MONTH_DAY_NANO, len(intervals), intervals.offset * 16)
    valid = None
    if intervals.null_count:
        valid = pc.is_valid(intervals).to_numpy(zero_copy_only=False)
        parts = parts[valid]
    if parts["months"].any():
        raise Misfit("has months")
    if len(parts) and max(parts["days"].max(), -int(parts["days"].min())) > _MOST_DAYS:
        raise Misfit("has more days than microseconds can count")
    ticks = parts["days"].astype(np.int64) * _DAY + parts["nanoseconds"] // 1000
    if valid is not None:
        filled = np.zeros(len(intervals), np.int64)
        filled[valid] = ticks
        ticks = filled
        return pa.array(ticks, mask=~valid).view(pa.duration("us"))
    return pa.array(ticks).view(pa.duration("us"))


def _uuids(values: pa.Array) -> pa.Array:
    """Only those inside a composite come as bytes; the server writes the others."""
    found = [None if each is None else each.hex() for each in values.to_pylist()]
    return pa.array(
        [h and f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}" for h in found], pa.string()
    )


def _plain(kind: pa.DataType, *casts: str, finish: Finish | None = None) -> Arrival:
    return Arrival(kind, kind, casts, finish)


_INET = ("inet_out()", "textin()")
"""A cast to text would show the mask of a single address, which the type's own text has not."""
_UUID = Arrival(pa.string(), pa.string(), ("text",))
_TEXT = Arrival(pa.string(), pa.string(), ("text",))
_KNOWN: dict[str, Arrival] = {
    "bool": _plain(pa.bool_()),
    "int2": _plain(pa.int16()),
    "int4": _plain(pa.int32()),
    "int8": _plain(pa.int64()),
    "float4": _plain(pa.float32()),
    "float8": _plain(pa.float64()),
    "oid": _plain(pa.int64(), "int8"),
    "xid": _plain(pa.int64(), "text", "int8"),
    "cid": _plain(pa.int64(), "text", "int8"),
    "text": _plain(pa.string()),
    "varchar": _plain(pa.string()),
    "bpchar": _plain(pa.string()),
    "name": _plain(pa.string()),
    "json": _plain(pa.string()),
    "bytea": _plain(pa.binary()),
    "date": _plain(pa.date32(), finish=_dates),
    "timestamp": _plain(pa.timestamp("us"), finish=_moments),
    "timestamptz": _plain(pa.timestamp("us", "UTC"), finish=_moments),
    "time": _plain(pa.time64("us"), finish=_clock),
    "interval": Arrival(pa.duration("us"), pa.month_day_nano_interval(), finish=_durations),
    # texts by nature: nothing is lost
    "char": _TEXT,
    '"char"': _TEXT,
    "citext": _TEXT,
    "jsonb": _TEXT,
    "uuid": _UUID,
    "xml": _TEXT,
    "unknown": _TEXT,
    "cstring": _TEXT,
    "refcursor": _TEXT,
}
# ------------------------------------------------------------------ arrays and composites


def _array(found: PgType, element: Arrival, dimensions: int = 1) -> Arrival:
    """A list of what its elements become; arrays of other dimensions are found out by a value."""
    if element.elements is not None or any(part.elements for part in element.fields):
        # a domain over an array, or composites with arrays: their dimensions cannot be asked for
        return as_text(found.shown)
    casts = tuple(f"{cast}[]" for cast in element.casts)
    if element.casts[:1] == _INET[:1]:
        # the elements of an array's text have the form that is wanted
        casts = ("text", "text[]")
    if found.name in ("int2vector", "oidvector"):
        # one dimension, counted from 0
        casts, dimensions = (f"{found.name.removesuffix('vector')}[]", *casts), 0
    kind = element.type
    for _ in range(max(dimensions, 1)):
        kind = pa.list_(kind)
    return Arrival(
        kind,
        pa.list_(element.wire),
        casts,
        finish=_lists(element),
        lost=element.lost and element.lost.replace(" is written", " (in a list) is written"),
        unscaled=element.unscaled,
        dimensions=dimensions,
        elements=element,
    )


def _lists(element: Arrival) -> Finish | None:
    finish = element.finish
    if finish is None:
        return None

    def lists(values: pa.Array) -> pa.Array:
        # without what lies outside of this batch's own offsets
        offsets = values.offsets.to_numpy()
        inner = finish(values.values.slice(offsets[0], offsets[-1] - offsets[0]))
        moved = pa.array(offsets - offsets[0], pa.int32())
        mask = pc.is_null(values) if values.null_count else None
        return pa.ListArray.from_arrays(moved, inner, mask=mask)

    return lists


def _composite(found: PgType, parts: Mapping[str, Arrival | None]) -> Arrival:
    """A struct where every field comes exactly as it is: nothing inside can be cast."""
    fields = [part for part in parts.values() if part is not None]
    if len(fields) < len(parts) or not parts or len(set(parts)) < len(found.fields):
        return as_text(found.shown)
    names = list(parts)
    kind = pa.struct([pa.field(n, part.type) for n, part in zip(names, fields, strict=True)])

    def structs(values: pa.Array) -> pa.Array:
        made = [
            part.finish(inner) if part.finish else inner
            # flattened: what is null as a whole is null in its fields
            for part, inner in zip(fields, values.flatten(), strict=True)
        ]
        mask = pc.is_null(values) if values.null_count else None
        return pa.StructArray.from_arrays(made, fields=list(kind), mask=mask)

    wire = pa.struct([pa.field(n, part.wire) for n, part in zip(names, fields, strict=True)])
    return Arrival(kind, wire, finish=structs, fields=tuple(fields))


def _uncast(part: Arrival) -> Arrival | None:
    """Return how a field of a composite arrives, or None where it would have to be cast."""
    if part.elements is not None:
        # nobody would see a second dimension
        return None
    if not part.casts or part is _UUID:
        return part if part is not _UUID else replace(_UUID, wire=pa.binary(16), finish=_uuids)
    if pa.types.is_decimal(part.type) and part.casts == ("text",):
        return replace(part, wire=BINARY_NUMERIC)
    return None
