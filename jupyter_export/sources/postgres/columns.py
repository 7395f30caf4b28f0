"""The columns of one statement: what is selected around it, and what its batches become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.types import UserDefinedType

from ...losses import Loss
from .arrival import Arrival
from .misfit import Misfit


class ColumnMisfit(Exception):
    """Columns (by their positions) that do not fit what was decided for them, each with why."""

    def __init__(self, reasons: Mapping[int, str | None]) -> None:
        super().__init__(reasons)
        self.reasons = reasons
        """None: one of these arrays is no plain list, and nobody knows which."""


class _Named(UserDefinedType[Any]):
    """A type by its name."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **kw: Any) -> str:
        return self.name


@dataclass(frozen=True)
class Columns:
    """How a statement is read: its columns in order, each with its arrival.

    Behind them come columns of our own: the lengths of each array of several dimensions, then
    whether any of the other arrays has more than the one dimension of a list.
    """

    names: tuple[str, ...]
    arrivals: tuple[Arrival, ...]

    @property
    def schema(self) -> pa.Schema:
        return pa.schema(
            [pa.field(n, a.type) for n, a in zip(self.names, self.arrivals, strict=True)]
        )

    @property
    def losses(self) -> tuple[Loss, ...]:
        return tuple(
            Loss("database_type", name, None, arrival.lost)
            for name, arrival in zip(self.names, self.arrivals, strict=True)
            if arrival.lost is not None
        )

    @property
    def undecided(self) -> list[int]:
        """The positions of numerics whose scale the first rows decide."""
        return [i for i, arrival in enumerate(self.arrivals) if arrival.unscaled]

    @property
    def wire(self) -> list[pa.DataType]:
        """What the reader hands over, our own columns included."""
        return [
            *(arrival.wire for arrival in self.arrivals),
            *(pa.list_(pa.int32()) for _ in self._shaped),
            *([pa.bool_()] if self._flat else []),
        ]

    @property
    def _shaped(self) -> list[int]:
        return [i for i, arrival in enumerate(self.arrivals) if arrival.dimensions > 1]

    @property
    def _flat(self) -> list[int]:
        return [i for i, arrival in enumerate(self.arrivals) if arrival.dimensions == 1]

    def around(self, statement: sa.Select[Any]) -> sa.Select[Any]:
        """Return the statement that is read: ``statement`` itself where nothing is to be cast."""
        if not self._shaped and not self._flat and not any(a.casts for a in self.arrivals):
            return statement
        rows = statement.subquery("rows")
        selected: list[sa.ColumnElement[Any]] = []
        for column, arrival in zip(rows.c, self.arrivals, strict=True):
            shown: sa.ColumnElement[Any] = column
            for name in arrival.casts:
                if name.endswith("()"):
                    shown = getattr(sa.func, name[:-2])(shown)
                else:
                    shown = sa.cast(shown, _Named(name))
            selected.append(shown.label(column.name))
        inner = list(rows.c)
        for index in self._shaped:
            depth = self.arrivals[index].dimensions
            lengths = [sa.func.array_length(inner[index], d + 1) for d in range(depth)]
            selected.append(array(lengths).label("lengths"))
        if self._flat:
            selected.append(
                sa.or_(
                    *(
                        sa.func.coalesce(
                            sa.or_(
                                sa.func.array_ndims(inner[index]) > 1,
                                sa.func.array_lower(inner[index], 1) != 1,
                            ),
                            sa.false(),
                        )
                        for index in self._flat
                    )
                ).label("shape")
            )
        return sa.select(*selected)

    def finished(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return a batch of the reader's as the values that are wanted. Raises ``ColumnMisfit``."""
        arrays = [unwrapped(batch.column(i)) for i in range(batch.num_columns)]
        count = len(self.arrivals)
        misfits: dict[int, str | None] = {}
        if self._flat and pc.any(arrays[-1]).as_py():
            misfits = dict.fromkeys(self._flat)
        made: list[pa.Array] = []
        for index, arrival in enumerate(self.arrivals):
            values = arrays[index]
            try:
                made.append(arrival.finish(values) if arrival.finish else values)
            except Misfit as misfit:
                misfits[index] = str(misfit)
        if misfits:
            raise ColumnMisfit(misfits)
        for place, index in enumerate(self._shaped):
            made[index] = _nested(made[index], arrays[count + place], self.arrivals[index])
        return pa.RecordBatch.from_arrays(made, schema=self.schema)

    def overflow(self) -> ColumnMisfit:
        """Return what to say of an interval that the reader cannot count in nanoseconds."""
        return ColumnMisfit(
            {
                index: "has infinity, or hours of more than 292 years"
                for index, arrival in enumerate(self.arrivals)
                if _holds_intervals(arrival.wire)
            }
        )


def _holds_intervals(kind: pa.DataType) -> bool:
    return pa.types.is_interval(kind) or any(
        _holds_intervals(kind.field(i).type) for i in range(kind.num_fields)
    )


def unwrapped(values: pa.Array) -> pa.Array:
    """Return the array without extension types: what they are named after is known already."""
    if isinstance(values, pa.ExtensionArray):
        return unwrapped(values.storage)
    if pa.types.is_list(values.type) and _extended(values.type):
        inner = unwrapped(values.values)
        mask = pc.is_null(values) if values.null_count else None
        return pa.ListArray.from_arrays(_offsets(values), inner, mask=mask)
    if pa.types.is_struct(values.type) and _extended(values.type):
        parts = [unwrapped(values.field(i)) for i in range(values.type.num_fields)]
        names = [field.name for field in values.type]
        mask = pc.is_null(values) if values.null_count else None
        return pa.StructArray.from_arrays(parts, names, mask=mask)
    return values


def _extended(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.BaseExtensionType) or any(
        _extended(kind.field(i).type) for i in range(kind.num_fields)
    )


def _offsets(values: pa.ListArray) -> pa.Array:
    return pa.array(values.offsets.to_numpy(), pa.int32())


def _nested(flat: pa.ListArray, lengths: pa.ListArray, arrival: Arrival) -> pa.Array:
    """Return lists of lists out of the elements in order and the lengths of each row's array."""
    depth = arrival.dimensions
    rows = len(flat)
    shape = np.zeros((rows, depth), np.int64)
    known = pc.fill_null(lengths.values, 0).to_numpy(zero_copy_only=False)
    shape[:] = known[int(lengths.offsets[0].as_py()) :][: rows * depth].reshape(rows, depth)
    # an empty array, and none at all, have no lengths
    values = flat.flatten()
    for level in reversed(range(depth)):
        above = np.prod(shape[:, :level], axis=1, dtype=np.int64) if level else np.ones(rows, int)
        ends = np.cumsum(np.repeat(shape[:, level], above))
        offsets = pa.array(np.concatenate([[0], ends]), pa.int32())
        mask = pc.is_null(flat) if level == 0 and flat.null_count else None
        values = pa.ListArray.from_arrays(offsets, values, mask=mask)
    return values
