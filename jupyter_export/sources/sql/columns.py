"""Columns of a result: what the database tells of their types, and batches made of their values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import pyarrow as pa
import sqlalchemy as sa

from ...errors import SourceFailed
from ...losses import Loss
from ...registry import Retyped
from ..python_rows import MISFITS, Row, array_of, type_of

Convert: TypeAlias = Callable[[Sequence[Any]], pa.Array]
"""Values of a driver -> Arrow. Raises one of ``MISFITS`` for what the database did not tell."""


@dataclass(frozen=True)
class Told:
    """What is known of a column before its values are seen."""

    type: pa.DataType | None = None
    """None: the first rows decide."""
    convert: Convert | None = None
    """Values of the driver -> Arrow; None: they are Python values of that type already."""
    otherwise: Told | None = None
    """What the column is when a value does not fit; None: then the export fails."""
    loss: str | None = None
    """What becomes of the values, where Arrow has no type for them (``database_type``)."""
    exact: Callable[[sa.ColumnElement[Any]], sa.ColumnElement[Any]] | None = None
    """What has to be selected instead of the column so that its values arrive whole."""
    native: sa.types.TypeEngine[Any] | None = None
    """The type in SQL; None: as the Arrow type says."""


UNTOLD = Told()


class Memory:
    """What reading rows has taught about columns; it outlives an attempt that begins again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Told] = {}

    def told(self, statement: str, names: Sequence[str], told: Sequence[Told]) -> list[Told]:
        """Return ``told``, corrected by what was learned of ``statement`` before."""
        return [
            self._known.get((statement, name), each) for name, each in zip(names, told, strict=True)
        ]

    def learn(self, statement: str, name: str, told: Told) -> None:
        self._known[statement, name] = told


class Columns:
    """The columns of one result, decided by what is told of them and by its first rows."""

    def __init__(
        self,
        names: Sequence[str],
        told: Sequence[Told],
        head: Sequence[Row],
        learn: Callable[[str, Told], None] | None = None,
    ) -> None:
        """``learn`` is told of a column that turned out to be another one, and then ``Retyped`` is
        raised; without it such a value ends the reading."""
        self._learn = learn
        values = list(zip(*head, strict=True)) if head else [()] * len(names)
        decided = [_decide(t, v) for t, v in zip(told, values, strict=True)]
        self._told = [each for each, _ in decided]
        self._open = [undecided for _, undecided in decided]
        self.schema = pa.schema(
            [pa.field(name, each.type) for name, each in zip(names, self._told, strict=True)]
        )

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What reading changes, as the types tell."""
        return tuple(
            Loss("database_type", field.name, None, each.loss)
            for field, each in zip(self.schema, self._told, strict=True)
            if each.loss is not None
        )

    def batch(self, rows: Sequence[Row], before: int) -> pa.RecordBatch:
        """Return ``rows`` as a batch; ``before``: how many came earlier.

        Raises ``SourceFailed`` naming a value that does not fit, or ``Retyped``.
        """
        arrays = [
            self._array(i, values, before) for i, values in enumerate(zip(*rows, strict=True))
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def batches(self, pieces: Iterator[Sequence[Row]]) -> Iterator[pa.RecordBatch]:
        """Yield one batch for each piece of rows."""
        done = 0
        for rows in pieces:
            if rows:
                yield self.batch(rows, done)
                done += len(rows)

    def _array(self, index: int, values: Sequence[Any], before: int) -> pa.Array:
        field, told = self.schema.field(index), self._told[index]
        if self._open[index] and any(value is not None for value in values):
            # only nulls until here: the type was a guess, and now it is known
            self._retype(field.name, Told(type_of(values)), told)
            self._open[index] = False
        if told.convert is None:
            return array_of(list(values), field, before)
        try:
            return told.convert(values)
        except MISFITS:
            if told.otherwise is not None:
                self._retype(field.name, told.otherwise, None)
            row, value = next((i, v) for i, v in enumerate(values) if not _fits(told.convert, v))
            raise SourceFailed(
                f"Column “{field.name}” is {field.type}, and row {before + row + 1:,} holds "
                f"{value!r:.60}.",
                hint="Convert the column to one type at its source, e.g. with CAST in the query.",
            ) from None

    def _retype(self, name: str, told: Told, now: Told | None) -> None:
        """Begin again with another type, unless it is the one that the column has."""
        if self._learn is not None and (now is None or told.type != now.type):
            self._learn(name, told)
            raise Retyped(f"{name} is {told.type}")


def _decide(told: Told, values: Sequence[Any]) -> tuple[Told, bool]:
    """Return a column's type for good, and whether it is a guess because all values are null."""
    while told.convert is not None:
        if _fits_all(told.convert, values):
            return told, False
        told = told.otherwise or UNTOLD
    if told.type is not None:
        return told, False
    return replace(told, type=type_of(values)), all(value is None for value in values)


def _fits(convert: Convert, value: Any) -> bool:
    return _fits_all(convert, [value])


def _fits_all(convert: Convert, values: Sequence[Any]) -> bool:
    try:
        convert(values)
    except MISFITS:
        return False
    return True
