"""Groups of rows with the same values, their subtotals, and the totals of all rows.

Aggregates come from Arrow, for whole stretches of rows at a time, and are put together exactly:
integers and decimals as such, floats as doubles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Context, localcontext
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...errors import InvalidSpec
from ...registry import LossLedger

Total: TypeAlias = "tuple[Any, int]"
"""(value so far or None, values that it is of)."""
Key: TypeAlias = "tuple[str | None, ...]"

_WIDE = pa.decimal128(38, 0)
_EXACT = 2**62
_WIDEST = 76
"""Digits of Arrow's widest decimal."""
_ROUNDED = 10
"""Digits behind the point of a mean, and of a sum of doubles, that are shown at most."""


@dataclass(frozen=True)
class Stretches:
    """Where groups begin in a batch: ``starts[0]`` is 0, which may go on with the group before."""

    starts: np.ndarray[Any, np.dtype[np.int64]]
    keys: list[Key]
    totals: list[list[Total]]
    """For each stretch, for each wanted aggregate."""


@dataclass(frozen=True)
class Wanted:
    """An aggregate of a column."""

    index: int
    name: str
    function: str
    kind: pa.DataType


def wanted(
    schema: pa.Schema, given: Mapping[str, str], option: str, hidden: Sequence[str]
) -> list[Wanted]:
    """Return the aggregates that an option asks of a table. Raises ``InvalidSpec``."""
    out = []
    for i, (name, kind) in enumerate(zip(schema.names, schema.types, strict=True)):
        function = given.get(name)
        if function is None:
            continue
        if name in hidden:
            raise InvalidSpec(
                f"“{name}” is a column of group_by, which is a heading and has no total.",
                hint="Count or add up another column.",
                field=f"format.{option}",
            )
        if isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        check(kind, function, name, option)
        out.append(Wanted(i, name, function, kind))
    return out


def check(kind: pa.DataType, function: str, name: str, option: str) -> None:
    """Raise ``InvalidSpec`` for a function that has no meaning for a type."""
    numeric = _is_number(kind)
    if function in ("sum", "avg") and not (numeric or pa.types.is_duration(kind)):
        raise InvalidSpec(
            f"“{name}” ({kind}) holds no numbers, so it has no {function}.",
            hint="Use count, min or max, or another column.",
            field=f"format.{option}",
        )
    ordered = numeric or pa.types.is_temporal(kind) or pa.types.is_boolean(kind) or _is_text(kind)
    if function in ("min", "max") and (not ordered or pa.types.is_interval(kind)):
        raise InvalidSpec(
            f"“{name}” ({kind}) has no order, so it has no {function}.",
            hint="Use count, or another column.",
            field=f"format.{option}",
        )


# ------------------------------------------------------------------ a batch


def stretches(
    batch: pa.RecordBatch, keys: Sequence[pa.Array], totals: Sequence[Wanted]
) -> Stretches:
    """Cut a batch where a key changes; ``keys`` are the texts of the group columns."""
    n = batch.num_rows
    changed = np.zeros(n, np.bool_)
    changed[:1] = True
    for key in keys:
        missing = pc.is_null(key)
        filled = pc.fill_null(key, "")
        differs = pc.or_(
            pc.not_equal(filled[1:], filled[:-1]), pc.not_equal(missing[1:], missing[:-1])
        )
        changed[1:] |= differs.to_numpy(zero_copy_only=False)
    starts = np.flatnonzero(changed)
    at = pa.array(starts)
    texts = [pc.take(key, at).to_pylist() for key in keys]
    said: list[Key] = list(zip(*texts, strict=True)) if texts else [()] * len(starts)
    columns = [_totals(batch, starts, each) for each in totals]
    by_stretch = [list(row) for row in zip(*columns, strict=True)] or [[] for _ in starts]
    return Stretches(starts, said, by_stretch)


def _totals(batch: pa.RecordBatch, starts: np.ndarray[Any, Any], of: Wanted) -> list[Total]:
    column = batch.column(of.index)
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    ids = np.zeros(len(column), np.int64)
    ids[starts[1:]] = 1
    ids = np.cumsum(ids)
    values = totalled(column, of.function)
    grouped = pa.table({"id": pa.array(ids), "value": values}).group_by("id", use_threads=False)
    if of.function == "count":
        counts = grouped.aggregate([("value", "count")]).sort_by("id")["value_count"].to_pylist()
        return [(count, count) for count in counts]
    kernel = "sum" if of.function == "avg" else of.function
    found = grouped.aggregate([("value", kernel), ("value", "count")]).sort_by("id")
    return list(
        zip(found[f"value_{kernel}"].to_pylist(), found["value_count"].to_pylist(), strict=True)
    )


def countable(column: pa.Array) -> pa.Array:
    """Return the values in a type that Arrow's aggregations and dictionaries know."""
    kind = column.type
    if pa.types.is_decimal32(kind) or pa.types.is_decimal64(kind):
        return pc.cast(column, pa.decimal128(38, kind.scale))
    if pa.types.is_string_view(kind):
        return pc.cast(column, pa.string())
    return pc.cast(column, pa.binary()) if pa.types.is_binary_view(kind) else column


def totalled(column: pa.Array, function: str) -> pa.Array:
    """Return the values in the type that they are added up or compared in, without overflow."""
    kind = column.type
    if function == "count":
        return pc.if_else(pc.is_valid(column), True, None)
    if pa.types.is_boolean(kind):
        return pc.cast(column, pa.int64())
    if pa.types.is_temporal(kind):
        # compared as numbers of their unit; and days would become Python's dates
        return column.view(pa.int32() if kind.bit_width == 32 else pa.int64()).cast(pa.int64())
    if pa.types.is_float16(kind):
        return pc.cast(column, pa.float64())
    if pa.types.is_floating(kind):
        return pc.cast(column, pa.float64())
    if pa.types.is_integer(kind) and function in ("sum", "avg"):
        ends = pc.min_max(column).as_py()
        largest = max(abs(ends["min"] or 0), abs(ends["max"] or 0))
        return pc.cast(column, _WIDE if largest * len(column) >= _EXACT else pa.int64())
    if pa.types.is_decimal(kind) and function in ("sum", "avg"):
        wide = pa.decimal256(76, kind.scale)
        return pc.cast(column, wide)
    return countable(column)


def merged(function: str, one: Total, other: Total) -> Total:
    """Return the total of two stretches together."""
    (a, some), (b, more) = one, other
    if a is None or b is None:
        return (b if a is None else a), some + more
    if function == "min":
        return min(a, b), some + more
    if function == "max":
        return max(a, b), some + more
    return a + b, some + more


# ------------------------------------------------------------------ what is shown


def said(
    totals: Sequence[Total],
    of: Wanted,
    text: Callable[[pa.Array, str, LossLedger], pa.Array],
    null: str,
) -> list[str]:
    """Return totals of a column as texts, in its number format."""
    if of.function == "count":
        return [f"{count:,}" for _, count in totals]
    values, kind = _shown([value for value, _ in totals], [n for _, n in totals], of)
    # a total is no value of the data, so nothing of it is lost
    cells = text(
        pa.array(values, kind) if isinstance(values, list) else values, of.name, LossLedger()
    )
    filled: list[str] = pc.fill_null(cells, null).to_pylist()
    return filled


def _shown(values: list[Any], counts: list[int], of: Wanted) -> tuple[Any, pa.DataType]:
    """Return what is written of totals, and its type: a list, or a finished array."""
    kind = of.kind
    if of.function == "avg":
        return _means(values, counts, kind)
    if pa.types.is_temporal(kind):
        storage = pa.int32() if kind.bit_width == 32 else pa.int64()
        return pa.array(values, storage).view(kind), kind
    if pa.types.is_floating(kind):
        return [None if v is None else round(float(v), _ROUNDED) for v in values], pa.float64()
    if pa.types.is_boolean(kind) and of.function != "sum":
        return [None if v is None else bool(v) for v in values], kind
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        whole = [None if v is None else int(v) for v in values]
        narrow = all(v is None or abs(v) < 2**63 for v in whole)
        return whole, pa.int64() if narrow else pa.decimal128(38, 0)
    if pa.types.is_decimal(kind):
        return values, pa.decimal256(76, kind.scale)
    return values, pa.string()


def _means(values: list[Any], counts: list[int], kind: pa.DataType) -> tuple[Any, pa.DataType]:
    pairs = list(zip(values, counts, strict=True))
    if pa.types.is_duration(kind):
        ticks = [None if v is None else int(v) // n for v, n in pairs]
        return pa.array(ticks, pa.int64()).view(kind), kind
    if pa.types.is_decimal(kind):
        with localcontext(Context(prec=2 * _WIDEST)):
            exact = [None if v is None else v / n for v, n in pairs]
            digits = max((v.adjusted() + 1 for v in exact if v), default=0)
            scale = min(kind.scale + 4, 10, _WIDEST - digits)
            means = [None if v is None else round(v, scale) for v in exact]
        return means, pa.decimal256(76, scale)
    return [None if v is None else _rounded(float(v) / n) for v, n in pairs], pa.float64()


def _rounded(mean: float) -> float:
    """Return a mean with six digits, as its numbers rarely deserve more."""
    return float(f"{mean:.6g}") if abs(mean) < 1e6 else round(mean, 2)


# ------------------------------------------------------------------ open groups


@dataclass
class Open:
    """A group that goes on."""

    text: str | None
    totals: list[Total]
    rows: int = 0


@dataclass
class Groups:
    """The groups that are open, outermost first, and the totals of all rows."""

    names: Sequence[str]
    functions: Sequence[str]
    open: list[Open] = field(default_factory=list)

    def changed(self, key: Key) -> int:
        """Return the outermost level at which ``key`` is another group than the open one."""
        for level, text in enumerate(key):
            if level >= len(self.open) or self.open[level].text != text:
                return level
        return len(key)

    def begin(self, key: Key) -> Iterator[tuple[int, str | None]]:
        """Open the levels that are missing; yields (level, text)."""
        for level in range(len(self.open), len(key)):
            self.open.append(Open(key[level], []))
            yield level, key[level]

    def end(self, level: int) -> Iterator[tuple[int, Open]]:
        """Close groups down to ``level``, innermost first; yields (level, group)."""
        while len(self.open) > level:
            closed = self.open.pop()
            if self.open:
                self._add(self.open[-1], closed.totals, closed.rows)
            yield len(self.open), closed

    def add(self, totals: Sequence[Total], rows: int) -> None:
        """Add a stretch to the innermost group; outer ones get it when that one is closed."""
        if self.open:
            self._add(self.open[-1], totals, rows)

    def _add(self, group: Open, totals: Sequence[Total], rows: int) -> None:
        group.rows += rows
        if not group.totals:
            group.totals = list(totals)
            return
        group.totals = [
            merged(function, one, other)
            for function, one, other in zip(self.functions, group.totals, totals, strict=True)
        ]


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )
