"""Templates that cannot be used, each named in a sentence."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest

from jupyter_export.errors import Forbidden, InvalidSpec, NotFound, SourceFailed
from jupyter_export.formats.excel import template as templating

from . import templates
from .writing import write

ROWS = pa.table({"carrier": ["AA"], "distance": [1.0]})


def refusal(folder: Path, rows: pa.Table = ROWS, **options: Any) -> InvalidSpec:
    with pytest.raises(InvalidSpec) as caught:
        write(folder, rows, template="template.xlsx", **options)
    return caught.value


def changing(part: str, old: bytes, new: bytes) -> Callable[[str, bytes], bytes]:
    def change(name: str, data: bytes) -> bytes:
        if name == part:
            assert old in data
            return data.replace(old, new)
        return data

    return change


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"carrier,distance\n", "is not an Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "is an old Excel file (.xls)"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "is protected by a password",
        ),
    ],
)
def test_a_file_that_is_no_workbook(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "template.xlsx").write_bytes(content)
    error = refusal(tmp_path)
    assert f"The template “template.xlsx” {sentence}." in error.message
    assert error.field == "format.template"


def test_a_zip_file_that_is_no_workbook(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "template.xlsx", "w") as archive:
        archive.writestr("a.txt", "a")
    assert "is a zip file, but not an Excel workbook" in refusal(tmp_path).message


@pytest.mark.parametrize(
    ("part", "old", "new", "sentence"),
    [
        (
            "[Content_Types].xml",
            b"officedocument.spreadsheetml.sheet.main",
            b"ms-excel.sheet.macroEnabled.main",
            "contains macros",
        ),
        (
            "xl/workbook.xml",
            b"http://schemas.openxmlformats.org/spreadsheetml/2006/main",
            b"http://purl.oclc.org/ooxml/spreadsheetml/main",
            "is a Strict Open XML workbook",
        ),
        ("xl/workbook.xml", b"<sheets>", b"<sheets", "cannot be used: xl/workbook.xml"),
        (
            "xl/worksheets/sheet3.xml",
            b"<worksheet",
            b'<!DOCTYPE a [<!ENTITY b "c">]><worksheet',
            "it has a document type definition",
        ),
        (
            "xl/worksheets/sheet3.xml",
            b'encoding="UTF-8"',
            b'encoding="ISO-8859-1"',
            "it is written in ISO-8859-1, not in UTF-8",
        ),
        ("xl/_rels/workbook.xml.rels", b"styles.xml", b"missing.xml", "has no missing.xml"),
    ],
)
def test_a_workbook_that_cannot_be_used(
    tmp_path: Path, part: str, old: bytes, new: bytes, sentence: str
) -> None:
    path = templates.report(tmp_path / "template.xlsx")
    templates.with_parts(path, changing(part, old, new))
    assert (
        sentence.replace("no missing", "no xl/missing")
        in refusal(tmp_path, template_table="Flights").message
    )


def test_a_part_that_does_not_end(tmp_path: Path) -> None:
    path = templates.report(tmp_path / "template.xlsx")
    templates.with_parts(path, lambda name, data: None if name.endswith("sheet3.xml") else data)
    error = refusal(tmp_path, template_table="Flights")
    assert error.message.startswith("The template “template.xlsx” is damaged: it has no xl/work")


@pytest.mark.parametrize(
    ("options", "sentence", "field"),
    [
        ({"template_sheet": "My Dat"}, "no sheet “My Dat”. Did you mean My Data?", "_sheet"),
        ({"template_cell": "Mi Data!A1"}, "no sheet “Mi Data”. Did you mean My Data?", "_cell"),
        ({"template_table": "Fligths"}, "no table “Fligths”. Did you mean Flights?", "_table"),
        (
            {"template_table": "Flights", "template_sheet": "Cover"},
            "sheet “Cover” of the template “template.xlsx” has no table “Flights”",
            "_table",
        ),
        ({"template_cell": "Blok"}, "no cell and no name “Blok”. Did you mean Block?", "_cell"),
        ({"template_cell": "Rate"}, "The name “Rate” of the template means 0.19", "_cell"),
        (
            {"template_cell": "B6", "template_sheet": "My Data"},
            "The cells B6:C6 of the template are in the table “Flights”.",
            "_cell",
        ),
    ],
)
def test_a_place_that_is_not_there(
    tmp_path: Path, options: dict[str, Any], sentence: str, field: str
) -> None:
    templates.report(tmp_path / "template.xlsx")
    error = refusal(tmp_path, **options)
    assert sentence in str(error)
    assert error.field == f"format.template{field}"


def test_columns_that_a_table_does_not_have(tmp_path: Path) -> None:
    templates.report(tmp_path / "template.xlsx")
    rows = ROWS.append_column("airtime", [[1]])
    error = refusal(tmp_path, rows, template_table="Flights")
    assert "has no column “airtime”. Did you mean air_time?" in str(error)


def test_more_columns_than_cells(tmp_path: Path) -> None:
    templates.report(tmp_path / "template.xlsx")
    rows = ROWS.append_column("c", [[1]])
    error = refusal(tmp_path, rows, template_cell="Plain!C3:D5")
    assert "have 2 columns, and the rows have 3" in error.message


def test_more_rows_than_the_sheet_has_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    templates.report(tmp_path / "template.xlsx")
    monkeypatch.setattr(templating, "LAST_ROW", 40)
    many = pa.table({"carrier": ["AA"] * 60, "distance": [1.0] * 60})
    with pytest.raises(SourceFailed, match=r"has room for 21 rows from row 5 on"):
        write(tmp_path, many, template="template.xlsx", template_table="Flights")


def test_rows_that_would_run_into_another_table(tmp_path: Path) -> None:
    templates.report(tmp_path / "template.xlsx")
    many = pa.table({"carrier": ["AA"] * 10})
    with pytest.raises(SourceFailed, match="reach the table “Flights”"):
        write(
            tmp_path,
            many,
            template="template.xlsx",
            template_cell="'My Data'!B2",
            template_rows="overwrite",
        )


def test_days_that_are_counted_from_1904(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    book.save(tmp_path / "template.xlsx")
    write(tmp_path, ROWS, template="template.xlsx")
    days = pa.table({"day": pa.array([1], pa.date32())})
    assert "counts days from 1904, and the column “day”" in refusal(tmp_path, days).message


def test_a_template_that_is_not_there_or_not_allowed(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"There is no file “none\.xlsx”"):
        write(tmp_path, ROWS, template="none.xlsx")
    inside = tmp_path / "inside"
    inside.mkdir()
    templates.report(tmp_path / "template.xlsx")
    with pytest.raises(Forbidden, match="outside the folder"):
        write(inside, ROWS, template="../template.xlsx")


@pytest.mark.parametrize(
    "options",
    [
        {"charts": [{"y": "distance"}]},
        {"totals": True},
        {"table": True},
        {"sheet": "Data"},
        {"freeze_panes": False},
    ],
)
def test_options_of_new_sheets(tmp_path: Path, options: dict[str, Any]) -> None:
    templates.report(tmp_path / "template.xlsx")
    (name,) = options
    error = refusal(tmp_path, template_table="Flights", **options)
    assert error.message == f"“{name}” cannot be combined with “template”, which brings its own."
    assert error.field == f"format.{name}"


def test_several_datasets(tmp_path: Path) -> None:
    templates.report(tmp_path / "template.xlsx")
    with pytest.raises(InvalidSpec, match="takes the rows of one dataset, and there are 2"):
        write(tmp_path, {"a": ROWS, "b": ROWS}, template="template.xlsx")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"template_cell": "A1"}, "“template_cell” needs “template”"),
        (
            {"template": "t.xlsx", "template_table": "T", "template_cell": "A1"},
            "“template_table” and “template_cell” exclude each other",
        ),
    ],
)
def test_options_that_exclude_each_other(
    tmp_path: Path, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidSpec) as caught:
        write(tmp_path, ROWS, **options)
    assert sentence in caught.value.message
