"""Values of a column become columns."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from jupyter_export.errors import InvalidSpec, QueryFailed

from ..pipeline.conftest import Bench

FLIGHTS = pa.table(
    {
        "day": pa.array([dt.date(2020, 1, 1 + i % 3) for i in range(9)]),
        "carrier": ["AA", "B6", "AA", None, "B6", "AA", "ZZ", "AA", "B6"],
        "delay": [1.5, 2.0, 3.0, 4.0, 5.0, 6.0, None, 8.0, 9.0],
        "price": pa.array([Decimal(i) / 4 for i in range(9)], pa.decimal128(10, 2)),
        "n": pa.array(range(9), pa.int32()),
    }
)
DAYS = [dt.date(2020, 1, 1), dt.date(2020, 1, 2), dt.date(2020, 1, 3)]


def rows(bench: Bench, table: pa.Table = FLIGHTS, **steps: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = bench.rows(table, **steps).to_pydict()
    return found


def test_after_groups(bench: Bench) -> None:
    found = bench.rows(
        FLIGHTS,
        group_by=["day", "carrier"],
        aggregates=[{"function": "sum", "column": "price"}],
        pivot={"on": "carrier", "values": "sum_price"},
    )
    assert found.to_pydict() == {
        "day": DAYS,
        "AA": [Decimal("0.00"), Decimal("1.75"), Decimal("1.75")],
        "B6": [None, Decimal("1.25"), Decimal("2.00")],
        "ZZ": [Decimal("1.50"), None, None],
        "null": [Decimal("0.75"), None, None],
    }
    assert found.schema.field("AA").type == pa.decimal128(38, 2)


@pytest.mark.parametrize(
    ("function", "expected", "kind"),
    [
        ("max", [0, 7, 5], pa.int32()),
        ("min", [0, 7, 2], pa.int32()),
        ("first", [0, 7, 2], pa.int32()),
        ("last", [0, 7, 5], pa.int32()),
        ("sum", [0, 7, 7], pa.int64()),
        ("avg", [0.0, 7.0, 3.5], pa.float64()),
        ("median", [0.0, 7.0, 3.5], pa.float64()),
        ("count", [1, 1, 2], pa.int64()),
        ("count_distinct", [1, 1, 2], pa.int64()),
    ],
)
def test_over_the_rows_of_the_source(
    bench: Bench, function: str, expected: list[Any], kind: pa.DataType
) -> None:
    pivot = {"index": ["day"], "on": "carrier", "values": "n", "function": function}
    found = bench.rows(FLIGHTS, pivot=pivot)
    assert found["AA"].to_pylist() == expected
    assert found["AA"].type == kind
    # what is not there: no value, but a count of none
    missing = 0 if function.startswith("count") else None
    assert found["ZZ"].to_pylist()[1:] == [missing, missing]


def test_values_that_must_not_meet(bench: Bench) -> None:
    with pytest.raises(QueryFailed) as caught:
        rows(bench, pivot={"index": ["day"], "on": "carrier", "values": "n"})
    assert caught.value.message == (
        "2 values of “n” meet in one cell of the pivot (day = 2020-01-02, carrier = B6)."
    ) or caught.value.message == (
        "2 values of “n” meet in one cell of the pivot (day = 2020-01-03, carrier = AA)."
    )
    assert "pivot.function" in str(caught.value.hint)
    assert bench.left() == []
    one = rows(bench, pivot={"index": ["n"], "on": "carrier", "values": "delay"})
    assert one["AA"] == [1.5, None, 3.0, None, None, 6.0, None, 8.0, None]


def test_columns_are_named_by_the_text_of_values(bench: Bench) -> None:
    made: dict[str, tuple[Any, list[str]]] = {
        "bool": (pa.array([True, False, None]), ["false", "true", "null"]),
        "int": (pa.array([10, 9, -1]), ["-1", "9", "10"]),
        "float": (pa.array([1.5, math.nan, None]), ["1.5", "nan", "null"]),
        "decimal": (pa.array([Decimal("1.50"), Decimal("-2.00"), None]), ["-2.00", "1.50", "null"]),
        "wide": (
            pa.array([10**50, -1, None], pa.decimal256(60, 0)), ["-1", "1" + "0" * 50, "null"],
        ),
        "date": (pa.array([DAYS[1], DAYS[0], None]), ["2020-01-01", "2020-01-02", "null"]),
        "text": (pa.array(["b", "B", ""]), ["", "B", "b"]),
        "category": (pa.array(["b", "a", "b"]).dictionary_encode(), ["a", "b"]),
        "bytes": (pa.array([b"\xff", b"\x00", None]), ["00", "ff", "null"]),
        "uuid": (
            pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16] * 3, pa.binary(16))),
            ["30303030-3030-3030-3030-303030303030"],
        ),
        "time": (pa.array([dt.time(1, 2), dt.time(0), None]),
                 ["00:00:00.000000", "01:02:00.000000", "null"]),
    }  # fmt: skip
    for name, (values, expected) in made.items():
        table = pa.table({"k": [1, 2, 3], "on": values, "v": ["x", "y", "z"]})
        found = rows(bench, table, pivot={"index": ["k"], "on": "on", "values": "v"})
        assert list(found) == ["k", *expected], name


def test_steps_that_follow(bench: Bench) -> None:
    found = bench.rows(
        FLIGHTS,
        pivot={"index": ["day"], "on": "carrier", "values": "n", "function": "count"},
        columns={
            "exclude": ["ZZ"],
            "rename": {"AA": "American"},
            "order": ["null"],
            "computed": [{"name": "both", "expression": "AA + B6"}],
        },
        sort=[{"column": "AA", "descending": True}],
        limit=2,
    )
    assert found.column_names == ["null", "day", "American", "B6", "both"]
    # days that AA does not tell apart stay in their order
    assert [list(row.values()) for row in found.to_pylist()] == [
        [0, DAYS[2], 2, 1, 3], [1, DAYS[0], 1, 0, 1],
    ]  # fmt: skip


def test_distinct_rows_of_a_pivot(bench: Bench) -> None:
    found = rows(
        bench,
        pivot={"index": ["n"], "on": "carrier", "values": "day", "function": "count"},
        columns={"include": ["AA"]},
        distinct=True,
        sort=["AA"],
    )
    assert found == {"AA": [0, 1]}


def test_without_an_index_there_is_one_row(bench: Bench) -> None:
    found = rows(bench, pivot={"index": [], "on": "carrier", "values": "n", "function": "max"})
    assert found == {"AA": [7], "B6": [8], "ZZ": [6], "null": [3]}


def test_of_no_rows(bench: Bench) -> None:
    pivot = {"index": ["day"], "on": "carrier", "values": "n"}
    assert rows(bench, FLIGHTS.slice(0, 0), pivot=pivot) == {"day": []}


def test_nulls_and_nan_of_the_index_are_rows(bench: Bench) -> None:
    table = pa.table(
        {"k": [None, math.nan, 1.0, None, math.nan], "on": list("aabbb"), "v": [1, 2, 3, 4, 5]}
    )
    found = rows(bench, table, pivot={"on": "on", "values": "v"})
    assert repr(found["k"]) == "[1.0, nan, None]"
    assert found["a"] == [None, 2, 1]
    assert found["b"] == [3, 5, 4]


def test_too_many_columns(bench: Bench) -> None:
    table = pa.table({"k": [1] * 1001, "on": range(1001), "v": range(1001)})
    with pytest.raises(
        InvalidSpec, match=r"“on” of data has 1,001 values.*at most 1,000"
    ) as caught:
        rows(bench, table, pivot={"on": "on", "values": "v"})
    assert caught.value.field == "datasets[0].pivot.on" or caught.value.field == "pivot.on"
    found = rows(bench, table.slice(1), pivot={"on": "on", "values": "v"})
    assert list(found)[:2] == ["k", "1"]
    assert len(found) == 1001
    assert found["1000"] == [1000]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (["null", None], "named “null”, as another value"),
        (["k", "x"], "named “k”, as a column of the index"),
    ],
)
def test_names_that_meet(bench: Bench, values: list[Any], sentence: str) -> None:
    table = pa.table({"k": [1, 2], "on": values, "v": [1, 2]})
    with pytest.raises(InvalidSpec, match=sentence):
        rows(bench, table, pivot={"on": "on", "values": "v"})
    assert bench.left() == []


def test_names_that_differ_only_in_case(bench: Bench) -> None:
    table = pa.table({"K": [1, 2], "k": [3, 4], "on": ["a", "A"], "v": [5, 6]})
    found = rows(bench, table, pivot={"on": "on", "values": "v"})
    assert found == {"K": [1, 2], "k": [3, 4], "A": [None, 6], "a": [5, None]}


@pytest.mark.parametrize(
    ("pivot", "sentence"),
    [
        ({"on": "carier", "values": "n"}, "“carier” is not in data. Did you mean carrier?"),
        ({"on": "carrier", "values": "m"}, "“m” is not in data."),
        ({"on": "carrier", "values": "n", "index": ["dya"]}, "Did you mean day?"),
        ({"on": "n", "values": "n"}, "only one of the index, on and values"),
    ],
)
def test_pivots_that_cannot_be(bench: Bench, pivot: Any, sentence: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        rows(bench, pivot=pivot)
    assert sentence in str(caught.value)


def test_a_column_that_no_value_made(bench: Bench) -> None:
    pivot = {"index": ["n"], "on": "carrier", "values": "delay"}
    with pytest.raises(InvalidSpec, match=r"“AB” is not in data\. Did you mean"):
        rows(bench, pivot=pivot, columns={"include": ["AB"]})
    with pytest.raises(InvalidSpec, match="“day” is not in data"):
        rows(bench, pivot=pivot, sort=["day"])


def test_more_rows_than_memory_holds_are_spread(bench: Bench) -> None:
    count = 300_000
    table = pa.table(
        {
            "k": pa.array([i // 3 for i in range(count)]),
            "on": pa.array([i % 3 for i in range(count)]),
            "v": pa.array([str(i) for i in range(count)]),
        }
    )
    cut = pa.Table.from_batches(table.to_batches(10_000))
    pivot = {"on": "on", "values": "v"}
    found = bench.rows(cut, pivot=pivot, here={"memory_limit": 64 * 1000**2})
    assert found["k"].to_pylist() == list(range(count // 3))
    assert found["2"].to_pylist() == [str(i) for i in range(2, count, 3)]
