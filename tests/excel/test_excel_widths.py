"""Columns are wide enough for what their cells show, and not much wider."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from openpyxl.utils import get_column_letter

from jupyter_export.formats.excel.widths import displayed, extent

from .writing import write


def widths(path: Path) -> dict[str, float]:
    """Return heading -> width of its column in the first sheet."""
    sheet = openpyxl.load_workbook(path).worksheets[0]
    found: dict[str, float] = {}
    wide = 0.0
    for index, cell in enumerate(sheet[1], 1):
        dimension = sheet.column_dimensions.get(get_column_letter(index))
        # columns of one width are written once, for all of them
        wide = dimension.width if dimension is not None else wide
        found[str(cell.value)] = wide
    return found


@pytest.mark.parametrize(
    ("value", "number_format", "shown"),
    [
        (27_188_805, "#,##0", "27,188,805"),
        (-27_188_805, "#,##0", "-27,188,805"),
        (-1234.5, '#,##0.00" km";(#,##0.00)', "(1,234.50)"),
        (1234.5, '#,##0.00" km";(#,##0.00)', "1,234.50 km"),
        (0.755, "0.0%", "75.5%"),
        (1234, "#,##0.00 [$€-407]", "1,234.00 €"),
        (1234, "[Red]0.0", "1234.0"),
        (1_500_000, '0.0,,"M"', "1.5M"),
        (7, "00000", "00007"),
        (12_345, "0.00E+00", "1.23E+04"),
        (999.96, "0.0", "1000.0"),
        (45_000, "mmmm yyyy", "September 2013"),
        (45_000, "dddd, d. mmm yy", "Wednesday, 12. Sep 13"),
        (45_000, "h:mm AM/PM", "12:30 PM"),
        (45_000, "yyyy-mm-dd hh:mm:ss.000", "2013-09-01 00:00:00.000"),
        (50.5, "[h]:mm:ss", "1212:00:00"),
        (0, "0;-0;[Blue]\"none\"", "none"),
        (1234, '[>1000]0.0,"k";0', "1.2k"),
        (12_345, "General", "12345"),
        (12_345, "", "12345"),
        (12, "@", "12"),
    ],
)  # fmt: skip
def test_what_a_number_takes_in_its_format(value: float, number_format: str, shown: str) -> None:
    assert len(shown) <= displayed(value, number_format) <= len(shown) + 1


def test_separators_and_months_have_room(tmp_path: Path) -> None:
    table = pa.table(
        {
            "miles": [27_188_805, 5, -24_975_509],
            "price": [1_234_567.5, 1.0, float("nan")],
            "month": [dt.date(2013, 9, 1)] * 3,
            "span": pa.array([dt.timedelta(hours=12_345)] * 3),
        }
    )
    path, _ = write(
        tmp_path,
        table,
        number_formats={"miles": "#,##0", "price": '#,##0.00" USD"'},
        date_format="mmmm yyyy",
    )
    longest = {
        "miles": "-24,975,509",
        "price": "1,234,567.50 USD",
        "month": "September 2013",
        "span": "12345:00:00",
    }
    for name, width in widths(path).items():
        assert len(longest[name]) + 1 <= width <= len(longest[name]) + 3.5, name


@pytest.mark.parametrize("totals", [True, {"n": "sum", "f": "average", "g": "count"}])
def test_totals_have_room(totals: Any, tmp_path: Path) -> None:
    table = pa.table({"g": ["x"] * 900, "n": [999_999] * 900, "f": [1.5] * 900})
    path, _ = write(tmp_path, table, batch_rows=90, totals=totals, number_formats={"n": "#,##0"})
    # the sum is 899,999,100, in bold
    assert widths(path)["n"] > 11 * 1.08 + 1


def test_numbered_rows_go_on_rising(tmp_path: Path) -> None:
    path, _ = write(tmp_path, pa.table({"n": range(100_001)}), batch_rows=1000)
    assert widths(path)["n"] >= len("100000") + 1


def test_headings_take_what_they_need(tmp_path: Path) -> None:
    heading = "seats per flight"
    formulas = [
        {"name": heading, "formula": "={seats}/{flights}", "number_format": "0.0"},
        {"name": "m", "formula": "={seats}*2", "number_format": "#,##0"},
    ]
    table = pa.table({"seats": [12_345_678], "flights": [1]})
    path, _ = write(tmp_path, table, formulas=formulas)
    found = widths(path)
    assert extent(heading) * 1.08 + 2.5 < found[heading] < 17.5
    assert found["m"] > len("24,691,356") + 1
    path, _ = write(tmp_path, table, formulas=formulas, header_style={"size": 22})
    assert widths(path)[heading] > 25


def test_icons_have_room(tmp_path: Path) -> None:
    table = pa.table({"n": [1234567], "m": [1234567]})
    icons = {"columns": "m", "type": "icon_set", "icons": "3_arrows"}
    path, _ = write(tmp_path, table, conditional_formats=[icons])
    found = widths(path)
    assert found["m"] > found["n"] + 2


def test_dates_keep_apart_from_the_text_behind_them(tmp_path: Path) -> None:
    table = pa.table(
        {"day": [dt.date(2024, 1, 1)], "name": ["a"], "end": [dt.date(2024, 1, 1)], "n": [1]}
    )
    path, _ = write(tmp_path, table, totals={"day": "max"})
    sheet = openpyxl.load_workbook(path).worksheets[0]
    assert [sheet.cell(row, 1).alignment.indent for row in (1, 2, 3)] == [1, 1, 1]
    assert [sheet.cell(row, 3).alignment.indent for row in (1, 2, 3)] == [0, 0, 0]
    assert sheet["A2"].alignment.horizontal == "right"
    assert sheet["B2"].style_id == 0
