"""The first worksheet of a workbook; its first row names the columns."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ..errors import SourceFailed
from ..registry import BatchStream, missing
from .python_rows import Row, batches_of, schema_of

_SAMPLE = 10_000
_ROWS = 10_000


def open_workbook(path: Path) -> BatchStream:
    """Stream the rows of the first worksheet. Raises ``SourceFailed`` when it is no workbook and
    ``MissingDependency`` without openpyxl."""
    try:
        from openpyxl import load_workbook
        from openpyxl.utils.exceptions import InvalidFileException
    except ModuleNotFoundError as error:
        raise missing(error.name, "Reading an Excel workbook") from error
    try:
        book: Any = load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, OSError, KeyError, ValueError) as error:
        raise SourceFailed(f"“{path.name}” is not an Excel workbook.") from error
    rows = book.worksheets[0].iter_rows(values_only=True)
    head = next(rows, None)
    if head is None:
        book.close()
        raise SourceFailed(f"The first sheet of “{path.name}” is empty.")
    names = [str(name) if name is not None else f"column {i + 1}" for i, name in enumerate(head)]
    sample = list(islice(rows, _SAMPLE))
    schema = schema_of(names, sample)
    return BatchStream(
        schema=schema,
        batches=batches_of(schema, chain([sample], _pieces(rows))),
        close=book.close,
    )


def _pieces(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while piece := list(islice(rows, _ROWS)):
        yield piece
