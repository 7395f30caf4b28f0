"""The first worksheet of a workbook; its first row names the columns."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

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
    except (BadZipFile, InvalidFileException, OSError, KeyError, ValueError) as error:
        raise SourceFailed(f"“{path.name}” is not an Excel workbook.") from error
    sheet = next(iter(book.worksheets), None)
    if sheet is None:
        book.close()
        raise SourceFailed(f"“{path.name}” has no worksheet.")
    # a sheet may state a wrong size, and what lies outside would not be read
    sheet.reset_dimensions()
    rows = map(_trimmed, sheet.iter_rows(values_only=True))
    head = next(rows, ())
    if not head:
        book.close()
        raise SourceFailed(f"The first sheet of “{path.name}” is empty.")
    sample = list(islice(rows, _SAMPLE))
    width = max(map(len, (head, *sample)))
    names = [
        f"column {i + 1}" if name is None else str(name)
        for i, name in enumerate(_wide(head, width))
    ]
    schema = schema_of(names, [_wide(row, width) for row in sample])
    return BatchStream(
        schema=schema,
        batches=batches_of(schema, _pieces(chain(sample, rows), width, path.name)),
        close=book.close,
    )


def _trimmed(row: Row) -> Row:
    """Without the empty cells at the end, of which sheets have any number."""
    last = len(row)
    while last and row[last - 1] is None:
        last -= 1
    return row[:last]


def _wide(row: Row, width: int) -> Row:
    return [*row, *[None] * (width - len(row))]


def _pieces(rows: Iterator[Row], width: int, name: str) -> Iterator[list[Row]]:
    line = 1
    while piece := list(islice(rows, _ROWS)):
        for row in piece:
            line += 1
            if len(row) > width:
                raise SourceFailed(
                    f"Row {line:,} of “{name}” has {len(row)} cells, and the first rows have "
                    f"{width}.",
                    hint="Give every column a name in the first row.",
                )
        yield [_wide(row, width) for row in piece]
