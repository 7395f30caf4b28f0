"""What every format owes, whoever wrote it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jupyter_export import pipeline, registry
from jupyter_export.errors import InvalidSpec, SourceFailed, TooLarge
from jupyter_export.pipeline import Progress, Result
from jupyter_export.spec import parse

from .conftest import Bench
from .tables import SAMPLES, sample

FORMATS = sorted(registry.formats())
PACKINGS = ["none", "gzip", "zstd", "brotli"]
FOR_PEOPLE = {"html", "markdown", "pdf"}
"""Nothing reads these back: their ``reader`` is a comment that says so."""
AS_TEXT = {"csv", "excel", *FOR_PEOPLE}
"""Nested values are JSON text in these."""
LOSES_TYPES = {"json", "jsonl", *AS_TEXT}
UNHELD = {
    **{(kind, "sparse_union"): "text" for kind in LOSES_TYPES},
    ("parquet", "sparse_union"): "Parquet",
    ("parquet", "interval"): "Parquet",
    ("parquet", "empty_struct"): "Parquet",
}
"""(format, type) that is refused -> a word of the sentence."""
NOT_IN_PANDAS = {"sparse_union"}


@pytest.fixture(params=FORMATS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def check_proof(bench: Bench, result: Result, rows: int) -> bytes:
    """Assert that the result's proof is true of the file itself."""
    data = (bench.root / result.path).read_bytes()
    assert result.rows == rows
    assert result.bytes == len(data)
    assert result.sha256 == hashlib.sha256(data).hexdigest()
    one = {"path": result.path, "rows": rows, "bytes": len(data), "sha256": result.sha256}
    assert result.files == (one,)
    assert bench.left() == [result.path]
    assert Result.from_json(result.to_json()) == result
    done = bench.seen[-1]
    assert (done.phase, done.rows, done.bytes, done.percent) == ("done", rows, len(data), 100.0)
    assert Progress.from_json(done.to_json()) == done
    return data


def read_back(result: Result) -> Any:
    """Run the lines that the result shows, and return what they call ``df``."""
    names: dict[str, Any] = {}
    exec(result.reader or "", names)
    return names["df"]


def columns_back(result: Result, kind: str, *columns: str) -> dict[str, list[Any]] | None:
    """Return the named columns as they are read back, or None from what is for people."""
    if kind in FOR_PEOPLE:
        assert result.reader is not None
        assert result.reader.startswith("# ")
        return None
    df = read_back(result)
    return {name: df[name].tolist() for name in columns or df.columns}


TABLE = pa.table(
    {
        "id": pa.array(range(1000), pa.int64()),
        "name": [f'row {i}, "{i}"\n' if i % 7 else None for i in range(1000)],
        "half": [i / 2 for i in range(1000)],
    }
)


def pieces(table: pa.Table, sizes: list[int]) -> pa.Table:
    out, at = [], 0
    for size in [*sizes, table.num_rows]:
        out += table.slice(at, size).combine_chunks().to_batches()
        at += size
    return pa.Table.from_batches(out, table.schema)


@pytest.mark.parametrize("rows", [0, 1, 1000])
def test_the_result_is_true_of_the_file(bench: Bench, kind: str, rows: int) -> None:
    ending = registry.format_named(kind).endings[0]
    result = bench.export(TABLE.slice(0, rows), f"out{ending}")
    check_proof(bench, result, rows)
    found = columns_back(result, kind)
    if found is not None:
        assert list(found) == TABLE.column_names
        assert found["id"] == list(range(rows))
        assert found["half"] == [i / 2 for i in range(rows)]
        assert [None if v != v else v for v in found["name"]] == TABLE["name"].to_pylist()[:rows]


@pytest.mark.parametrize("packing", PACKINGS)
def test_packed_outside_or_refused(bench: Bench, kind: str, packing: str) -> None:
    chosen = registry.format_named(kind)
    document = {"format": kind, "compression": packing}
    if packing != "none" and not chosen.capabilities.outer_compression:
        with pytest.raises(InvalidSpec, match="compresses inside the file"):
            bench.export(TABLE, "out", **document)
        assert bench.left() == []
        return
    result = bench.export(TABLE, "out", **document)
    check_proof(bench, result, 1000)
    found = columns_back(result, kind, "id")
    assert found is None or sum(found["id"]) == 499_500


@pytest.mark.parametrize("sizes", [[1], [1, 2, 3, 5, 8, 13], [999], [500, 0, 0, 1]])
def test_the_same_bytes_however_the_rows_come(bench: Bench, kind: str, sizes: list[int]) -> None:
    whole = bench.export(TABLE, "a", format=kind)
    again = bench.export(TABLE, "b", format=kind)
    cut = bench.export(pieces(TABLE, sizes), "c", format=kind)
    assert whole.sha256 == again.sha256 == cut.sha256


def test_an_empty_frame_keeps_its_columns(bench: Bench, kind: str) -> None:
    # of an Arrow file without a batch, PyArrow's to_pandas aborts the process for a list view
    unread = {(kind, name) for name in (*NOT_IN_PANDAS, "list_view")} | set(UNHELD)
    every = {name: make() for name, make in SAMPLES.items() if (kind, name) not in unread}
    table = pa.table(every).slice(0, 0)
    result = bench.export(table, "out", format=kind)
    data = check_proof(bench, result, 0)
    if kind == "csv":
        assert data.decode().splitlines() == [",".join(table.column_names)]
    found = columns_back(result, kind)
    assert found is None or found == {name: [] for name in table.column_names}


def test_a_stream_without_any_batch(bench: Bench, kind: str) -> None:
    upload = bench.freeze([], pa.schema([("a", pa.int64())]))
    result = bench.run({"source": {"type": "upload", "id": upload}, "format": kind}, "out")
    check_proof(bench, result, 0)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_type_is_held_or_refused_by_name(bench: Bench, kind: str, name: str) -> None:
    if (kind, name) in UNHELD:
        with pytest.raises(InvalidSpec) as caught:
            bench.export(sample(name), "out", format=kind)
        assert "“x”" in str(caught.value)
        assert UNHELD[kind, name] in str(caught.value)
        assert bench.left() == []
        return
    result = bench.export(sample(name), "out", format=kind)
    check_proof(bench, result, 3)
    if name in NOT_IN_PANDAS:
        return
    found = columns_back(result, kind)
    assert found is None or (list(found), found["n"]) == (["n", "x"], [1, 2, 3])


DICTIONARIES = [
    pa.array(["a", "b", None]).dictionary_encode(),
    pa.array(["b", "a", "b"]).dictionary_encode(),
    pa.array(["c", None]).dictionary_encode(),
    pa.array([], pa.string()).dictionary_encode(),
]


@pytest.mark.parametrize(
    "arrays",
    [
        DICTIONARIES,
        [pa.StructArray.from_arrays([each], ["d"]) for each in DICTIONARIES],
        [pa.array([3, 1]).dictionary_encode(), pa.array([1, None]).dictionary_encode()],
    ],
    ids=["text", "inside a struct", "integers"],
)
def test_dictionaries_that_differ_between_batches(
    bench: Bench, kind: str, arrays: list[pa.Array]
) -> None:
    schema = pa.schema([("d", arrays[0].type), ("n", pa.int8())])
    batches = [
        pa.record_batch([each, pa.array([1] * len(each), pa.int8())], schema=schema)
        for each in arrays
    ]
    upload = bench.freeze(batches, schema)
    result = bench.run({"source": {"type": "upload", "id": upload}, "format": kind}, "out")
    rows = sum(map(len, arrays))
    check_proof(bench, result, rows)
    expected = [value for each in arrays for value in each.to_pylist()]
    read = columns_back(result, kind, "d")
    if read is None:
        return
    found = [None if v != v else v for v in read["d"]]
    if kind in AS_TEXT and isinstance(expected[0], dict):
        expected = [f'{{"d":"{e["d"]}"}}'.replace('"None"', "null") for e in expected]
    assert found == expected


def test_categories_that_overflow_their_codes_only_together(bench: Bench, kind: str) -> None:
    codes = pa.dictionary(pa.int8(), pa.string())
    arrays = [
        pa.DictionaryArray.from_arrays(
            pa.array(range(100), pa.int8()), pa.array([f"{part}{i}" for i in range(100)])
        )
        for part in "ab"
    ]
    schema = pa.schema([("d", codes)])
    upload = bench.freeze([pa.record_batch([a], schema=schema) for a in arrays], schema)
    document = {"source": {"type": "upload", "id": upload}, "format": kind}
    if kind == "arrow":
        with pytest.raises(SourceFailed, match="“d” has more categories than its int8 codes"):
            bench.run(document, "out")
        assert bench.left() == []
    else:
        check_proof(bench, bench.run(document, "out"), 200)


def test_two_columns_of_one_name_are_refused(bench: Bench, kind: str) -> None:
    table = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(InvalidSpec, match="Two columns of data are named “a”"):
        bench.export(table, "out", format=kind)
    assert bench.left() == []


def test_an_unknown_option_names_the_nearest(bench: Bench, kind: str) -> None:
    known = next(iter(registry.format_named(kind).options.model_fields))
    with pytest.raises(InvalidSpec) as caught:
        bench.export(TABLE, "out", format={"type": kind, known + "x": 1})
    assert caught.value.field == f"format.{known}x"
    assert caught.value.hint == f"Did you mean {known}?"
    assert bench.left() == []


def test_too_many_rows_or_bytes_leave_nothing(bench: Bench, kind: str) -> None:
    with pytest.raises(TooLarge, match="more than 999 rows"):
        bench.export(TABLE, "out", format=kind, here={"max_rows": 999})
    with pytest.raises(TooLarge, match="larger than 100 bytes"):
        bench.export(TABLE, "out", format=kind, here={"max_bytes": 100})
    assert bench.left() == []
    size = bench.export(TABLE, "out", format=kind, here={"max_rows": 1000}).bytes
    bench.export(TABLE, "out2", format=kind, here={"max_bytes": size})


def test_bytes_are_limited_after_compression_too(bench: Bench) -> None:
    """A small file leaves the compressor only at its end."""
    with pytest.raises(TooLarge):
        bench.export(TABLE, "out.csv.gz", here={"max_bytes": 100})
    assert bench.left() == []


ANY = {"source": {"type": "upload", "id": "any"}}


def test_what_formats_says_of_itself(kind: str) -> None:
    entry = registry.format_named(kind).to_json()
    assert set(entry) == {"type", "label", "endings", "media_type", "options", "capabilities"}
    assert entry["type"] == kind
    assert entry["options"]["additionalProperties"] is False
    for ending in entry["endings"]:
        choice = registry.choose(parse(ANY), f"a.b{ending}")
        assert (choice.format.type, choice.compression) == (kind, "none")
        assert (choice.layout, choice.ending) == ("file", entry["endings"][0])


def test_paths_are_told_relative_to_the_root(bench: Bench, tmp_path: Path) -> None:
    assert bench.export(TABLE, "deep/er/out.csv").path == "deep/er/out.csv"
    outside = tmp_path / "elsewhere.csv"
    source = {"type": "upload", "id": bench.freeze(TABLE)}
    here = bench.surroundings()
    here = replace(here, target=outside, part=outside.with_name(".part"), confined=False)
    *_, result = pipeline.run(parse({"source": source}), here)
    assert isinstance(result, Result)
    assert result.path == str(outside)


@pytest.mark.parametrize(
    ("values", "lost"),
    [
        (pa.array([1, None, 3]), False),
        (pa.array([1, None, 3]).dictionary_encode(), False),
        (pa.array(["a", None, ""]), True),
        (pa.array(["a", None, ""]).dictionary_encode(), True),
    ],
)
def test_a_null_of_a_lone_csv_column(bench: Bench, values: pa.Array, lost: bool) -> None:
    """An empty line would be no row to most readers."""
    result = bench.export(pa.table({"x": values}))
    assert b"\n\n" not in check_proof(bench, result, 3)
    assert [loss["kind"] for loss in result.losses] == ["null_or_empty"] * lost
    expected = [v or "" for v in values.to_pylist()] if lost else values.to_pylist()
    assert [None if v != v else v for v in read_back(result)["x"]] == expected
    kept = bench.export(pa.table({"x": values}), "b.csv", format={"type": "csv", "null": "NA"})
    assert kept.losses == ()
    assert [None if v != v else v for v in read_back(kept)["x"]] == values.to_pylist()


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_the_last_microsecond_of_the_year_9999(bench: Bench, ending: str) -> None:
    last = pa.array([253_402_300_800 * 10**6 - 1], pa.timestamp("us"))
    bench.export(pa.table({"x": last}), f"x.{ending}")
    assert "9999-12-31" in (bench.root / f"x.{ending}").read_text()
    beyond = pa.array([253_402_300_800], pa.timestamp("s"))
    with pytest.raises(SourceFailed, match="“x” holds a date outside the years"):
        bench.export(pa.table({"x": beyond}), f"y.{ending}")
