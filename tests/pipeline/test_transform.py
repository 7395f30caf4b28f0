"""Columns, conditions and limits: the same rows as a reader of SQL would take, types untouched."""

from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_export.errors import ExportError, InvalidSpec, QueryFailed

from .conftest import Bench
from .tables import SAMPLES

TABLE = pa.table(
    {
        "id": pa.array(range(6), pa.int64()),
        "word": ["ab", "b%", None, "", "ABC", "a_c"],
        "number": pa.array([1.5, None, -2.0, 0.0, 3.0, 1.5]),
        "flag": [True, False, None, True, None, False],
        "day": pa.array([date(2020, 1, i + 1) for i in range(5)] + [None]),
        "at": pa.array([datetime(2020, 1, i + 1, tzinfo=timezone.utc) for i in range(6)]),
        "money": pa.array([Decimal(i) / 4 for i in range(6)], pa.decimal128(10, 2)),
    }
)


def ids(bench: Bench, where: Any, table: pa.Table = TABLE) -> list[int]:
    found: list[int] = bench.rows(table, where=where)["id"].to_pylist()
    return found


@pytest.mark.parametrize(
    ("column", "op", "value", "expected"),
    [
        ("number", "=", 1.5, [0, 5]),
        ("number", "!=", 1.5, [2, 3, 4]),
        ("number", "<", 0, [2]),
        ("number", "<=", 0, [2, 3]),
        ("number", ">", 1, [0, 4, 5]),
        ("number", ">=", 3, [4]),
        ("number", "=", None, [1]),
        ("number", "!=", None, [0, 2, 3, 4, 5]),
        ("number", "is_null", None, [1]),
        ("number", "not_null", None, [0, 2, 3, 4, 5]),
        ("number", "in", [1.5, 0], [0, 3, 5]),
        ("number", "not_in", [1.5, 0], [2, 4]),
        ("number", "between", [0, 1.5], [0, 3, 5]),
        ("word", "=", "", [3]),
        ("word", "like", "a%", [0, 5]),
        ("word", "ilike", "a%", [0, 4, 5]),
        ("word", "contains", "%", [1]),
        ("word", "starts_with", "a_", [5]),
        ("word", "ends_with", "c", [5]),
        ("word", "regex", "^[A-Z]+$", [4]),
        ("word", "=", "x' OR 1=1 --", []),
        ("flag", "=", True, [0, 3]),
        ("flag", "!=", True, [1, 5]),
        ("day", ">=", "2020-01-03", [2, 3, 4]),
        ("day", "between", ["2020-01-01", "2020-01-02"], [0, 1]),
        ("at", "<", "2020-01-02T00:00:00Z", [0]),
        ("at", "<", "2020-01-02T02:00:00+02:00", [0]),
        ("money", ">", 0.5, [3, 4, 5]),
        ("money", "=", "0.75", [3]),
        ("id", "=", 2**70, []),
    ],
)
def test_every_operator(bench: Bench, column: str, op: str, value: Any, expected: Any) -> None:
    comparison = {"column": column, "op": op, "value": value}
    assert ids(bench, comparison) == expected
    known = {0, 1, 2, 3, 4, 5} - set(expected)
    if op not in ("is_null", "not_null") and value is not None:
        known &= set(ids(bench, {"column": column, "op": "not_null"}))
    assert ids(bench, {"not": comparison}) == sorted(known)


def test_and_or_not(bench: Bench) -> None:
    low, odd = {"column": "id", "op": "<", "value": 4}, {"column": "flag", "op": "is_null"}
    assert ids(bench, {"and": [low, odd]}) == [2]
    assert ids(bench, {"or": [low, odd]}) == [0, 1, 2, 3, 4]
    assert ids(bench, {"not": {"or": [low, odd]}}) == [5]


_numbers = st.one_of(st.none(), st.integers(-3, 3))
_COMPARE = {"=": pc.equal, "!=": pc.not_equal, "<": pc.less, "<=": pc.less_equal,
            ">": pc.greater, ">=": pc.greater_equal}  # fmt: skip


@st.composite
def _wheres(draw: st.DrawFn, depth: int = 3) -> Any:
    kind = draw(st.sampled_from(["cmp", "null", "and", "or", "not"] if depth else ["cmp", "null"]))
    column = draw(st.sampled_from(["a", "A", "b"]))
    if kind == "cmp":
        return {"column": column, "op": draw(st.sampled_from(sorted(_COMPARE))),
                "value": draw(st.integers(-3, 3))}  # fmt: skip
    if kind == "null":
        return {"column": column, "op": draw(st.sampled_from(["is_null", "not_null"]))}
    inner = draw(st.lists(_wheres(depth=depth - 1), min_size=1, max_size=3))
    return {"not": inner[0]} if kind == "not" else {kind: inner}


def _mask(table: pa.Table, where: Any) -> Any:
    if "and" in where or "or" in where:
        kind = "and" if "and" in where else "or"
        first, *others = [_mask(table, inner) for inner in where[kind]]
        join = pc.and_kleene if kind == "and" else pc.or_kleene
        for other in others:
            first = join(first, other)
        return first
    if "not" in where:
        return pc.invert(_mask(table, where["not"]))
    column = table[where["column"]]
    if where["op"] == "is_null":
        return pc.is_null(column)
    if where["op"] == "not_null":
        return pc.is_valid(column)
    return _COMPARE[where["op"]](column, where["value"])


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(_numbers, _numbers, _numbers), max_size=12), _wheres(), st.data())
def test_a_tree_takes_what_pyarrow_takes(bench: Bench, rows: Any, where: Any, data: Any) -> None:
    """Three-valued logic, and two names that differ only in their case."""
    schema = pa.schema([(name, pa.int64()) for name in ("a", "A", "b")])
    columns = [pa.array(values, pa.int64()) for values in zip(*rows, strict=True)] or [
        pa.array([], pa.int64())
    ] * 3
    table = pa.Table.from_arrays(columns, schema=schema)
    at = data.draw(st.integers(0, len(rows)))
    cut = pa.concat_tables([table.slice(0, at), table.slice(at)])
    expected = table.filter(_mask(table, where))
    assert bench.rows(cut, where=where).equals(expected)


# ------------------------------------------------------------------ conditions as text


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("number > 1 AND id < 5", [0, 4]),
        ("NUMBER > 1", [0, 4, 5]),
        ('"number" > 1 -- a remark', [0, 4, 5]),
        ("data.id = 3", [3]),
        ("source.id = 3", [3]),
        ("word LIKE 'a%' OR flag IS NULL", [0, 2, 4, 5]),
        ("day BETWEEN DATE '2020-01-02' AND DATE '2020-01-03'", [1, 2]),
        ("at >= '2020-01-06'", [5]),
        ("CASE WHEN id > 3 THEN flag ELSE true END", [0, 1, 2, 3]),
        ("length(word) = 2 AND upper(word) = 'AB'", [0]),
        ("id IN (1, 2) AND NOT coalesce(flag, false)", [1, 2]),
        ("id % 2 = 0", [0, 2, 4]),
        ("1 = 1", [0, 1, 2, 3, 4, 5]),
        ("word = 'x; DROP TABLE y'", []),
        ("null", []),
    ],
)
def test_a_text_condition(bench: Bench, where: str, expected: list[int]) -> None:
    assert ids(bench, where) == expected


def test_fields_of_structs(bench: Bench) -> None:
    inner = pa.array([{"x": {"y": i}} for i in range(4)])
    for name in ("s", "data", "source"):
        table = pa.table({"id": range(4), name: inner})
        assert ids(bench, f"{name}.x.y > 2", table) == [3]
        assert ids(bench, f"data.{name}.x.y > 2", table) == [3]


@pytest.mark.parametrize(
    "where",
    [
        "id > (SELECT 1)",
        "EXISTS (SELECT 1)",
        "id IN (SELECT 1)",
        "SELECT 1",
        "id = 1; DROP TABLE source",
        "id = 1; SELECT 2",
        "sum(id) > 1",
        "mad(id) > 1",
        "kurtosis(id) IS NULL",
        "product(id) = 0",
        "row_number() OVER () = 1",
        "unnest([true, false])",
        "generate_subscripts([1, 2], 1) = 1",
        "DROP TABLE source",
        "CREATE TABLE x (a int)",
        "INSERT INTO x VALUES (1)",
        "ATTACH 'x.db'",
        "COPY source TO 'x.csv'",
        "PRAGMA version",
        "SET threads = 1",
        "read_csv('/etc/passwd') IS NULL",
        "read_text('/etc/passwd') IS NULL",
        "id = ?",
        "id = $1",
        "id = $name",
        "id = :name",
        "*",
        "COLUMNS(*) > 1",
        "1) OR (1 = 1",
        "id = 1) --",
        "/* id = 1",
        "",
        " ",
        "--",
        "(" * 5000,
        "nothing_like_this(id) = 1",
        "list_filter([1], x -> x > 0)[1] = 1",
        "getenv('HOME') = 'x'",
    ],
)
def test_what_is_no_condition_is_refused(bench: Bench, where: str) -> None:
    with pytest.raises(ExportError) as caught:
        ids(bench, where)
    assert isinstance(caught.value, InvalidSpec)
    assert str(caught.value.field).endswith("where")
    assert "\n" not in str(caught.value)
    assert bench.left() == []


def test_a_condition_that_fails_on_a_value(bench: Bench) -> None:
    with pytest.raises(QueryFailed, match=r"The query failed: .*ab"):
        ids(bench, "CAST(word AS INTEGER) = 1")
    assert bench.left() == []


def test_an_unknown_column_names_the_nearest(bench: Bench) -> None:
    for where in ("numbr > 1", {"column": "numbr", "op": ">", "value": 1}):
        with pytest.raises(InvalidSpec, match=r"“numbr” is not in data.*Did you mean number\?"):
            ids(bench, where)


def test_rows_stay_in_order_over_many_batches(bench: Bench) -> None:
    rows = 300_000
    table = pa.table({"id": pa.array(range(rows), pa.int64())})
    cut = pa.Table.from_batches(
        [b for i in range(0, rows, 7_001) for b in table.slice(i, 7_001).to_batches()]
    )
    kept = bench.rows(cut, where="id % 3 = 1", here={"threads": 4})
    assert kept["id"].to_pylist() == list(range(1, rows, 3))
    few = bench.rows(cut, where="id % 3 = 1", limit=50_001, here={"threads": 4})
    assert few["id"].to_pylist() == list(range(1, rows, 3))[:50_001]


@pytest.mark.parametrize("name", sorted(set(SAMPLES) - {"string_view", "binary_view",
                                                        "run_end_encoded"}))  # fmt: skip
def test_a_condition_leaves_types_alone(bench: Bench, name: str) -> None:
    table = pa.table({"id": [0, 1, 2], "x": SAMPLES[name]()})
    kept = bench.rows(table, where="id <> 1")
    assert kept.schema.equals(table.schema)
    expected = table.take(pa.array([0, 2])) if "union" not in name else kept
    assert repr(kept["x"].to_pylist()) == repr(expected["x"].to_pylist())


@pytest.mark.parametrize("name", SAMPLES)
def test_a_condition_over_every_type(bench: Bench, name: str) -> None:
    table = pa.table({"id": [0, 1, 2], "x": SAMPLES[name]()})
    if name == "decimal256":
        with pytest.raises(QueryFailed, match="“x” holds numbers of more digits"):
            ids(bench, "x IS NULL", table)
        return
    nulls = {"null": [0, 1, 2], "sparse_union": [], "run_end_encoded": [2]}
    nulls["dictionary_in_list"] = []
    found = ids(bench, {"column": "x", "op": "is_null"}, table)
    assert found == nulls.get(name, [1])


# ------------------------------------------------------------------ columns and limits


def test_columns(bench: Bench) -> None:
    columns = {
        "include": ["word", "id", "flag"],
        "exclude": ["flag"],
        "order": ["id"],
        "rename": {"id": "word", "word": "id"},
    }
    kept = bench.rows(TABLE, columns=columns)
    assert kept.column_names == ["word", "id"]
    assert kept["word"].to_pylist() == TABLE["id"].to_pylist()
    assert kept["id"].to_pylist() == TABLE["word"].to_pylist()
    first = bench.rows(TABLE, columns={"order": ["money", "day"]}).column_names
    assert first == ["money", "day", "id", "word", "number", "flag", "at"]


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"include": ["wrod"]}, "“wrod” is not in data. Did you mean word?"),
        ({"exclude": ["x" * 30]}, "is not in data. Known: at, day, flag"),
        ({"order": ["ID"]}, "“ID” is not in data. Did you mean id?"),
        ({"rename": {"nmber": "n"}}, "Did you mean number?"),
        ({"rename": {"id": "word"}}, "Two columns of data are named “word”."),
        ({"include": ["id", "id"]}, "Two columns of data are named “id”."),
        ({"include": ["id"], "order": ["word"]}, "“word” is ordered but not exported."),
        ({"include": ["id"], "exclude": ["id"]}, "No column of data is left"),
    ],
)
def test_columns_that_cannot_be(bench: Bench, columns: Any, sentence: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        bench.rows(TABLE, columns=columns)
    assert sentence in str(caught.value)
    assert str(caught.value.field).startswith("columns")


@pytest.mark.parametrize("limit", [0, 1, 5, 6, 7])
def test_limit(bench: Bench, limit: int) -> None:
    cut = pa.concat_tables([TABLE.slice(i, 2) for i in range(0, 6, 2)])
    assert bench.rows(cut, limit=limit)["id"].to_pylist() == list(range(min(limit, 6)))
    assert bench.rows(cut, limit=limit, where="id > 0")["id"].to_pylist() == [1, 2, 3, 4, 5][:limit]
    assert bench.seen[-1].rows == len([1, 2, 3, 4, 5][:limit])
