"""Rows inside the rows that they belong to, against a join by plain Python."""

from __future__ import annotations

import datetime as dt
import json
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_export.errors import Cancelled, InvalidSpec, SourceFailed
from jupyter_export.formats.json import JsonFormat, JsonOptions
from jupyter_export.registry import FileContext, LossLedger, Surroundings, Table
from jupyter_export.spec import Link

from . import json_values as oracle
from .json_files import temporary, write

MAKERS = pa.table({"maker": ["Airbus", "Boeing", "Cessna"], "since": [1970, 1916, None]})
PLANES = pa.table(
    {"tailnum": ["N1", "N2", None, "N3"], "maker": ["Boeing", "Airbus", "Boeing", "?"]}
)
FLIGHTS = pa.table(
    {
        "id": [1, 2, 3, 4, 5, 6],
        "tailnum": ["N2", "N1", "N1", None, "X", "N3"],
        "at": pa.array([0, 1, 2, 3, None, 5], pa.timestamp("us", "UTC")),
    }
)
BAGS = pa.table({"flight": [1, 1, 3, 9, None, 5], "kg": [1.5, 2.5, None, 4.0, 0.5, 7.25]})
REPAIRS = pa.table({"plane": ["N3", "N1", "N1"], "what": ['"engine"', "wheel\n", None]})
TABLES = {"bags": BAGS, "makers": MAKERS, "planes": PLANES, "repairs": REPAIRS, "flights": FLIGHTS}
LINKS = [
    Link("made by", "planes", "maker", "makers", "maker"),
    Link("plane", "flights", "tailnum", "planes", "tailnum"),
    Link("flown", "bags", "flight", "flights", "id"),
    Link("mended", "repairs", "plane", "planes", "tailnum"),
]


@pytest.mark.parametrize("max_rows", [1, 2, 1000])
@pytest.mark.parametrize("pretty", [False, True], ids=["plain", "pretty"])
@pytest.mark.parametrize("which", ["", "plane", "plane flown", "made plane", "plane mended", "all"])
def test_nested(tmp_path: Path, which: str, pretty: bool, max_rows: int) -> None:
    links = [x for x in LINKS if which == "all" or any(w in x.name for w in which.split())]
    if not links:
        with pytest.raises(InvalidSpec, match="no relation says which these are"):
            write(tmp_path, TABLES, structure="nested")
        return
    file = write(
        tmp_path, TABLES, links=links, structure="nested", pretty=pretty, max_rows=max_rows
    )
    expected = oracle.nested(TABLES, links)
    assert json.loads(file.data) == expected
    if pretty:
        assert file.data.decode() == json.dumps(expected, indent=2) + "\n"
    else:
        # every row on a line of its own
        rows = sum(table.num_rows for table in TABLES.values())
        assert file.data.count(b"\n{") == rows


def test_the_reader_finds_every_row(tmp_path: Path) -> None:
    for metadata in (False, True):
        file = write(tmp_path, TABLES, links=LINKS, structure="nested", metadata=metadata)
        frames = file.read()["frames"]
        assert list(frames) == list(TABLES)
        for name, table in TABLES.items():
            wanted = table.to_pandas()
            assert list(frames[name].dtypes) == list(wanted.dtypes)
            # the order is that of the document: a parent's rows are together
            assert sorted(map(repr, frames[name].to_dict("records"))) == sorted(
                map(repr, wanted.to_dict("records"))
            )


@pytest.mark.parametrize("metadata", [False, True])
def test_the_reader_takes_no_cell_for_rows(tmp_path: Path, metadata: bool) -> None:
    inner = [{"flights": [{"k": 7}], "c": [{"k": 8}]}]
    tables = {
        "planes": pa.table({"k": [1, 2], "s": [inner, None]}),
        "flights": pa.table({"k": [1, 3], "c": [[{"k": 9}], []]}),
        "c": pa.table({"k": [2, 2, 5]}),
        "a/b": pa.table(
            {"k": [2], "m": pa.array([[("c", [1])]], pa.map_(pa.string(), pa.list_(pa.int8())))}
        ),
    }
    links = [
        Link("l", "flights", "k", "planes", "k"),
        Link("c", "c", "k", "planes", "k"),
        Link("a", "a/b", "k", "c", "k"),
    ]
    tables["c"] = tables["c"].slice(1)
    file = write(tmp_path, tables, links=links, structure="nested", metadata=metadata)
    frames = file.read()["frames"]
    assert {name: sorted(frame["k"]) for name, frame in frames.items()} == {
        name: sorted(table["k"].to_pylist()) for name, table in tables.items()
    }


def test_rows_without_a_member(tmp_path: Path) -> None:
    tables = {
        "a": pa.table({"k": [None, 1, None]}),
        "b": pa.table({"k": pa.array([1, None, 1, None]), "n": pa.array([None] * 4, pa.int8())}),
    }
    links = [Link("l", "b", "k", "a", "k")]
    for pretty in (False, True):
        file = write(
            tmp_path, tables, links=links, structure="nested", nulls="exclude", pretty=pretty
        )
        assert json.loads(file.data) == {
            "a": [{"b": []}, {"k": 1, "b": [{"k": 1}, {"k": 1}]}, {"b": []}],
            "b": [{}, {}],
        }


@pytest.mark.parametrize("empty", ["a", "b", "ab"])
def test_datasets_without_rows(tmp_path: Path, empty: str) -> None:
    table = pa.table({"k": [1, 2]})
    tables = {name: table.slice(0, 0) if name in empty else table for name in "ab"}
    tables["c"] = table
    links = [Link("l", "b", "k", "a", "k")]
    for pretty in (False, True):
        file = write(tmp_path, tables, links=links, structure="nested", pretty=pretty)
        assert json.loads(file.data) == oracle.nested(tables, links)


def test_only_one_dataset_is_its_records(tmp_path: Path) -> None:
    file = write(tmp_path, {"planes": PLANES}, structure="nested")
    assert json.loads(file.data) == PLANES.to_pylist()


def test_the_first_relation_is_the_one_that_nests(tmp_path: Path) -> None:
    tables = {
        "a": pa.table({"k": [1]}),
        "b": pa.table({"k": [1]}),
        "c": pa.table({"a": [1, 2], "b": [2, 1]}),
    }
    links = [Link("first", "c", "b", "b", "k"), Link("second", "c", "a", "a", "k")]
    file = write(tmp_path, tables, links=links, structure="nested")
    assert json.loads(file.data) == {
        "a": [{"k": 1}],
        "b": [{"k": 1, "c": [{"a": 2, "b": 1}]}],
        "c": [{"a": 1, "b": 2}],
    }


def _of(values: list[Any], kind: pa.DataType) -> pa.Table:
    return pa.table({"k": pa.array(values, kind)})


DAY = dt.date(2013, 1, 31)
MOMENT = dt.datetime(1969, 12, 31, 23, 59, 59, 5000)  # noqa: DTZ001
LATER = dt.datetime(2013, 1, 31)  # noqa: DTZ001
SAME: list[tuple[pa.Table, pa.Table]] = [
    (_of([5, -1, None], pa.int8()), _of([-1, 5, 7], pa.int64())),
    (_of([5, 6, None], pa.uint64()), _of([6, 5, 7], pa.int16())),
    (_of(["a", "b", None], pa.large_string()), _of(["b", "a", "c"], pa.string_view())),
    (_of([1.5, -0.0, None], pa.float32()), _of([0.0, 1.5, 2.0], pa.float64())),
    (
        _of([Decimal("1.50"), Decimal("100"), None], pa.decimal128(9, 2)),
        _of([Decimal("100"), Decimal("1.5"), Decimal("7")], pa.decimal128(38, 1)),
    ),
    (_of([DAY, None, DAY], pa.date32()), _of([DAY, dt.date(1, 1, 1), None], pa.date64())),
    (
        _of([MOMENT, None, MOMENT], pa.timestamp("ms")),
        _of([MOMENT, LATER, None], pa.timestamp("us")),
    ),
    (
        _of([MOMENT, None, MOMENT], pa.timestamp("ms", "Europe/Paris")),
        _of([MOMENT, LATER, None], pa.timestamp("us", "UTC")),
    ),
    (_of([b"a", b"", None], pa.binary()), _of([b"", b"a", b"b"], pa.large_binary())),
    (_of([True, None, False], pa.bool_()), _of([False, True, None], pa.bool_())),
]


@pytest.mark.parametrize(("child", "parent"), SAME, ids=[str(c["k"].type) for c, _ in SAME])
def test_keys_of_one_family(tmp_path: Path, child: pa.Table, parent: pa.Table) -> None:
    links = [Link("l", "child", "k", "parent", "k")]
    coded = pa.table({"k": child["k"].combine_chunks().dictionary_encode()})
    for table in (child, coded):
        tables = {"child": table, "parent": parent}
        file = write(tmp_path, tables, links=links, structure="nested")
        document = json.loads(file.data)
        inside = [row["child"] for row in document["parent"]]
        valid = child["k"].drop_null().to_pylist()
        expected = [valid.count(k) for k in parent["k"].to_pylist()]
        assert [len(rows) for rows in inside] == expected
        assert len(document["child"]) == child["k"].null_count == 3 - sum(expected)


@pytest.mark.parametrize(
    ("child", "parent", "sentence"),
    [
        (["5"], [5], "texts to integers"),
        ([5], [5.0], "integers to floats"),
        ([5], [Decimal(5)], "integers to decimals"),
        ([MOMENT], pa.array([0], pa.timestamp("us", "UTC")), "timestamps without a time zone to"),
        ([[1]], [[1]], "whose type list<item: int64> cannot be a key"),
    ],
    ids=str,
)
def test_keys_of_different_families(tmp_path: Path, child: Any, parent: Any, sentence: str) -> None:
    tables = {"child": pa.table({"k": child}), "parent": pa.table({"k": parent})}
    links = [Link("l", "child", "k", "parent", "k")]
    with pytest.raises(InvalidSpec) as caught:
        write(tmp_path, tables, links=links, structure="nested")
    assert sentence in str(caught.value)
    assert caught.value.field == "relations"


def test_circles(tmp_path: Path) -> None:
    tables = {name: pa.table({"k": [1]}) for name in "abc"}
    links = [Link(f"{c}{p}", c, "k", p, "k") for c, p in ("ab", "bc", "ca")]
    with pytest.raises(InvalidSpec, match="go in a circle: “a” in “b” in “c” in “a”"):
        write(tmp_path, tables, links=links, structure="nested")
    # elsewhere they are only told
    write(tmp_path, tables, links=links, structure="normalized")


def test_a_column_where_the_children_should_go(tmp_path: Path) -> None:
    tables = {"a": pa.table({"k": [1], "b": [2]}), "b": pa.table({"k": [1]})}
    with pytest.raises(InvalidSpec, match="under the name “b”, which is a column of it already"):
        write(tmp_path, tables, links=[Link("l", "b", "k", "a", "k")], structure="nested")


def test_a_parents_key_that_is_repeated(tmp_path: Path) -> None:
    links = [Link("l", "child", "k", "parent", "k")]
    parent = pa.table({"k": ["x", "y", "y", "z", "z"]})
    tables = {"child": pa.table({"k": ["x", "z"]}), "parent": parent}
    with pytest.raises(SourceFailed, match=r"“parent\.k” holds “z” more than once"):
        write(tmp_path, tables, links=links, structure="nested")
    # no row refers to y
    tables["child"] = pa.table({"k": ["x", None]})
    tables["parent"] = parent.slice(0, 3)
    file = write(tmp_path, tables, links=links, structure="nested")
    assert json.loads(file.data) == oracle.nested(tables, links)


def test_a_cancel_is_heard(tmp_path: Path) -> None:
    cancelled = threading.Event()
    here = Surroundings(tmp_path, tmp_path, tmp_path, tmp_path, tmp_path / "scratch")
    here = Surroundings(**{**here.__dict__, "cancelled": cancelled})
    rows = pa.table({"k": pa.array(range(300_000))})
    links = (Link("l", "b", "k", "a", "k"),)
    tables = [Table(name, rows.schema, iter(rows.to_batches(10_000))) for name in "ab"]
    context = FileContext("x", "x", ".json", here, links)
    options = JsonOptions(structure="nested")
    chunks = JsonFormat().encode_file(tables, options, context, LossLedger())
    assert next(iter(chunks)).data == b""
    cancelled.set()
    with pytest.raises(Cancelled):
        list(chunks)
    assert list((tmp_path / "scratch").iterdir()) == []


KEYS = st.one_of(st.none(), st.integers(0, 5))


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.lists(st.tuples(KEYS, KEYS), max_size=8), min_size=2, max_size=5),
    st.lists(st.integers(0, 4), min_size=4, max_size=4),
    st.booleans(),
)
def test_any_tree(drawn: list[list[tuple[Any, Any]]], parents: list[int], pretty: bool) -> None:
    """Each dataset is child of one before it, or of none."""
    tables, links = {}, []
    for index, rows in enumerate(drawn):
        seen: set[Any] = set()
        # a parent's key is found once
        rows = [r for r in rows if r[0] is None or not (r[0] in seen or seen.add(r[0]))]
        columns = {"id": pa.array([r[0] for r in rows], pa.int64())}
        columns["up"] = pa.array([r[1] for r in rows], pa.int64())
        tables[f"t{index}"] = pa.table(columns)
        if index and parents[index - 1] < index:
            links.append(Link(f"l{index}", f"t{index}", "up", f"t{parents[index - 1]}", "id"))
    if not links:
        return
    with temporary() as folder:
        file = write(
            Path(folder), tables, links=links, structure="nested", pretty=pretty, max_rows=3
        )
    expected = oracle.nested(tables, links)
    assert json.loads(file.data) == expected
    if pretty:
        assert file.data.decode() == json.dumps(expected, indent=2) + "\n"
