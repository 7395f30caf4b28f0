"""The committed notebook runs in a kernel of a real server, through the script of ``make demo``."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

from .conftest import SOURCE

NOTEBOOKS = SOURCE / "notebooks"


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo", NOTEBOOKS / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["demo"] = module
    spec.loader.exec_module(module)
    return module


def test_the_quickstart_exports_and_reads_back(
    demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    notebook = tmp_path / "books" / "quickstart.ipynb"
    notebook.parent.mkdir()
    shutil.copy(NOTEBOOKS / "quickstart.ipynb", notebook)
    with demo.jupyter_server(notebook.parent) as server:
        document = demo.run_notebook(server, notebook)
        jobs = demo.exported(server)
        templates = server.http.get("jupyter-export/v1/templates").json()["templates"]
    names = ["flights.csv", "flights.jsonl", "flights.parquet", "late.csv.gz", "makers.csv"]
    names += ["JFK.csv", "LGA.csv"]
    assert [Path(job["result"]["path"]).name for job in jobs] == names
    assert [job["result"]["rows"] for job in jobs[:3]] == [336_776] * 3
    for job in jobs:
        file = notebook.parent / job["result"]["path"]
        assert file.stat().st_size == job["result"]["bytes"]
    shown = [output for cell in document.cells for output in cell.get("outputs", [])]
    cards = [o for o in shown if "jx-card" in o.get("data", {}).get("text/html", "")]
    assert [template["name"] for template in templates] == ["late_at"]
    assert [slot["name"] for slot in templates[0]["parameters"]] == ["airport"]
    assert sum("● flights" in card["data"]["text/plain"] for card in cards) == 3
    assert "flights.parquet" in demo.table(jobs, notebook.parent)


def test_a_cell_that_fails_stops_the_demo(tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell("1 / 0"), nbformat.v4.new_code_cell("print('reached')")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "broken.ipynb")
    ran = subprocess.run(
        [sys.executable, str(NOTEBOOKS / "demo.py"), str(tmp_path / "broken.ipynb")],
        capture_output=True,
        text=True,
        timeout=100,
        env={**__import__("os").environ, "PYTHONPATH": str(SOURCE)},
    )
    assert ran.returncode == 1
    assert "ZeroDivisionError" in ran.stderr
    assert "reached" not in ran.stdout
