"""Hive-style folders: three readers find every row; memory is left for the scratch folder."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from jupyter_export.errors import InvalidSpec, SourceFailed
from jupyter_export.formats import hive, partitions
from jupyter_export.formats.parquet import ParquetFormat, ParquetOptions

from .conftest import Bench
from .direct import Written, rows, write
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


def partitioned(data: pa.Table, folder: Path, *by: str, **options: Any) -> Written:
    written = write(FORMAT, data, folder, partition_by=list(by), **options)
    assert written.rows == written.counted == data.num_rows
    return written


def names(written: Written) -> list[str]:
    return [path.relative_to(written.folder).as_posix() for path in written.files]


def test_a_hive_folder_that_three_readers_read(tmp_path: Path) -> None:
    table = TABLE.append_column("day", pa.array([dt.date(2013, 1, 1 + i % 2) for i in range(1000)]))
    written = partitioned(table, tmp_path, "carrier", "day")
    null = "carrier=__HIVE_DEFAULT_PARTITION__"
    assert set(names(written)) == {
        f"{carrier}/day=2013-01-0{day}/part-0.parquet"
        for carrier in ("carrier=AA", "carrier=B6", null)
        for day in (1, 2)
    }
    assert pq.read_schema(written.files[0]).names == ["id", "delay", "note"]
    assert written.table().schema.equals(table.schema)
    assert written.table().sort_by("id").equals(table)
    assert written.losses == []
    assert written.frame()["df"]["id"].sum() == 499_500
    sql = f"FROM read_parquet('{written.folder}/**/*.parquet', hive_partitioning = true) "
    found = duckdb.sql(f"SELECT {', '.join(table.column_names)} {sql} ORDER BY id")
    assert pa.table(found.to_arrow_table()).equals(table)
    frame = polars.read_parquet(f"{written.folder}/**/*.parquet", hive_partitioning=True)
    assert frame.select(table.column_names).sort("id").equals(polars.from_arrow(table))


def test_an_export_makes_the_folder_whole(bench: Bench) -> None:
    options = {"type": "parquet", "partition_by": ["carrier"], "metadata": {"k": "v"}}
    result = bench.export(TABLE, "flights", format=options)
    assert bench.left() == [
        f"flights/carrier={carrier}/part-0.parquet" for carrier in ("AA", "B6", hive.NULL)
    ]
    assert result.rows == 1000
    assert sorted(file["rows"] for file in result.files) == [333, 333, 334]
    found: dict[str, Any] = {}
    exec(result.reader or "", found)
    assert found["table"].sort_by("id").equals(TABLE)


def test_an_export_that_stops_leaves_no_folder(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hive, "MOST", 100)
    with pytest.raises(SourceFailed, match="more than 100 folders"):
        bench.export(TABLE, "flights", format={"type": "parquet", "partition_by": ["id"]})
    assert bench.left() == []


ODD = ["a b/c=%é\\", "", ".", "..", "😀", "2013", "null", "a\nb\x00", "+", "x" * 80]


def test_odd_texts_come_back(tmp_path: Path) -> None:
    table = pa.table({"k / =é": [*ODD, None], "n": range(len(ODD) + 1)})
    written = partitioned(table, tmp_path, "k / =é")
    assert len(written.files) == len(ODD) + 1
    assert written.table().sort_by("n").equals(table)
    assert written.losses == []
    found = duckdb.sql(
        f"SELECT * EXCLUDE n FROM read_parquet('{written.folder}/**/*.parquet', "
        "hive_partitioning = true, hive_types_autocast = false) ORDER BY n"
    ).fetchall()
    assert [text for (text,) in found] == table.column(0).to_pylist()


def test_the_text_that_stands_for_null_is_a_loss(tmp_path: Path) -> None:
    table = pa.table({"k": ["a", hive.NULL, None, hive.NULL], "n": range(4)})
    written = partitioned(table, tmp_path, "k")
    assert written.lost == {("null_or_empty", "k"): 2}
    assert written.table().sort_by("n")["k"].to_pylist() == ["a", None, None, None]


KEYS = sorted(
    name
    for name, make in SAMPLES.items()
    if hive._names_folders(make().type) and name not in REFUSED
)


@pytest.mark.parametrize("name", KEYS)
def test_every_type_that_names_folders_comes_back_or_is_a_loss(tmp_path: Path, name: str) -> None:
    table = sample(name)
    written = partitioned(table, tmp_path, "x")
    found = written.table()
    assert found.schema.names == ["n", "x"]
    assert sorted(rows(found)) == rows(table)
    same = found.schema.field("x").type.equals(table.schema.field("x").type)
    assert same == (written.losses == [])


@pytest.mark.parametrize("name", sorted(set(SAMPLES) - REFUSED))
def test_every_type_stands_in_the_files_of_folders(tmp_path: Path, name: str) -> None:
    table = sample(name).append_column("k", pa.array(["b", "a", "b"]))
    written = partitioned(table, tmp_path / "parts", "k")
    alone = write(FORMAT, table, tmp_path / "alone")
    assert written.losses == alone.losses
    found = written.table()
    assert found.schema.equals(alone.parquet().schema)
    assert sorted(rows(found)) == rows(table)


@pytest.mark.parametrize("name", sorted(set(SAMPLES) - set(KEYS)))
def test_types_that_name_no_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidSpec, match=r"Column “x” .* cannot name folders") as caught:
        write(FORMAT, sample(name), tmp_path, partition_by=["x"])
    assert caught.value.field == "format.partition_by"


def test_all_columns_cannot_name_folders(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="nothing is left for the files"):
        write(FORMAT, TABLE.select(["carrier"]), tmp_path, partition_by=["carrier"])


def test_no_rows_keep_the_schema(tmp_path: Path) -> None:
    written = partitioned(TABLE.slice(0, 0), tmp_path, "carrier")
    assert names(written) == ["part-0.parquet"]
    assert written.table().schema.equals(TABLE.schema)
    assert written.table().num_rows == 0


def test_dates_that_no_reader_takes(tmp_path: Path) -> None:
    far = pa.array([0, 3_000_000], pa.int32()).view(pa.date32())
    with pytest.raises(SourceFailed, match="“10183-09-21” of column “day” cannot name a folder"):
        write(FORMAT, pa.table({"n": [1, 2], "day": far}), tmp_path, partition_by=["day"])


def test_a_text_too_long_for_a_folder(tmp_path: Path) -> None:
    table = pa.table({"n": [1, 2], "k": ["a", "ü" * 100]})
    with pytest.raises(SourceFailed, match="of column “k” is too long to name a folder"):
        write(FORMAT, table, tmp_path, partition_by=["k"])


@pytest.mark.parametrize("by", [["id"], ["note", "id"], ["note", "tens"]])
def test_too_many_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: list[str]) -> None:
    monkeypatch.setattr(hive, "MOST", 100)
    table = TABLE.append_column("tens", pa.array([i // 10 for i in range(1000)]))
    cut = pa.Table.from_batches(table.to_batches(max_chunksize=90), table.schema)
    with pytest.raises(SourceFailed, match=rf"more than 100 folders: .*“{by[-1]}” alone") as caught:
        write(FORMAT, cut, tmp_path, partition_by=by)
    assert "Choose columns with fewer values" in str(caught.value)


@pytest.mark.parametrize("held", [1, 20_000, 100_000])
def test_rows_that_are_spilled_keep_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    monkeypatch.setattr(partitions, "_HELD", held)
    big = pa.concat_tables([TABLE] * 10).set_column(0, "id", [pa.array(range(10_000))])
    coded = big.append_column("code", big["note"].dictionary_encode())
    cut = pa.Table.from_batches(coded.to_batches(max_chunksize=777), coded.schema)
    written = partitioned(cut, tmp_path, "carrier", row_group_rows=1000)
    for path in written.files:
        with pq.ParquetFile(path) as file:
            ids = file.read(["id"])["id"]
            groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        assert ids.to_pylist() == sorted(ids.to_pylist())
        # no small row groups, however often rows were moved out of memory
        assert groups[:-1] == [1000] * (len(groups) - 1)
    found = written.table().sort_by("id")
    assert rows(found) == rows(cut)
    assert found.schema.equals(cut.schema)


@settings(quick, max_examples=40)
@given(batches(max_rows=20), st.sampled_from([1, 1000, 10**9]), st.data())
def test_generated_tables_in_folders(drawn: Any, held: int, data: st.DataObject) -> None:
    schema, given_batches = drawn
    able = [field.name for field in schema if hive._names_folders(field.type)]
    assume(able and len(schema) > 1)
    by = data.draw(st.lists(st.sampled_from(able), min_size=1, max_size=2, unique=True))
    assume(len(by) < len(schema))
    table = pa.Table.from_batches(given_batches, schema)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(partitions, "_HELD", held)
        written = partitioned(table, Path(folder), *by, row_group_rows=5)
        found = written.table()
    assert found.schema.names == schema.names
    changed = {loss.column for loss in written.losses}
    for field in schema:
        same = found.schema.field(field.name).type.equals(field.type)
        assert same == (field.name not in changed), field
    assert Counter(map(repr, rows(found))) == Counter(map(repr, rows(table)))


def test_one_column_needs_no_list() -> None:
    assert ParquetOptions.model_validate({"partition_by": "origin"}).partition_by == ["origin"]
