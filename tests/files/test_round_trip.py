"""What we wrote ourselves is read back: exactly, as far as the file tells."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from .conftest import Bench, read

_random = random.Random(7)
ROWS = 3000


def _some(values: list[Any]) -> list[Any]:
    """Every seventh value is a null."""
    return [None if at % 7 == 3 else value for at, value in enumerate(values)]


def _doubles() -> list[float]:
    bits = np.random.default_rng(7).integers(0, 2**64, ROWS, np.uint64)
    doubles = bits.view(np.float64)
    return [float(each) if np.isfinite(each) else 0.1 for each in doubles]


DAYS = [dt.date(1900, 3, 1) + dt.timedelta(days=17 * i) for i in range(ROWS)]
MOMENTS = [dt.datetime(1950, 1, 1) + dt.timedelta(hours=i, microseconds=7 * i) for i in range(ROWS)]  # noqa: DTZ001
TABLE = pa.table(
    {
        "int": pa.array(_some([i * 7919 - 10**6 for i in range(ROWS)]), pa.int64()),
        "wide": pa.array([2**63 - 1 - i for i in range(ROWS)], pa.int64()),
        "double": pa.array(_some(_doubles()), pa.float64()),
        "price": pa.array([i / 100 for i in range(ROWS)], pa.float64()),
        "text": pa.array(_some([f'a "{i}", b; é\n😀' for i in range(ROWS)]), pa.string()),
        "zeros": pa.array([f"{i:05}" for i in range(ROWS)], pa.string()),
        "empty": pa.array(["" if i % 2 else None for i in range(ROWS)], pa.string()),
        "bool": pa.array(_some([i % 3 == 0 for i in range(ROWS)]), pa.bool_()),
        "day": pa.array(_some(DAYS), pa.date32()),
        "moment": pa.array(_some(MOMENTS), pa.timestamp("us")),
        "instant": pa.array(MOMENTS, pa.timestamp("us", "UTC")),
        "time": pa.array([dt.time(i % 24, i % 60, 0, i) for i in range(ROWS)], pa.time64("us")),
        "decimal": pa.array(
            [Decimal(f"1234567890123456789.{i:04}") for i in range(ROWS)], pa.decimal128(38, 4)
        ),
    }
)


def same(found: pa.Table, expected: pa.Table) -> None:
    assert found.column_names == expected.column_names
    for name in expected.column_names:
        assert found[name].type == expected[name].type, name
        assert found[name].to_pylist() == expected[name].to_pylist(), name


@pytest.mark.parametrize(
    "name",
    ["x.csv", "x.csv.gz", "x.csv.zst", "x.tsv", "x.parquet", "x.arrow", "x.arrows", "x.feather"],
)
def test_files(bench: Bench, name: str) -> None:
    bench.export(TABLE, name)
    same(read(bench, name), TABLE)


@pytest.mark.parametrize("name", ["x.json", "x.jsonl", "x.jsonl.gz"])
def test_json(bench: Bench, name: str) -> None:
    bench.export(TABLE, name)
    found = read(bench, name)
    # a time of day is a text in JSON, and one that reads as a time is a time again
    same(found, TABLE)


@pytest.mark.parametrize("options", [{"delimiter": ";"}, {"encoding": "utf-16"}, {"bom": True}])
def test_csv_options(bench: Bench, options: dict[str, Any]) -> None:
    if "bom" in options:
        options = {"encoding": "utf-8-sig"}
    bench.export(TABLE, "x.csv", format={"type": "csv", **options})
    same(read(bench, "x.csv"), TABLE)


def test_excel(bench: Bench) -> None:
    names = ["int", "price", "zeros", "bool", "day"]
    bench.export(TABLE.select(names), "x.xlsx")
    same(read(bench, "x.xlsx"), TABLE.select(names))
    bench.export(TABLE.select(["moment"]), "y.xlsx")
    moments = read(bench, "y.xlsx")["moment"]
    assert moments.type == pa.timestamp("us")
    for found, given in zip(moments.to_pylist(), TABLE["moment"].to_pylist(), strict=True):
        assert (found is None) == (given is None)
        assert found is None or abs(found - given) <= dt.timedelta(milliseconds=1)


def test_one_column_with_nulls_at_its_end(bench: Bench) -> None:
    table = pa.table({"a": pa.array([1, None, None], pa.int64())})
    for name in ("x.csv", "x.jsonl", "x.json", "x.parquet", "x.arrow", "x.xlsx"):
        bench.export(table, name)
        same(read(bench, name), table)


def test_parts_of_csv(bench: Bench) -> None:
    bench.export(TABLE, "parts.csv", format={"type": "csv", "rows_per_file": 100})
    assert len(list((bench.root / "parts.csv").iterdir())) == 30
    same(read(bench, "parts.csv"), TABLE)


def test_partitions(bench: Bench) -> None:
    columns = {
        "n": pa.array(range(60), pa.int64()),
        "year": pa.array([2000 + i % 3 for i in range(60)], pa.int64()),
        "day": pa.array([DAYS[i % 4] for i in range(60)], pa.date32()),
        "text": pa.array([("a/b", "é=%", "", None)[i % 4] for i in range(60)], pa.string()),
        "moment": pa.array([MOMENTS[i % 2] for i in range(60)], pa.timestamp("us")),
        "instant": pa.array([MOMENTS[i % 2] for i in range(60)], pa.timestamp("ms", "UTC")),
        "money": pa.array([Decimal(i % 2) for i in range(60)], pa.decimal128(38, 2)),
        "flag": pa.array([(True, False, None)[i % 3] for i in range(60)], pa.bool_()),
    }
    table = pa.table({**columns, "instant": columns["instant"].cast(pa.timestamp("ms", "UTC"))})
    keys = [name for name in columns if name != "n"]
    bench.export(table, "p", format={"type": "parquet", "partition_by": keys})
    found = read(bench, "p")
    assert found.column_names == ["n", *keys]
    assert [str(kind) for kind in found.schema.types if not pa.types.is_decimal(kind)] == [
        str(kind) for kind in table.schema.types if not pa.types.is_decimal(kind)
    ]
    assert sorted(found.to_pylist(), key=lambda row: row["n"]) == table.to_pylist()


def test_several_datasets_are_refused_as_one(bench: Bench) -> None:
    uploads = [bench.freeze(pa.table({"a": [i]})) for i in range(2)]
    datasets = [
        {"name": f"d{i}", "source": {"type": "upload", "id": id}} for i, id in enumerate(uploads)
    ]
    bench.run({"datasets": datasets, "format": {"type": "csv"}}, "both")
    with pytest.raises(ValueError, match="holds several datasets: “d0”, “d1”"):
        read(bench, "both")
    assert read(bench, "both/d1.csv").to_pydict() == {"a": [1]}
