"""Where Excel's limits lie, and what stands just inside and just outside of them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest

from jupyter_export.errors import InvalidSpec

from .test_excel_sheets import FLIGHTS, sheet_of
from .writing import found, read_back, write


def test_links_of_what_is_neither_text_nor_number_are_texts(tmp_path: Path) -> None:
    table = pa.table(
        {"yes": [True, None], "at": pa.array([0, 1], pa.timestamp("s", "UTC")), "n": [1.5, 2]}
    )
    path, losses = write(tmp_path, table, hyperlinks=["yes", "at", "n"])
    assert found(losses) == {("type", "yes"): None, ("type", "at"): None}
    given = read_back(path, table, hyperlinks=["yes", "at", "n"])
    assert given["yes"].tolist()[0] == "true"
    assert given["at"].tolist()[0].startswith("1970-01-01")
    assert given["n"].tolist() == [1.5, 2]


def test_links_are_measured_in_units_of_utf_16(tmp_path: Path) -> None:
    table = pa.table({"link": ["\U0001f600" * 127, "\U0001f600" * 128, "é" * 255]})
    path, _ = write(tmp_path, table, hyperlinks="link")
    sheet = sheet_of(path)
    linked = [str(sheet.cell(row, 1).value).startswith("=HYPERLINK") for row in (2, 3, 4)]
    assert linked == [True, False, True]


@pytest.mark.parametrize(
    "code",
    [
        "General", '0.0" km"', "[Red]-0.00;[Blue]0", "#,##0.00 [$€-407]", "0.00E+00", "h:mm AM/PM",
        "[h]:mm:ss.000", "dddd, d. mmmm yyyy", "@", "# ?/?", "0%", r"\k0", "_(* #,##0_)", "ggge",
    ],
)  # fmt: skip
def test_number_formats_of_excel(code: str, tmp_path: Path) -> None:
    path, _ = write(tmp_path, FLIGHTS, number_formats={"distance": code})
    assert sheet_of(path)["B2"].number_format == code


@pytest.mark.parametrize("options", [{}, {"header": False}, {"table": True}])
@pytest.mark.parametrize("rows", [0, 1, 3])
def test_the_reader_leaves_what_stands_below_the_rows(
    rows: int, options: dict[str, Any], tmp_path: Path
) -> None:
    table = pa.table({"n": pa.array([None, 1, 2][:rows], pa.int64()), "t": ["a", "b", "c"][:rows]})
    options |= {"totals": True, "cell_formulas": [{"cell": "E30", "formula": "=1"}]}
    path, _ = write(tmp_path, {"one": table, "two": table.slice(0, 0)}, **options)
    frames = read_back(path, {"one": table, "two": table}, **options)
    assert [len(frames["one"]), len(frames["two"])] == [rows, 0]
    path, _ = write(tmp_path, table, **options)
    assert read_back(path, table, **options)["t"].tolist() == table["t"].to_pylist()


def test_decimals_that_round_up_to_a_digit_more(tmp_path: Path) -> None:
    # arithmetic would round them
    big, least, part = (Decimal(text) for text in ("9" * 38, "-" + "9" * 38, "." + "9" * 38))
    table = pa.table(
        {
            "whole": pa.array([big, least], pa.decimal128(38, 0)),
            "parts": pa.array([part, None], pa.decimal128(38, 38)),
        }
    )
    path, losses = write(tmp_path, table, long_numbers="number")
    assert found(losses) == {
        ("decimal_beyond_15_digits", "whole"): 2,
        ("decimal_beyond_15_digits", "parts"): 1,
    }
    given = read_back(path, table, long_numbers="number")
    assert given["whole"].tolist() == [big, least]
    assert given["parts"].tolist() == [part, None]


def test_a_chart_never_takes_the_name_of_a_sheet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_export.formats.excel.shell.ROWS", 3)
    chart = {"type": "line", "y": "distance", "sheet": "Flights (2)"}
    path, _ = write(tmp_path, {"flights": FLIGHTS, "other": FLIGHTS}, charts=[chart])
    assert openpyxl.load_workbook(path).sheetnames == [
        "flights", "Flights (2) (2)", "flights (2)", "Flights (2) (3)",
        "other", "Flights (2) (4)", "other (2)", "Flights (2) (5)",
    ]  # fmt: skip


def test_headings_that_a_table_cannot_have(tmp_path: Path) -> None:
    names = ["a\x01", "", "y" * 300, "y" * 300, "_x0041_"]
    table = pa.Table.from_arrays([pa.array([1])] * 5, names=names)
    path, losses = write(tmp_path, table, table=True)
    assert [cell.value for cell in sheet_of(path)[1]][:3] == ["a\ufffd", "Column2", "y" * 255]
    assert set(found(losses)) == {
        ("unprintable", "a\x01"),
        ("unprintable", ""),
        ("text_cut", "y" * 300),
        ("duplicate_header", "y" * 251 + " (2)"),
    }
    _, losses = write(tmp_path, table.select([0, 1, 4]))
    assert found(losses) == {}


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (
            {
                "validations": [
                    {"columns": "day", "type": "list", "values": ["a"], "title": "\U0001f600" * 17}
                ]
            },
            "format.validations[0].title",
        ),
        ({"properties": {"custom": {"k": "\U0001f600" * 128}}}, "format.properties.custom"),
        ({"charts": [{"y": "distance", "title": "=Other!A1"}]}, "format.charts[0]"),
        ({"charts": [{"y": "distance", "sheet": "\U0001f600" * 16}]}, "format.charts[0].sheet"),
        (
            {"formulas": [{"name": "f", "formula": '=LEN("' + "x" * 256 + '")'}]},
            "format.formulas[0].formula",
        ),
        (
            {"conditional_formats": [{"type": "cell", "op": "=", "value": "x" * 256}]},
            "format.conditional_formats[0]",
        ),
        (
            {"conditional_formats": [{"type": "color_scale", "points": ["", "1", "2"]}]},
            "format.conditional_formats[0]",
        ),
    ],
)
def test_what_excel_would_call_damaged_is_refused(
    options: dict[str, Any], field: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidSpec) as raised:
        write(tmp_path, FLIGHTS, **options)
    assert raised.value.field == field
