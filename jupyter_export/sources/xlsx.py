"""The first worksheet of a workbook; its first row that is not empty names the columns.

Cells have the types that Excel gives them; a date is a number whose format shows no time. Errors
(``#DIV/0!``) become nulls and are reported, of merged cells the first one has the value. A formula
has the value that was last calculated, and one that never was is refused. Empty rows at the end are
rows only where the sheet says so.
"""

from __future__ import annotations

import datetime as dt
import re
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, ZipInfo

from ..errors import SourceFailed
from ..losses import Loss
from ..registry import BatchStream, Surroundings, missing
from .files.cells import Spool
from .files.places import FIELD
from .files.waiting import answer, heard

_APART = re.compile(r"/(?:worksheets|pivotCache|externalLinks|charts|drawings)/[^/]*$")
"""Parts that are read row by row, or not at all."""
_OLD = b"\xd0\xcf\x11\xe0"
"""What files of Excel 97 begin with, and workbooks with a password."""
_PIECE = 2**20
_MOST_ROWS = 1_048_576
"""ECMA-376-1, 18.3.1.73, as Excel has it."""
_UNCALCULATED = re.compile(
    rb"""<c\b(?P<cell>[^>]*)>\s*<f\b(?:[^>]*/>|[^>]*[^/>]>[^<]*</f>|>[^<]*</f>)\s*(?:(?:<v\s*/>|<v>\s*</v>)\s*)?</c>"""
)
_SIZE = re.compile(rb'<dimension\b[^>]*\bref="[A-Z]+[0-9]+:[A-Z]+([0-9]+)"')
_FILTER = re.compile(rb'<autoFilter\b[^>]*\bref="[$A-Z]+[$0-9]+:[$A-Z]+([0-9]+)"')
_TIME = re.compile(r"[hs]|am/pm", re.IGNORECASE)
_MIDNIGHT = dt.time()


def open_workbook(path: Path, shown: str, here: Surroundings, folder: Path) -> BatchStream:
    """Read the first worksheet; ``folder`` takes its rows until the columns' types are known.

    Raises ``SourceFailed`` when it is no workbook, or has nothing on its first sheet, and
    ``MissingDependency`` without openpyxl.
    """
    _check_package(path, shown, here)
    book = answer(lambda: _opened(path, shown), here)
    with closing(book):
        sheet = next(iter(book.worksheets), None)
        if sheet is None:
            raise SourceFailed(f"“{shown}” has no worksheet.", field=FIELD)
        last = _scanned(path, sheet, shown, here)
        # a sheet may state a wrong size, and what lies outside would not be read
        sheet.reset_dimensions()
        try:
            return _read(sheet, shown, last, here, folder)
        except (KeyError, ValueError, TypeError, SyntaxError, BadZipFile, OSError) as error:
            if isinstance(error, SourceFailed):
                raise
            # openpyxl tells a damaged part of the package by any of these
            raise SourceFailed(
                f"“{shown}” is damaged: its first sheet cannot be read.", field=FIELD
            ) from error


def _check_package(path: Path, shown: str, here: Surroundings) -> None:
    """Refuse a workbook that would not fit into memory, before any of it is unpacked.

    Texts, styles and the list of sheets are read as a whole, and take several times their length;
    rows are read one after the other. Sizes are those of the zip's directory, beyond which zipfile
    reads nothing. Raises ``SourceFailed`` also for a document type, with which a few bytes become
    gigabytes (ECMA-376-2, 8.1.4 forbids it).
    """
    most = here.memory_limit // 2
    try:
        with ZipFile(path) as package:
            parts = [
                entry for entry in package.infolist() if entry.filename.endswith((".xml", ".rels"))
            ]
            whole = sum(each.file_size for each in parts if not _APART.search(each.filename))
            if whole <= most:
                for entry in parts:
                    _check_part(package, entry, shown, here)
    except (BadZipFile, OSError, RuntimeError, NotImplementedError, zlib.error):
        return  # what it is instead is told when it is opened
    if whole > most:
        raise SourceFailed(
            f"“{shown}” unpacks to {whole // 1000**2:,} MB of texts and styles, and "
            f"{most // 1000**2:,} MB are allowed.",
            hint="Save it as CSV or Parquet, or raise memory_limit_per_job.",
            field=FIELD,
        )


def _check_part(package: ZipFile, entry: ZipInfo, shown: str, here: Surroundings) -> None:
    """Refuse a declaration in front of the first element, or anywhere in a part that is read as a
    whole; the rows of a sheet are looked through as they come."""
    with package.open(entry) as file:
        rest = b""
        while piece := file.read(_PIECE):
            heard(here)
            text = (rest + piece).replace(b"\0", b"")  # it may be in UTF-16
            if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
                raise _declares(shown)
            if _APART.search(entry.filename):
                return
            rest = text[-16:]


def _declares(shown: str) -> SourceFailed:
    return SourceFailed(
        f"“{shown}” has a document type declaration, which no workbook may have.",
        hint="Open it in Excel or LibreOffice and save it.",
        field=FIELD,
    )


def _opened(path: Path, shown: str) -> Any:
    try:
        from openpyxl import load_workbook
        from openpyxl.utils.exceptions import InvalidFileException
    except ModuleNotFoundError as error:
        raise missing(error.name, "Reading an Excel workbook") from error
    try:
        with warnings.catch_warnings():
            # of parts that hold no cells: styles, validations, pictures
            warnings.simplefilter("ignore")
            return load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, OSError, KeyError, ValueError, SyntaxError) as error:
        with path.open("rb") as file:
            old = file.read(4) == _OLD
        raise SourceFailed(
            f"“{shown}” is not an Excel workbook.",
            hint="It has a password, or is of Excel 97: save it as .xlsx without one."
            if old
            else None,
            field=FIELD,
        ) from error


def _read(sheet: Any, shown: str, last: int, here: Surroundings, folder: Path) -> BatchStream:
    errors: Counter[int] = Counter()
    examples: dict[int, str] = {}
    rows = _rows(sheet, shown, here, errors, examples)
    at, head = next(((at, row) for at, row in rows if row), (0, ()))
    if not head:
        raise SourceFailed(f"The first sheet of “{shown}” is empty.", field=FIELD)
    errors.clear()
    spool = Spool(folder)
    empty = 0
    for at, row in rows:  # noqa: B007 - the last one is needed behind the loop
        if not row:
            empty += 1
            continue
        spool.add_empty(empty)
        empty = 0
        spool.add(row)
    # other empty rows at the end are none: sheets have any number of them
    spool.add_empty(min(empty, max(0, last - (at - empty))))
    given = [*head, *[None] * (spool.width - len(head))]
    names = [f"column {i + 1}" if name is None else str(name) for i, name in enumerate(given)]
    stream = spool.stream(names)
    losses = tuple(
        Loss(
            "not_a_number",
            names[at],
            count,
            "a cell holds an error instead of a value, and becomes a null",
            example=examples[at],
        )
        for at, count in sorted(errors.items())
    )
    return BatchStream(
        schema=stream.schema,
        batches=stream.batches,
        total_rows=stream.total_rows,
        close=stream.close,
        losses=losses,
    )


def _rows(
    sheet: Any, shown: str, here: Surroundings, errors: Counter[int], examples: dict[int, str]
) -> Iterator[tuple[int, Sequence[Any]]]:
    """Yield each row's number and values, without the empty cells at its end."""
    formats: dict[Any, bool] = {}
    for number, row in enumerate(sheet.iter_rows(), 1):
        heard(here)
        if number > _MOST_ROWS:
            raise SourceFailed(
                f"The first sheet of “{shown}” has a row beyond {_MOST_ROWS:,}, the last that a "
                "sheet can have.",
                field=FIELD,
            )
        values = []
        for at, cell in enumerate(row):
            value = cell.value
            if value is not None and cell.data_type == "e":
                errors[at] += 1
                examples.setdefault(at, str(value))
                value = None
            elif type(value) is dt.datetime and value.time() == _MIDNIGHT:
                with_time = formats.get(cell.number_format)
                if with_time is None:
                    # what stands in quotes or brackets is shown as it is
                    code = re.sub(r'"[^"]*"|\\.|\[[^\]]*\]', "", cell.number_format)
                    with_time = formats[cell.number_format] = bool(_TIME.search(code))
                if not with_time:
                    value = value.date()
            values.append(value)
        while values and values[-1] is None:
            values.pop()
        yield number, values


def _scanned(path: Path, sheet: Any, shown: str, here: Surroundings) -> int:
    """Look through the sheet's XML, and return the last row that it marks as data itself: by a
    filter, or by its size where no row has a number (so that none is there for its look alone).

    Raises ``SourceFailed`` for a formula without a value, which would be read as a null.
    """
    part = getattr(sheet, "_worksheet_path", None)
    if part is None:
        return 0
    last = 0
    with ZipFile(path) as package, package.open(part) as file:
        rest = b""
        stated = 0
        while piece := file.read(_PIECE):
            heard(here)
            text = rest + piece
            plain = text.replace(b"\0", b"") if b"\0" in text else text
            if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
                raise _declares(shown)
            size = _SIZE.search(text)
            stated = stated or (int(size[1]) if size else 0)
            if b"<row>" in text:
                last = stated
            for filtered in _FILTER.finditer(text):
                last = max(last, int(filtered[1]))
            found = _UNCALCULATED.search(text) if b"<f" in text else None
            if found:
                at = re.search(rb'\br="([A-Z]+[0-9]+)"', found["cell"])
                cell = f"Cell {at[1].decode()}" if at else "A cell"
                raise SourceFailed(
                    f"{cell} of “{shown}” holds a formula that was never calculated.",
                    hint="Open the workbook in Excel or LibreOffice and save it.",
                    field=FIELD,
                )
            # a cell or tag may begin in one piece and end in the next
            begun = max(text.rfind(b"<c"), 0)
            rest = text[begun:] if len(text) - begun < 2 * _PIECE else text[-_PIECE:]
    return last
