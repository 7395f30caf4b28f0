"""Samples: the same rows for the same seed, however they come, and as many as were asked for."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from ..pipeline.conftest import Bench
from ..pipeline.tables import SAMPLES, sample

ROWS = 20_000


def numbers(rows: int = ROWS, size: int | None = None) -> pa.Table:
    table = pa.table({"id": pa.array(range(rows), pa.int64())})
    return pa.Table.from_batches(table.to_batches(size)) if size else table


def ids(bench: Bench, table: pa.Table, **steps: Any) -> list[int]:
    found: list[int] = bench.rows(table, **steps)["id"].to_pylist()
    return found


@pytest.mark.parametrize(
    "wanted", [{"rows": 10}, {"rows": 7000}, {"rows": ROWS - 1}, {"percent": 0.5}, {"percent": 60}]
)
def test_batches_make_no_difference(bench: Bench, wanted: dict[str, Any]) -> None:
    first = ids(bench, numbers(), sample={**wanted, "seed": 7})
    assert first == sorted(set(first))
    assert ids(bench, numbers(size=713), sample={**wanted, "seed": 7}) == first
    assert ids(bench, numbers(), sample={**wanted, "seed": 8}) != first
    if "rows" in wanted:
        assert len(first) == wanted["rows"]
    else:
        assert abs(len(first) - ROWS * wanted["percent"] / 100) < 300


def test_the_draw_is_the_same_for_good(bench: Bench) -> None:
    """Another version of this package, or of NumPy, draws the same rows."""
    assert ids(bench, numbers(1000), sample={"rows": 5, "seed": 42}) == [646, 740, 743, 810, 997]
    assert ids(bench, numbers(1000), sample={"percent": 0.4, "seed": 42}) == [740, 743, 997]


@pytest.mark.parametrize("wanted", [{"rows": ROWS}, {"rows": 10 * ROWS}, {"percent": 100}])
def test_all_rows(bench: Bench, wanted: dict[str, Any]) -> None:
    assert ids(bench, numbers(), sample=wanted) == list(range(ROWS))


@pytest.mark.parametrize("wanted", [{"rows": 0}, {"percent": 0}])
def test_no_rows(bench: Bench, wanted: dict[str, Any]) -> None:
    assert ids(bench, numbers(), sample=wanted) == []


@pytest.mark.parametrize("wanted", [{"rows": 3}, {"percent": 10}])
def test_of_an_empty_table(bench: Bench, wanted: dict[str, Any]) -> None:
    assert ids(bench, numbers(0), sample=wanted) == []


def test_every_row_is_as_likely(bench: Bench) -> None:
    """A tenth of the rows, two hundred times: each tenth of the table gets its share."""
    table = numbers(100)
    counts = [0] * 10
    for seed in range(200):
        for number in ids(bench, table, sample={"rows": 10, "seed": seed}):
            counts[number // 10] += 1
    assert sum(counts) == 2000
    assert all(140 < count < 260 for count in counts)


def test_it_comes_after_where_and_before_all_else(bench: Bench) -> None:
    where = {"column": "id", "op": "<", "value": 100}
    drawn = ids(bench, numbers(), where=where, sample={"rows": 50, "seed": 1})
    assert len(drawn) == 50
    assert max(drawn) < 100
    assert drawn == ids(bench, numbers(100), sample={"rows": 50, "seed": 1})
    count = [{"function": "count"}]
    steps: dict[str, Any] = {"sample": {"rows": 50, "seed": 1}, "aggregates": count}
    assert bench.rows(numbers(), where=where, **steps).to_pydict() == {"count": [50]}
    down = [{"column": "id", "descending": True}]
    steps = {"sample": {"rows": 50, "seed": 1}, "sort": down, "limit": 3}
    assert ids(bench, numbers(), where=where, **steps) == drawn[:-4:-1]


@pytest.mark.parametrize("name", sorted(set(SAMPLES) - {"string_view", "binary_view",
                                                        "run_end_encoded"}))  # fmt: skip
def test_types_are_left_alone(bench: Bench, name: str) -> None:
    whole = bench.rows(sample(name))
    found = bench.rows(sample(name), sample={"rows": 3})
    assert found.schema.equals(whole.schema)
    assert repr(found["x"].to_pylist()) == repr(whole["x"].to_pylist())


def test_dictionaries_that_change_from_batch_to_batch(bench: Bench) -> None:
    cut = [
        pa.record_batch({"id": [i], "x": pa.array([f"word {i}"]).dictionary_encode()})
        for i in range(20)
    ]
    source = {"type": "upload", "id": bench.freeze(iter(cut), cut[0].schema)}
    bench.run({"source": source, "sample": {"rows": 20}}, "out.csv")
    lines = (bench.root / "out.csv").read_text().split("\n")
    assert [line.split(",")[-1].strip("\r") for line in lines[1:21]] == [
        f"word {i}" for i in range(20)
    ]
