"""A pandas frame as Arrow batches, some of its rows at a time: the frame is never held twice."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ..errors import SourceFailed

BATCH_ROWS = 65_536
"""Rows that are converted at a time."""
_MISFIT = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError)

Take = Callable[[int, int], Any]
"""From a first row to the one behind the last: a Series, or an array that Arrow has made."""


@dataclass(frozen=True)
class _Column:
    name: str
    type: pa.DataType
    take: Take

    def arrow(self, start: int, stop: int) -> pa.Array | pa.ChunkedArray:
        values = self.take(start, stop)
        if isinstance(values, pa.Array):
            return values
        try:
            return pa.array(values, type=self.type, from_pandas=True)
        except _MISFIT as error:
            raise _refused(self.name, error) from None


def read(frame: Any) -> pa.RecordBatchReader:
    """Return a DataFrame or Series as a reader of batches of ``BATCH_ROWS`` rows.

    An index becomes columns when it has a name or is not made of plain numbers. A column of
    objects has the type that all of its values have in common. Raises ``SourceFailed`` for types
    that Arrow does not have, and for two columns of one name; the reader, when it comes to it, for
    a value that is none of its column's type.
    """
    pandas = sys.modules["pandas"]
    if isinstance(frame, pandas.Series):
        frame = frame.to_frame(frame.name if frame.name is not None else "value")
    columns = [*_index_columns(frame.index), *_columns(frame)]
    (name, times), *_ = [*Counter(c.name for c in columns).most_common(1), ("", 0)]
    if times > 1:
        raise SourceFailed(
            f"Two columns of the frame are named “{name}”.", hint="Give one another name."
        )
    schema = pa.schema([(column.name, column.type) for column in columns])
    return pa.RecordBatchReader.from_batches(schema, _batches(columns, schema, len(frame)))


def _batches(columns: list[_Column], schema: pa.Schema, rows: int) -> Iterator[pa.RecordBatch]:
    for start in range(0, rows, BATCH_ROWS):
        stop = min(start + BATCH_ROWS, rows)
        if not columns:
            # rows without a column: only their number is left
            yield pa.RecordBatch.from_struct_array(pa.array([{}] * (stop - start), pa.struct([])))
            continue
        arrays = [column.arrow(start, stop) for column in columns]
        yield from pa.Table.from_arrays(arrays, schema=schema).to_batches()


def _columns(frame: Any) -> Iterator[_Column]:
    for position, label in enumerate(frame.columns):
        name = ".".join(map(str, label)) if frame.columns.nlevels > 1 else str(label)
        yield _column(name, frame.iloc[:, position])


def _index_columns(index: Any) -> Iterator[_Column]:
    if not _index_matters(index):
        return
    pandas = sys.modules["pandas"]

    def level(number: int) -> Take:
        return lambda start, stop: pandas.Series(index[start:stop].get_level_values(number))

    for number, label in enumerate(index.names):
        name = label if label is not None else "index" if index.nlevels == 1 else f"level_{number}"
        name = ".".join(map(str, name)) if isinstance(name, tuple) else str(name)
        values = pandas.Series(index.get_level_values(number))
        yield _Column(name, _type_of(name, values), level(number))


def _column(name: str, values: Any) -> _Column:
    pandas = sys.modules["pandas"]
    if isinstance(values.dtype, pandas.CategoricalDtype):
        return _categorical(name, values)
    if isinstance(values.dtype, pandas.SparseDtype):
        dense = _type_of(name, values.iloc[:0].sparse.to_dense())
        return _Column(name, dense, lambda start, stop: values.iloc[start:stop].sparse.to_dense())
    return _Column(name, _type_of(name, values), lambda start, stop: values.iloc[start:stop])


def _categorical(name: str, values: Any) -> _Column:
    """Convert the categories once, not with each batch."""
    held = values.array
    try:
        categories = pa.array(held.categories, from_pandas=True)
    except _MISFIT as error:
        raise _refused(name, error) from None

    def take(start: int, stop: int) -> pa.DictionaryArray:
        codes = held.codes[start:stop]
        return pa.DictionaryArray.from_arrays(
            codes, categories, mask=codes < 0, ordered=held.ordered, safe=False
        )

    return _Column(name, take(0, 0).type, take)


def _type_of(name: str, values: Any) -> pa.DataType:
    try:
        if values.dtype == object:
            # a slice may hold nulls alone, or whole numbers where others have a point
            return pa.infer_type(values.to_numpy(), from_pandas=True)
        return pa.array(values.iloc[:0], from_pandas=True).type
    except _MISFIT as error:
        raise _refused(name, error) from None


def _index_matters(index: Any) -> bool:
    """An index without a name that only counts rows is an artefact, not data."""
    pandas = sys.modules["pandas"]
    if any(name is not None for name in index.names) or index.nlevels > 1:
        return True
    return not pandas.api.types.is_integer_dtype(index.dtype) and len(index) > 0


def _refused(name: str, error: Exception) -> SourceFailed:
    text = " ".join(str(part) for part in error.args)
    why = text.split("\n", 1)[0].strip(" '(,\"")
    return SourceFailed(
        f"Column “{name}” cannot be exported as it is: {why.rstrip('.')}.",
        hint="Convert the column, e.g. .astype(str).",
    )
