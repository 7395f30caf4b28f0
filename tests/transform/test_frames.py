"""Steps over a stream of batches: read once, lazily, stopped when asked, errors as they are."""

from __future__ import annotations

import datetime as dt
import gc
import threading
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from jupyter_export import transform
from jupyter_export.errors import Cancelled, ExportError, InvalidSpec, QueryFailed, SourceFailed
from jupyter_export.registry import BatchStream, Retyped
from jupyter_export.spec import Dataset

from ..pipeline.conftest import Bench

SCHEMA = pa.schema([("id", pa.int64()), ("at", pa.timestamp("ns", "UTC")), ("word", pa.string())])
BATCH = 1000


def batch(start: int, rows: int = BATCH) -> pa.RecordBatch:
    numbers = range(start, start + rows)
    return pa.record_batch(
        [
            pa.array(numbers, pa.int64()),
            pa.array([n * 1001 for n in numbers], SCHEMA.field("at").type),
            pa.array([f"w{n % 10}" for n in numbers]),
        ],
        schema=SCHEMA,
    )


def dataset(**steps: Any) -> Dataset:
    return Dataset.model_validate({"source": {"type": "upload", "id": "x"}, **steps})


def applied(bench: Bench, batches: Iterator[pa.RecordBatch], **steps: Any) -> BatchStream:
    stream = BatchStream(SCHEMA, batches)
    selection = transform.compile_selection(dataset(**steps), SCHEMA)
    return transform.apply(selection, stream, bench.surroundings())


DOWN = [{"column": "id", "descending": True}]
COUNT = [{"function": "count"}]
ON = {"name": "on", "expression": "id % 2"}
PIVOT = {"index": ["word"], "on": "on", "values": "id", "function": "max"}
STEPS: dict[str, dict[str, Any]] = {
    "where": {"where": "id >= 0"},
    "where over nanoseconds": {"time_range": {"column": "at", "start": "1970-01-01"}, "sort": DOWN},
    "sample": {"sample": {"rows": 100}},
    "sample, sorted": {"sample": {"rows": 100}, "sort": DOWN},
    "computed": {"computed": [ON]},
    "sort": {"sort": DOWN},
    "distinct": {"distinct": True, "columns": {"include": ["word"]}},
    "groups": {"group_by": ["word"], "aggregates": COUNT},
    "one row": {"aggregates": COUNT},
    "pivot": {"computed": [ON], "pivot": PIVOT},
}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize(
    "error", [Retyped(), SourceFailed("It went away."), Cancelled("Stop."), ValueError("odd")]
)
def test_errors_of_the_source_come_out_as_themselves(
    bench: Bench, name: str, error: Exception
) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        for i in range(200):
            yield batch(i * BATCH)
        raise error

    with pytest.raises(type(error)) as caught:
        for _ in applied(bench, batches(), **STEPS[name]).batches:
            pass
    assert caught.value is error
    gc.collect()
    assert list(bench.scratch.iterdir()) == []


@pytest.mark.parametrize("name", STEPS)
def test_an_interrupt_ends_a_source_that_waits(bench: Bench, name: str) -> None:
    waits, woken = threading.Event(), threading.Event()

    def batches() -> Iterator[pa.RecordBatch]:
        yield batch(0)
        waits.set()
        assert woken.wait(30)
        raise SourceFailed("The read was ended.")

    stream = BatchStream(SCHEMA, batches(), interrupt=woken.set)
    here = bench.surroundings()
    selection = transform.compile_selection(dataset(**STEPS[name]), SCHEMA)
    ended: list[BaseException] = []

    def consume() -> None:
        try:
            found = transform.apply(selection, stream, here)
            running.append(found)
            for _ in found.batches:
                pass
        except BaseException as error:  # looked at below
            ended.append(error)

    running: list[BatchStream] = []
    consumer = threading.Thread(target=consume)
    consumer.start()
    assert waits.wait(30)
    if running:
        running[0].interrupt()
    else:
        # the pivot is still in apply, which listens itself
        here.cancelled.set()
    consumer.join(30)
    assert not consumer.is_alive()
    assert isinstance(ended[0], (SourceFailed, Cancelled))


def test_an_interrupt_ends_a_sort(bench: Bench) -> None:
    stop: list[Any] = []

    def batches() -> Iterator[pa.RecordBatch]:
        for i in range(300):
            yield batch(i * BATCH)
        # read to its end: only the engine is at work now
        stop[0]()

    stream = applied(bench, batches(), sort=DOWN)
    stop.append(stream.interrupt)
    with pytest.raises(Cancelled):
        for _ in stream.batches:
            pass
    gc.collect()
    assert list(bench.scratch.iterdir()) == []


@pytest.mark.parametrize("name", STEPS)
def test_who_stops_reading_leaves_nothing(bench: Bench, name: str) -> None:
    stream = applied(bench, (batch(i * BATCH) for i in range(300)), **STEPS[name])
    assert next(stream.batches).schema == stream.schema
    stream.batches.close()  # type: ignore[attr-defined]
    assert list(bench.scratch.iterdir()) == []


def test_a_pivot_that_nobody_reads_is_closed(bench: Bench) -> None:
    closed = []
    stream = BatchStream(SCHEMA, iter([batch(0)]), close=lambda: closed.append(True))
    selection = transform.compile_selection(dataset(**STEPS["pivot"]), SCHEMA)
    found = transform.apply(selection, stream, bench.surroundings())
    assert found.schema.names == ["word", "0", "1"]
    found.close()
    assert closed == [True]
    assert list(bench.scratch.iterdir()) == []


@pytest.mark.parametrize("name", ["where", "computed"])
def test_rows_are_read_as_they_are_needed(bench: Bench, name: str) -> None:
    read = []

    def batches() -> Iterator[pa.RecordBatch]:
        for i in range(2000):
            read.append(i)
            yield batch(i * BATCH)

    stream = applied(bench, batches(), **STEPS[name])
    first = next(stream.batches)
    assert first["id"].to_pylist() == list(range(first.num_rows))
    assert len(read) < 1000
    rest = sum(each.num_rows for each in stream.batches)
    assert first.num_rows + rest == 2000 * BATCH


def test_the_order_of_arrival_is_kept(bench: Bench) -> None:
    stream = applied(
        bench,
        (batch(i * BATCH) for i in range(500)),
        where="id % 3 = 0",
        computed=[{"name": "twice", "expression": "id * 2"}],
    )
    found = pa.Table.from_batches(stream.batches)
    assert found["id"].to_pylist() == list(range(0, 500 * BATCH, 3))
    assert found["twice"].to_pylist() == list(range(0, 1000 * BATCH, 6))


@pytest.mark.parametrize("name", STEPS)
def test_an_empty_source(bench: Bench, name: str) -> None:
    stream = applied(bench, iter(()), **STEPS[name])
    found = pa.Table.from_batches(stream.batches, stream.schema)
    assert found.to_pylist() == ([{"count": 0}] if name == "one row" else [])


def test_wide_rows_come_in_small_batches(bench: Bench) -> None:
    schema = pa.schema([("id", pa.int64()), ("page", pa.string())])
    pages = (
        pa.record_batch([pa.array([i]), pa.array(["x" * 500_000])], schema=schema)
        for i in range(200)
    )
    selection = transform.compile_selection(dataset(sort=DOWN), schema)
    here = bench.surroundings(memory_limit=400 * 1000**2)
    found = list(transform.apply(selection, BatchStream(schema, pages), here).batches)
    assert [n for each in found for n in each["id"].to_pylist()] == list(range(199, -1, -1))


# ------------------------------------------------------------------ what is known beforehand


@pytest.mark.parametrize(
    ("steps", "keeps", "total"),
    [
        ({}, True, 70),
        ({"sort": DOWN}, True, 70),
        ({"computed": [ON]}, True, 70),
        ({"columns": {"include": ["id"], "computed": [ON]}}, True, 70),
        ({"limit": 5}, False, 5),
        ({"limit": 100}, False, 70),
        ({"sort": DOWN, "limit": 5}, False, 5),
        ({"where": "id > 1"}, False, None),
        ({"where": "id > 1", "sort": DOWN}, False, None),
        ({"time_range": {"column": "at", "start": "2020-01-01"}}, False, None),
        ({"sample": {"percent": 100}}, False, None),
        ({"distinct": True}, False, None),
        ({"group_by": ["id"]}, False, None),
        ({"aggregates": COUNT}, False, None),
        ({"computed": [ON], "pivot": PIVOT}, False, None),
    ],
)
def test_how_many_rows_will_come(
    bench: Bench, steps: dict[str, Any], keeps: bool, total: int | None
) -> None:
    selection = transform.compile_selection(dataset(**steps), SCHEMA)
    assert selection.keeps_all_rows is keeps
    stream = BatchStream(SCHEMA, iter([batch(0, 70)]), total_rows=70)
    found = transform.apply(selection, stream, bench.surroundings())
    assert found.total_rows == total
    found.close()


# ------------------------------------------------------------------ names, errors

ODD = ["A", "a", "", 'q"uo"te', "od.d", "SELECT", "source", "c0", "é✈", " ", "x" * 80, "a #1"]


def test_any_name_works(bench: Bench) -> None:
    table = pa.table([pa.array([i, 20 - i, None]) for i in range(len(ODD))], names=ODD)
    back = bench.rows(table, sort=[{"column": "a", "descending": True, "nulls": "first"}])
    assert back.column_names == ODD
    assert back[""].to_pylist() == [None, 18, 2]
    for name in ODD:
        steps: dict[str, Any] = {
            "where": {"column": name, "op": "not_null"},
            "group_by": [name],
            "aggregates": [{"function": "max", "column": name, "as": "most"}],
        }
        found = bench.rows(table, **steps)
        assert found.column_names == [name, "most"]
        assert found.column(0).to_pylist() == sorted(set(table[name].to_pylist()[:2]))
    computed = [{"name": "B", "expression": '"A" * 100 + "a"'}, {"name": "b", "expression": '"B"'}]
    found = bench.rows(table, computed=computed, columns={"include": ["b", "B", "A", "a"]})
    assert found.column_names == ["b", "B", "A", "a"]
    assert found["b"].to_pylist() == [1, 2019, None]


def test_an_error_of_the_engine_on_the_last_row(bench: Bench) -> None:
    rows = 200_000
    table = pa.table({"id": pa.array(range(rows))})
    divided = [{"name": "x", "expression": f"1 // (id - {rows - 1})"}]
    steps: list[dict[str, Any]] = [
        {"computed": divided},
        {"computed": divided, "sort": ["x"]},
        {"aggregates": [{"function": "sum", "expression": f"1 / (id - {rows - 1})", "as": "s"}]},
        {"columns": {"computed": divided}},
    ]
    for each in steps:
        with pytest.raises(QueryFailed, match="division by zero"):
            bench.rows(table, **each)
        assert bench.left() == []
        assert list(bench.scratch.iterdir()) == []


def test_a_sum_that_no_integer_holds(bench: Bench) -> None:
    table = pa.table({"x": pa.array([2**63 - 1, 1])})
    with pytest.raises(QueryFailed, match=r"INT64|out of range"):
        bench.rows(table, aggregates=[{"function": "sum", "column": "x"}])
    # the engine's own name for the kind of error says nothing
    with pytest.raises(QueryFailed, match="The query failed: Overflow in multiplication"):
        bench.rows(table, computed=[{"name": "y", "expression": "x * 2"}])


@pytest.mark.parametrize(
    ("steps", "field", "sentence"),
    [
        ({"computed": [{"name": "x", "expression": "nummer + 1"}]}, "computed", "“nummer”"),
        ({"computed": [{"name": "id", "expression": "1"}]}, "computed", "“id”"),
        ({"computed": [{"name": "x", "expression": "(SELECT 1)"}]}, "computed", "(SELECT 1)"),
        ({"group_by": ["wrod"]}, "group_by", "Did you mean word?"),
        ({"aggregates": [{"function": "sum", "column": "word"}]}, "aggregates", "text"),
        ({"sort": ["ids"]}, "sort", "Did you mean id?"),
        ({"group_by": ["word"], "sort": ["id"]}, "sort", "“id” is not in"),
        ({"distinct": True, "columns": {"include": ["id"]}, "sort": ["word"]}, "sort", "“word”"),
        ({"time_range": {"column": "word", "start": "2020-01-01"}}, "time_range", "“word”"),
        ({"columns": {"computed": [{"name": "x", "expression": "sum(id)"}]}}, "columns", "sum"),
    ],
)
def test_what_cannot_be_is_said_before_a_row_is_read(
    steps: dict[str, Any], field: str, sentence: str
) -> None:
    with pytest.raises(InvalidSpec) as caught:
        transform.compile_selection(dataset(**steps), SCHEMA)
    assert sentence in str(caught.value)
    assert str(caught.value.field).startswith(field)


def test_a_condition_of_two_ways_answers_alike(bench: Bench) -> None:
    """In the query, and before it where a column must be looked at more closely."""
    table = pa.table({"id": pa.array(range(10)), "at": pa.array(range(10), pa.timestamp("ns"))})
    for where in ("id > 3", {"column": "at", "op": ">", "value": "1970-01-01T00:00:00.000000003"}):
        found = bench.rows(table, where=where, sort=DOWN)
        assert found["id"].to_pylist() == [9, 8, 7, 6, 5, 4]
        assert found["at"].cast(pa.int64()).to_pylist() == [9, 8, 7, 6, 5, 4]


def test_nanoseconds_with_a_zone_are_compared_exactly(bench: Bench) -> None:
    ticks = [1_577_836_800_000_000_000 + n for n in (-1, 0, 1, 1000)]
    table = pa.table({"id": [0, 1, 2, 3], "at": pa.array(ticks, pa.timestamp("ns", "Asia/Tokyo"))})

    def ids(op: str, value: Any) -> list[int]:
        where = {"column": "at", "op": op, "value": value}
        found: list[int] = bench.rows(table, where=where)["id"].to_pylist()
        return found

    begin = "2020-01-01T00:00:00Z"
    assert ids(">", begin) == [2, 3]
    assert ids("<=", begin) == [0, 1]
    assert ids("=", begin) == [1]
    assert ids("in", [begin, "2020-01-01T00:00:00.000001Z"]) == [1, 3]
    assert ids("between", [begin, "2020-01-01T00:00:00.000001Z"]) == [1, 2, 3]
    # without a zone it is the time of the column's own
    assert ids("<", "2020-01-01T09:00:00") == [0]
    times = pa.table({"id": [0, 1, 2], "at": pa.array([1, 10**9, None], pa.time64("ns"))})
    for where in ({"column": "at", "op": "<", "value": "00:00:01"}, "at IS NOT NULL AND id < 1"):
        assert bench.rows(times.slice(1), where=where)["id"].to_pylist() == []
    where = {"column": "at", "op": "<=", "value": "00:00:01"}
    assert bench.rows(times, where=where)["id"].to_pylist() == [0, 1]


def test_nothing_reaches_the_outside(bench: Bench) -> None:
    secret = bench.root / "secret.csv"
    secret.write_text("a\n1\n")
    table = pa.table({"id": [1]})
    for text in (f"read_text('{secret}')", "getenv('HOME')", "current_setting('threads')"):
        with pytest.raises(ExportError) as caught:
            bench.rows(table, computed=[{"name": "x", "expression": text}])
        assert isinstance(caught.value, InvalidSpec)


@pytest.mark.parametrize("target", ["out.csv", "out.parquet", "out.xlsx", "out.arrow"])
def test_a_stretch_of_time_that_is_computed_reaches_every_file(bench: Bench, target: str) -> None:
    moments = [dt.datetime(2020, 3, 29, 1, tzinfo=dt.timezone.utc), None]
    table = pa.table({"at": pa.array(moments, pa.timestamp("us", "UTC"))})
    took = {"name": "took", "expression": "at - TIMESTAMPTZ '2020-03-27 00:30:00Z'"}
    bench.export(table, target, computed=[took], columns={"include": ["took"]})
    if target == "out.arrow":
        with pa.ipc.open_file(bench.root / target) as file:
            found = file.read_all()
        assert found.schema.field("took").type == pa.duration("us")
        assert found["took"].to_pylist() == [dt.timedelta(days=2, minutes=30), None]
