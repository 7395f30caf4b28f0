"""Columns that stand in the names of folders, as Hive, Spark and our own exports write them.

``year=2024/month=01``: names and values are percent-encoded, ``__HIVE_DEFAULT_PARTITION__`` is a
null. A column gets a type only where that type writes every value just as its folder does: 01 stays
a text, since the number 1 would be another folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

NULL = "__HIVE_DEFAULT_PARTITION__"
_DECIMAL = re.compile(r"-?(0|[1-9]\d*)\.(\d+)")


def values_of(below: Sequence[str]) -> dict[str, str | None]:
    """Return column -> value for the folders above a file; others than ``name=value`` tell
    nothing."""
    found: dict[str, str | None] = {}
    for folder in below:
        name, equals, value = folder.partition("=")
        if equals and name:
            found[unquote(name)] = None if value == NULL else unquote(value)
    return found


def column_of(values: Iterable[str | None]) -> pa.Array:
    """Return the distinct values, typed; the value of a file is found by its place."""
    texts = pa.array(list(values), pa.string())
    if texts.null_count == len(texts):
        return texts
    for kind in _candidates(texts):
        typed = _typed(texts, kind)
        if typed is not None:
            return typed
    return texts


def _candidates(texts: pa.Array) -> Iterable[pa.DataType]:
    yield from (pa.int64(), pa.uint64(), pa.bool_(), pa.date32())
    for unit in ("s", "ms", "us", "ns"):
        yield from (pa.timestamp(unit), pa.timestamp(unit, "UTC"))
    yield from (pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"))
    found = [_DECIMAL.fullmatch(text) for text in texts.drop_null().to_pylist()]
    scales = {len(match[2]) for match in found if match}
    digits = max((len(match[1]) + len(match[2]) for match in found if match), default=0)
    if len(scales) == 1 and digits <= 38:
        yield pa.decimal128(38, scales.pop())


def _typed(texts: pa.Array, kind: pa.DataType) -> pa.Array | None:
    try:
        if pa.types.is_time(kind):
            moments = pc.binary_join_element_wise("1970-01-01 ", texts, "")
            typed = pc.cast(pc.cast(moments, pa.timestamp(kind.unit)), kind)
        else:
            typed = pc.cast(texts, kind)
        same = pc.cast(typed, pa.string()).equals(texts)
    except pa.ArrowException:
        return None
    return typed if same else None
