"""The notebook of the styled workbook runs in a kernel without a server; its workbook is styled."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nbformat
import openpyxl
import pytest
from nbclient import NotebookClient

from .conftest import SOURCE

NOTEBOOK = SOURCE / "notebooks" / "excel_report.ipynb"


def test_it_is_committed_without_outputs() -> None:
    document = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(document)
    cells = [cell for cell in document.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)


# openpyxl says that it does not know the data bars of Excel 2010.
@pytest.mark.filterwarnings("ignore:.*extension is not supported:UserWarning")
def test_it_exports_a_styled_workbook_and_reads_it_back(tmp_path: Path) -> None:
    document = nbformat.read(shutil.copy(NOTEBOOK, tmp_path), as_version=4)
    client = NotebookClient(
        document,
        timeout=100,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute(env={**os.environ, "PYTHONPATH": str(SOURCE)})

    months = openpyxl.load_workbook(tmp_path / "exports" / "months.xlsx").active
    assert [cell.value for cell in months[1]] == ["month", "flights"]
    assert (months["A2"].number_format, months["B2"].number_format) == ("mmm yyyy", "#,##0")
    assert months["B14"].value == "=SUBTOTAL(109,B2:B13)"

    report = openpyxl.load_workbook(tmp_path / "exports" / "report.xlsx")
    assert report.sheetnames == ["months", "late", "planes"]
    assert report["months"]["E2"].value == "=C2/B2"
    assert len(report["months"].conditional_formatting) == 3  # the bands are one of them
    assert report["late"].freeze_panes == "C2"
    assert list(report["planes"].tables) == ["planes"]

    shown = [output for cell in document.cells for output in cell.get("outputs", [])]
    plain = "\n".join(output.get("data", {}).get("text/plain", "") for output in shown)
    assert "● report.xlsx · 13,057 rows" in plain
    assert "time_hour" in shown[-1]["data"]["text/html"]
