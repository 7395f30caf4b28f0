"""Workbooks with all features on, and filled templates, as Excel's own rules have them."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jupyter_export.formats.excel import sheets

from . import structure, templates
from .writing import write

ALL: dict[str, Any] = {
    "widths": {"km": 12, "note": 0},
    "number_formats": {"price": '#,##0.00 "€"'},
    "banded": True,
    "borders": "#888",
    "freeze_panes": "B2",
    "formulas": [{"name": "per hour", "formula": "={km}/24", "number_format": "0.0"}],
    "cell_formulas": [
        {"cell": "K3", "formula": "=AVERAGE({km})", "number_format": "0.00"},
        {"cell": "L50", "formula": '="a"&MAXIFS({km},{km},">1")'},
    ],
    "totals": {"columns": {"km": "sum", "price": "average", "day": "max", "note": "count"}},
    "conditional_formats": [
        {"type": "color_scale", "columns": "km"},
        {"type": "data_bar", "columns": ["km", "price"], "points": ["min", "p90"]},
        {"type": "icon_set", "columns": "km", "icons": "3_flags", "points": [10, "50%"]},
        {"type": "cell", "op": ">", "value": "={price}", "columns": "km"},
        {"type": "text", "op": "contains", "value": "a\"<&", "columns": "note"},
        {"type": "top", "value": 5, "percent": True},
        {"type": "date", "period": "last_7_days", "columns": "day"},
        {"type": "duplicate"},
        {"type": "formula", "formula": "={km}>{price}", "stop": True},
    ],
    "validations": [
        {"columns": "note", "type": "list", "values": ["a", "b"], "title": "T", "message": "M"},
        {"columns": "km", "type": "whole", "minimum": 0, "maximum": 9, "error": "E"},
        {"columns": "day", "type": "date", "op": ">", "value": "2020-01-31"},
        {"columns": "price", "type": "custom", "formula": "={price}>{km}"},
    ],
    "charts": [
        {"type": "line", "x": "day", "y": ["km", "price"], "title": "x & y"},
        {"type": "pie", "x": "note", "y": "km", "cell": "M30", "colors": ["red", "#00F"]},
        {"type": "scatter", "x": "km", "y": "price", "sheet": "Chart's"},
    ],
    "hyperlinks": [
        "link",
        {"column": "note", "url": "https://example.org/{}"},
        {"cell": "K5", "url": "https://example.org/?a=1&b=2", "text": "<here>"},
        {"cell": "K6", "url": "internal:'my “sheet”'!A1"},
    ],
    "properties": {"title": "T", "custom": {"n": 1, "big": 2**40, "day": "2024-01-01", "b": True}},
    "protection": {"password": "secret", "allow": ["sort", "autofilter"]},
}  # fmt: skip


def rows(count: int = 60) -> pa.Table:
    """Return rows with everything that a cell can hold, and a few that it cannot."""
    day = datetime.date(2024, 1, 1)
    moment = datetime.datetime(1850, 1, 1, 12, 30)  # noqa: DTZ001 - a sheet has no zones
    texts = ["plain", " outer ", 'a<b&"c"', "\x01_x0001_", "line\r\nend", None, "é😀" * 200]
    return pa.table(
        {
            "km": pa.array(range(count), pa.int64()),
            "price": pa.array([decimal.Decimal(i) / 4 for i in range(count)], pa.decimal128(12, 2)),
            "day": pa.array([day + datetime.timedelta(i) for i in range(count)]),
            "moment": pa.array([moment + datetime.timedelta(9000 * i) for i in range(count)]),
            "note": pa.array([texts[i % len(texts)] for i in range(count)]),
            "link": pa.array(["https://e.org/" + "y" * (i * 9) for i in range(count)]),
            "long": pa.array([10**17 + i for i in range(count)]),
            "odd": pa.array([float("nan"), float("inf"), -0.0, 1e-300, 1e300] * count)[:count],
        }
    )


@pytest.mark.parametrize("table", [None, True, {"style": "Dark 3", "name": "Own"}])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("count", [0, 1, 60])
def test_a_workbook_with_everything_on(
    table: object, header: bool, count: int, tmp_path: Path
) -> None:
    path, _ = write(tmp_path, {"my “sheet”": rows(count)}, table=table, header=header, **ALL)
    structure.check(path)


def test_rows_that_go_on_in_further_sheets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_export.formats.excel.shell.ROWS", 30)
    tables = {"it's": rows(60), "x" * 40: rows(3), "IT'S (2)": rows(1), "History": rows(0)}
    path, losses = write(tmp_path, tables, table=True, totals=True, charts=ALL["charts"])
    structure.check(path)
    assert any(loss.kind == "rows_beyond_limit" for loss in losses)
    assert sheets.ROWS == 1_048_576


HEADINGS = ["", " ", "a", "A", "a ", "line\nend", "cr\rlf\r\n", "tab\t", "\x01", "_x0041_", "'#@[]",
            "<&\">", "\ufffe", "é😀", "x" * 300, "y" * 300, "=1+1", "12"]  # fmt: skip


@pytest.mark.parametrize("table", [None, True])
def test_headings_of_every_kind(table: object, tmp_path: Path) -> None:
    made = pa.Table.from_arrays([pa.array([1.5])] * len(HEADINGS), names=HEADINGS)
    path, _ = write(tmp_path, made, table=table, totals=True)
    structure.check(path)


@pytest.mark.parametrize("count", [0, 1, 2, 50])
@pytest.mark.parametrize("rows_below", ["shift", "overwrite"])
def test_a_filled_template(count: int, rows_below: str, tmp_path: Path) -> None:
    templates.report(tmp_path / "report.xlsx")
    table = pa.table(
        {
            "carrier": pa.array(["AA"] * count, pa.string()),
            "distance": pa.array([1.5] * count, pa.float64()),
            "day": pa.array([datetime.date(2024, 1, 1)] * count, pa.date32()),
        }
    )
    path, _ = write(
        tmp_path,
        table,
        template="report.xlsx",
        template_table="Flights",
        template_rows=rows_below,
        formulas=[{"name": "air_time", "formula": "={distance}*2", "number_format": "0.000"}],
    )
    structure.check(path)


@pytest.mark.parametrize("table", [None, True])
@pytest.mark.parametrize("formulas", [(), ({"name": "row", "formula": "=ROW()"},)])
def test_rows_without_columns(table: object, formulas: Any, tmp_path: Path) -> None:
    made = rows(2).select([])
    options = {"totals": True, "banded": True, "borders": True, "formulas": formulas}
    path, _ = write(tmp_path, made, table=table, **options)
    structure.check(path)


@pytest.mark.parametrize("count", [0, 1, 40])
def test_headings_of_every_kind_in_a_template(count: int, tmp_path: Path) -> None:
    templates.report(tmp_path / "report.xlsx")
    made = pa.Table.from_arrays([pa.array([1.5] * count)] * len(HEADINGS), names=HEADINGS)
    path, _ = write(
        tmp_path,
        made,
        template="report.xlsx",
        template_cell="Plain!C3",
        template_header=True,
    )
    structure.check(path)
