"""A frame of the notebook as a stream of Arrow batches, with its exact types.

Anything with ``__arrow_c_stream__`` (pandas, Polars, PyArrow, DuckDB, Ibis) is a frame, and so are
record batch readers and pandas objects of versions that have no such method.
"""

from __future__ import annotations

import re
import sys
from typing import Any

import pyarrow as pa

from ..errors import InvalidRequest, SourceFailed


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

    A pandas index becomes columns when it has a name or is not made of plain numbers. Raises
    ``InvalidRequest`` for what is no frame, ``SourceFailed`` for a column of mixed types.
    """
    if isinstance(frame, pa.RecordBatchReader):
        return frame
    try:
        if _is_pandas(frame):
            return _from_pandas(frame).to_reader(max_chunksize=65536)
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


def _from_pandas(frame: Any) -> pa.Table:
    pandas = sys.modules["pandas"]
    if isinstance(frame, pandas.Series):
        frame = frame.to_frame(frame.name if frame.name is not None else "value")
    if _index_matters(frame.index):
        named = [
            name if name is not None else ("index" if frame.index.nlevels == 1 else f"level_{i}")
            for i, name in enumerate(frame.index.names)
        ]
        frame = frame.reset_index(names=named)
    if frame.columns.nlevels > 1:
        frame = frame.set_axis([".".join(map(str, key)) for key in frame.columns], axis=1)
    table = pa.Table.from_pandas(
        frame.set_axis(frame.columns.map(str), axis=1), preserve_index=False
    )
    # pandas' own metadata describes the frame, not the file that is made of it
    return table.replace_schema_metadata(None)


def _index_matters(index: Any) -> bool:
    """An index without a name that only counts rows is an artefact, not data."""
    pandas = sys.modules["pandas"]
    if any(name is not None for name in index.names) or index.nlevels > 1:
        return True
    return not pandas.api.types.is_integer_dtype(index.dtype) and len(index) > 0


def _sentence(error: Exception) -> str:
    text = " ".join(str(part) for part in error.args)
    column = re.search(r"Conversion failed for column (.+) with type", text)
    why = text.split("\n", 1)[0].split("Conversion failed")[0].strip(" '(,\"")
    if column:
        return f"Column “{column[1]}” cannot be exported as it is: {why.rstrip('.')}."
    return f"The frame cannot be exported as it is: {why.rstrip('.')}."
