"""JSON Lines: rows alone, rows that say their dataset, and lines of metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jupyter_export.errors import InvalidSpec

from . import json_values as oracle
from .json_files import write
from .test_json import FLIGHTS, OPTIONS, PLANES


def lines(data: bytes) -> list[Any]:
    assert data == b"" or data.endswith(b"\n")
    return [json.loads(line) for line in data.splitlines()]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("max_rows", [1, 3, 1000])
def test_rows_alone(tmp_path: Path, options: dict[str, Any], max_rows: int) -> None:
    file = write(tmp_path, {"p": PLANES}, "jsonl", max_rows=max_rows, **options)
    assert lines(file.data) == oracle.rows(PLANES, **options)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_several_datasets(tmp_path: Path, options: dict[str, Any]) -> None:
    name = 'the "flights"\n'
    tables = {"planes": PLANES, name: FLIGHTS, "none": FLIGHTS.slice(0, 0)}
    file = write(tmp_path, tables, "jsonl", **options)
    expected = [
        {"type": name, **row}
        for name, table in tables.items()
        for row in oracle.rows(table, **options)
    ]
    assert lines(file.data) == expected
    assert all(next(iter(row)) == "type" for row in lines(file.data))


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("nulls", ["include", "exclude"])
def test_metadata(tmp_path: Path, count: int, nulls: str) -> None:
    tables = dict(list({"planes": PLANES, "flights": FLIGHTS}.items())[:count])
    file = write(tmp_path, tables, "jsonl", metadata=True, nulls=nulls)
    first, *rows, last = lines(file.data)
    assert rows == [
        {"type": name, **row}
        for name, table in tables.items()
        for row in oracle.rows(table, nulls=nulls)
    ]
    assert last == {
        "type": "metadata",
        "rows": {name: table.num_rows for name, table in tables.items()},
    }
    assert list(first) == ["type", "name", "version", "created", "schema", "query"]
    assert first["type"] == "metadata"
    assert list(first["schema"]) == list(tables)
    names = [field["name"] for field in first["schema"]["planes"]]
    assert names == PLANES.column_names


def test_no_rows(tmp_path: Path) -> None:
    empty = FLIGHTS.slice(0, 0)
    assert write(tmp_path, {"p": empty}, "jsonl").data == b""
    assert write(tmp_path, {"p": empty, "q": empty}, "jsonl").data == b""
    file = write(tmp_path, {"p": empty}, "jsonl", metadata=True)
    assert [line["type"] for line in lines(file.data)] == ["metadata"] * 2


def test_names_that_say_the_dataset_already(tmp_path: Path) -> None:
    typed = pa.table({"type": ["metadata"], "x": [1]})
    # alone it is a column like any other
    file = write(tmp_path, {"a": typed}, "jsonl")
    assert lines(file.data) == typed.to_pylist()
    assert file.read()["df"].equals(typed.to_pandas())
    for tables, options in (
        ({"a": typed, "b": FLIGHTS}, {}),
        ({"a": typed}, {"metadata": True}),
    ):
        with pytest.raises(InvalidSpec, match="“a” has a column “type”") as caught:
            write(tmp_path, tables, "jsonl", **options)
        assert caught.value.hint == "Rename the column (columns.rename)."
    with pytest.raises(InvalidSpec, match="A dataset named “metadata”"):
        write(tmp_path, {"metadata": FLIGHTS}, "jsonl", metadata=True)
    write(tmp_path, {"metadata": FLIGHTS, "b": FLIGHTS}, "jsonl")


@pytest.mark.parametrize("option", ["pretty", "structure"])
def test_options_of_json(tmp_path: Path, option: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        write(tmp_path, {"a": FLIGHTS}, "jsonl", **{option: True})
    assert "It belongs to json" in str(caught.value) or option == "structure"
    assert caught.value.field == f"format.{option}"
