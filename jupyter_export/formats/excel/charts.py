"""Charts of columns: line, column, bar, pie, scatter, area."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from .feature import Cell, Color, ColumnNames, Feature, column_letters
from .names import sheet_name

if TYPE_CHECKING:
    from .place import SheetPlace

_TITLE = {"size": 12, "bold": True}
_SMALL = {"size": 9, "bold": False}
"""Fonts, in points; those of XlsxWriter are meant for charts that fill a page."""

_REFERENCE = re.compile(r"=?[^!]+!\$?[A-Z]+\$?\d")
"""What XlsxWriter takes for the address of a text, and not for the text."""


class Chart(Feature):
    """A chart of whole columns, which follows their rows when they change."""

    type: Literal["line", "column", "bar", "pie", "scatter", "area"] = Field(
        "line", description="Its kind."
    )
    x: str | None = Field(
        None, description="The column of categories, or of x values. Unset: the rows' numbers."
    )
    y: ColumnNames = Field(min_length=1, max_length=255, description="Columns that are drawn.")
    title: str | None = Field(None, max_length=255, description="Above it.")
    x_title: str | None = Field(
        None, max_length=255, description="Of the axis of categories, or of x values."
    )
    y_title: str | None = Field(None, max_length=255, description="Of the axis of values.")
    stacked: Literal[False, True, "percent"] = Field(
        False, description="Values on top of each other; percent: as shares of 100."
    )
    legend: Literal["right", "left", "top", "bottom", "none"] | None = Field(
        None, description="Unset: at the right where there are several columns, or a pie."
    )
    colors: tuple[Color, ...] = Field((), description="Of the columns, in order.")
    labels: bool = Field(False, description="Write the values beside their points.")
    cell: Cell | None = Field(
        None, description="Its upper left corner. Unset: to the right of the rows."
    )
    width: int = Field(640, ge=100, le=4000, description="In pixels (96 to an inch).")
    height: int = Field(360, ge=80, le=4000, description="In pixels (96 to an inch).")
    sheet: str | None = Field(
        None, min_length=1, max_length=31, description="Put it on a sheet of its own, of that name."
    )

    @model_validator(mode="after")
    def _fields_fit_the_type(self) -> Chart:
        if self.type == "pie" and len(self.y) > 1:
            raise ValueError("a pie shows one column; “y” names several")
        if self.type == "scatter" and self.x is None:
            raise ValueError("a scatter chart needs “x”, the column of its x values")
        for text in (self.title, self.x_title, self.y_title):
            if text is not None and _REFERENCE.match(text):
                raise ValueError(f"“{text[:80]}” reads as a cell's address; put a space behind “!”")
        if self.stacked and self.type in ("pie", "scatter"):
            raise ValueError(f"a {self.type} chart cannot be stacked")
        if self.sheet is not None and self.cell is not None:
            raise ValueError("a chart has either a “cell” or a “sheet” of its own")
        if self.sheet is not None and sheet_name(self.sheet, ()) != self.sheet:
            raise ValueError(
                f"“{self.sheet}” cannot be the name of a sheet; “{sheet_name(self.sheet, ())}” can"
            )
        return self


def add_chart(
    workbook: Any, worksheet: Any, chart: Chart, place: SheetPlace, taken_rows: int
) -> int:
    """Draw ``chart`` on ``worksheet`` (XlsxWriter), or on a sheet of its own.

    ``taken_rows``: rows that earlier charts without a cell take. Returns the rows taken now.
    """
    kind: dict[str, str] = {"type": chart.type}
    if chart.stacked:
        kind["subtype"] = "percent_stacked" if chart.stacked == "percent" else "stacked"
    drawn = workbook.add_chart(kind)
    for number, name in enumerate(chart.y):
        drawn.add_series(_series(chart, place, number, name))
    _dress(drawn, chart, place)
    if chart.sheet is not None:
        sheet = workbook.add_chartsheet(_free_name(workbook, chart.sheet, place))
        sheet.set_chart(drawn)
        return taken_rows
    drawn.set_size({"width": chart.width, "height": chart.height})
    if chart.cell is not None:
        worksheet.insert_chart(chart.cell, drawn)
        return taken_rows
    top = max(place.header_row, 0) + taken_rows
    worksheet.insert_chart(f"{column_letters(place.last_column + 2)}{top + 1}", drawn)
    return taken_rows + chart.height // 20 + 2


def _cells(place: SheetPlace, name: str) -> list[Any]:
    column = place.columns[name]
    return [place.sheet, place.first_row, column, max(place.last_row, place.first_row), column]


def _series(chart: Chart, place: SheetPlace, number: int, name: str) -> dict[str, Any]:
    # the empty lists keep XlsxWriter from looking every row up: the rows are not in its sheet
    made: dict[str, Any] = {"values": _cells(place, name), "values_data": []}
    if place.header_row >= 0:
        made["name"] = [place.sheet, place.header_row, place.columns[name]]
    else:
        made["name"] = name.replace("!", "! ") if _REFERENCE.match(name) else name
    if chart.x is not None:
        made |= {"categories": _cells(place, chart.x), "categories_data": []}
        if chart.x not in place.numbers and not is_date(place.number_formats.get(chart.x, "")):
            # one text tells that the cells hold texts; the program that opens the file reads them
            made["categories_data"] = ["–"]
    if chart.labels:
        made["data_labels"] = {"value": True, "font": _SMALL}
        if name in place.number_formats:
            made["data_labels"]["num_format"] = place.number_formats[name]
    if number < len(chart.colors):
        color = chart.colors[number]
        if chart.type == "line":
            made["line"] = {"color": color}
        elif chart.type == "scatter":
            made["marker"] = {"type": "circle", "fill": {"color": color}, "border": {"none": True}}
        elif chart.type != "pie":
            made["fill"] = {"color": color}
    if chart.type == "pie" and chart.colors:
        made["points"] = [{"fill": {"color": color}} for color in chart.colors]
    return made


def is_date(number_format: str) -> bool:
    """Tell whether a number format shows dates or times (outside quotes and brackets)."""
    bare = ""
    quoted = False
    for sign in number_format.lower():
        if sign == '"':
            quoted = not quoted
        elif not quoted:
            bare += sign
    return any(sign in bare for sign in "ymdhs") and "general" not in bare


def _dress(drawn: Any, chart: Chart, place: SheetPlace) -> None:
    title = {"name": chart.title, "overlay": False, "name_font": _TITLE}
    drawn.set_title(title if chart.title else {"none": True})
    legend = chart.legend
    if legend is None:
        legend = "right" if len(chart.y) > 1 or chart.type == "pie" else "none"
    drawn.set_legend({"none": True} if legend == "none" else {"position": legend, "font": _SMALL})
    if chart.type == "pie":
        return
    # labels stand below the chart, also where values are negative
    fonts = {"num_font": _SMALL, "name_font": _SMALL}
    x_axis: dict[str, Any] = {"label_position": "low", **fonts}
    if chart.x_title:
        x_axis["name"] = chart.x_title
    y_axis: dict[str, Any] = dict(fonts)
    if chart.y_title:
        y_axis["name"] = chart.y_title
    y_format = place.number_formats.get(chart.y[0])
    if y_format is not None and chart.stacked != "percent":
        y_axis["num_format"] = y_format
    x_format = place.number_formats.get(chart.x or "", "")
    if is_date(x_format):
        x_axis["num_format"] = x_format
        has_time = any(sign in x_format.lower() for sign in "hs")
        # an axis of dates counts whole days: moments of one day would fall together
        if chart.type != "scatter" and not has_time:
            x_axis["date_axis"] = True
    elif x_format:
        x_axis["num_format"] = x_format
    # of bars, which lie, XlsxWriter calls the axis of categories x as well
    drawn.set_x_axis(x_axis)
    drawn.set_y_axis({"major_gridlines": {"visible": True, "line": {"color": "#D9D9D9"}}, **y_axis})


def _free_name(workbook: Any, name: str, place: SheetPlace) -> str:
    """Return ``name``, or ``name (2)`` where another sheet has it."""
    return sheet_name(name, [*place.sheets, *(s.get_name() for s in workbook.worksheets())])
