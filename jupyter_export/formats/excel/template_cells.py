"""Rows and cells of a template's sheet, as they stand and after rows have moved.

ECMA-376 part 1, 18.3.1.4 (cells), 18.3.1.40 (formulas), 18.3.1.73 (rows).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from .feature import column_letters, column_number
from .references import Growth, follow, offset
from .spliced_xml import Element, attribute_place, with_attributes


@dataclass(slots=True)
class Cell:
    column: int
    raw: bytes
    tag: bytes
    formula: str | None = None
    """What it computes, also where it shares another cell's formula."""
    formula_tag: bytes = b""
    """Of a formula of several cells (an array, a data table); others need no attributes."""


@dataclass(slots=True)
class Row:
    number: int
    tag: bytes
    cells: list[Cell] = field(default_factory=list)


def in_cell(element: Element) -> bool:
    return element.parent is not None and element.parent.name == "c"


def style_of(tag: bytes) -> int:
    place = attribute_place(tag, "s")
    return int(re.sub(rb"\D", b"", tag[place[0] : place[1]])) if place is not None else 0


def read_rows(data: bytes, found: Sequence[Element]) -> list[Row]:
    """Return the rows of a sheet; rows and cells without an address follow the one before."""
    rows: list[Row] = []
    shared: dict[str, tuple[int, int, str]] = {}
    for each in found:
        if each.name == "row":
            number = int(each.attributes.get("r") or (rows[-1].number + 1 if rows else 1))
            rows.append(Row(number, data[each.start : each.inner]))
        elif each.name == "c" and rows:
            cells = rows[-1].cells
            at = re.match(r"[A-Za-z]+", each.attributes.get("r", ""))
            before = cells[-1].column if cells else -1
            column = column_number(at[0]) if at is not None else before + 1
            cells.append(Cell(column, data[each.start : each.end], data[each.start : each.inner]))
        elif each.name == "f" and in_cell(each):
            _read_formula(data, each, rows[-1], shared)
    return rows


def _read_formula(
    data: bytes, element: Element, row: Row, shared: dict[str, tuple[int, int, str]]
) -> None:
    cell = row.cells[-1]
    cell.formula = element.text(data)
    kind = element.attributes.get("t", "normal")
    if kind == "shared":
        index = element.attributes.get("si", "")
        if cell.formula:
            shared[index] = (row.number, cell.column, cell.formula)
        elif index in shared:
            first_row, first_column, text = shared[index]
            cell.formula = offset(text, row.number - first_row, cell.column - first_column)
    elif kind in ("array", "dataTable"):
        cell.formula_tag = data[element.start : element.inner]


def cell_after(cell: Cell, row: int, growths: Sequence[Growth], home: str) -> bytes:
    """Return the cell as it reads in ``row`` after all rows have moved.

    The value that a formula had is left out: it is out of date, and a reader would believe it.
    """
    at = f"{column_letters(cell.column)}{row}"
    if cell.formula is None:
        place = attribute_place(cell.tag, "r")
        if place is not None and cell.tag[place[0] : place[1]].strip() == f'r="{at}"'.encode():
            return cell.raw
        return with_attributes(cell.tag, [("r", at)]) + cell.raw[len(cell.tag) :]
    tag = with_attributes(cell.tag, [("r", at), ("t", None)])
    name = re.split(rb"[\s/>]", tag[1:], maxsplit=1)[0]
    prefix = name[:-1]
    formula_tag = b"<" + prefix + b"f>"
    if cell.formula_tag:
        formula_tag = _after_in_tag(cell.formula_tag, growths, home)
    text = escape(follow(cell.formula, growths, home)).encode("utf-8")
    return tag + formula_tag + text + b"</" + prefix + b"f></" + name + b">"


def _after_in_tag(tag: bytes, growths: Sequence[Growth], home: str) -> bytes:
    """Return the start tag of an array's or a data table's formula with its ranges moved."""
    for name in ("ref", "r1", "r2"):
        place = attribute_place(tag, name)
        if place is not None:
            value = tag[place[0] : place[1]].decode().split("=", 1)[1].strip().strip("\"'")
            tag = with_attributes(tag, [(name, follow(value, growths, home))])
    return re.sub(rb"\s*/>$", b">", tag)
