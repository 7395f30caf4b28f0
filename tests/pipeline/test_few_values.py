"""Columns of few distinct values are written by value: the rows must say the same as without."""

from __future__ import annotations

import csv
import datetime as dt
import json
from typing import Any

import pyarrow as pa
import pytest

from .conftest import Bench

ROWS = 5_000
COLUMNS: dict[str, list[Any]] = {
    "small": [i % 50 - 20 for i in range(ROWS)],
    "with_nulls": [None if i % 7 == 0 else i % 30 for i in range(ROWS)],
    "flag": [i % 3 == 0 for i in range(ROWS)],
    "flag_or_not": [None if i % 5 == 0 else i % 2 == 0 for i in range(ROWS)],
    "day": [dt.date(2013, 1, 1) + dt.timedelta(days=i % 365) for i in range(ROWS)],
    "text": [f'a "{i % 9}", b' for i in range(ROWS)],
    "hundredths": [(i - 2_500) / 100 for i in range(ROWS)],
    "wholes": [float(i - 2_500) if i % 11 else None for i in range(ROWS)],
    "thirds": [i / 3 for i in range(ROWS)],
}


def table(last: str) -> pa.Table:
    """All columns, ``last`` at the end, where a line's end follows it."""
    names = [name for name in COLUMNS if name != last] + [last]
    columns = {name: pa.array(COLUMNS[name]) for name in names}
    columns["text"] = columns["text"].dictionary_encode()
    return pa.table(columns).select(names)


def cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, dt.date) else str(value)


@pytest.mark.parametrize("last", COLUMNS)
def test_csv(bench: Bench, last: str) -> None:
    frame = table(last)
    bench.export(frame, "out.csv")
    with (bench.root / "out.csv").open(newline="") as file:
        names, *rows = csv.reader(file)
    assert names == frame.column_names
    for name, written in zip(names, zip(*rows, strict=True), strict=True):
        assert list(written) == [cell(value) for value in COLUMNS[name]], name


@pytest.mark.parametrize("nulls", ["include", "exclude"])
@pytest.mark.parametrize("last", ["flag_or_not", "with_nulls", "text"])
def test_jsonl(bench: Bench, last: str, nulls: str) -> None:
    bench.export(table(last), "out.jsonl", format={"type": "jsonl", "nulls": nulls})
    rows = [json.loads(line) for line in (bench.root / "out.jsonl").read_text().splitlines()]
    for name, values in COLUMNS.items():
        wanted = [v.isoformat() if isinstance(v, dt.date) else v for v in values]
        assert [row.get(name) for row in rows] == wanted, name
        if nulls == "include":
            assert all(name in row for row in rows)
