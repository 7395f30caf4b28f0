"""Worksheets: the types of cells, empty and merged ones, formulas, errors, and late values."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest

from jupyter_export.errors import Cancelled, SourceFailed
from jupyter_export.sources.file import open_file
from jupyter_export.spec import FileSource

from .conftest import Bench, read, write

NOON = dt.datetime(2020, 1, 1, 12)  # noqa: DTZ001
DAY = dt.date(2020, 1, 2)


def save(bench: Bench, rows: list[list[Any]], **cells: Any) -> None:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for place, value in cells.items():
        book.active[place] = value
    book.save(bench.root / "x.xlsx")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, None, -3], pa.int64()),
        ([1, 2.5], pa.float64()),
        ([True, False], pa.bool_()),
        (["007", "x"], pa.string()),
        ([NOON, None], pa.timestamp("us")),
        ([DAY, DAY], pa.date32()),
        ([dt.time(12, 30)], pa.time64("us")),
        ([dt.timedelta(hours=30)], pa.duration("us")),
        ([None, None, "end"], pa.string()),
    ],
)
def test_types_of_cells(bench: Bench, values: list[Any], kind: pa.DataType) -> None:
    save(bench, [["a", "b"], *[[value, "k"] for value in values]])
    column = read(bench, "x.xlsx")["a"]
    assert column.type == kind
    assert column.to_pylist() == values


def test_a_date_among_moments(bench: Bench) -> None:
    save(bench, [["a"], [DAY], [NOON]])
    column = read(bench, "x.xlsx")["a"]
    assert column.to_pylist() == [dt.datetime(2020, 1, 2), NOON]  # noqa: DTZ001


def test_a_moment_at_midnight_stays_one(bench: Bench) -> None:
    save(bench, [["a"], [dt.datetime(2020, 1, 2)]])  # noqa: DTZ001
    assert read(bench, "x.xlsx")["a"].type == pa.timestamp("us")


def test_mixed_types_are_text(bench: Bench) -> None:
    save(bench, [["a"], [1], [2.5], ["x"], [True], [DAY], [NOON]])
    assert read(bench, "x.xlsx")["a"].to_pylist() == [
        "1", "2.5", "x", "TRUE", "2020-01-02", "2020-01-01 12:00:00"
    ]  # fmt: skip


def test_a_late_value_decides_as_well(bench: Bench) -> None:
    save(bench, [["a", "b", "c"], *[[i, i, None] for i in range(20_000)], [0.5, "x", DAY]])
    table = read(bench, "x.xlsx")
    assert table.schema.types == [pa.float64(), pa.string(), pa.date32()]
    assert table["a"][7].as_py() == 7.0
    assert table["b"].to_pylist() == [*[str(i) for i in range(20_000)], "x"]
    assert table["c"].null_count == 20_000


def test_empty_rows(bench: Bench) -> None:
    """Before the names and after the rows they are none; between rows they are."""
    save(bench, [[], ["a", "b"], [1, 2], [], [3, 4], [], [None, None]], D9=None)
    book = openpyxl.load_workbook(bench.root / "x.xlsx")
    book.active["A40"].font = openpyxl.styles.Font(bold=True)
    book.save(bench.root / "x.xlsx")
    assert read(bench, "x.xlsx").to_pydict() == {"a": [1, None, 3], "b": [2, None, 4]}


def test_merged_cells(bench: Bench) -> None:
    save(bench, [["a", "b"], ["both", None], ["x", "y"]])
    book = openpyxl.load_workbook(bench.root / "x.xlsx")
    book.active.merge_cells("A2:B2")
    book.save(bench.root / "x.xlsx")
    assert read(bench, "x.xlsx").to_pydict() == {"a": ["both", "x"], "b": [None, "y"]}


def sheet(bench: Bench, change: Any) -> None:
    """Change the XML of the first sheet."""
    path = bench.root / "x.xlsx"
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    part = "xl/worksheets/sheet1.xml"
    parts[part] = change(parts[part].decode()).encode()
    with zipfile.ZipFile(path, "w") as package:
        for name, data in parts.items():
            package.writestr(name, data)


def test_a_formula_has_its_value(bench: Bench) -> None:
    save(bench, [["a", "b"], [1, "=A2+1"], [2, "=A3+1"]])
    with pytest.raises(SourceFailed, match=r"Cell B2 of “x\.xlsx” holds a formula that was never"):
        read(bench, "x.xlsx")
    sheet(bench, lambda xml: re.sub(r"</f><v ?/>|</f><v></v>|</f>(?=</c>)", "</f><v>7</v>", xml))
    assert read(bench, "x.xlsx")["b"].to_pylist() == [7, 7]


def test_errors_become_nulls_and_are_reported(bench: Bench) -> None:
    save(bench, [["a", "b"], [1.5, "x"], ["#DIV/0!", "y"], [2.5, "#N/A"]])
    source = FileSource(type="file", path="x.xlsx")
    stream = open_file(source, bench.surroundings())
    table = pa.Table.from_batches(stream.batches, stream.schema)
    stream.close()
    assert table.to_pydict() == {"a": [1.5, None, 2.5], "b": ["x", "y", None]}
    assert [(loss.column, loss.count, loss.example) for loss in stream.losses] == [
        ("a", 1, "#DIV/0!"),
        ("b", 1, "#N/A"),
    ]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "“x.xlsx” is not an Excel workbook"),
        (b"PK\3\4 garbage", "“x.xlsx” is not an Excel workbook"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "It has a password, or is of Excel 97"),
    ],
)
def test_what_is_no_workbook(bench: Bench, data: bytes, sentence: str) -> None:
    write(bench.root, "x.xlsx", data)
    with pytest.raises(SourceFailed) as caught:
        read(bench, "x.xlsx")
    assert sentence in str(caught.value)


def test_a_damaged_sheet(bench: Bench) -> None:
    save(bench, [["a"], [1], [2]])
    sheet(bench, lambda xml: xml[: len(xml) * 3 // 4])
    with pytest.raises(SourceFailed, match=r"“x\.xlsx” is damaged"):
        read(bench, "x.xlsx")


def test_a_cancel_while_it_is_looked_at(bench: Bench, tmp_path: Path) -> None:
    save(bench, [["a"], *[[i] for i in range(1000)]])
    here = bench.surroundings()
    here.cancelled.set()
    with pytest.raises(Cancelled):
        read(bench, "x.xlsx", cancelled=here.cancelled)
