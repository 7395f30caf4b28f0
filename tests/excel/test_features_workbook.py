"""Each feature, seen in the workbook by a program that we did not write."""

from __future__ import annotations

import datetime
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest

from jupyter_export.errors import InvalidSpec

from .writing import write

FLIGHTS = pa.table(
    {
        "carrier": ["AA", "UA", "DL", "AA"],
        "distance": [100.5, 200.0, None, 400.0],
        "day": [datetime.date(2024, 1, day) for day in range(1, 5)],
        "air_time": pa.array([10, 20, 30, 40], pa.int64()),
    }
)

# openpyxl says that it would lose extensions on writing; we only read
pytestmark = pytest.mark.filterwarnings("ignore:.*extension is not supported:UserWarning")


def book(folder: Path, rows: pa.Table = FLIGHTS, /, **options: Any) -> Any:
    path, _ = write(folder, rows, batch_rows=3, **options)
    return openpyxl.load_workbook(path)


def rules(sheet: Any) -> list[tuple[str, str, Any]]:
    return [
        (str(found.sqref), rule.type, rule)
        for found, several in sheet.conditional_formatting._cf_rules.items()
        for rule in several
    ]


def test_a_formula_column_counts_its_rows_through_all_batches(tmp_path: Path) -> None:
    formulas = [
        {"name": "speed", "formula": "={distance}/{air_time}*60", "number_format": "0.0"},
        {"name": "twice", "formula": "={speed}*2"},
    ]
    sheet = book(tmp_path, formulas=formulas)["flights"]
    assert [cell.value for cell in sheet["E"]] == [
        "speed",
        *(f"=B{row}/D{row}*60" for row in range(2, 6)),
    ]
    assert sheet["F5"].value == "=E5*2"
    assert sheet["E2"].number_format == "0.0"


def test_a_cell_formula_means_whole_columns(tmp_path: Path) -> None:
    formulas = [
        {"cell": "H1", "formula": "=AVERAGE({distance})", "number_format": "0.00"},
        {"cell": "H3", "formula": "=MAX({air_time})"},
    ]
    sheet = book(tmp_path, cell_formulas=formulas)["flights"]
    assert sheet["H1"].value == "=AVERAGE($B$2:$B$5)"
    assert sheet["H1"].number_format == "0.00"
    assert sheet["H3"].value == "=MAX($D$2:$D$5)"
    assert sheet["A3"].value == "UA"


def test_a_cell_formula_where_rows_stand_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match=r"B9 is where the rows stand\. Choose .* column D") as no:
        book(tmp_path, cell_formulas=[{"cell": "B9", "formula": "=1+1"}])
    assert no.value.field == "format.cell_formulas[0].cell"


def test_totals_leave_out_what_a_filter_hides(tmp_path: Path) -> None:
    sheet = book(tmp_path, totals={"distance": "average", "day": "max"})["flights"]
    assert [cell.value for cell in sheet[6]][:4] == [
        "Total",
        "=SUBTOTAL(101,B2:B5)",
        "=SUBTOTAL(104,C2:C5)",
        None,
    ]
    assert sheet["C6"].number_format == "yyyy-mm-dd"
    assert sheet["A6"].font.bold
    assert sheet.auto_filter.ref == "A1:D5"


def test_totals_of_all_numbers(tmp_path: Path) -> None:
    sheet = book(tmp_path, totals=True)["flights"]
    assert [sheet.cell(6, column).value for column in (2, 3, 4)] == [
        "=SUBTOTAL(109,B2:B5)",
        None,
        "=SUBTOTAL(109,D2:D5)",
    ]


def test_a_table_with_totals(tmp_path: Path) -> None:
    sheet = book(
        tmp_path,
        table={"style": "Medium 9", "banded_columns": True, "name": "Trips"},
        totals={"distance": "sum", "air_time": "product"},
    )["flights"]
    table = sheet.tables["Trips"]
    assert (table.ref, table.autoFilter.ref, table.totalsRowCount) == ("A1:D6", "A1:D5", 1)
    assert table.tableStyleInfo.name == "TableStyleMedium9"
    assert table.tableStyleInfo.showColumnStripes
    assert [column.name for column in table.tableColumns] == FLIGHTS.column_names
    assert table.tableColumns[0].totalsRowLabel == "Total"
    assert table.tableColumns[1].totalsRowFunction == "sum"
    assert sheet["B6"].value == "=SUBTOTAL(109,Trips[distance])"
    assert sheet["D6"].value == "=SUBTOTAL(106,Trips[air_time])"
    # the heading keeps the style that it had before the table
    assert sheet["A1"].font.bold


def test_tables_of_several_sheets_have_names_of_their_own(tmp_path: Path) -> None:
    path, _ = write(tmp_path, {"a b": FLIGHTS, "a_b": FLIGHTS}, table=True)
    found = openpyxl.load_workbook(path)
    assert [list(sheet.tables) for sheet in found] == [["a_b"], ["a_b_2"]]


def test_a_table_without_rows_has_an_empty_one(tmp_path: Path) -> None:
    sheet = book(tmp_path, FLIGHTS.slice(0, 0), table=True, totals=True)["flights"]
    assert sheet.tables["flights"].ref == "A1:D3"
    assert sheet["B3"].value == "=SUBTOTAL(109,flights[distance])"


def test_rules_on_cells(tmp_path: Path) -> None:
    formats = [
        {"columns": "distance", "type": "cell", "op": "between", "minimum": 1, "maximum": 150.5},
        {"columns": "carrier", "type": "cell", "op": "=", "value": 'A"A', "stop": True},
        {"columns": "day", "type": "cell", "op": ">", "value": "2024-01-02"},
        {"columns": "distance", "type": "cell", "op": ">", "value": "={air_time}"},
        {"columns": "carrier", "type": "text", "op": "starts_with", "value": "A"},
        {"type": "formula", "formula": "={distance}>{air_time}", "style": {"bold": True}},
        {"columns": "air_time", "type": "top", "value": 5, "percent": True},
        {"columns": "air_time", "type": "below_average"},
        {"columns": "carrier", "type": "duplicate"},
        {"columns": "day", "type": "date", "period": "last_7_days"},
    ]
    found = rules(book(tmp_path, conditional_formats=formats)["flights"])
    by_type = [(where, kind, rule.formula) for where, kind, rule in found]
    assert ("B2:B5", "cellIs", ["1", "150.5"]) in by_type
    assert ("A2:A5", "cellIs", ['"A""A"']) in by_type
    assert ("C2:C5", "cellIs", ["45293"]) in by_type
    assert ("B2:B5", "cellIs", ["$D2"]) in by_type
    assert ("A2:A5", "beginsWith", ['LEFT(A2,1)="A"']) in by_type
    assert [where for where, kind, _ in found if kind == "expression"] == [
        "B2:B5",
        "A2:A5",
        "C2:C5",
        "D2:D5",
    ]
    top = next(rule for _, kind, rule in found if kind == "top10")
    assert (top.rank, top.percent) == (5, True)
    red = next(rule for _, kind, rule in found if kind == "duplicateValues")
    assert red.dxf.font.color.rgb == "FF9C0006"
    assert {kind for _, kind, _ in found} >= {"aboveAverage", "timePeriod"}


def test_scales_bars_and_icons(tmp_path: Path) -> None:
    formats = [
        {"columns": "distance", "type": "color_scale", "colors": ["white", "#00FF00"]},
        {"columns": "air_time", "type": "color_scale", "points": ["min", "p90", 100]},
        {"columns": "distance", "type": "data_bar", "colors": ["red"], "hide_values": True},
        {"columns": "air_time", "type": "icon_set", "icons": "3_arrows", "points": [15, "50%"]},
    ]
    found = rules(book(tmp_path, conditional_formats=formats)["flights"])
    two, three = (rule.colorScale for _, kind, rule in found if kind == "colorScale")
    assert [color.rgb for color in two.color] == ["FFFFFFFF", "FF00FF00"]
    assert [(point.type, point.val) for point in three.cfvo][1:] == [
        ("percentile", 90),
        ("num", 100),
    ]
    bar = next(rule.dataBar for _, kind, rule in found if kind == "dataBar")
    assert (bar.color.rgb, bar.showValue) == ("FFFF0000", False)
    icons = next(rule.iconSet for _, kind, rule in found if kind == "iconSet")
    assert icons.iconSet == "3Arrows"
    assert [(point.type, point.val) for point in icons.cfvo][1:] == [("num", 15), ("percent", 50)]


def test_validations(tmp_path: Path) -> None:
    validations = [
        {"columns": "carrier", "type": "list", "values": ["AA", "UA"], "message": "Choose"},
        {"columns": "air_time", "type": "whole", "minimum": 1, "maximum": 100, "error": "No"},
        {"columns": "day", "type": "date", "op": ">=", "value": "2020-01-01"},
        {"columns": "distance", "type": "custom", "formula": "={distance}>{air_time}"},
    ]
    sheet = book(tmp_path, validations=validations)["flights"]
    found = {str(each.sqref): each for each in sheet.data_validations.dataValidation}
    assert (found["A2:A5"].type, found["A2:A5"].formula1) == ("list", '"AA,UA"')
    assert found["A2:A5"].prompt == "Choose"
    assert (found["D2:D5"].formula1, found["D2:D5"].formula2) == ("1", "100")
    assert (found["C2:C5"].operator, found["C2:C5"].formula1) == ("greaterThanOrEqual", "43831")
    assert found["B2:B5"].formula1 == "$B2>$D2"


@pytest.mark.parametrize("kind", ["line", "column", "bar", "area", "pie", "scatter"])
def test_charts(tmp_path: Path, kind: str) -> None:
    y = ["distance"] if kind == "pie" else ["distance", "air_time"]
    x = "air_time" if kind == "scatter" else "carrier"
    chart = {"type": kind, "x": x, "y": y, "title": "Trips", "cell": "K2"}
    sheet = book(tmp_path, charts=[chart])["flights"]
    (found,) = sheet._charts
    series = found.series
    assert len(series) == len(y)
    values = series[0].yVal if kind == "scatter" else series[0].val
    assert values.numRef.f == "flights!$B$2:$B$5"
    categories = series[0].xVal if kind == "scatter" else series[0].cat
    if kind == "scatter":
        assert categories.numRef.f == "flights!$D$2:$D$5"
    else:
        assert categories.strRef.f == "flights!$A$2:$A$5"
    assert (found.anchor._from.col, found.anchor._from.row) == (10, 1)


def test_charts_stand_right_of_the_rows_below_each_other(tmp_path: Path) -> None:
    charts = [{"y": "distance"}, {"type": "column", "x": "day", "y": "air_time", "stacked": True}]
    first, second = book(tmp_path, charts=charts)["flights"]._charts
    assert first.anchor._from.col == second.anchor._from.col == 5
    assert second.anchor._from.row > first.anchor.to.row
    assert second.grouping == "stacked"


def test_a_chart_on_a_sheet_of_its_own(tmp_path: Path) -> None:
    charts = [{"y": "distance", "sheet": "Share"}, {"y": "distance", "sheet": "share"}]
    found = book(tmp_path, charts=charts)
    assert found.sheetnames == ["flights", "Share", "share (2)"]
    assert len(found.chartsheets) == 2


def test_a_chart_between_the_sheets_of_two_datasets(tmp_path: Path) -> None:
    charts = [{"y": "distance", "sheet": "Share"}]
    path, _ = write(tmp_path, {"one": FLIGHTS, "two": FLIGHTS.slice(0, 2)}, charts=charts)
    found = openpyxl.load_workbook(path)
    assert found.sheetnames == ["one", "Share", "two", "Share (2)"]
    assert [found[name].max_row for name in ("one", "two")] == [5, 3]


def test_a_formula_too_long_for_a_validation(tmp_path: Path) -> None:
    formula = "={distance}" + "+1" * 130
    rule = {"columns": "distance", "type": "custom", "formula": formula}
    with pytest.raises(InvalidSpec, match="has 263 characters; Excel takes 255") as caught:
        write(tmp_path, FLIGHTS, validations=[rule])
    assert caught.value.field == "format.validations[0]"


def test_links(tmp_path: Path) -> None:
    links = [
        {"column": "carrier", "url": "https://example.org/{}"},
        {"cell": "H1", "url": "https://example.org/", "text": "more"},
        {"cell": "H2", "url": "#flights!A1", "text": "up"},
    ]
    sheet = book(tmp_path, hyperlinks=links)["flights"]
    assert sheet["A2"].value == '=HYPERLINK("https://example.org/AA","AA")'
    assert (sheet["H1"].value, sheet["H1"].hyperlink.target) == ("more", "https://example.org/")
    assert sheet["H2"].hyperlink.location == "flights!A1"


def test_the_document_and_its_protection(tmp_path: Path) -> None:
    properties = {
        "title": "Trips",
        "author": "A. Writer",
        "keywords": "a, b",
        "custom": {"release": 3, "checked": True, "until": "2024-12-31", "note": "text"},
    }
    found = book(tmp_path, properties=properties, protection={"password": "x", "allow": ["sort"]})
    assert (found.properties.title, found.properties.creator) == ("Trips", "A. Writer")
    custom = {each.name: each.value for each in found.custom_doc_props.props}
    assert custom == {
        "release": 3,
        "checked": True,
        "until": datetime.datetime(2024, 12, 31),  # noqa: DTZ001
        "note": "text",
    }
    protection = found["flights"].protection
    assert protection.sheet
    assert protection.password == "CEBA"
    # True means: forbidden
    assert (protection.sort, protection.formatCells) == (False, True)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"charts": [{"y": "distanc"}]}, "format.charts[0].y"),
        ({"charts": [{"y": "distance", "x": "distanc"}]}, "format.charts[0].x"),
        ({"totals": {"distanc": "sum"}}, "format.totals"),
        ({"hyperlinks": ["distanc"]}, "format.hyperlinks[0].column"),
        ({"formulas": [{"name": "a", "formula": "={distanc}"}]}, "format.formulas[0].formula"),
        (
            {"conditional_formats": [{"type": "blanks", "columns": ["carrier", "distanc"]}]},
            "format.conditional_formats[0].columns",
        ),
        (
            {"validations": [{"type": "list", "values": ["a"], "columns": "distanc"}]},
            "format.validations[0].columns",
        ),
    ],
)
def test_a_name_that_is_no_column(tmp_path: Path, options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidSpec, match="Did you mean distance") as caught:
        write(tmp_path, FLIGHTS, **options)
    assert caught.value.field == field


def test_a_large_table_costs_no_memory_for_its_cells(tmp_path: Path) -> None:
    """XlsxWriter notes every cell of a table; it must not be told of all of them."""
    import tracemalloc

    rows = 50_000
    table = pa.table({"a": pa.array(range(rows)), "b": pa.array(range(rows))})
    tracemalloc.start()
    try:
        write(tmp_path, table, batch_rows=rows, table=True, charts=[{"y": "a"}])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40 * 1000**2
    with zipfile.ZipFile(tmp_path / "book.xlsx") as archive:
        assert f'ref="A1:B{rows + 1}"' in archive.read("xl/tables/table1.xml").decode()


def test_a_chart_is_dressed_for_its_size(tmp_path: Path) -> None:
    chart = {"type": "column", "x": "day", "y": "air_time", "title": "Trips", "labels": True}
    found = book(tmp_path, charts=[chart], number_formats={"air_time": "#,##0"})
    (drawn,) = found["flights"]._charts
    (paragraph,) = drawn.title.tx.rich.p
    assert paragraph.pPr.defRPr.sz == 1200
    assert drawn.y_axis.txPr.p[0].pPr.defRPr.sz == 900
    axes = (drawn.y_axis, drawn.x_axis)
    assert [axis.number_format.formatCode for axis in axes] == ["#,##0", "yyyy-mm-dd"]
    assert drawn.series[0].dLbls.numFmt == "#,##0"


def test_every_option_says_what_it_is() -> None:
    from jupyter_export.formats.excel.options import ExcelOptions

    for name, field in ExcelOptions.model_fields.items():
        assert field.description, name
