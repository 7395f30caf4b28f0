"""Parquet footers go through our reader and writer unchanged."""

from __future__ import annotations

import struct
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_export.formats import thrift

from .conftest import Bench
from .tables import SAMPLES, batches


def footer_of(data: bytes) -> bytes:
    (size,) = struct.unpack("<I", data[-8:-4])
    return data[-8 - size : -8]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    batches(),
    st.booleans(),
    st.sampled_from(["snappy", "zstd", "none"]),
    st.booleans(),
)
def test_every_footer_survives(drawn: Any, index: bool, compression: str, checksum: bool) -> None:
    schema, rows = drawn
    out = pa.BufferOutputStream()
    pq.write_table(
        pa.Table.from_batches(rows, schema).replace_schema_metadata({"who": "é" * 200}),
        out,
        row_group_size=3,
        compression=compression,
        write_page_index=index,
        write_page_checksum=checksum,
        store_decimal_as_integer=index,
    )
    footer = footer_of(out.getvalue().to_pybytes())
    assert thrift.write(thrift.read(footer)) == footer


def test_a_footer_with_sorting_and_many_columns() -> None:
    """Lists longer than fourteen, booleans in lists, field ids far apart."""
    out = pa.BufferOutputStream()
    table = pa.table({f"column {i}": [1, 2] for i in range(300)})
    sorting = [pq.SortingColumn(i, descending=bool(i % 2)) for i in range(20)]
    pq.write_table(table, out, sorting_columns=sorting)
    footer = footer_of(out.getvalue().to_pybytes())
    assert thrift.write(thrift.read(footer)) == footer


@pytest.mark.parametrize("cut", [0, 1, 10])
def test_a_footer_that_is_cut_short(cut: int) -> None:
    with pytest.raises(IndexError):
        thrift.read(bytes([0x15, 0x80, 0x80])[:cut])


def test_the_written_file_states_what_pyarrow_states(bench: Bench) -> None:
    """Row groups side by side under one footer: every offset in it leads to its pages."""
    unheld = ("sparse_union", "interval", "empty_struct", "string_view", "binary_view",
              "run_end_encoded", "dictionary_in_list")  # fmt: skip
    one = pa.table({name: make() for name, make in SAMPLES.items() if name not in unheld})
    table = pa.concat_tables([one] * 4)
    bench.export(table, "x.parquet", format={"type": "parquet", "row_group_rows": 5})
    out = pa.BufferOutputStream()
    pq.write_table(table, out, row_group_size=5, compression="zstd", version="2.6")
    ours = pq.ParquetFile(bench.root / "x.parquet")
    peer = pq.ParquetFile(pa.BufferReader(out.getvalue()))
    assert ours.schema_arrow.equals(peer.schema_arrow, check_metadata=True)
    assert ours.metadata.num_rows == peer.metadata.num_rows == 12
    rows, last = 0, 0
    for i in range(ours.metadata.num_row_groups):
        group = ours.metadata.row_group(i)
        for j in range(group.num_columns):
            column = group.column(j)
            begins = column.dictionary_page_offset or column.data_page_offset
            assert begins >= last
            last = begins + column.total_compressed_size
        part = ours.read_row_group(i)
        part.validate(full=True)
        assert repr(part.to_pylist()) == repr(peer.read().slice(rows, part.num_rows).to_pylist())
        rows += part.num_rows
    assert rows == 12
