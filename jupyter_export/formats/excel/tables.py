"""Rows as an Excel table, and the row of totals below them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .feature import column_letters
from .features import SUBTOTALS, TableStyle, Totals, table_name

if TYPE_CHECKING:
    from .place import SheetPlace

_TABLE_FUNCTIONS = {"count_numbers": "countNums", "stddev": "stdDev"}
"""Our names of a total -> those of a table (ECMA-376 part 1, 18.18.82), where they differ."""

_ESCAPE = r"_x[0-9A-Fa-f]{4}_"
_MARKS = r"['#@\[\]]"
"""What is escaped in a column's name inside brackets."""


def last_data_row(place: SheetPlace) -> int:
    """Return the last row (from 0) that ranges reach; without rows that is the first, empty."""
    return max(place.first_row, place.last_row)


def functions(totals: Totals, place: SheetPlace) -> dict[str, str]:
    """Return heading -> function, in the order of the columns."""
    if totals.columns is None:
        return {name: "sum" for name in place.columns if name in place.numbers}
    return {name: totals.columns[name] for name in place.columns if name in totals.columns}


def add_table(
    workbook: Any, worksheet: Any, style: TableStyle, place: SheetPlace, totals: Totals | None
) -> str:
    """Make the block of ``place`` a table of ``worksheet`` (XlsxWriter); return its name.

    XlsxWriter keeps a note of every cell of a table, and writes its headings: it is given two rows,
    and told the real range afterwards.
    """
    headed = place.header_row >= 0
    top = place.header_row if headed else place.first_row
    first, last = place.first_column, place.last_column
    by_column = {column: name for name, column in place.columns.items()}
    # headings stand in their cells already, with a style; writing them again would take it away
    formats = {
        column: getattr(worksheet.table.get(top, {}).get(column), "format", None)
        for column in range(first, last + 1)
        if headed
    }
    name = _free_name(workbook, style.name or table_name(place.sheet))
    worksheet.add_table(
        top,
        first,
        top + 1 if headed else top,
        last,
        {
            "name": name,
            "style": None if style.style == "none" else style.style,
            "header_row": headed,
            "autofilter": headed and style.autofilter,
            "banded_rows": style.banded_rows,
            "banded_columns": style.banded_columns,
            "first_column": style.first_column,
            "last_column": style.last_column,
            "columns": [
                {"header": by_column[column], "header_format": formats.get(column)}
                for column in range(first, last + 1)
            ],
        },
    )
    table = worksheet.tables[-1]
    for column in table["columns"]:
        # else Excel would take it for an escape (ST_Xstring), and miss the heading
        column["name"] = re.sub(_ESCAPE, r"_x005F\g<0>", column["name"])
    bottom = last_data_row(place)
    letters = column_letters(first), column_letters(last)
    rows = f"{letters[0]}{top + 1}:{letters[1]}{bottom + 1}"
    table["a_range"] = rows
    table["range"] = rows
    if table.get("autofilter"):
        table["autofilter"] = rows
    if totals is None:
        return name
    table["range"] = f"{letters[0]}{top + 1}:{letters[1]}{bottom + 2}"
    table["totals_row_shown"] = True
    wanted = functions(totals, place)
    for heading, function in wanted.items():
        column = table["columns"][place.columns[heading] - first]
        if function in SUBTOTALS and function != "product":
            column["total_function"] = _TABLE_FUNCTIONS.get(function, function)
        else:
            column["total_function"] = "custom"
            column["custom_total"] = total_formula(function, place, heading, name)
    if by_column[first] not in wanted:
        table["columns"][0]["total_string"] = totals.label
    return name


def total_formula(function: str, place: SheetPlace, name: str, table: str | None) -> str:
    """Return the formula of a total, without its ``=``; rows that a filter hides are left out."""
    letters = column_letters(place.columns[name])
    rows = f"{letters}{place.first_row + 1}:{letters}{last_data_row(place) + 1}"
    if table is not None:
        # as Excel writes it: the cell has to agree with what the table says of its total
        column = re.sub(_MARKS, r"'\g<0>", name)
        rows = f"{table}[{column}]"
    return f"SUBTOTAL({SUBTOTALS[function]},{rows})"


def write_totals(
    worksheet: Any,
    totals: Totals,
    place: SheetPlace,
    formats: Mapping[str, Any],
    table: str | None,
) -> None:
    """Write the row of totals, of ``table`` or without one.

    ``formats``: heading -> its format, and "" -> that of the label.
    """
    row = last_data_row(place) + 1
    wanted = functions(totals, place)
    for name, column in place.columns.items():
        if name in wanted:
            formula = "=" + total_formula(wanted[name], place, name, table)
            # no value: the program that opens the file computes it
            worksheet.write_formula(row, column, formula, formats[name], "")
        elif column == place.first_column:
            worksheet.write_string(row, column, totals.label, formats[""])
        else:
            worksheet.write_blank(row, column, None, formats[""])


def _free_name(workbook: Any, name: str) -> str:
    """Return ``name``, or ``name_2`` where another table of the workbook has it."""
    taken = {
        str(table.get("name", "")).casefold()
        for sheet in workbook.worksheets()
        for table in getattr(sheet, "tables", ())
    }
    free, number = name, 1
    while free.casefold() in taken:
        number += 1
        free = f"{name[:250]}_{number}"
    return free
