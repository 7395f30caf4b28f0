"""Sheets: their names, headings and looks, several of them, and more rows than one holds."""

# ruff: noqa: DTZ001 - a workbook has no time zones
from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from python_calamine import CalamineWorkbook

from jupyter_export import registry
from jupyter_export.errors import InvalidSpec, SourceFailed
from jupyter_export.formats.excel import ExcelFormat, sheets, shell
from jupyter_export.formats.excel.names import numbered, sheet_name
from jupyter_export.registry import FileContext, LossLedger, Table

from .writing import found, read_back, surroundings, write

FLIGHTS = pa.table(
    {
        "carrier": ["UA", "AA", None],
        "distance": [1400, 1416, 1089],
        "air_time": [227.0, None, 160.5],
        "day": [dt.date(2013, 1, 1)] * 3,
    }
)


def sheet_of(path: Path, name: str | None = None) -> Any:
    book = openpyxl.load_workbook(path)
    return book.worksheets[0] if name is None else book[name]


def test_the_defaults_make_a_pleasant_sheet(tmp_path: Path) -> None:
    path, losses = write(tmp_path, FLIGHTS)
    sheet = sheet_of(path)
    assert sheet.title == "flights"
    assert [cell.value for cell in sheet[1]] == FLIGHTS.column_names
    assert all(cell.font.bold for cell in sheet[1])
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:D4"
    assert sheet.dimensions == "A1:D4"
    assert sheet["D2"].number_format == "yyyy-mm-dd"
    assert 8 < sheet.column_dimensions["A"].width < 16
    assert found(losses) == {}


def test_without_a_header(tmp_path: Path) -> None:
    path, _ = write(tmp_path, FLIGHTS, header=False)
    sheet = sheet_of(path)
    assert sheet["A1"].value == "UA"
    assert sheet.dimensions == "A1:D3"
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == (None, None)
    assert read_back(path, FLIGHTS, header=False)["distance"].tolist() == [1400, 1416, 1089]


def test_other_headings_and_looks(tmp_path: Path) -> None:
    path, _ = write(
        tmp_path,
        FLIGHTS,
        header=["Carrier", "Miles", "Minutes", "Day"],
        header_style={"bold": False, "background": "#00FF00", "color": "red", "size": 14},
        widths={"Miles": 30},
        number_formats={"Miles": "#,##0"},
        date_format="dd.mm.yyyy",
        freeze_panes="B2",
        autofilter=False,
    )
    sheet = sheet_of(path)
    head = sheet["B1"]
    assert (head.value, head.font.bold, head.font.size) == ("Miles", False, 14)
    assert head.fill.fgColor.rgb == "FF00FF00"
    assert round(sheet.column_dimensions["B"].width) in (30, 31)
    assert sheet["B3"].number_format == "#,##0"
    assert sheet["D3"].number_format == "dd.mm.yyyy"
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("B2", None)
    assert read_back(path, FLIGHTS)["distance"].tolist() == [1400, 1416, 1089]


def test_decimals_show_their_scale(tmp_path: Path) -> None:
    table = pa.table({"x": pa.array([Decimal("1.50")], pa.decimal128(9, 2))})
    path, _ = write(tmp_path, table)
    assert sheet_of(path)["A2"].number_format == "0.00"


def test_parts_of_a_second_are_shown_where_there_are_some(tmp_path: Path) -> None:
    whole, part = dt.datetime(2024, 1, 1, 1), dt.datetime(2024, 1, 1, 1, 0, 0, 500_000)
    path, _ = write(tmp_path, pa.table({"a": [whole], "b": [part]}))
    sheet = sheet_of(path)
    assert sheet["A2"].number_format == "yyyy-mm-dd hh:mm:ss"
    assert sheet["B2"].number_format == "yyyy-mm-dd hh:mm:ss.000"


@pytest.mark.parametrize(
    ("wanted", "mended"),
    [
        ("flights", "flights"),
        ("a/b:c", "a_b_c"),
        ("[x]*?\\", "_x____"),
        ("'quoted'", "quoted"),
        ("", "Sheet1"),
        ("History", "History_"),
        ("x" * 40, "x" * 31),
        ("😀" * 16, "😀" * 15),
    ],
)
def test_names_that_excel_forbids_are_mended(wanted: str, mended: str) -> None:
    assert sheet_name(wanted, []) == mended


def test_a_name_that_is_taken_gets_a_number() -> None:
    assert sheet_name("Flights", ["flights"]) == "Flights (2)"
    assert numbered("x" * 31, 2, ["x" * 27 + " (2)"]) == "x" * 27 + " (3)"


def test_a_mended_name_is_reported(tmp_path: Path) -> None:
    path, losses = write(tmp_path, FLIGHTS, sheet="Q1/Q2")
    assert sheet_of(path).title == "Q1_Q2"
    assert found(losses) == {("sheet_name", "Q1/Q2"): 1}


def test_several_datasets_in_one_workbook(tmp_path: Path) -> None:
    planes = pa.table({"tailnum": ["N1", "N2"], "year": pa.array([2004, None], pa.int16())})
    tables = {"flights": FLIGHTS, "planes": planes, "Planes": planes.slice(1)}
    options: dict[str, Any] = {
        "sheets": {"planes": {"sheet": "Fleet", "header": False}},
        "banded": True,
        "borders": True,
    }
    path, losses = write(tmp_path, tables, **options)
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["flights", "Fleet", "Planes"]
    assert book["Fleet"]["A1"].value == "N1"
    assert len(book["flights"].conditional_formatting) > 0
    assert found(losses) == {}
    frames = read_back(path, tables, **options)
    assert {name: len(frame) for name, frame in frames.items()} == {
        "flights": 3,
        "planes": 2,
        "Planes": 1,
    }
    assert frames["planes"]["tailnum"].tolist() == ["N1", "N2"]


def test_losses_of_several_datasets_name_theirs(tmp_path: Path) -> None:
    table = pa.table({"x": pa.array([b"1"])})
    _, losses = write(tmp_path, {"one": table, "two": table})
    assert [(loss.dataset, loss.kind) for loss in losses] == [("one", "binary"), ("two", "binary")]


@pytest.fixture
def small_sheets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten rows on a sheet, the header's among them."""
    monkeypatch.setattr(shell, "ROWS", 10)
    monkeypatch.setattr(sheets, "ROWS", 10)


@pytest.mark.usefixtures("small_sheets")
def test_rows_beyond_the_limit_go_on_in_further_sheets(tmp_path: Path) -> None:
    table = pa.table({"n": list(range(25)), "t": [f"row {i}" for i in range(25)]})
    tables = {"long": table, "short": table.slice(0, 4)}
    path, losses = write(tmp_path, tables, batch_rows=7)
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["long", "long (2)", "long (3)", "short"]
    assert [sheet.max_row - 1 for sheet in book] == [9, 9, 7, 4]
    assert [sheet["A2"].value for sheet in book] == [0, 9, 18, 0]
    assert [sheet.auto_filter.ref for sheet in book] == ["A1:B10", "A1:B10", "A1:B8", "A1:B5"]
    assert all(sheet["A1"].font.bold for sheet in book)
    assert found(losses) == {("rows_beyond_limit", "long"): 16}
    frames = read_back(path, tables)
    assert frames["long"]["n"].tolist() == list(range(25))
    assert frames["short"]["n"].tolist() == list(range(4))


@pytest.mark.usefixtures("small_sheets")
def test_rows_that_just_fit_need_one_sheet(tmp_path: Path) -> None:
    table = pa.table({"n": list(range(9))})
    path, losses = write(tmp_path, table, overflow="error")
    assert CalamineWorkbook.from_path(path).sheet_names == ["flights"]
    assert found(losses) == {}


@pytest.mark.usefixtures("small_sheets")
@pytest.mark.parametrize("known", [True, False])
def test_rows_beyond_the_limit_are_refused(known: bool, tmp_path: Path) -> None:
    table = pa.table({"n": list(range(10))})
    given = Table(
        "flights", table.schema, iter(table.to_batches(max_chunksize=3)), 10 * known or None
    )
    context = FileContext("book", "book", ".xlsx", surroundings(tmp_path))
    chosen = ExcelFormat()
    options = registry.check_options(chosen, {"overflow": "error"})
    with pytest.raises(SourceFailed, match="“flights” has more rows than the 9 that a sheet"):
        list(chosen.encode_file([given], options, context, LossLedger()))


@pytest.mark.usefixtures("small_sheets")
def test_totals_take_a_row_of_the_sheet(tmp_path: Path) -> None:
    table = pa.table({"n": list(range(10))})
    path, _ = write(tmp_path, table, totals=True)
    book = openpyxl.load_workbook(path)
    assert [sheet.max_row for sheet in book] == [10, 4]
    assert read_back(path, table, totals=True)["n"].tolist() == list(range(10))


def test_more_than_a_million_rows(tmp_path: Path) -> None:
    rows = 1_048_580
    table = pa.table({"n": pa.array(range(rows), pa.int32())})
    path, losses = write(tmp_path, table, batch_rows=65_536)
    assert found(losses) == {("rows_beyond_limit", "flights"): 5}
    book = CalamineWorkbook.from_path(path)
    first, second = (book.get_sheet_by_name(name) for name in book.sheet_names)
    assert (first.height, second.height) == (1_048_576, 6)
    assert [row[0] for row in second.to_python()[1:]] == list(range(rows - 5, rows))


def test_no_rows(tmp_path: Path) -> None:
    path, losses = write(tmp_path, FLIGHTS.slice(0, 0), banded=True, table=True)
    assert sheet_of(path).max_row == 1
    assert read_back(path, FLIGHTS).empty
    assert found(losses) == {}


def test_headings_of_one_name(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array(["a"]), pa.array([2])], ["n", "N", "n"])
    path, losses = write(tmp_path, table)
    assert [cell.value for cell in sheet_of(path)[1]] == ["n", "N", "n"]
    assert found(losses) == {("duplicate_header", "n (2)"): 1}
    path, losses = write(tmp_path, table, table=True)
    assert found(losses) == {
        ("duplicate_header", "N (2)"): 1,
        ("duplicate_header", "n (3)"): 1,
    }
    sheet = sheet_of(path)
    assert [cell.value for cell in sheet[1]] == ["n", "N (2)", "n (3)"]
    assert [c.name for c in next(iter(sheet.tables.values())).tableColumns] == [
        "n",
        "N (2)",
        "n (3)",
    ]


def test_formulas_beside_below_and_in_columns(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "formulas": [{"name": "speed", "formula": "={distance}/{air_time}*60"}],
        "cell_formulas": [
            {"cell": "H2", "formula": "=SUM({distance})"},
            {"cell": "H3", "formula": "=MAX({distance})"},
            {"cell": "J9", "formula": '="<"&1'},
        ],
        "totals": True,
    }
    path, _ = write(tmp_path, FLIGHTS, **options)
    sheet = sheet_of(path)
    assert [sheet.cell(row, 5).value for row in (1, 2, 4)] == ["speed", "=B2/C2*60", "=B4/C4*60"]
    assert sheet["H2"].value == "=SUM($B$2:$B$4)"
    assert sheet["H3"].value == "=MAX($B$2:$B$4)"
    assert sheet["J9"].value == '="<"&1'
    assert "SUBTOTAL(109,B2:B4)" in sheet["B5"].value
    assert sheet.dimensions == "A1:J9"
    assert sheet["B3"].value == 1416
    assert read_back(path, FLIGHTS, **options)["distance"].tolist() == [1400, 1416, 1089]
    path, _ = write(tmp_path, FLIGHTS, table=True, **options)
    assert read_back(path, FLIGHTS, table=True, **options)["distance"].tolist()[2:] == [1089]


def test_a_cell_inside_the_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="B3"):
        write(tmp_path, FLIGHTS, cell_formulas=[{"cell": "B3", "formula": "=1"}])


def test_columns_of_links(tmp_path: Path) -> None:
    table = pa.table(
        {
            "plane": ["N 1", None, 'a"b&c', "", "x" * 300, "x" * 233],
            "n": pa.array([1, 2, 3, None, 5, 6], pa.int32()),
        }
    )
    path, losses = write(
        tmp_path, table, hyperlinks=[{"column": "plane", "url": "https://example.org/{}?q"}, "n"]
    )
    sheet = sheet_of(path)
    assert sheet["A2"].value == '=HYPERLINK("https://example.org/N%201?q","N 1")'
    assert sheet["A4"].value == '=HYPERLINK("https://example.org/a%22b%26c?q","a""b&c")'
    # an address of more than 255 characters would show as #VALUE!
    assert sheet["A6"].value == "x" * 300
    assert len(sheet["A7"].value) == len('=HYPERLINK("","")') + 255 + 233
    assert sheet["B2"].value == '=HYPERLINK("1",1)'
    assert read_back(path, table)["plane"].tolist()[::2] == table["plane"].to_pylist()[::2]
    assert read_back(path, table)["n"].tolist()[:3] == [1, 2, 3]
    assert found(losses) == {}


@pytest.mark.parametrize(
    ("options", "field", "said"),
    [
        ({"number_formats": {"distance": "0.0 km"}}, "format.number_formats.distance", "“k”"),
        (
            {"formulas": [{"name": "f", "formula": "=1", "number_format": '0"'}]},
            "format.formulas[0].number_format",
            "not an Excel number format",
        ),
        ({"properties": {"title": "a\x01"}}, "format.properties.title", r"U\+0001"),
        ({"properties": {"custom": {"\uffff": 1}}}, "format.properties.custom", r"U\+FFFF"),
        ({"date_format": "yyyy\x02"}, "format.date_format", r"U\+0002"),
        (
            {"validations": [{"columns": "distance", "type": "whole", "op": ">", "value": 1e400}]},
            "format.validations[0].value",
            "finite",
        ),
        (
            {"conditional_formats": [{"type": "top", "value": 1e400}]},
            "format.conditional_formats[0].value",
            "finite",
        ),
        ({"date_format": "%d.%m.%Y"}, "format.date_format", "strftime"),
        ({"number_formats": {"distance": '0"'}}, "format.number_formats.distance", "number format"),
        (
            {"number_formats": {"distanc": "0"}},
            "format.number_formats",
            "“distanc” is not a column",
        ),
        ({"widths": {"x": 3}}, "format.widths", "“x” is not a column"),
        ({"header": ["a"]}, "format.header", "names 1 columns, and there are 4"),
        ({"sheets": {"flight": {}}}, "format.sheets.flight", "not a dataset"),
        ({"template_cell": "A1"}, "format", "needs “template”"),
        ({"freeze_panes": "AAAA1"}, "format.freeze_panes", "not a cell"),
    ],
)
def test_bad_options(options: dict[str, Any], field: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match=said) as caught:
        write(tmp_path, FLIGHTS, **options)
    assert (caught.value.field or "").startswith(field)


def test_one_name_for_several_sheets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="several"):
        write(tmp_path, {"a": FLIGHTS, "b": FLIGHTS}, sheet="x")


def test_many_columns(tmp_path: Path) -> None:
    table = pa.table(
        {f"c{i}": pa.nulls(3) if i % 2 else pa.array([i, None, i]) for i in range(3000)}
    )
    path, _ = write(tmp_path, table)
    rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    assert [len(row) for row in rows] == [3000] * 4
    assert rows[1][2998:] == [2998, ""]


def test_too_many_columns(tmp_path: Path) -> None:
    table = pa.table({f"c{i}": pa.nulls(1) for i in range(16_385)})
    with pytest.raises(InvalidSpec, match="holds 16,384 columns, and there are 16,385"):
        write(tmp_path, table)


def test_temporary_files_go_when_it_is_cancelled(tmp_path: Path) -> None:
    context = FileContext("book", "book", ".xlsx", surroundings(tmp_path))
    chosen = ExcelFormat()
    given = Table("flights", FLIGHTS.schema, iter(FLIGHTS.to_batches() * 3))
    chunks = chosen.encode_file([given], registry.check_options(chosen, {}), context, LossLedger())
    next(chunks)
    chunks.close()
    assert list(context.here.scratch.iterdir()) == []
