"""Arrow IPC: what PyArrow, DuckDB and Polars find in our files; options and declared types."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import duckdb
import polars
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from jupyter_export.errors import InvalidSpec, SourceFailed
from jupyter_export.formats.arrow import ArrowFormat

from .direct import Written, values, write
from .tables import SAMPLES, batches, sample

FORMAT = ArrowFormat()
quick = settings(deadline=None, max_examples=80, suppress_health_check=list(HealthCheck))
STRUCTURES = ["file", "stream"]
COMPRESSIONS = ["none", "lz4", "zstd"]

TABLE = pa.table(
    {
        "id": pa.array(range(10_000), pa.int64()),
        "carrier": [("AA", "B6", None)[i % 3] for i in range(10_000)],
        "delay": pa.array([i / 4 for i in range(10_000)]),
    }
)


def read(written: Written, structure: str = "file") -> pa.Table:
    opened = pa.ipc.open_file if structure == "file" else pa.ipc.open_stream
    with pa.memory_map(str(written.file)) as mapped, opened(mapped) as file:
        found = file.read_all()
    found.validate(full=True)
    return found


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_type_comes_back(tmp_path: Path, name: str, compression: str, structure: str) -> None:
    table = sample(name)
    written = write(FORMAT, table, tmp_path, structure=structure, compression=compression)
    found = read(written, structure)
    assert found.schema.equals(table.schema, check_metadata=True)
    assert values(found["x"]) == values(table["x"])
    assert written.losses == []
    assert written.rows == written.counted == 3


@quick
@given(
    batches(),
    st.sampled_from(STRUCTURES),
    st.sampled_from(COMPRESSIONS),
    st.integers(1, 8),
)
def test_generated_tables_come_back(
    drawn: Any, structure: str, compression: str, batch_rows: int
) -> None:
    schema, given_batches = drawn
    table = pa.Table.from_batches(given_batches, schema)
    with tempfile.TemporaryDirectory() as folder:
        written = write(
            FORMAT,
            given_batches,
            Path(folder),
            given=schema,
            structure=structure,
            compression=compression,
            batch_rows=batch_rows,
        )
        found = read(written, structure)
    assert written.rows == written.counted == table.num_rows
    assert written.losses == []
    assert found.schema.equals(schema)
    for name in schema.names:
        assert values(found[name]) == values(table[name])


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_three_readers_read_the_file(tmp_path: Path, structure: str, compression: str) -> None:
    written = write(FORMAT, TABLE, tmp_path, structure=structure, compression=compression)
    found = read(written, structure)
    assert found.equals(TABLE)
    # DuckDB takes Arrow's own reader
    counted = duckdb.sql("SELECT count(*), sum(id), count(carrier) FROM found").fetchall()
    assert counted == [(10_000, sum(range(10_000)), 6667)]
    reader = polars.read_ipc if structure == "file" else polars.read_ipc_stream
    assert reader(written.file).equals(polars.from_arrow(TABLE))
    assert written.frame()["df"]["id"].sum() == sum(range(10_000))


def test_batches_have_the_rows_that_are_asked_for(tmp_path: Path) -> None:
    written = write(FORMAT, TABLE, tmp_path, batch_rows=3000)
    with pa.ipc.open_file(written.file) as file:
        sizes = [file.get_batch(i).num_rows for i in range(file.num_record_batches)]
    assert sizes == [3000, 3000, 3000, 1000]


def test_a_higher_level_makes_a_smaller_file(tmp_path: Path) -> None:
    sizes = [
        write(FORMAT, TABLE, tmp_path / str(level), compression="zstd", level=level)
        .file.stat().st_size
        for level in (1, 19)
    ]  # fmt: skip
    assert sizes[1] < sizes[0]


@pytest.mark.parametrize("structure", STRUCTURES)
def test_metadata_stands_in_the_schema(tmp_path: Path, structure: str) -> None:
    frame = TABLE.to_pandas().set_index("id")
    written = write(
        FORMAT, pa.Table.from_pandas(frame), tmp_path, structure=structure, metadata={"ü": "é"}
    )
    assert read(written, structure).schema.metadata["ü".encode()].decode() == "é"
    assert written.frame()["df"].equals(frame)
    eager = polars.read_ipc if structure == "file" else polars.read_ipc_stream
    assert eager(written.file).height == 10_000


def test_declared_types(tmp_path: Path) -> None:
    table = pa.table({"n": ["1", "2"], "d": [1.5, 2.25], "k": ["a", "a"]})
    types = {"n": "int16", "d": "decimal(5, 1)", "k": "dictionary<string>"}
    written = write(FORMAT, table, tmp_path, schema=types)
    found = read(written)
    assert found.schema.types == [
        pa.int16(),
        pa.decimal128(5, 1),
        pa.dictionary(pa.int32(), pa.string()),
    ]
    assert found["n"].to_pylist() == [1, 2]
    (loss,) = written.losses
    assert (loss.kind, loss.column, loss.count, loss.example) == ("rounded", "d", 1, "2.25")


def test_the_first_value_that_does_not_fit_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="does not fit int8: row 129 holds “128”"):
        write(FORMAT, TABLE, tmp_path, schema={"id": "int8"})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"level": 3}, "none takes no level"),
        ({"compression": "lz4", "level": 3}, "lz4 takes no level"),
        ({"compression": "zstd", "level": 23}, "less than or equal to 22"),
        ({"compression": "gzip"}, "'none', 'lz4' or 'zstd'"),
        ({"batch_rows": 0}, "greater than or equal to 1"),
    ],
)
def test_an_option_out_of_its_range(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        FORMAT.options.model_validate(options)


def test_a_declared_column_that_is_not_there() -> None:
    options = FORMAT.options.model_validate({"schema": {"carier": "string"}})
    with pytest.raises(InvalidSpec, match="no column “carier”") as caught:
        FORMAT.losses(TABLE.schema, options)
    assert caught.value.hint == "Did you mean carrier?"


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("wrap", ["plain", "struct", "list", "map", "fixed", "view"])
def test_dictionaries_that_differ_between_batches(
    tmp_path: Path, structure: str, wrap: str
) -> None:
    """An IPC file may not replace a dictionary, wherever in a type it stands."""
    words = [["a", "b", None], ["b", "a", "b"], ["c", None, "a"]]
    arrays = [_wrapped(pa.array(each).dictionary_encode(), wrap) for each in words]
    arrays += [arrays[0].slice(1), pa.concat_arrays([arrays[2], arrays[1]]).slice(2, 3)]
    schema = pa.schema([("x", arrays[0].type)])
    given_batches = [pa.record_batch([each], schema=schema) for each in arrays]
    written = write(
        FORMAT, given_batches, tmp_path, given=schema, structure=structure, batch_rows=3
    )
    found = read(written, structure)
    assert found.schema.equals(schema)
    expected = [value for each in arrays for value in values(each)]
    assert values(found["x"]) == expected


def _wrapped(array: pa.Array, how: str) -> pa.Array:
    if how == "struct":
        return pa.StructArray.from_arrays([array], ["d"])
    if how == "list":
        return pa.ListArray.from_arrays(pa.array([0, 1, 1, 3], pa.int32()), array)
    if how == "map":
        keys = pa.array(["k"] * 3)
        return pa.MapArray.from_arrays(pa.array([0, 1, 2, 3], pa.int32()), keys, array)
    if how == "fixed":
        return pa.FixedSizeListArray.from_arrays(array, 1)
    if how == "view":
        sizes = pa.array([1, 0, 2], pa.int32())
        return pa.ListViewArray.from_arrays(pa.array([0, 1, 1], pa.int32()), sizes, array)
    return array


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("words", [["a"], [True], [1.5], [b"ab"]])
def test_categories_that_begin_with_none(tmp_path: Path, structure: str, words: list[Any]) -> None:
    """The first rows are all null, and so their dictionary is empty."""
    made = pa.array(words)
    parts = [
        pa.DictionaryArray.from_arrays(pa.array([None, None], pa.int8()), made.slice(0, 0)),
        pa.DictionaryArray.from_arrays(pa.array([0, None], pa.int8()), made),
    ]
    rows = [pa.record_batch({"c": part}) for part in parts]
    written = write(FORMAT, rows, tmp_path, given=rows[0].schema, structure=structure, batch_rows=2)
    assert values(read(written, structure)["c"]) == values(pa.array([None, None, *words, None]))
