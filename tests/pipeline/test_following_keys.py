"""Keys of relations that are followed: their types, and very many of them."""

from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from jupyter_export.errors import InvalidSpec, QueryFailed
from jupyter_export.pipeline import spool
from jupyter_export.transform import keyset

from .conftest import Bench
from .followed import exported

DAY = date(2026, 1, 31)
MOMENT = datetime(1969, 12, 31, 23, 59, 59, 5000, timezone.utc)
UTC = pa.timestamp("us", "UTC")
WIDE = pa.decimal128(38, 1)
SAME: list[tuple[list[Any], pa.DataType, list[Any], pa.DataType, int]] = [
    ([1, -5, None], pa.int32(), [-5, 1, 7], pa.int64(), 2),
    ([2**64 - 1, 5, None], pa.uint64(), [-1, 5, 7], pa.int64(), 1),
    ([2**64 - 1, 2**63, None], pa.uint64(), [2**64 - 1, 2**63, 7], pa.uint64(), 2),
    ([1.0, 1.5, float("nan"), 2.0**63, 1e300], pa.float64(), [1, 2**63 - 1, 0], pa.int64(), 1),
    ([2**53 + 1], pa.int64(), [2.0**53], pa.float64(), 0),
    ([0.0, 1.5, float("nan")], pa.float32(), [-0.0, 1.5, float("nan")], pa.float64(), 2),
    ([Decimal("1.00"), Decimal("2.5")], pa.decimal128(9, 2), [1, 2, 3], pa.int64(), 1),
    ([Decimal("1.5"), Decimal(9**30)], WIDE, [Decimal("1.500")], pa.decimal256(70, 3), 1),
    ([2**64 - 1, 7], pa.uint64(), [Decimal(2**64 - 1)], pa.decimal128(38, 0), 1),
    (["a", "", "é", None], pa.string(), ["", "é", "b"], pa.large_string(), 2),
    (["a", "b"], pa.string_view(), ["b", "c"], pa.string(), 1),
    (["a", None, "b"], pa.dictionary(pa.int8(), pa.string()), ["b", "a", "c"], pa.string(), 2),
    (["a", "b"], pa.string(), ["b", None], pa.dictionary(pa.int32(), pa.large_string()), 1),
    ([b"a", b"\0"], pa.binary(), [b"\0", b"b"], pa.binary(1), 1),
    ([True, None], pa.bool_(), [True, False, None], pa.bool_(), 1),
    ([DAY, None], pa.date32(), [DAY, date(1, 1, 1)], pa.date64(), 1),
    ([MOMENT], pa.timestamp("ms", "Europe/Paris"), [MOMENT, None], UTC, 1),
    ([datetime(1, 1, 1, tzinfo=timezone.utc), MOMENT], UTC, [MOMENT], pa.timestamp("ns", "UTC"), 1),
    ([None, None], pa.null(), [1, None], pa.int64(), 0),
]  # fmt: skip


@pytest.mark.parametrize("case", SAME, ids=lambda case: f"{case[1]} {case[3]}")
def test_keys_of_different_types(bench: Bench, case: Any) -> None:
    child, kind, parent, other, matches = case
    tables = {
        "parents": pa.table({"k": pa.array(parent, other), "n": list(range(len(parent)))}),
        "children": pa.table({"k": pa.array(child, kind), "n": list(range(len(child)))}),
    }
    relation = {"name": "of", "from": "children.k", "to": "parents.k"}
    numbers = {"columns": {"include": ["n"]}}
    for follow, limited in (("to", "parents"), ("from", "children")):
        found = exported(
            bench, tables, [{**relation, "follow": follow}], parents=numbers, children=numbers
        )
        assert len(found[limited]) == matches


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["1"], [1]),
        ([1.5], [Decimal("1.5")]),
        ([b"a"], ["a"]),
        ([DAY], [MOMENT]),
        (pa.array([0], pa.timestamp("us")), pa.array([0], pa.timestamp("us", "UTC"))),
        ([[1]], [[1]]),
        ([{"a": 1}], [{"a": 1}]),
    ],
    ids=str,
)
def test_keys_that_cannot_be_compared(bench: Bench, one: Any, other: Any) -> None:
    tables = {"a": pa.table({"k": one}), "b": pa.table({"k": other})}
    relation = {"name": "ab", "from": "a.k", "to": "b.k", "follow": True}
    with pytest.raises(InvalidSpec) as caught:
        exported(bench, tables, [relation])
    for name, table in tables.items():
        assert f"“{name}.k” is {table['k'].type}" in caught.value.message
    assert caught.value.field == "relations[0]"


def test_many_rows_wait_on_disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 50_000
    children = pa.table({"k": [i % 30_011 for i in range(rows)], "n": list(range(rows))})
    texts = children.set_column(0, "k", children["k"].cast(pa.string()))
    monkeypatch.setattr(spool, "MEMORY", 10_000)
    monkeypatch.setattr(keyset, "_WAITING", 1_000)
    monkeypatch.setattr(keyset, "_WAITING_BYTES", 10_000)
    monkeypatch.setattr(keyset, "_SEGMENT", 7_000)
    for table in (children, texts):
        parents = pa.table({"k": table["k"].take(list(range(0, 30_011, 7)))})
        none = pa.table({"k": pa.array([-1 - i for i in range(10)]).cast(table["k"].type)})
        found = exported(
            bench,
            {"parents": pa.concat_tables([parents, none]), "children": table},
            [{"name": "of", "from": "children.k", "to": "parents.k", "follow": True}],
            children={"columns": {"include": ["n"]}},
        )
        assert found["children"] == list(range(rows))
        assert found["parents"] == parents["k"].to_pylist()


def test_rows_that_wait_are_gone_when_a_run_fails(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MEMORY", 10)
    tables = {"parents": pa.table({"k": [1, 2, 0]}), "children": pa.table({"k": [1, 2, 0]})}
    divided = {"computed": [{"name": "x", "expression": "1 / k"}]}
    with pytest.raises(QueryFailed, match="division by zero"):
        exported(
            bench,
            tables,
            [{"name": "of", "from": "children.k", "to": "parents.k", "follow": True}],
            parents=divided,
        )
    assert bench.left() == []
    assert list(bench.scratch.rglob("*")) == []


def test_texts_of_one_hash(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer is a guess: behind a hash the texts themselves are compared."""
    monkeypatch.setattr(keyset, "_hashes", lambda column: np.zeros(len(column), np.int64))
    tables = {
        "a": pa.table({"k": ["x", "y", "z"]}),
        "b": pa.table({"k": ["w", "z", "y", "x", "v"]}),
    }
    relation = {"name": "ab", "from": "a.k", "to": "b.k", "follow": True}
    assert exported(bench, tables, [relation])["b"] == ["z", "y", "x"]


def test_batches_with_words_of_their_own(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch has its own dictionary, also on disk and where a word of it is null or unused."""
    monkeypatch.setattr(spool, "MEMORY", 0)
    words = [["a", "b", "unused"], ["c", None, "a"], ["d"]]
    codes = [[0, 1, None, 1], [2, 1, 0], [0]]
    batches = [
        pa.record_batch({"k": pa.DictionaryArray.from_arrays(pa.array(code, pa.int8()), word)})
        for code, word in zip(codes, words, strict=True)
    ]
    tables = {
        "parents": pa.table({"id": ["x", "a", "b", "unused", "d", "c"]}),
        "children": pa.Table.from_batches(batches),
    }
    relation = {"name": "of", "from": "children.k", "to": "parents.id"}
    found = exported(bench, tables, [{**relation, "follow": True}])
    assert found["parents"] == ["a", "b", "d", "c"]
    assert found["children"] == ["a", "b", None, "b", "a", None, "c", "d"]
    tables["parents"] = pa.table({"id": ["unused", "c", "b"]})
    found = exported(bench, tables, [{**relation, "follow": "from"}])
    assert found["children"] == ["b", "b", "c"]
