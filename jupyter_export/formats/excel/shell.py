"""The workbook around the rows: XlsxWriter makes it, its sheets hold everything but the rows.

It is made twice: once before the rows, with room for as many as a sheet takes, to learn the
indexes of the cells' formats and which rows get cells beside them; once behind them, when all
ranges are known. Both ask XlsxWriter for the same formats in the same order.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ...errors import InvalidSpec
from .feature import column_letters, column_number
from .features import Properties
from .furniture import document, furnish, rows_below
from .named import Where
from .options import SheetOptions
from .place import SheetPlace
from .plan import ColumnPlan
from .sheets import ROWS

_BANDS = "#F2F6FA"
_LINES = "#D0D7DE"
_SHEET = re.compile(r"xl/worksheets/sheet(\d+)\.xml")
_ROW = re.compile(r'<row r="(\d+)"[^>]*?(?:/>|>(.*?)</row>)', re.DOTALL)
_COLUMN = re.compile(r'<col min="(\d+)" max="(\d+)"[^>]* style="(\d+)"')
_DIMENSION = re.compile(r'<dimension ref="[^"]*"/>')
_CELL = re.compile(r'<c r="([A-Z]+)(\d+)"')


@dataclass(frozen=True)
class SheetPlan:
    """A sheet of the workbook, before its rows are known."""

    dataset: str
    name: str
    columns: Sequence[ColumnPlan]
    options: SheetOptions
    at: Where
    """Tells where an option stands in the document."""

    @property
    def headed(self) -> bool:
        return self.options.header is not False

    @property
    def first_row(self) -> int:
        return 1 if self.headed else 0

    @property
    def most(self) -> int:
        """Rows of data that the sheet takes."""
        return ROWS - self.first_row - rows_below(self.options)

    def place(self, rows: int) -> SheetPlace:
        return SheetPlace(
            dataset=self.dataset,
            sheet=self.name,
            columns={plan.key: index for index, plan in enumerate(self.columns)},
            header_row=0 if self.headed else -1,
            first_row=self.first_row,
            last_row=self.first_row + rows - 1,
            number_formats={
                plan.key: plan.number_format for plan in self.columns if plan.number_format
            },
            numbers=frozenset(plan.key for plan in self.columns if plan.number),
            indented=frozenset(plan.key for plan in self.columns if plan.indented),
        )


@dataclass(frozen=True)
class SheetXml:
    """A sheet without its rows."""

    head: bytes
    """Up to the first row of data."""
    tail: bytes
    """From behind the last one."""
    styles: tuple[int, ...]
    """Of each column: the index of its cells' format; 0 for General."""
    beside: Mapping[int, str]
    """Row (from 1) -> XML of the cells that stand right of its data."""


@dataclass(frozen=True)
class Shell:
    """The parts of a workbook, its sheets taken apart."""

    sheets: tuple[SheetXml, ...]
    parts: Mapping[str, bytes]
    """The other parts, the first of them [Content_Types].xml."""

    @staticmethod
    def sheet_part(index: int) -> str:
        return f"xl/worksheets/sheet{index + 1}.xml"


def make_shell(
    sheets: Sequence[tuple[SheetPlan, int]], properties: Properties | None, started: datetime
) -> Shell:
    """Make the workbook for these sheets and numbers of rows.

    Raises ``InvalidSpec`` for options that do not fit the sheets.
    """
    from xlsxwriter import Workbook
    from xlsxwriter.exceptions import XlsxWriterException

    file = io.BytesIO()
    book: Any = Workbook(file, {"in_memory": True})
    document(book, properties, started)
    try:
        names = tuple(plan.name for plan, _ in sheets)
        for plan, rows in sheets:
            _add_sheet(book, plan, replace(plan.place(rows), sheets=names))
        book.close()
    except XlsxWriterException as error:
        raise InvalidSpec(
            f"The workbook cannot be made: {str(error).rstrip('.')}.", field="format"
        ) from error
    found: dict[int, SheetXml] = {}
    parts: dict[str, bytes] = {"[Content_Types].xml": b""}
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            sheet = _SHEET.fullmatch(name)
            if sheet is None:
                parts[name] = archive.read(name)
            else:
                index = int(sheet[1]) - 1
                plan, rows = sheets[index]
                found[index] = _apart(archive.read(name).decode("utf-8"), plan, plan.place(rows))
    return Shell(tuple(found[index] for index in range(len(sheets))), parts)


def _add_sheet(book: Any, plan: SheetPlan, place: SheetPlace) -> None:
    options = plan.options
    sheet = book.add_worksheet(plan.name)
    for index, column in enumerate(plan.columns):
        look = _cell_format(book, column)
        if look is not None or column.width is not None:
            sheet.set_column(index, index, column.width, look)
    if plan.headed:
        made: dict[tuple[str, int], Any] = {}
        for index, column in enumerate(plan.columns):
            if options.header_style is None:
                sheet.write_string(0, index, column.heading)
                continue
            properties = options.header_style.properties()
            side = properties.setdefault("align", "right" if _is_right(column) else "left")
            properties.setdefault("valign", "vcenter")
            look = (side, int(column.indented and side == "right"))
            if look not in made:
                made[look] = book.add_format(properties | ({"indent": 1} if look[1] else {}))
            sheet.write_string(0, index, column.heading, made[look])
    if isinstance(options.freeze_panes, str):
        sheet.freeze_panes(options.freeze_panes)
    elif options.freeze_panes and plan.headed:
        sheet.freeze_panes(1, 0)
    if plan.headed:
        # on every printed page
        sheet.repeat_rows(0)
    if options.autofilter and options.table is None and plan.headed and plan.columns:
        sheet.autofilter(0, 0, max(place.last_row, 0), place.last_column)
    furnish(book, sheet, place, options, plan.at)
    if plan.columns:
        _decorate(book, sheet, options, place)


def _is_right(column: ColumnPlan) -> bool:
    """Tell whether the values stand at the right of their cells: numbers, dates and times."""
    return column.number or (column.number_format is not None and not column.text)


def _cell_format(book: Any, column: ColumnPlan) -> Any:
    properties: dict[str, Any] = {}
    if column.number_format is not None:
        properties["num_format"] = column.number_format
    if column.indented:
        properties |= {"align": "right", "indent": 1}
    if column.linked:
        properties |= {"font_color": "#0563C1", "underline": 1}
    return book.add_format(properties) if properties else None


def _decorate(book: Any, sheet: Any, options: SheetOptions, place: SheetPlace) -> None:
    """Bands and borders are rules over the block: a format of its own in every cell would make
    each row larger, and empty cells have none."""
    block = place.first_row, 0, max(place.first_row, place.last_row), place.last_column
    top = f"${column_letters(0)}${place.first_row + 1}"
    lines: dict[str, Any] = {}
    if options.borders is not False:
        color = _LINES if options.borders is True else options.borders
        lines = {"border": 1, "border_color": color}
    if options.banded is not False:
        color = _BANDS if options.banded is True else options.banded
        # with the lines: some programs apply the first rule alone
        look = book.add_format({"bg_color": color} | lines)
        odd = f"=MOD(ROW()-ROW({top}),2)=1"
        sheet.conditional_format(*block, {"type": "formula", "criteria": odd, "format": look})
    if lines:
        look = book.add_format(lines)
        sheet.conditional_format(*block, {"type": "formula", "criteria": "=TRUE", "format": look})


# ------------------------------------------------------------------ what XlsxWriter made


def _apart(xml: str, plan: SheetPlan, place: SheetPlace) -> SheetXml:
    """Take a sheet apart where the rows belong."""
    before, rows, after = _sheet_data(xml)
    above: list[str] = []
    below: list[str] = []
    beside: dict[int, str] = {}
    last_row, last_column = place.last_row, place.last_column
    for found in _ROW.finditer(rows):
        index = int(found[1]) - 1
        if index < place.first_row:
            above.append(found[0])
        elif index > place.last_row:
            below.append(found[0])
        elif found[2]:
            beside[index + 1] = found[2]
        last_row = max(last_row, index)
    for found in _CELL.finditer(rows):
        last_column = max(last_column, column_number(found[1]))
    corner = f"{column_letters(max(last_column, 0))}{max(last_row, 0) + 1}"
    extent = "A1" if corner == "A1" else f"A1:{corner}"
    head = _DIMENSION.sub(f'<dimension ref="{extent}"/>', before, count=1)
    return SheetXml(
        f"{head}<sheetData>{''.join(above)}".encode(),
        f"{''.join(below)}</sheetData>{after}".encode(),
        _styles(before, len(plan.columns)),
        beside,
    )


def _sheet_data(xml: str) -> tuple[str, str, str]:
    before, empty, after = xml.partition("<sheetData/>")
    if empty:
        return before, "", after
    before, _, rest = xml.partition("<sheetData>")
    rows, _, after = rest.partition("</sheetData>")
    return before, rows, after


def _styles(head: str, columns: int) -> tuple[int, ...]:
    styles = [0] * columns
    for found in _COLUMN.finditer(head):
        for index in range(int(found[1]) - 1, min(int(found[2]), columns)):
            styles[index] = int(found[3])
    return tuple(styles)
