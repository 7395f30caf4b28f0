"""Notebooks that nobody watches: the cells wait, and an export that fails fails the run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from .conftest import SOURCE

SETUP = """
import pandas as pd
%load_ext jupyter_export
df = pd.DataFrame({"n": range(1_500_000), "t": "text"})
"""
PASSING = (SETUP, "%export df waited.csv --where 'n < 5'", "%export df last.csv.gz --no-wait")
FAILING = (SETUP, "%export df none.csv --where 'nope = 1'", "open('reached', 'w')")


def written(name: str, cells: tuple[str, ...]) -> str:
    made = [nbformat.v4.new_code_cell(cell.strip()) for cell in cells]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata=kernel), name)
    return name


def ran(*command: str) -> subprocess.CompletedProcess[str]:
    # jupyter_client's own pyzmq loop, and papermill, warn of what is theirs
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONWARNINGS": "ignore"}
    return subprocess.run(
        [sys.executable, "-m", *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def outputs(name: str) -> str:
    return str([cell.get("outputs") for cell in nbformat.read(name, as_version=4).cells])


@pytest.mark.timeout(300)
def test_papermill_waits_and_has_the_last_file() -> None:
    done = ran("papermill", written("a.ipynb", PASSING), "a_out.ipynb", "--no-progress-bar")
    assert done.returncode == 0, done.stderr
    assert Path("waited.csv").read_text().count("\n") == 6
    assert Path("last.csv.gz").exists()
    shown = outputs("a_out.ipynb")
    assert "● last.csv.gz · 1,500,000 rows" in shown
    assert "nobody watches this run" in shown


@pytest.mark.timeout(300)
def test_nbconvert_fails_where_an_export_fails() -> None:
    name = written("b.ipynb", FAILING)
    done = ran(
        "jupyter", "nbconvert", "--execute", "--to", "notebook", "--output", "b_out.ipynb", name
    )
    assert done.returncode != 0
    assert "nope" in done.stderr
    assert not Path("reached").exists()
    assert not Path("none.csv").exists()
