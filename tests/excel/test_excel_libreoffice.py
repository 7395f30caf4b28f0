"""LibreOffice opens the workbook and has the same values."""

# ruff: noqa: DTZ001 - a workbook has no time zones
from __future__ import annotations

import csv
import datetime as dt
import os
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from .writing import write

SOFFICE = shutil.which("soffice")
pytestmark = pytest.mark.skipif(
    SOFFICE is None and not os.environ.get("CI"), reason="LibreOffice is not installed"
)


def converted(path: Path, folder: Path) -> list[list[str]]:
    """Return the cells of the first sheet as LibreOffice shows them."""
    subprocess.run(
        [
            str(SOFFICE),
            f"-env:UserInstallation=file://{folder / 'profile'}",
            "--headless",
            "--convert-to",
            # comma, double quote, UTF-8, from line 1, cells as shown
            "csv:Text - txt - csv (StarCalc):44,34,76,1,,1033,false,true",
            "--outdir",
            str(folder),
            str(path),
        ],
        check=True,
        capture_output=True,
        timeout=110,
    )
    with (folder / f"{path.stem}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_libreoffice_shows_the_same_values(tmp_path: Path) -> None:
    noon = dt.datetime(2024, 2, 29, 12, 30, 15, 250_000)
    table = pa.table(
        {
            "text": ["007", " <a> & b ", "=1+1", None, "日本\n😀"],
            "number": [1.5, None, -0.25, 1e5, 3.0],
            "long": pa.array([2**62, 1, 2, 3, None]),
            "price": pa.array([Decimal("1.50"), None, Decimal("-2.25"), None, None]),
            "day": [dt.date(2024, 2, 29), dt.date(1900, 3, 1), dt.date(1850, 1, 1), None, None],
            "moment": [noon, None, dt.datetime(1999, 12, 31, 23, 59, 59, 999_000), None, noon],
            "time": [dt.time(6, 0, 1), None, dt.time(23, 59, 59), None, None],
            "span": pa.array([dt.timedelta(hours=30), None, dt.timedelta(0), None, None]),
            "yes": [True, False, None, True, None],
        }
    )
    path, _ = write(
        tmp_path,
        table,
        batch_rows=2,
        formulas=[{"name": "twice", "formula": "={number}*2"}],
        cell_formulas=[{"cell": "L2", "formula": "=SUM({number})"}],
        time_format="hh:mm:ss",
    )
    rows = converted(path, tmp_path)
    assert [row[0] for row in rows] == ["text", "007", " <a> & b ", "=1+1", "", "日本\n😀"]
    assert rows[0][:10] == [*table.column_names, "twice"]
    assert [float(row[1] or "nan") for row in rows[1:2]] == [1.5]
    assert rows[1][2] == str(2**62)
    assert [row[3] for row in rows[1:4]] == ["1.50", "", "-2.25"]
    assert [row[4] for row in rows[1:5]] == ["2024-02-29", "1900-03-01", "1850-01-01", ""]
    assert rows[1][5] == "2024-02-29 12:30:15.250"
    assert rows[3][5] == "1999-12-31 23:59:59.999"
    assert [row[6] for row in rows[1:4]] == ["06:00:01", "", "23:59:59"]
    assert [row[7] for row in rows[1:4]] == ["30:00:00", "", "0:00:00"]
    assert [row[8] for row in rows[1:5]] == ["TRUE", "FALSE", "", "TRUE"]
    assert float(rows[1][9]) == 3.0
    assert float(rows[1][11]) == 1e5 + 4.25
