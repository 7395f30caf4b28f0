"""A frame of the notebook as a stream of Arrow batches, with its exact types.

Anything with ``__arrow_c_stream__`` (pandas, Polars, PyArrow, DuckDB, Ibis) is a frame, and so are
record batch readers and pandas objects of versions that have no such method.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from ..errors import InvalidRequest, SourceFailed
from . import pandas_frame
from .pandas_frame import BATCH_ROWS


def is_frame(value: Any) -> bool:
    """Tell whether ``read`` can read ``value``."""
    return hasattr(value, "__arrow_c_stream__") or _is_pandas(value)


def rows_of(frame: Any) -> int | None:
    """Return the frame's number of rows where it is known without reading it."""
    if isinstance(frame, pa.RecordBatchReader):
        return None
    try:
        return len(frame)
    except TypeError:
        return None


def read(frame: Any) -> pa.RecordBatchReader:
    """Return ``frame`` as a reader.

    A frame is converted some rows at a time, while the reader is read. A pandas index becomes
    columns when it has a name or is not made of plain numbers. Raises ``InvalidRequest`` for what
    is no frame, ``SourceFailed`` for a column that has no type of Arrow's; so does the reader, when
    it comes to a value that is none of its column's type.
    """
    if isinstance(frame, pa.RecordBatchReader):
        return frame
    try:
        if _is_pandas(frame):
            return pandas_frame.read(frame)
        if _is_of_chunks(frame):
            return _from_polars(frame)
        if hasattr(frame, "__arrow_c_stream__"):
            return pa.RecordBatchReader.from_stream(frame)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise SourceFailed(
            _sentence(error), hint="Convert the column, e.g. .astype(str)."
        ) from None
    raise InvalidRequest(
        f"A {type(frame).__name__} is not a frame.",
        hint="Give a DataFrame (pandas, Polars), a PyArrow table or anything with "
        "__arrow_c_stream__.",
    )


def _is_pandas(value: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, (pandas.DataFrame, pandas.Series))


def _is_of_chunks(value: Any) -> bool:
    """Tell whether Polars would make one piece of the whole frame before it gives it away."""
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(value, polars.DataFrame) and value.n_chunks() > 1


def _from_polars(frame: Any) -> pa.RecordBatchReader:
    def batches() -> Iterator[pa.RecordBatch]:
        for part in frame.iter_slices(BATCH_ROWS):
            yield from pa.RecordBatchReader.from_stream(part)

    schema = pa.RecordBatchReader.from_stream(frame.head(0)).schema
    return pa.RecordBatchReader.from_batches(schema, batches())


def _sentence(error: Exception) -> str:
    text = " ".join(str(part) for part in error.args)
    why = text.split("\n", 1)[0].strip(" '(,\"")
    return f"The frame cannot be exported as it is: {why.rstrip('.')}."
