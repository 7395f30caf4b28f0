"""Generated tables through every format, read back by readers that are not ours."""

from __future__ import annotations

import csv
import datetime
import decimal
import io
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_export import registry

from . import reading
from .tables import NAMES, batches

Drawn = tuple[pa.Schema, list[pa.RecordBatch]]
STARTED = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
"""The moment that files name as their time."""
quick = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def encoded(kind: str, drawn: Drawn, **options: Any) -> bytes:
    """Return the file's bytes; its own counter must count every row in them."""
    schema, rows = drawn
    chosen = registry.format_named(kind)
    checked = registry.check_options(chosen, options)
    counter = chosen.counter(checked)
    out = io.BytesIO()
    said = 0
    expected = sum(batch.num_rows for batch in rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        here = registry.Surroundings(
            root=path.parent,
            target=path,
            part=path.with_suffix(".part"),
            uploads=path.parent,
            scratch=path.parent / "scratch",
            started=STARTED,
        )
        here.scratch.mkdir()
        for chunk in chosen.encode_file(
            [registry.Table("rows", schema, iter(rows))],
            checked,
            registry.FileContext("rows", "file", "", here),
            registry.LossLedger(),
        ):
            counter.update(chunk.data)
            out.write(chunk.data)
            said += chunk.rows
        assert said == expected
        path.write_bytes(out.getvalue())
        assert counter.finish(path) == expected
    return out.getvalue()


def cells(rows: list[pa.RecordBatch]) -> Iterator[list[pa.Scalar]]:
    for batch in rows:
        for i in range(batch.num_rows):
            yield [column[i] for column in batch.columns]


CSV_OPTIONS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from([",", ";", "\t", "|", " ", "-", ".", ":", "+"]),
        "quote": st.sampled_from(["minimal", "all", "nonnumeric"]),
        "quote_char": st.sampled_from(['"', "'", "%", "_"]),
        "null": st.sampled_from(["", "NULL", "0", "nan", "\\N"]),
        "line_terminator": st.sampled_from(["\n", "\r\n"]),
        "encoding": st.sampled_from(["utf-8", "utf-8-sig"]),
        "header": st.booleans(),
    }
)


@quick
@given(batches(), CSV_OPTIONS)
def test_python_reads_the_same_cells_from_csv(drawn: Drawn, options: dict[str, Any]) -> None:
    schema, rows = drawn
    text = encoded("csv", drawn, **options).decode(options["encoding"])
    found = list(
        csv.reader(
            io.StringIO(text, newline=""),
            delimiter=options["delimiter"],
            quotechar=options["quote_char"],
            strict=True,
        )
    )
    if options["header"]:
        assert found.pop(0) == schema.names
    expected = list(cells(rows))
    assert len(found) == len(expected)
    for given_row, row in zip(found, expected, strict=True):
        assert len(given_row) == len(row)
        for given_cell, value in zip(given_row, row, strict=True):
            if not value.is_valid or (pa.types.is_dictionary(value.type) and value.as_py() is None):
                assert given_cell == options["null"]
            else:
                reading.check(value, given_cell)


@quick
@given(
    batches(),
    st.sampled_from(["json", "jsonl"]),
    st.fixed_dictionaries(
        {
            "nulls": st.sampled_from(["include", "exclude"]),
            "large_integers": st.sampled_from(["number", "string"]),
            "decimals": st.sampled_from(["number", "string"]),
            "nan": st.sampled_from(["null", "string"]),
        }
    ),
)
def test_python_reads_the_same_values_from_json(
    drawn: Drawn, kind: str, options: dict[str, Any]
) -> None:
    schema, rows = drawn
    data = encoded(kind, drawn, **options)
    pieces = [data] if kind == "json" else data.split(b"\n")[:-1]
    read = [
        json.loads(piece, parse_float=decimal.Decimal, parse_constant=_refuse) for piece in pieces
    ]
    found = read[0] if kind == "json" else read
    expected = list(cells(rows))
    assert len(found) == len(expected)
    for given_row, row in zip(found, expected, strict=True):
        if options["nulls"] == "include":
            assert list(given_row) == schema.names
        for name, value in zip(schema.names, row, strict=True):
            if options["nulls"] == "exclude" and given_row.get(name, 0) is None:
                raise AssertionError("a null was to be left out")
            reading.check(value, given_row.get(name), nan=None if options["nan"] == "null" else "")


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def _table(drawn: Drawn) -> pa.Table:
    schema, rows = drawn
    return pa.Table.from_batches(rows, schema)


def _plain(table: pa.Table) -> list[list[Any]]:
    """Values that compare by what they are: NaN by its text, nanoseconds by their count."""
    return [[repr(value) for value in column] for column in table.columns]


@quick
@given(batches(), st.sampled_from(["file", "stream"]), st.sampled_from(["none", "lz4", "zstd"]))
def test_pyarrow_reads_the_same_table_from_arrow(
    drawn: Drawn, structure: str, compression: str
) -> None:
    data = encoded("arrow", drawn, structure=structure, compression=compression)
    opened = (pa.ipc.open_file if structure == "file" else pa.ipc.open_stream)(data)
    read = opened.read_all()
    read.validate(full=True)
    assert read.schema.equals(drawn[0])
    assert _plain(_decoded(read)) == _plain(_decoded(_table(drawn)))


def _decoded(table: pa.Table) -> pa.Table:
    columns = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    return pa.Table.from_arrays(columns, names=table.column_names)


@quick
@given(
    batches(),
    st.sampled_from(["none", "snappy", "gzip", "brotli", "lz4", "zstd"]),
    st.integers(1, 5),
    st.sampled_from([True, False, "auto"]),
    st.booleans(),
)
def test_pyarrow_reads_the_same_table_from_parquet(
    drawn: Drawn, compression: str, group: int, dictionary: Any, statistics: bool
) -> None:
    data = encoded(
        "parquet",
        drawn,
        compression=compression,
        row_group_rows=group,
        dictionary=dictionary,
        statistics=statistics,
    )
    read = pq.read_table(pa.BufferReader(data))
    read.validate(full=True)
    whole = pa.BufferOutputStream()
    table = _table(drawn)
    pq.write_table(table, whole)
    peer = pq.read_table(pa.BufferReader(whole.getvalue()))
    assert read.schema.equals(peer.schema)
    assert _plain(_decoded(read)) == _plain(_decoded(peer))
    for name, kind in zip(table.schema.names, table.schema.types, strict=True):
        if read.schema.field(name).type == kind:
            assert _plain(_decoded(read.select([name]))) == _plain(_decoded(table.select([name])))
    for i in range(pq.ParquetFile(pa.BufferReader(data)).num_row_groups):
        pq.ParquetFile(pa.BufferReader(data)).read_row_group(i).validate(full=True)


@settings(quick, max_examples=40)
@given(
    batches(nested=False, names=st.from_regex(r"\A[a-z]{1,8}\Z")).filter(
        lambda drawn: (
            not any(
                pa.types.is_null(t)
                or pa.types.is_decimal256(t)
                or pa.types.is_float16(t)
                # Polars knows no zone that is only an offset
                or (pa.types.is_timestamp(t) and (t.tz or "Z")[0] in "+-")
                for t in drawn[0].types
            )
        )
    ),
    st.integers(1, 5),
)
def test_other_readers_read_parquet(drawn: Drawn, group: int) -> None:
    """DuckDB and Polars have readers of their own: both find every row and every value."""
    data = encoded("parquet", drawn, row_group_rows=group)
    table = _table(drawn)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.parquet"
        path.write_bytes(data)
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            shown = ", ".join(f'count("{n}")' for n in table.column_names)
            row = connection.execute(f"SELECT count(*), {shown} FROM '{path}'").fetchone()
            sums = {
                n: connection.execute(f"SELECT sum(\"{n}\"::HUGEINT) FROM '{path}'").fetchone()[0]
                for n in _integers(table)
            }
        frame = polars.read_parquet(path)
    valid = [len(column) - column.null_count for column in table.columns]
    assert row == (table.num_rows, *valid)
    assert frame.height == table.num_rows
    assert [len(s) - s.null_count() for s in frame] == valid
    for name in _integers(table):
        values = [v for v in table[name].to_pylist() if v is not None]
        assert sums[name] == (sum(values) if values else None)
        assert frame[name].to_list() == table[name].to_pylist()


def _integers(table: pa.Table) -> list[str]:
    return [field.name for field in table.schema if pa.types.is_integer(field.type)]


@pytest.mark.parametrize("kind", sorted(registry.formats()))
@settings(quick, max_examples=25)
@given(data=st.data())
def test_the_same_rows_give_the_same_bytes_however_they_are_cut(kind: str, data: Any) -> None:
    drawn = data.draw(batches(nested=False, names=NAMES))
    joined = _table(drawn).combine_chunks().to_batches()
    assert encoded(kind, drawn) == encoded(kind, (drawn[0], joined))
