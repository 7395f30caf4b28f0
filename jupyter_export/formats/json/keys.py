"""Keys of relations as texts that are equal where the values are."""

from __future__ import annotations

from decimal import Context, Decimal

import pyarrow as pa
import pyarrow.compute as pc

from ...errors import InvalidSpec, SourceFailed
from ...losses import example
from ...registry import LossLedger
from ...spec import Link
from .. import cells
from ..moments import PER_SECOND

_FAMILIES = {
    "texts": (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
    "integers": (pa.types.is_integer,),
    "booleans": (pa.types.is_boolean,),
    "floats": (pa.types.is_floating,),
    "decimals": (pa.types.is_decimal,),
    "dates": (pa.types.is_date,),
    "times": (pa.types.is_time,),
    "bytes": (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary),
}


_EXACT = Context(prec=100)
"""More digits than any decimal of Arrow has, so that nothing is rounded."""


def family(kind: pa.DataType) -> str | None:
    """Return the family of types within which values can be equal, or None: no key at all."""
    if isinstance(kind, pa.BaseExtensionType):
        return family(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return family(kind.value_type)
    if pa.types.is_null(kind):
        return "nulls"
    if pa.types.is_timestamp(kind):
        return "timestamps with a time zone" if kind.tz else "timestamps without a time zone"
    for name, tests in _FAMILIES.items():
        if any(test(kind) for test in tests):
            return name
    return None


def check_types(link: Link, child: pa.DataType, parent: pa.DataType) -> None:
    """Raise ``InvalidSpec`` where values of these types can never be the same key."""
    ends = [
        (f"{link.child}.{link.child_column}", child, family(child)),
        (f"{link.parent}.{link.parent_column}", parent, family(parent)),
    ]
    for name, kind, found in ends:
        if found is None:
            raise InvalidSpec(
                f"The relation “{link.name}” joins by “{name}”, whose type {kind} cannot be a key.",
                hint="Join by texts, integers or dates.",
                field="relations",
            )
    (left, child, one), (right, parent, other) = ends
    if one != other and "nulls" not in (one, other):
        raise InvalidSpec(
            f"The relation “{link.name}” joins {one} to {other}: “{left}” is {child}, “{right}” "
            f"is {parent}.",
            hint="Convert one of them first, so that equal keys are equal values.",
            field="relations",
        )


def canonical(column: pa.Array, name: str) -> pa.StringArray:
    """Return texts that are equal exactly where values of one family are; nulls stay null."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return canonical(column.storage, name)
    if pa.types.is_dictionary(kind):
        return canonical(column.dictionary_decode(), name)
    if pa.types.is_floating(kind):
        # -0.0 is 0.0, and a NaN is no key
        numbers = pc.add(pc.cast(column, pa.float64()), 0.0)
        numbers = pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)
        return pc.cast(numbers, pa.string())
    if pa.types.is_decimal(kind):
        texts = [None if v is None else str(_shortest(v)) for v in column.to_pylist()]
        return pa.array(texts, pa.string())
    if pa.types.is_timestamp(kind):
        return _instants(column.view(pa.int64()), PER_SECOND[kind.unit])
    if pa.types.is_time(kind):
        width = pa.int32() if kind.bit_width == 32 else pa.int64()
        return _instants(pc.cast(column.view(width), pa.int64()), PER_SECOND[kind.unit])
    if pa.types.is_date(kind):
        return pc.cast(pc.cast(column, pa.date32()).view(pa.int32()), pa.string())
    # what is lost of bytes is told where they are written
    return cells.text(column, name, cells.Style(), LossLedger())


def _shortest(value: Decimal) -> Decimal:
    value = value.normalize(_EXACT)
    return value if value else Decimal(0)


def _instants(ticks: pa.Array, per_second: int) -> pa.StringArray:
    """Nanoseconds would overflow: seconds and, apart from them, the rest in nanoseconds."""
    seconds = pc.divide(ticks, per_second)
    rest = pc.multiply(pc.subtract(ticks, pc.multiply(seconds, per_second)), 10**9 // per_second)
    return pc.binary_join_element_wise(
        pc.cast(seconds, pa.string()), pc.cast(rest, pa.string()), ":"
    )


def repeated(link: Link, value: str) -> SourceFailed:
    """Return the error for a key that two rows of the parent have."""
    return SourceFailed(
        f"“{link.parent}.{link.parent_column}” holds “{example(value)}” more than once, so that "
        f"rows of “{link.child}” belong to more than one row.",
        hint="Leave the repeated rows out, or use structure=normalized.",
    )
