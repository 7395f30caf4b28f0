"""The notebook of a selective export runs in a kernel without a server, and in one of a server."""

from __future__ import annotations

import base64
import gzip
import json
import os
import shutil
import sqlite3
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from .conftest import SOURCE
from .test_quickstart import demo

__all__ = ["demo"]

NOTEBOOK = SOURCE / "notebooks" / "investigation.ipynb"
DATA = NOTEBOOK.with_suffix(".py")


def copied(folder: Path) -> Path:
    shutil.copy(DATA, folder)
    return Path(shutil.copy(NOTEBOOK, folder))


def test_it_is_committed_without_outputs() -> None:
    document = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(document)
    cells = [cell for cell in document.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)


def test_its_data_are_the_same_each_time(demo: ModuleType, tmp_path: Path) -> None:
    scope: dict[str, Any] = {"__name__": "investigation"}
    exec(compile(DATA.read_text(), DATA, "exec"), scope)
    found = []
    for name in ("one.db", "two.db"):
        database = sqlite3.connect(scope["make"](tmp_path / name))
        found.append(list(database.iterdump()))
        database.close()
    assert found[0] == found[1]


def test_it_exports_what_belongs_together(tmp_path: Path) -> None:
    document = nbformat.read(copied(tmp_path), as_version=4)
    client = NotebookClient(
        document,
        timeout=100,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute(env={**os.environ, "PYTHONPATH": str(SOURCE)})
    _check(tmp_path / "exports")
    shown = [output for cell in document.cells for output in cell.get("outputs", [])]
    plain = "\n".join(output.get("data", {}).get("text/plain", "") for output in shown)
    assert "● selection.jsonl" in plain
    assert "bytes are base64 text" in plain


def test_it_runs_on_a_server(
    demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    notebook = copied(tmp_path)
    with demo.jupyter_server(tmp_path) as server:
        demo.run_notebook(server, notebook)
        jobs = demo.exported(server)
    names = [Path(job["result"]["path"]).name for job in jobs]
    assert names == ["selection.jsonl", "once.jsonl", "twice.jsonl", "heavy.jsonl.gz"]
    _check(tmp_path / "exports")


def _check(folder: Path) -> None:
    """Hold the files against one another, with nothing but the standard library."""
    rows = defaultdict(list)
    lines = (folder / "selection.jsonl").read_text(encoding="utf-8").splitlines()
    about, *between, end = map(json.loads, lines)
    for row in between:
        rows[row.pop("type")].append(row)
    assert end == {"type": "metadata", "rows": {name: len(found) for name, found in rows.items()}}
    assert [relation["to"] for relation in about["relationships"]] == [
        "pages.id",
        "sessions.id",
        "subjects.id",
        "pages.id",
    ]
    for relation in about["relationships"]:
        child, column = relation["from"].split(".")
        parent, key = relation["to"].split(".")
        needed = {row[column] for row in rows[child]}
        found = {row[key] for row in rows[parent]}
        assert needed == found if child != "entities" else needed <= found
    assert len(rows["labels"]) == 50
    assert {row["label"] for row in rows["labels"]} == {"relevant"}
    assert {row["entity_type"] for row in rows["entities"]} == {"person", "email"}
    assert min(row["confidence"] for row in rows["entities"]) >= 0.8
    assert not {"html", "screenshot"} & rows["pages"][0].keys()

    assert (folder / "once.jsonl").read_bytes() == (folder / "twice.jsonl").read_bytes()
    assert (folder / "once.jsonl").read_text(encoding="utf-8").splitlines() == lines[1:-1]

    heavy = gzip.decompress((folder / "heavy.jsonl.gz").read_bytes()).decode().splitlines()
    pages = [row for row in map(json.loads, heavy) if row["type"] == "pages"]
    labels = [row for row in map(json.loads, heavy) if row["type"] == "labels"]
    assert len(labels) == 5
    assert {row["id"] for row in pages} == {row["page_id"] for row in labels}
    for page in pages:
        assert page["html"].startswith("<!doctype html>")
        assert base64.b64decode(page["screenshot"]).startswith(b"\x89PNG")
