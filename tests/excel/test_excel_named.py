"""Options that name columns, where a workbook has several sheets."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest

from jupyter_export.errors import InvalidSpec

from .writing import read_back, write

TABLES = {
    "flights": pa.table({"tailnum": ["N1", "N2"], "distance": [1400, 1416]}),
    "planes": pa.table({"tailnum": ["N1"], "seats": [55], "year": [2004]}),
}


def book(folder: Path, **options: Any) -> Any:
    path, _ = write(folder, TABLES, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return openpyxl.load_workbook(path)


def test_formats_of_columns_that_some_sheets_have(tmp_path: Path) -> None:
    found = book(
        tmp_path,
        number_formats={"distance": "#,##0", "seats": "0.0", "fuel": "0.00"},
        widths={"distance": 30, "seats": 31},
        formulas=[
            {"name": "fuel", "formula": "={distance}*2"},
            {"name": "more", "formula": "={fuel}*2"},
        ],
    )
    flights, planes = found["flights"], found["planes"]
    assert flights["B2"].number_format == "#,##0"
    assert [flights.cell(2, column).value for column in (3, 4)] == ["=B2*2", "=C2*2"]
    assert flights["C2"].number_format == "0.00"
    assert planes["B2"].number_format == "0.0"
    assert round(planes.column_dimensions["B"].width) in (31, 32)
    assert planes.max_column == 3


def test_features_of_columns_that_some_sheets_have(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "charts": [{"x": "tailnum", "y": "distance"}, {"y": ["seats", "year"]}],
        "totals": {"distance": "sum"},
        "conditional_formats": [
            {"columns": ["distance", "seats"], "type": "data_bar"},
            {"type": "formula", "formula": "={seats}>1"},
        ],
        "validations": [{"columns": "year", "type": "whole", "op": ">", "value": 1900}],
        "hyperlinks": [{"column": "seats", "url": "https://example.org/{}"}],
        "cell_formulas": [{"cell": "K1", "formula": "=MAX({distance})"}],
    }
    found = book(tmp_path, **options)
    flights, planes = found["flights"], found["planes"]
    assert [len(sheet._charts) for sheet in (flights, planes)] == [1, 1]
    assert flights["B4"].value == "=SUBTOTAL(109,B2:B3)"
    assert planes.max_row == 2
    assert [len(s.data_validations.dataValidation) for s in (flights, planes)] == [0, 1]
    assert (flights["K1"].value, planes["K1"].value) == ("=MAX($B$2:$B$3)", None)
    assert str(planes["B2"].value).startswith("=HYPERLINK")
    ranges = [str(each.sqref) for each in flights.conditional_formatting]
    assert ranges == ["B2:B3"]
    frames = read_back(tmp_path / "book.xlsx", TABLES, **options)
    assert [len(frame) for frame in frames.values()] == [2, 1]


@pytest.mark.parametrize(
    ("options", "field", "said"),
    [
        ({"number_formats": {"distanc": "0"}}, "format.number_formats", "a column of any sheet"),
        ({"charts": [{"y": "seat"}]}, "format.charts[0].y", "“seat” is not a column of any sheet"),
        (
            {"sheets": {"planes": {"widths": {"seat": 9}}}},
            "format.sheets.planes.widths",
            "“seat” is not a column of the sheet “planes”",
        ),
        (
            {"sheets": {"planes": {"charts": [{"y": "distance"}], "sheet": "Fleet"}}},
            "format.sheets.planes.charts[0].y",
            "“distance” is not a column of the sheet “Fleet”",
        ),
        (
            # no sheet has both
            {"charts": [{"y": ["distance", "seats"]}], "sheets": {"flights": {"sheet": "A"}}},
            "format.charts[0].y",
            "“seats” is not a column of the sheet “A”",
        ),
    ],
)  # fmt: skip
def test_names_of_no_column(options: dict[str, Any], field: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match=said) as caught:
        write(tmp_path, TABLES, **options)
    assert caught.value.field == field


def test_the_columns_are_listed_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="of the sheet “flights”") as caught:
        write(tmp_path, pa.table({"y": [1]}), number_formats={"quite other": "0"})
    assert caught.value.hint == "Known: y."
