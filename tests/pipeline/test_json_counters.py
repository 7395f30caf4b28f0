"""The counters of JSON see what is in the bytes, and only that."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jupyter_export.errors import Incomplete
from jupyter_export.registry import RowCounter
from jupyter_export.spec import Link

from .json_files import FORMATS, registry_check, write

HARD = ['{"', "\n{", "[", "]", "  {\n", "],\n", '"a":[', "  [\n", "{\n", '{"type":"metadata",', ""]
TABLE = pa.table(
    {
        "text": HARD,
        "list": [[text, None] for text in HARD],
        "object": [{"{": text, "[": [text]} for text in HARD],
        '\n{"[': [None, *range(len(HARD) - 1)],
    }
)
TABLES = {"a": TABLE, "b\n{[": TABLE.slice(3)}
LINKS = [Link("l", "b\n{[", '\n{"[', "a", '\n{"[')]
SHAPES: list[dict[str, Any]] = [
    {"structure": structure, "pretty": pretty, "metadata": metadata}
    for structure in ("records", "split", "columns", "nested", "normalized")
    for pretty in (False, True)
    for metadata in (False, True)
] + [{"kind": "jsonl", "metadata": metadata} for metadata in (False, True)]


def counter(shape: dict[str, Any]) -> RowCounter:
    chosen = FORMATS[shape.get("kind", "json")]
    options = {key: value for key, value in shape.items() if key != "kind"}
    return chosen.counter(registry_check(chosen, options))


def count(shape: dict[str, Any], data: bytes) -> int:
    counting = counter(shape)
    counting.update(data)
    return counting.finish(Path("unread"))


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_row_that_is_missing_is_missed(
    tmp_path: Path, shape: dict[str, Any], several: bool
) -> None:
    tables = TABLES if several else {"a": TABLE}
    links = LINKS if several else []
    file = write(tmp_path, tables, links=links, **shape)
    rows = file.rows
    assert rows == sum(table.num_rows for table in tables.values())
    shorter = {**tables, "a": TABLE.slice(1)}
    fewer = write(tmp_path, shorter, links=links, **shape)
    # the same bytes but for one row
    assert count(shape, fewer.data) == rows - 1
    assert count(shape, file.data) == rows


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_same_count_however_the_bytes_are_cut(tmp_path: Path, shape: dict[str, Any]) -> None:
    file = write(tmp_path, TABLES, links=LINKS, **shape)
    for most in (2, 7, 60):
        cuts = random.Random(most)
        counting = counter(shape)
        at = 0
        while at < len(file.data):
            size = cuts.randint(0, most)
            counting.update(memoryview(file.data)[at : at + size])
            at += size
        assert counting.finish(Path("unread")) == file.rows


@pytest.mark.parametrize("pretty", [False, True])
def test_columns_that_do_not_agree(tmp_path: Path, pretty: bool) -> None:
    shape = {"structure": "columns", "pretty": pretty}
    file = write(tmp_path, {"a": pa.table({"x": [1, 2, 3], "y": [4, 5, 6]})}, **shape)
    broken = b"".join(line for line in file.data.splitlines(True) if b"5" not in line)
    assert len(json.loads(broken)["y"]) == 2
    with pytest.raises(Incomplete, match="one of its columns has 2 values, another one 3"):
        count(shape, broken)


@pytest.mark.parametrize("shape", SHAPES[:2], ids=str)
def test_a_line_that_is_dropped(tmp_path: Path, shape: dict[str, Any]) -> None:
    file = write(tmp_path, {"a": pa.table({"x": [1, 2, 3]})}, **shape)
    lines = file.data.splitlines(True)
    size = 3 if shape["pretty"] else 1
    broken = b"".join(lines[: 1 + size] + lines[1 + 2 * size :])
    assert len(json.loads(broken)) == 2
    assert count(shape, broken) == 2
