"""JSON in every structure and with every option, against Python's own json module."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas
import polars
import pyarrow as pa
import pytest

from jupyter_export.errors import InvalidSpec, SourceFailed
from jupyter_export.spec import Link

from . import json_values as oracle
from .json_files import write

NOON = dt.datetime(2013, 1, 31, 12, 30, 15, 250_001)  # noqa: DTZ001
PLANES = pa.table(
    {
        "tailnum": ["N1", None, 'N"2\n', "ü😀"],
        "seats": pa.array([2**60, None, -(2**60), 0]),
        "weight": [0.1, None, float("nan"), -1e300],
        "price": pa.array([Decimal("1.50"), None, Decimal(-9), Decimal(0)], pa.decimal128(9, 2)),
        "flies": [True, None, False, True],
        "built": pa.array([NOON.date(), None, dt.date(1969, 12, 31), NOON.date()]),
        "seen": pa.array([NOON, None, NOON, NOON], pa.timestamp("us")),
        "heard": pa.array([NOON, None, NOON, NOON], pa.timestamp("us", "UTC")),
        "starts": pa.array([dt.time(1, 2, 3), None, dt.time(0), dt.time(4)], pa.time32("s")),
        "seats_by_class": pa.array([[1, None], None, [], [3]]),
        "maker": pa.array([{"a": 1, "b": 'x"'}, None, {"a": None, "b": None}, {"a": 2, "b": "y"}]),
        "tags": pa.array([[("k", 1)], None, [], [("a", None)]], pa.map_(pa.string(), pa.int8())),
        "kind": pa.array(["a", None, "b", "a"]).dictionary_encode(),
        "photo": pa.array([b"\x00\xff", None, b"", b"x"]),
        "nothing": pa.nulls(4),
    }
)  # fmt: skip
FLIGHTS = pa.table({"id": [1, 2, 3], "tailnum": ["N1", None, "N9"]})
LINK = Link("plane", "flights", "tailnum", "planes", "tailnum")
STRUCTURES = ["records", "split", "columns"]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"nulls": "exclude"},
    {"nulls": "empty"},
    {"date_format": "unix"},
    {"date_format": "unix_ms"},
    {"date_format": "%d.%m.%Y %H:%M:%S"},
    {"date_format": '"%A", %j\\%f'},
    {"arrays": "stringify"},
    {"large_integers": "string", "decimals": "string", "nan": "string"},
    {"nulls": "empty", "arrays": "stringify", "large_integers": "string", "date_format": "unix"},
]


def without_a_place(structure: str, options: dict[str, Any]) -> bool:
    return structure != "records" and options.get("nulls") == "exclude"


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("pretty", [False, True], ids=["plain", "pretty"])
@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("max_rows", [1, 3, 1000])
def test_a_structure(
    tmp_path: Path, structure: str, pretty: bool, options: dict[str, Any], max_rows: int
) -> None:
    if without_a_place(structure, options):
        with pytest.raises(InvalidSpec, match=f"no place in structure={structure}"):
            write(tmp_path, {"p": PLANES}, structure=structure, **options)
        return
    file = write(
        tmp_path, {"p": PLANES}, structure=structure, pretty=pretty, max_rows=max_rows, **options
    )
    assert json.loads(file.data) == oracle.structure(PLANES, structure, **options)


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("rows", [0, 1, 4])
def test_pretty_is_what_python_writes(tmp_path: Path, structure: str, rows: int) -> None:
    # nested values stay on their line, decimals keep their zeros
    odd = ["seats_by_class", "maker", "tags", "weight", "price"]
    table = PLANES.slice(0, rows).drop_columns(odd)
    file = write(tmp_path, {"p": table}, structure=structure, pretty=True)
    expected = oracle.structure(table, structure)
    text = json.dumps(expected, indent=2, ensure_ascii=False) + "\n"
    if structure == "split":
        names = json.dumps(expected["columns"], indent=2).replace("\n", "\n  ")
        text = text.replace(names, json.dumps(expected["columns"]))
    if structure == "columns" and not rows:
        text = text.replace("[]", "[\n  ]")
    assert file.data.decode() == text


@pytest.mark.parametrize("pretty", [False, True])
@pytest.mark.parametrize("structure", STRUCTURES)
def test_several_datasets(tmp_path: Path, structure: str, pretty: bool) -> None:
    tables = {"planes": PLANES, 'the "flights"': FLIGHTS, "none": FLIGHTS.slice(0, 0)}
    file = write(tmp_path, tables, structure=structure, pretty=pretty)
    expected = {name: oracle.structure(table, structure) for name, table in tables.items()}
    assert json.loads(file.data) == expected
    assert {x.dataset for x in file.losses} == {"planes"}


@pytest.mark.parametrize("pretty", [False, True])
@pytest.mark.parametrize("count", [1, 2])
def test_normalized(tmp_path: Path, pretty: bool, count: int) -> None:
    tables = dict(list({"planes": PLANES, "flights": FLIGHTS}.items())[:count])
    links = [LINK] if count == 2 else []
    file = write(tmp_path, tables, links=links, structure="normalized", pretty=pretty)
    relation = {"name": "plane", "from": "flights.tailnum", "to": "planes.tailnum"}
    assert json.loads(file.data) == {
        "datasets": {name: oracle.rows(table) for name, table in tables.items()},
        "relationships": [relation] if links else [],
    }


@pytest.mark.parametrize("pretty", [False, True])
@pytest.mark.parametrize("structure", [*STRUCTURES, "normalized", "nested"])
@pytest.mark.parametrize("count", [1, 2])
def test_metadata(tmp_path: Path, structure: str, pretty: bool, count: int) -> None:
    tables = dict(list({"planes": PLANES, "flights": FLIGHTS}.items())[:count])
    links = [LINK] if count == 2 else []
    options = {"structure": structure, "pretty": pretty}
    bare = json.loads(write(tmp_path, tables, links=links, **options).data)
    file = write(tmp_path, tables, links=links, metadata=True, name="with", **options)
    document = json.loads(file.data)
    assert list(document) == ["data", "metadata"]
    assert document["data"] == bare
    about = document["metadata"]
    assert about["name"] == "the export"
    assert about["created"] == "2026-11-20T09:30:00Z"
    assert about["version"]
    assert about["query"] == {name: {"name": name} for name in tables}
    assert about["rows"] == {name: table.num_rows for name, table in tables.items()}
    assert about["schema"]["planes"][3] == {
        "name": "price",
        "type": "decimal128(9, 2)",
        "nullable": True,
    }


def test_a_table_without_columns(tmp_path: Path) -> None:
    table = pa.table({"x": [1, 2, 3]}).select([])
    for pretty in (False, True):
        assert json.loads(write(tmp_path, {"t": table}, pretty=pretty).data) == [{}, {}, {}]
        file = write(tmp_path, {"t": table}, pretty=pretty, structure="split")
        assert json.loads(file.data) == {"columns": [], "data": [[], [], []]}
    with pytest.raises(InvalidSpec, match="would lose its rows"):
        write(tmp_path, {"t": table}, structure="columns")


def test_rows_of_nothing_but_nulls(tmp_path: Path) -> None:
    table = pa.table({"x": [None, 1, None], "y": [None, None, "b"]})
    for pretty in (False, True):
        file = write(tmp_path, {"t": table}, nulls="exclude", pretty=pretty)
        assert json.loads(file.data) == [{}, {"x": 1}, {"y": "b"}]


def test_nan_as_an_error(tmp_path: Path) -> None:
    for column in (PLANES["weight"], PLANES["weight"].combine_chunks().dictionary_encode()):
        with pytest.raises(SourceFailed, match="“w” holds 1 values that JSON has no number for"):
            write(tmp_path, {"t": pa.table({"w": column})}, nan="error")
    unused = pa.DictionaryArray.from_arrays(pa.array([1, 1], pa.int8()), [float("nan"), 2.5])
    file = write(tmp_path, {"t": pa.table({"w": unused})}, nan="error")
    assert json.loads(file.data) == [{"w": 2.5}, {"w": 2.5}]
    assert file.lost == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"structure": "nest"}, "nested"),
        ({"date_format": "isoo"}, "“isoo” is neither iso, unix, unix_ms nor an strftime text"),
        ({"date_format": "%Q"}, "%Q is no directive"),
        ({"nulls": "omit"}, "“omit” is not one of"),
        ({"metadata": "maybe"}, "metadata"),
        ({"pretty": 3}, "pretty"),
    ],
    ids=str,
)
def test_wrong_options(tmp_path: Path, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        write(tmp_path, {"t": FLIGHTS}, **options)
    assert sentence in str(caught.value)
    assert caught.value.field == f"format.{next(iter(options))}"


@pytest.mark.parametrize("kind", ["json", "jsonl"])
def test_a_relation_to_a_column_that_is_not_there(tmp_path: Path, kind: str) -> None:
    tables = {"planes": PLANES, "flights": FLIGHTS}
    for link, end, hint in (
        (LINK._replace(child_column="tailnumber"), "from", "Did you mean tailnum?"),
        (LINK._replace(parent_column="tail_num"), "to", "Did you mean tailnum?"),
    ):
        with pytest.raises(InvalidSpec) as caught:
            write(tmp_path, tables, kind, [link])
        assert caught.value.field == f"relations[0].{end}"
        assert caught.value.hint == hint


def test_others_read_it(tmp_path: Path) -> None:
    table = pa.table({"a": [1, 2, None], "b": ["x", 'q"\n', "ü"], "c": [1.5, None, -2.25]})
    records = write(tmp_path, {"t": table}).path
    pretty = write(tmp_path, {"t": table}, pretty=True, name="pretty").path
    columns = write(tmp_path, {"t": table}, structure="columns", name="columns").path
    split = write(tmp_path, {"t": table}, structure="split", name="split").path
    lines = write(tmp_path, {"t": table}, "jsonl").path
    expected = table.to_pandas()
    for path, how in ((records, "records"), (pretty, "records"), (split, "split")):
        pandas.testing.assert_frame_equal(pandas.read_json(path, orient=how), expected)
    pandas.testing.assert_frame_equal(pandas.read_json(lines, lines=True), expected)
    pandas.testing.assert_frame_equal(pandas.DataFrame(json.loads(columns.read_text())), expected)
    for path in (records, pretty):
        assert polars.read_json(path).to_dicts() == table.to_pylist()
    assert polars.read_ndjson(lines).to_dicts() == table.to_pylist()
    for path in (records, pretty, lines):
        assert duckdb.sql(f"SELECT * FROM '{path}'").fetchall() == [
            tuple(row.values()) for row in table.to_pylist()
        ]


@pytest.mark.parametrize("name", ["json", "jsonl"])
def test_keys_of_a_map_that_are_coded(tmp_path: Path, name: str) -> None:
    keys = pa.array(["a", 'b"']).dictionary_encode()
    table = pa.table({"m": pa.MapArray.from_arrays([0, 1, 2], keys, pa.array([1, 2]))})
    file = write(tmp_path, {"t": table}, name)
    first, second = file.data.splitlines()[-2:] if name == "jsonl" else file.data.splitlines()[1:3]
    assert first.removesuffix(b",") == b'{"m":{"a":1}}'
    assert second == b'{"m":{"b\\"":2}}'
    assert "nested" not in {kind for _, kind, _, _ in file.lost}
