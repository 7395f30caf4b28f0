"""Cells as Python values, spooled until the types of their columns are known.

A worksheet tells the type of each cell and of no column, and the last row counts as much as the
first. So all rows go into one file of the scratch folder, in pieces whose columns have the types of
their own cells; when the last one is written the columns get theirs, and the pieces are read back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from ...registry import BatchStream

_ROWS = 8192
_CELLS = 200_000
"""A piece ends after so many rows, or cells."""
_SAFE = 2**53
_TYPES: dict[frozenset[str], pa.DataType] = {
    frozenset({"bool"}): pa.bool_(),
    frozenset({"int", "large"}): pa.int64(),
    frozenset({"int", "float"}): pa.float64(),
    frozenset({"date"}): pa.date32(),
    frozenset({"date", "datetime"}): pa.timestamp("us"),
    frozenset({"time"}): pa.time64("us"),
    frozenset({"timedelta"}): pa.duration("us"),
}
"""Kinds of cells -> the type that holds them; the first that holds all of a column is taken."""


class Spool:
    """Takes rows of any width; ``stream`` gives them back."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "cells"
        self._file = pa.OSFile(str(self._path), "wb")
        self._starts: list[int] = []
        self._held: list[Sequence[Any]] = []
        self._kinds: list[set[str]] = []
        self.rows = 0

    @property
    def width(self) -> int:
        """Cells of the widest row."""
        return len(self._kinds)

    def add(self, row: Sequence[Any]) -> None:
        self._held.append(row)
        while len(self._kinds) < len(row):
            self._kinds.append(set())
        if len(self._held) >= _ROWS or len(self._held) * max(1, self.width) >= _CELLS:
            self._spill()

    def add_empty(self, rows: int) -> None:
        for _ in range(rows):
            self.add(())

    def stream(self, names: Sequence[str]) -> BatchStream:
        """Return all rows. There may be more names than cells in the widest row."""
        self._spill()
        self._file.close()
        kinds = [*self._kinds, *[set() for _ in range(len(names) - len(self._kinds))]]
        schema = pa.schema([(n, _type_of(k)) for n, k in zip(names, kinds, strict=True)])
        mapped = pa.memory_map(str(self._path))
        return BatchStream(
            schema=schema,
            batches=self._batches(schema, mapped),
            total_rows=self.rows,
            close=mapped.close,
        )

    def _spill(self) -> None:
        if not self._held:
            return
        arrays = []
        for at, known in enumerate(self._kinds):
            values = [row[at] if at < len(row) else None for row in self._held]
            kinds = {_kind(value) for value in values if value is not None}
            known |= kinds
            # of a mixture every cell keeps its own text, until the column's type is known
            if len(kinds) > 1 and kinds != {"int", "large"}:
                kinds = {"str"}
            kind = _type_of(kinds)
            if pa.types.is_string(kind):
                values = [None if value is None else text(value) for value in values]
            arrays.append(pa.array(values, kind))
        batch = pa.RecordBatch.from_arrays(arrays, [str(at) for at in range(len(arrays))])
        self._starts.append(self._file.tell())
        with pa.ipc.new_stream(self._file, batch.schema) as writer:
            writer.write_batch(batch)
        self.rows += len(self._held)
        self._held = []

    def _batches(self, schema: pa.Schema, mapped: pa.MemoryMappedFile) -> Iterator[pa.RecordBatch]:
        for start in self._starts:
            mapped.seek(start)
            with pa.ipc.open_stream(mapped) as reader:
                piece = reader.read_next_batch()
            columns = [_as(column, kind) for column, kind in zip(piece, schema.types, strict=False)]
            lacking = schema.types[len(columns) :]
            columns += [pa.nulls(piece.num_rows, kind) for kind in lacking]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _kind(value: Any) -> str:
    kind = type(value).__name__
    if kind == "int" and abs(value) > _SAFE:
        return "large" if -(2**63) <= value < 2**63 else "str"
    return kind


def _type_of(kinds: set[str]) -> pa.DataType:
    if not kinds:
        return pa.string()
    return next((kind for held, kind in _TYPES.items() if kinds <= held), pa.string())


def _as(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if column.type.equals(kind):
        return column
    if column.null_count == len(column):
        return pa.nulls(len(column), kind)
    if pa.types.is_string(kind):
        values = column.to_pylist()
        return pa.array([None if value is None else text(value) for value in values], kind)
    return column.cast(kind)


def text(value: Any) -> str:
    """Return a cell of a column of mixed types as text."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    return str(value)
