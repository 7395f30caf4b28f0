"""Columns that pass through a query of the engine keep their type and every value."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from jupyter_export.errors import ExportError, QueryFailed

from ..pipeline.conftest import Bench
from ..pipeline.tables import SAMPLES, batches

MORE: dict[str, Any] = {
    "dense_union": lambda: pa.UnionArray.from_dense(
        pa.array([0, 1, 0], pa.int8()), pa.array([0, 0, 1], pa.int32()),
        [pa.array([1, 2]), pa.array(["x"])],
    ),
    "ordered_category": lambda: pa.DictionaryArray.from_arrays(
        pa.array([2, None, 0], pa.int8()), pa.array(["low", "mid", "high"]), ordered=True
    ),
    "negative_scale": lambda: pa.array([12300, None, -500]).cast(pa.decimal128(21, 0)).cast(
        pa.decimal128(5, -2)
    ),
    "interval_of_nanoseconds": lambda: pa.array(
        [(1, 2, 3001), None, (0, 0, 1)], pa.month_day_nano_interval()
    ),
    "struct_of_two_cases": lambda: pa.array([{"a": 1, "A": 2}, None, {"a": None, "A": 3}]),
    "map_with_a_key_twice": lambda: pa.array(
        [[("a", 1), ("a", 2)], None, []], pa.map_(pa.string(), pa.int64())
    ),
    "list_of_float16": lambda: pa.array([[1.5, None], None, []], pa.list_(pa.float16())),
    "list_of_wide_decimals": lambda: pa.array(
        [[10**60, None], None, [-1]], pa.list_(pa.decimal256(76, 0))
    ),
    "struct_of_zoned": lambda: pa.array(
        [{"at": 5}, None, {"at": None}], pa.struct([("at", pa.timestamp("ns", "Asia/Kolkata"))])
    ),
}  # fmt: skip
ALL = {**SAMPLES, **MORE}


def table(name: str) -> pa.Table:
    return pa.table({"n": pa.array([1, 2, 3]), "x": ALL[name]()})


def same(found: pa.ChunkedArray, expected: pa.ChunkedArray) -> None:
    assert found.type == expected.type
    assert repr(found.to_pylist()) == repr(expected.to_pylist())


@pytest.mark.parametrize("name", ALL)
def test_a_type_passes_every_step(bench: Bench, name: str) -> None:
    whole = bench.rows(table(name))
    back = bench.rows(table(name), sort=[{"column": "n", "descending": True}])
    assert back["n"].to_pylist() == [3, 2, 1]
    assert repr(back["x"].to_pylist()) == repr(whole["x"].to_pylist()[::-1])
    assert back["x"].type == whole["x"].type
    made = bench.rows(table(name), computed=[{"name": "m", "expression": "n + 1"}])
    same(made["x"], whole["x"])
    first = {"function": "first", "column": "x", "as": "x"}
    one = bench.rows(table(name), group_by=["n"], aggregates=[first])
    same(one["x"], whole["x"])
    wide = bench.rows(
        table(name),
        computed=[{"name": "on", "expression": "'cell'"}],
        pivot={"index": ["n"], "on": "on", "values": "x"},
    )
    same(wide["cell"], whole["x"])


@pytest.mark.parametrize("name", sorted(set(ALL) - {"interval", "interval_of_nanoseconds"}))
def test_a_type_tells_rows_apart(bench: Bench, name: str) -> None:
    twice = pa.concat_tables([table(name), table(name)])
    whole = bench.rows(table(name))
    found = bench.rows(twice, distinct=True, sort=["n"])
    same(found["x"], whole["x"])
    grouped = bench.rows(twice, group_by=["n", "x"], aggregates=[{"function": "count"}])
    same(grouped["x"], whole["x"])
    assert grouped["count"].to_pylist() == [2, 2, 2]


_ORDERED = [
    name for name in ALL
    if not any(word in name for word in ("list", "struct", "map", "union", "null", "interval"))
]  # fmt: skip


@pytest.mark.parametrize("name", _ORDERED)
def test_a_type_is_sorted_by_its_values(bench: Bench, name: str) -> None:
    whole = bench.rows(table(name))["x"].to_pylist()
    present = sorted(value for value in whole if value is not None)
    if name == "json_text":
        present = sorted(present, key=str)
    elif name == "ordered_category":
        present = ["high", "low"]
    elif name.startswith(("string", "large_string", "binary", "large_binary")):
        present = sorted(present)
    found = bench.rows(table(name), sort=["x"])["x"].to_pylist()
    assert repr(found) == repr([*present, *[v for v in whole if v is None]])
    down = bench.rows(table(name), sort=[{"column": "x", "descending": True, "nulls": "first"}])
    assert repr(down["x"].to_pylist()) == repr([*[v for v in whole if v is None], *present[::-1]])
    most = bench.rows(table(name), aggregates=[{"function": "max", "column": "x", "as": "x"}])
    assert repr(most["x"].to_pylist()) == repr(present[-1:])


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches())
def test_sorted_tables_of_all_types(
    bench: Bench, drawn: tuple[pa.Schema, list[pa.RecordBatch]]
) -> None:
    """Backwards by a key, value for value; names are whatever frames have."""
    schema, cut = drawn
    rows = sum(batch.num_rows for batch in cut)
    keys = iter(range(rows))
    name = "key" + "_" * max(len(n) for n in schema.names)
    schema = schema.append(pa.field(name, pa.int64()))
    keyed = [
        pa.RecordBatch.from_arrays(
            [*b.columns, pa.array([next(keys) for _ in range(b.num_rows)], pa.int64())],
            schema=schema,
        )
        for b in cut
    ]

    def read(**steps: Any) -> pa.Table:
        source = {"type": "upload", "id": bench.freeze(iter(keyed), schema)}
        output = {"if_exists": "replace"}
        bench.run({"source": source, "output": output, **steps}, "rows.arrow")
        with pa.ipc.open_file(bench.root / "rows.arrow") as file:
            return file.read_all()

    plain = read()
    back = read(sort=[{"column": name, "descending": True}])
    assert back.schema.types == plain.schema.types
    assert back.schema.names == plain.schema.names
    for column in plain.schema.names:
        assert repr(back[column].to_pylist()) == repr(plain[column].to_pylist()[::-1]), column


def test_words_of_a_category_keep_their_order(bench: Bench) -> None:
    kind = pa.dictionary(pa.int8(), pa.string(), ordered=True)
    words = pa.DictionaryArray.from_arrays(
        pa.array([2, 0, None], pa.int8()), pa.array(["low", "mid", "high"]), ordered=True
    )
    sized = pa.table({"n": [3, 2, 1], "size": words})
    found = bench.rows(sized, sort=["n"])
    assert found["size"].type == kind
    assert found["size"].chunk(0).dictionary.to_pylist() == ["low", "mid", "high"]
    assert found["size"].to_pylist() == [None, "low", "high"]


def test_dictionaries_that_are_too_many_together(bench: Bench) -> None:
    """Two batches whose words together are more than 8 bits number."""
    cut = [
        pa.record_batch(
            {
                "n": pa.array(range(start, start + 100)),
                "x": pa.DictionaryArray.from_arrays(
                    pa.array(range(100), pa.int8()), pa.array([str(start + i) for i in range(100)])
                ),
            }
        )
        for start in (0, 100)
    ]
    source = {"type": "upload", "id": bench.freeze(iter(cut), cut[0].schema)}
    sort = [{"column": "n", "descending": True}]
    bench.run({"source": source, "sort": sort}, "out.jsonl")
    lines = (bench.root / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["x"] for line in lines] == [str(i) for i in range(199, -1, -1)]


def test_what_an_expression_cannot_hold_is_refused(bench: Bench) -> None:
    wide = pa.table({"x": pa.array([10**50], pa.decimal256(76, 0))})
    with pytest.raises(QueryFailed, match="“x” holds numbers of more digits"):
        bench.rows(wide, computed=[{"name": "y", "expression": "x + 1"}])
    fine = pa.table({"at": pa.array([1], pa.timestamp("ns", "UTC"))})
    with pytest.raises(QueryFailed, match="“at” holds moments that microseconds"):
        bench.rows(fine, computed=[{"name": "y", "expression": "at + INTERVAL 1 hour"}])
    interval = pa.table({"x": pa.array([(0, 0, 1)], pa.month_day_nano_interval())})
    with pytest.raises(QueryFailed, match="“x” holds intervals with nanoseconds"):
        bench.rows(interval, sort=["x"])
    for kind in (pa.list_(pa.int64()), pa.struct([("a", pa.int64())])):
        with pytest.raises(ExportError, match="“x” holds nested values"):
            bench.rows(pa.table({"x": pa.nulls(1, kind)}), sort=["x"])
    assert bench.left() == []


def test_whole_microseconds_of_nanoseconds_can_be_computed_with(bench: Bench) -> None:
    at = pa.array([1_577_836_800_000_001_000], pa.timestamp("ns", "Europe/Paris"))
    found = bench.rows(
        pa.table({"at": at}),
        computed=[{"name": "hour", "expression": "hour(at)"}],
    )
    assert found["at"].type == at.type
    assert found["at"].to_pylist() == at.to_pylist()
    bucket = {"column": "at", "time_bucket": "1 day"}
    late = pa.table({"at": pa.array([1_577_836_800_000_000_001, -1], at.type)})
    days = bench.rows(late, group_by=[bucket], aggregates=[{"function": "count"}])
    assert days["at"].type == at.type
    assert [str(day) for day in days["at"].to_pylist()] == [
        "1970-01-01 00:00:00+01:00", "2020-01-01 00:00:00+01:00",
    ]  # fmt: skip
