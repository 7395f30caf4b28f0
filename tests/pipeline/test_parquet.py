"""Parquet: what PyArrow, DuckDB and Polars find in our files; options, losses."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from jupyter_export.errors import InvalidSpec, SourceFailed
from jupyter_export.formats import thrift
from jupyter_export.formats.parquet import ParquetFormat

from .direct import values, write
from .tables import SAMPLES, batches, sample

FORMAT = ParquetFormat()
REFUSED = {"sparse_union", "interval", "empty_struct"}
quick = settings(deadline=None, max_examples=80, suppress_health_check=list(HealthCheck))

TABLE = pa.table(
    {
        "id": pa.array(range(1000), pa.int64()),
        "carrier": [("AA", "B6", None)[i % 3] for i in range(1000)],
        "delay": pa.array([i / 4 for i in range(1000)]),
        "note": [f"note {i % 7}" for i in range(1000)],
    }
)


# ------------------------------------------------------------------ types


@pytest.mark.parametrize("name", sorted(set(SAMPLES) - REFUSED))
def test_every_type_comes_back_or_is_a_loss(tmp_path: Path, name: str) -> None:
    table = sample(name)
    written = write(FORMAT, table, tmp_path)
    found = written.parquet()
    assert values(found["x"]) == values(table["x"])
    same = found.schema.field("x").type.equals(table.schema.field("x").type)
    valid = sum(value is not None for value in values(table["x"]))
    assert written.lost == ({} if same else {("type", "x"): valid})
    assert written.rows == written.counted == 3


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_type_that_parquet_does_not_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidSpec, match=r"no type for the column “x”") as caught:
        write(FORMAT, sample(name), tmp_path)
    assert caught.value.field == "columns"


@quick
@given(batches(), st.integers(1, 6), st.booleans(), st.sampled_from(["1.0", "2.0"]))
def test_no_loss_means_the_same_table(drawn: Any, group: int, index: bool, version: str) -> None:
    schema, given_batches = drawn
    table = pa.Table.from_batches(given_batches, schema)
    with tempfile.TemporaryDirectory() as folder:
        written = write(
            FORMAT,
            given_batches,
            Path(folder),
            given=schema,
            row_group_rows=group,
            page_index=index,
            page_version=version,
        )
        found = written.parquet()
    changed = {column for kind, column in written.lost if kind == "type"}
    assert written.rows == written.counted == table.num_rows
    for field in schema:
        same = found.schema.field(field.name).type.equals(field.type)
        assert same == (field.name not in changed)
        assert values(found[field.name]) == values(table[field.name])


def test_times_within_a_day_of_date64_are_counted(tmp_path: Path) -> None:
    days = pa.array([86_400_000, None, 86_400_001, 5], pa.int64()).view(pa.date64())
    written = write(FORMAT, pa.table({"d": days}), tmp_path)
    assert written.lost == {("type", "d"): 3, ("time_part", "d"): 2}
    assert {loss.example for loss in written.losses} == {None, "1970-01-02 00:00:00.001000"}


def test_a_null_among_the_categories(tmp_path: Path) -> None:
    coded = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None]), pa.array(["a", None, "b"]))
    written = write(FORMAT, pa.table({"x": coded}), tmp_path)
    assert written.parquet()["x"].to_pylist() == ["a", None, "b", None]
    assert written.losses == []


@pytest.mark.parametrize(
    "categories",
    [pa.array(["a", "b"], pa.string_view()), pa.array([{"n": 1}, {"n": 2}]), pa.array([[1], []])],
    ids=str,
)
def test_categories_that_parquet_cannot_write_are_plain_values(
    tmp_path: Path, categories: pa.Array
) -> None:
    coded = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0], pa.int8()), categories)
    written = write(FORMAT, pa.table({"x": coded}), tmp_path)
    first, second = values(categories)
    assert values(written.parquet()["x"]) == [first, second, None, first]
    assert written.lost == {("type", "x"): 3}


def test_a_value_that_parquet_cannot_hold_names_its_column(tmp_path: Path) -> None:
    far = pa.array([2**62, 0], pa.int64()).view(pa.timestamp("s"))
    with pytest.raises(SourceFailed, match=r"Column “far” \(timestamp\[s\]\) has a value"):
        write(FORMAT, pa.table({"n": [1, 2], "far": far}), tmp_path)


def test_dictionaries_that_differ_between_batches_share_a_row_group(tmp_path: Path) -> None:
    kind = pa.dictionary(pa.int8(), pa.string())
    arrays = [pa.array(part).cast(kind) for part in (["a", "b"], ["c", None], ["b", "d"])]
    written = write(FORMAT, pa.table({"x": pa.chunked_array(arrays)}), tmp_path)
    assert written.parquet()["x"].to_pylist() == ["a", "b", "c", None, "b", "d"]
    assert pq.ParquetFile(written.file).num_row_groups == 1


# ------------------------------------------------------------------ options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"compression": "lzo"}, "no writer of lzo exists.*GPL.*use zstd"),
        ({"compression": "snappy", "level": 1}, "snappy takes no level"),
        ({"compression": "gzip", "level": 10}, "gzip takes a level of 1 to 9"),
        ({"row_group_rows": 0}, "greater than or equal to 1"),
        ({"row_group_bytes": 10}, "greater than or equal to"),
        ({"page_size": 10}, "greater than or equal to 1024"),
        ({"partition_by": ["a", "a"]}, "names a column twice"),
        ({"schema": {"a": "strng"}}, r"“a”: “strng” is not a known type \(did you mean string"),
        ({"schema": {"a": "decimal(90, 2)"}}, "must have 1 to 76 digits"),
        ({"schema": {"a": "timestamp[ms, Europe/Pris]"}}, "is not a time zone"),
        ({"schema": {"a": "timestamp[m]"}}, "is not one of s, ms, us, ns"),
        ({"metadata": {"pandas": "x"}}, "belongs to Arrow's own metadata"),
        ({"metadata": {"k": "x" * 2_000_000}}, "more than 1,048,576 characters"),
        ({"metadata": {"": "x"}}, "at least 1 character"),
    ],
)
def test_an_option_out_of_its_range(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        FORMAT.options.model_validate(options)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("dictionary", ["carier"]),
        ("statistics", ["carier"]),
        ("bloom_filters", ["carier"]),
        ("partition_by", ["carier"]),
        ("schema", {"carier": "string"}),
    ],
)
def test_a_column_that_is_not_there(option: str, value: Any) -> None:
    options = FORMAT.options.model_validate({option: value})
    with pytest.raises(InvalidSpec, match="There is no column “carier”") as caught:
        FORMAT.losses(TABLE.schema, options)
    assert caught.value.field == f"format.{option}"
    assert caught.value.hint == "Did you mean carrier?"


@pytest.mark.parametrize(
    ("compression", "level"),
    [("none", None), ("snappy", None), ("lz4", None),
     ("gzip", 1), ("gzip", 9), ("brotli", 0), ("brotli", 11), ("zstd", 1), ("zstd", 22)],
)  # fmt: skip
def test_three_readers_read_every_compression(
    tmp_path: Path, compression: str, level: int | None
) -> None:
    written = write(
        FORMAT, TABLE, tmp_path, compression=compression, level=level, row_group_rows=300
    )
    file = pq.ParquetFile(written.file)
    codec = {"none": "UNCOMPRESSED"}.get(compression, compression.upper())
    assert {file.metadata.row_group(i).column(0).compression for i in range(4)} == {codec}
    assert [file.metadata.row_group(i).num_rows for i in range(4)] == [300, 300, 300, 100]
    assert written.parquet().equals(TABLE)
    assert pa.table(duckdb.read_parquet(str(written.file)).to_arrow_table()).equals(TABLE)
    assert polars.read_parquet(written.file).equals(polars.from_arrow(TABLE))


def test_metadata_stands_in_the_footer_beside_the_schema(tmp_path: Path) -> None:
    frame = TABLE.to_pandas().set_index("id")
    table = pa.Table.from_pandas(frame)
    given_metadata = {"source": "nycflights", "ü": "é" * 1000}
    written = write(FORMAT, table, tmp_path, metadata=given_metadata, row_group_rows=300)
    found = pq.ParquetFile(written.file)
    for key, text in given_metadata.items():
        assert found.metadata.metadata[key.encode()].decode() == text
    # DuckDB reads the footer, not the Arrow schema in it
    query = f"SELECT decode(value) FROM parquet_kv_metadata('{written.file}')"
    assert ("nycflights",) in duckdb.sql(query + " WHERE key = 'source'").fetchall()
    assert written.frame()["df"].equals(frame)


def test_columns_with_a_dictionary_or_statistics(tmp_path: Path) -> None:
    nested = TABLE.append_column("tags", pa.array([["a", "b"]] * 1000))
    written = write(
        FORMAT, nested, tmp_path, dictionary=["tags", "id"], statistics=["tags", "delay"]
    )
    group = pq.ParquetFile(written.file).metadata.row_group(0)
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(5)}
    coded = {path for path, each in columns.items() if each.has_dictionary_page}
    assert coded == {"id", "tags.list.element"}
    described = {path for path, each in columns.items() if each.is_stats_set}
    assert described == {"delay", "tags.list.element"}


def test_texts_in_lists_get_a_dictionary_by_themselves(tmp_path: Path) -> None:
    """Parquet names the leaf columns of a list, not the list."""
    table = pa.table({"n": range(1000), "tags": [["a", "b"]] * 1000})
    group = pq.ParquetFile(write(FORMAT, table, tmp_path).file).metadata.row_group(0)
    assert [group.column(i).has_dictionary_page for i in range(2)] == [False, True]


def offset_indexes(path: Path) -> list[tuple[list[thrift.Struct], Any]]:
    """Return for each column chunk its page locations, and what PyArrow says of the chunk."""
    data = path.read_bytes()
    size = int.from_bytes(data[-8:-4], "little")
    groups = thrift.read(data[-8 - size : -8])[4].value.values
    metadata = pq.ParquetFile(path).metadata
    found = []
    for i, group in enumerate(groups):
        for j, column in enumerate(group[1].value.values):
            at, length = column[4].value, column[5].value
            locations = thrift.read(data[at : at + length])[1].value.values
            minimum = thrift.read(data[column[6].value :][: column[7].value])[2].value.values
            assert len(minimum) == len(locations)
            for location in locations:
                page = thrift.read(data[location[1].value :])
                # a page header: 1 is its type (0 and 3 are data pages), 3 its compressed size
                assert page[1].value in (0, 3)
                assert 0 < page[3].value < location[2].value
            found.append((locations, metadata.row_group(i).column(j)))
    return found


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_page_indexes_lead_to_the_pages(tmp_path: Path, version: str) -> None:
    written = write(
        FORMAT,
        TABLE,
        tmp_path,
        page_index=True,
        page_rows=50,
        row_group_rows=300,
        page_version=version,
        bloom_filters=["carrier"],
    )
    indexes = offset_indexes(written.file)
    assert len(indexes) == 16
    for locations, column in indexes:
        assert column.has_offset_index
        assert column.has_column_index
        assert locations[0][1].value == column.data_page_offset
        assert len(locations) == -(-column.num_values // 50)
        firsts = [location[3].value for location in locations]
        assert firsts == sorted(set(firsts))
    assert written.parquet().equals(TABLE)
    assert polars.read_parquet(written.file).equals(polars.from_arrow(TABLE))
    assert duckdb.sql(f"SELECT sum(id) FROM '{written.file}' WHERE carrier = 'AA'").fetchall() == [
        (sum(range(0, 1000, 3)),)
    ]


def test_pages_end_by_their_bytes(tmp_path: Path) -> None:
    table = pa.table({"x": pa.array(range(50_000), pa.int64())})
    small = write(FORMAT, table, tmp_path / "small", page_index=True, page_size=4096,
                  dictionary=False)  # fmt: skip
    large = write(FORMAT, table, tmp_path / "large", page_index=True, dictionary=False)
    assert len(offset_indexes(small.file)[0][0]) > 80
    # PyArrow ends a page after 20,000 rows as well
    assert len(offset_indexes(large.file)[0][0]) == 3
    assert small.parquet().equals(table)


def test_duckdb_skips_row_groups_by_the_bloom_filter(tmp_path: Path) -> None:
    names = pa.table({"name": [f"name {i * 7919 % 1000}" for i in range(1000)]})
    written = write(FORMAT, names, tmp_path, bloom_filters=["name"], row_group_rows=250)
    for i, name in [(0, "name 0"), (999, "no such name")]:
        probed = duckdb.sql(
            f"SELECT bloom_filter_excludes FROM parquet_bloom_probe("
            f"'{written.file}', 'name', '{name}')"
        ).fetchall()
        assert len(probed) == 4
        assert sum(excluded for (excluded,) in probed) == (3 if i == 0 else 4)


def test_row_groups_of_wide_rows_end_by_their_bytes(tmp_path: Path) -> None:
    table = pa.table({"x": [f"{i}" * 40_000 for i in range(100)]})
    written = write(FORMAT, table, tmp_path, row_group_bytes=1024**2)
    groups = pq.ParquetFile(written.file).metadata
    sizes = [groups.row_group(i).num_rows for i in range(groups.num_row_groups)]
    assert sum(sizes) == 100
    assert 3 <= max(sizes) <= 30
    assert written.parquet().equals(table)
