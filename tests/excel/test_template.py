"""Rows in an existing workbook: they are right, and everything else is still there."""

from __future__ import annotations

import datetime
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from python_calamine import CalamineWorkbook

from jupyter_export import registry
from jupyter_export.errors import InvalidSpec
from jupyter_export.formats.excel import ExcelFormat

from . import templates
from .writing import read_back, surroundings, write

pytestmark = pytest.mark.filterwarnings("ignore:.*extension is not supported:UserWarning")


def flights(rows: int) -> pa.Table:
    days = [datetime.date(2024, 1, 1) + datetime.timedelta(days=n) for n in range(rows)]
    return pa.table(
        {
            # not in the table's order
            "air_time": pa.array(range(10, 10 + rows), pa.int64()),
            "day": pa.array(days, pa.date32()),
            "carrier": pa.array([("AA", "UA", "<&>")[n % 3] for n in range(rows)], pa.string()),
            "distance": pa.array([None if n == 2 else n * 10.5 for n in range(rows)], pa.float64()),
        }
    )


def filled(folder: Path, rows: pa.Table, **options: Any) -> Any:
    """Return the workbook with ``rows`` in it; the template is the report unless there is one."""
    template = folder / "template.xlsx"
    if not template.exists():
        templates.report(template)
    path, _ = write(folder, rows, batch_rows=3, template=template.name, **options)
    return openpyxl.load_workbook(path)


def values(sheet: Any, cells: str) -> list[list[Any]]:
    return [[cell.value for cell in row] for row in sheet[cells]]


def ranges(found: Any) -> list[str]:
    return sorted(str(each.sqref) for each in found)


def test_a_table_gets_the_rows_by_its_headings(tmp_path: Path) -> None:
    sheet = filled(tmp_path, flights(8), template_table="flights")["My Data"]
    assert values(sheet, "B4:F6") == [
        ["carrier", "distance", "day", "air_time", "double"],
        ["AA", 0, datetime.datetime(2024, 1, 1), 10, "=Flights[[#This Row],[distance]]*2"],  # noqa: DTZ001
        ["UA", 10.5, datetime.datetime(2024, 1, 2), 11, "=Flights[[#This Row],[distance]]*2"],  # noqa: DTZ001
    ]
    assert sheet["C7"].value is None
    assert sheet["B7"].value == "<&>"
    assert sheet["E12"].value == 17
    table = sheet.tables["Flights"]
    assert (table.ref, table.autoFilter.ref) == ("B4:F13", "B4:F12")
    assert values(sheet, "B13:C13") == [["Sum", "=SUBTOTAL(109,[distance])"]]


def test_another_reader_sees_the_same_cells(tmp_path: Path) -> None:
    """Cells with an address stand beside ours, which have none."""
    filled(tmp_path, flights(8), template_table="Flights")
    sheet = CalamineWorkbook.from_path(tmp_path / "book.xlsx").get_sheet_by_name("My Data")
    rows = sheet.to_python(skip_empty_area=False)
    assert rows[4][:5] == ["left", "AA", 0.0, datetime.date(2024, 1, 1), 10.0]
    assert rows[4][7] == "right"
    assert rows[11][:5] == ["", "UA", 73.5, datetime.date(2024, 1, 8), 17.0]
    assert rows[24][:2] == ["foot", 123.0]


@pytest.mark.parametrize("rows", [0, 1, 8])
@pytest.mark.parametrize(
    "options",
    [
        {"template_table": "flights"},
        {"template_cell": "start", "template_header": True},
        {"template_cell": "'my data'!J2"},
        {"template_sheet": "plain"},
    ],
)
def test_the_reader_finds_the_rows(tmp_path: Path, rows: int, options: dict[str, Any]) -> None:
    table = flights(rows)
    filled(tmp_path, table, **options)
    found = read_back(tmp_path / "book.xlsx", table, template="template.xlsx", **options)
    assert pa.Table.from_pandas(found, table.schema, preserve_index=False) == table


def test_rows_take_the_formats_of_the_first_one(tmp_path: Path) -> None:
    sheet = filled(tmp_path, flights(8), template_table="Flights")["My Data"]
    for row in range(5, 13):
        assert sheet.cell(row, 2).fill.fgColor.rgb == "FFFFEEDD"
        assert sheet.cell(row, 4).number_format == "dd.mm.yyyy"
    # rows that are new are as tall as the first, those that were there as they were
    heights = [sheet.row_dimensions[row].height for row in (5, 6, 8, 12)]
    assert heights == [30, None, 30, 30]


def test_what_stands_below_moves_down(tmp_path: Path) -> None:
    book = filled(tmp_path, flights(8), template_table="Flights")
    sheet = book["My Data"]
    assert values(sheet, "A5:A6") == [["left"], [None]]
    assert values(sheet, "H5:H6") == [["right"], ["=B6&B25"]]
    assert values(sheet, "A25:C25") == [["foot", 123, "=SUM(C5:C12)+B26"]]
    assert (sheet["D25"].value.ref, sheet["D25"].value.text) == ("D25:D26", "=B25:B26*2")
    assert {str(each) for each in sheet.merged_cells.ranges} == {"A1:F1", "B27:D27"}
    assert sheet["A26"].hyperlink.target == "https://example.org/"
    assert sheet["A25"].comment.text == "below the table"
    assert sheet["B5"].comment.text == "in the table"
    assert ranges(sheet.conditional_formatting) == ["B25:B30", "C5:C12"]
    assert [
        rule.formula
        for found, rules in sheet.conditional_formatting._cf_rules.items()
        for rule in rules
        if str(found.sqref) == "B25:B30"
    ] == [["$B$26"]]
    assert ranges(sheet.data_validations.dataValidation) == ["B25", "B5:B12"]
    assert sheet.print_area == "'My Data'!$A$1:$F$27"
    assert [each.id for each in sheet.row_breaks.brk] == [26]
    assert sheet.freeze_panes == "A5"
    assert sheet.dimensions == "A1:H27"


def test_what_names_the_cells_follows_them(tmp_path: Path) -> None:
    book = filled(tmp_path, flights(8), template_table="Flights")
    names = {name: found.attr_text for name, found in book.defined_names.items()}
    assert names == {
        "Block": "'My Data'!$B$5:$F$12",
        "Below": "'My Data'!$B$25",
        "Start": "Plain!$C$3",
        "Rate": "0.19",
    }
    assert values(book["Cover"], "A2:A4") == [
        ["='My Data'!B25*2"],
        ["=SUM('My Data'!C5:C12)"],
        ["=Below+SUM(Flights[distance])"],
    ]
    beside, below = book["My Data"]._charts
    assert beside.series[0].val.numRef.f == "'My Data'!$C$5:$C$12"
    assert below.series[0].val.numRef.f == "'My Data'!$B$25:$B$30"
    assert (beside.anchor._from.row, below.anchor._from.row) == (1, 34)


def test_everything_else_keeps_its_bytes(tmp_path: Path) -> None:
    filled(tmp_path, flights(8), template_table="Flights")
    assert templates.changed(tmp_path / "template.xlsx", tmp_path / "book.xlsx") == {
        "xl/workbook.xml",
        "xl/worksheets/sheet1.xml",
        "xl/worksheets/sheet3.xml",
        "xl/charts/chart1.xml",
        "xl/charts/chart2.xml",
        "xl/drawings/drawing2.xml",
        "xl/drawings/vmlDrawing1.vml",
        "xl/comments1.xml",
        "xl/tables/table1.xml",
    }
    # where nothing moves, far less does
    filled(tmp_path, flights(templates.BODY), template_table="Flights")
    assert templates.changed(tmp_path / "template.xlsx", tmp_path / "book.xlsx") == {
        "xl/worksheets/sheet1.xml",
        "xl/worksheets/sheet3.xml",
    }


def test_formulas_lose_the_values_they_had(tmp_path: Path) -> None:
    filled(tmp_path, flights(8), template_table="Flights")
    book = openpyxl.load_workbook(tmp_path / "book.xlsx", data_only=True)
    assert [book["Cover"][cell].value for cell in ("A2", "A3", "A4")] == [None] * 3
    assert [book["My Data"][cell].value for cell in ("C13", "H6")] == [None] * 2


def test_fewer_rows_make_a_table_smaller(tmp_path: Path) -> None:
    book = filled(tmp_path, flights(2), template_table="Flights")
    sheet = book["My Data"]
    assert sheet.tables["Flights"].ref == "B4:F7"
    assert values(sheet, "B7:C8") == [["Sum", "=SUBTOTAL(109,[distance])"], [None, None]]
    assert sheet["A20"].value == "foot"
    assert book["Cover"]["A3"].value == "=SUM('My Data'!C5:C6)"
    assert book["My Data"]._charts[0].series[0].val.numRef.f == "'My Data'!$C$5:$C$6"


def test_a_table_without_rows_keeps_an_empty_one(tmp_path: Path) -> None:
    sheet = filled(tmp_path, flights(0), template_table="Flights")["My Data"]
    assert sheet.tables["Flights"].ref == "B4:F6"
    assert values(sheet, "A5:H6") == [
        ["left", *[None] * 6, "right"],
        [None, "Sum", "=SUBTOTAL(109,[distance])", *[None] * 4, "=B6&B20"],
    ]


def test_overwriting_moves_nothing_but_the_totals(tmp_path: Path) -> None:
    sheet = filled(tmp_path, flights(17), template_table="Flights", template_rows="overwrite")[
        "My Data"
    ]
    assert sheet.tables["Flights"].ref == "B4:F22"
    assert values(sheet, "A19:C22") == [
        [None, "<&>", 147],
        ["foot", "AA", 157.5],
        ["https://example.org/", "UA", 168],
        [None, "Sum", "=SUBTOTAL(109,[distance])"],
    ]
    # a merged cell over the totals would hide them
    assert {str(each) for each in sheet.merged_cells.ranges} == {"A1:F1"}


@pytest.mark.parametrize("given", ["Start", "Plain!C3", "$C$3", "plain!C3:F3"])
def test_rows_from_a_cell_on(tmp_path: Path, given: str) -> None:
    options = {} if "!" in given or given == "Start" else {"template_sheet": "Plain"}
    book = filled(tmp_path, flights(4), template_cell=given, **options)
    sheet = book["Plain"]
    assert values(sheet, "C3:F6")[1] == [11, datetime.datetime(2024, 1, 2), "UA", 10.5]  # noqa: DTZ001
    assert sheet["A1"].value == "nothing computed here"
    assert sheet["D3"].number_format == "yyyy-mm-dd"
    assert sheet.dimensions == "A1:F6"


def test_headings_are_written_when_asked_for(tmp_path: Path) -> None:
    sheet = filled(tmp_path, flights(2), template_cell="Start", template_header=True)["Plain"]
    assert values(sheet, "C3:F4")[0] == ["air_time", "day", "carrier", "distance"]
    assert sheet["C4"].value == 10


def test_the_first_sheet_and_its_first_cell_unless_said_otherwise(tmp_path: Path) -> None:
    rows = pa.table({"a": [1, 2], "b": ["x", "y"]})
    sheet = filled(tmp_path, rows)["Cover"]
    assert values(sheet, "A1:B3") == [[1, "x"], [2, "y"], ["='My Data'!B20*2", None]]


def test_a_range_is_replaced(tmp_path: Path) -> None:
    """With as many rows as there were samples nothing moves, with more they make room."""
    path = tmp_path / "template.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["name", "value"])
    for n in range(4):
        sheet.append([f"sample {n}", n])
    sheet.append(["sum", "=SUM(B2:B5)"])
    sheet["B2"].number_format = "0.00"
    book.save(path)
    rows = pa.table({"name": list("abcdef"), "value": [1, 2, 3, 4, 5, 6]})
    found = filled(tmp_path, rows, template_cell="A2:B5")["Sheet"]
    assert values(found, "A6:B8") == [["e", 5], ["f", 6], ["sum", "=SUM(B2:B7)"]]
    assert found["B7"].number_format == "0.00"
    found = filled(tmp_path, rows.slice(0, 2), template_cell="A2:B5")["Sheet"]
    assert values(found, "A3:B6") == [["b", 2], [None, None], [None, None], ["sum", "=SUM(B2:B3)"]]


def test_columns_of_formulas_and_links(tmp_path: Path) -> None:
    sheet = filled(
        tmp_path,
        flights(5),
        template_cell="Start",
        formulas=[{"name": "speed", "formula": "={distance}/{air_time}", "number_format": "0.0"}],
        hyperlinks=[{"column": "carrier", "url": "https://example.org/{}"}],
    )["Plain"]
    assert [sheet.cell(row, 7).value for row in (3, 7)] == ["=F3/C3", "=F7/C7"]
    assert sheet["G7"].number_format == "0.0"
    assert sheet["E4"].value == '=HYPERLINK("https://example.org/UA","UA")'


def test_a_number_format_that_is_asked_for_comes_first(tmp_path: Path) -> None:
    options = {"number_formats": {"day": "yyyy", "distance": "0.00"}}
    sheet = filled(tmp_path, flights(3), template_table="Flights", **options)["My Data"]
    assert (sheet["D5"].number_format, sheet["C7"].number_format) == ("yyyy", "0.00")
    assert sheet["B5"].fill.fgColor.rgb == "FFFFEEDD"


def test_formulas_that_cells_share_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "template.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    for row in range(2, 10):
        sheet.cell(row, 4, "=0")
    book.save(path)
    shared = {2: b'<f t="shared" ref="D2:D9" si="0">A2*$A$9+A9</f>'}

    def share(name: str, data: bytes) -> bytes:
        if name == "xl/worksheets/sheet1.xml":
            for row in range(2, 10):
                cell = f'<c r="D{row}"><f>0</f><v></v></c>'.encode()
                assert cell in data
                formula = shared.get(row, b'<f t="shared" si="0"/>')
                data = data.replace(cell, f'<c r="D{row}">'.encode() + formula + b"<v>5</v></c>")
        return data

    templates.with_parts(path, share)
    found = filled(tmp_path, pa.table({"a": [1, 2, 3]}), template_cell="A2")["Sheet"]
    assert found["D2"].value == "=A2*$A$11+A11"
    assert found["D3"].value is None
    # A3, which the second cell reads, moved down with it
    assert found["D5"].value == "=A5*$A$11+A12"


def test_sheets_with_a_prefix(tmp_path: Path) -> None:
    path = templates.report(tmp_path / "template.xlsx")
    templates.with_parts(path, templates.with_prefix)
    sheet = filled(tmp_path, flights(8), template_table="Flights")["My Data"]
    assert sheet["B12"].value == "UA"
    assert sheet["A25"].value == "foot"
    assert sheet["H5"].value == "right"
    assert sheet.tables["Flights"].ref == "B4:F13"


def test_the_calculation_chain_goes(tmp_path: Path) -> None:
    path = templates.report(tmp_path / "template.xlsx")
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.calcChain+xml"
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/calcChain"

    def chain(name: str, data: bytes) -> bytes:
        if name == "[Content_Types].xml":
            override = f'<Override PartName="/xl/calcChain.xml" ContentType="{kind}"/></Types>'
            return data.replace(b"</Types>", override.encode())
        if name == "xl/_rels/workbook.xml.rels":
            added = f'<Relationship Id="rId99" Type="{relation}" Target="calcChain.xml"/>'
            return data.replace(b"</Relationships>", added.encode() + b"</Relationships>")
        return data.replace(b' fullCalcOnLoad="1"', b"") if name == "xl/workbook.xml" else data

    templates.with_parts(path, chain)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/calcChain.xml", "<calcChain/>")
    filled(tmp_path, flights(2), template_table="Flights")
    with zipfile.ZipFile(tmp_path / "book.xlsx") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert "xl/calcChain.xml" not in parts
    assert b"calcChain" not in b"".join(parts.values())
    assert b'fullCalcOnLoad="1"' in parts["xl/workbook.xml"]


def test_a_pivot_table_over_the_rows_is_filled_again(tmp_path: Path) -> None:
    path = templates.report(tmp_path / "template.xlsx")
    cache = (
        '<pivotCacheDefinition xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        '<cacheSource type="worksheet"><worksheetSource ref="B4:F7" sheet="My Data"/>'
        "</cacheSource></pivotCacheDefinition>"
    )
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/pivotCache/pivotCacheDefinition1.xml", cache)
    write(tmp_path, flights(8), template=path.name, template_table="Flights")
    with zipfile.ZipFile(tmp_path / "book.xlsx") as archive:
        found = archive.read("xl/pivotCache/pivotCacheDefinition1.xml").decode()
    assert 'ref="B4:F12"' in found
    assert 'refreshOnLoad="1"' in found


def test_a_workbook_of_ours_is_a_template_too(tmp_path: Path) -> None:
    """Its rows have no numbers; they must not be counted as rows of the next export."""
    path, _ = write(tmp_path, {"one": flights(5), "two": flights(4)}, table=True, totals=True)
    path.rename(tmp_path / "template.xlsx")
    book = filled(tmp_path, flights(9), template_table="two")
    assert [sheet.max_row for sheet in book] == [7, 11]
    assert [cell.value for cell in book["two"]["A"]][1:10] == list(range(10, 19))
    assert [cell.value for cell in book["one"]["A"]][1:6] == list(range(10, 15))
    assert book["two"].tables["two"].ref == "A1:D11"


@pytest.mark.parametrize(
    ("columns", "options", "hint"),
    [
        (["carrier"], {"template_table": "Flight"}, "Did you mean Flights?"),
        (["carier"], {"template_table": "Flights"}, "Did you mean carrier?"),
        (["carrier"], {"template_cell": "Stat"}, "Did you mean Start?"),
        (["carrier"], {"hyperlinks": ["carier"]}, "Did you mean carrier?"),
        (
            ["carrier"],
            {"formulas": [{"name": "a", "formula": "={carier}"}]},
            "Did you mean carrier?",
        ),
    ],
)
def test_no_row_is_read_before_the_template_is_known(
    tmp_path: Path, columns: list[str], options: dict[str, Any], hint: str
) -> None:
    templates.report(tmp_path / "template.xlsx")

    def rows() -> Any:
        raise AssertionError("a row was asked for")
        yield

    chosen = ExcelFormat()
    checked = registry.check_options(chosen, {"template": "template.xlsx", **options})
    context = registry.FileContext("book", "book", ".xlsx", surroundings(tmp_path))
    schema = pa.schema([(name, pa.string()) for name in columns])
    table = registry.Table("flights", schema, rows())
    with pytest.raises(InvalidSpec) as caught:
        list(chosen.encode_file([table], checked, context, registry.LossLedger()))
    assert hint in str(caught.value)
