"""What people use today: pandas, DuckDB, Polars and PyArrow, each in its own words.

A peer is a function of the frame (an Arrow table) and the output path. It prepares its native
frame, before the clock starts, and returns the call that the clock measures. Peers neither hash
nor fsync nor count; where a library has two ways to write a file, both are here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

Write: TypeAlias = Callable[[], Any]
Peer: TypeAlias = Callable[[pa.Table, Path], Write]

PEERS: dict[str, dict[str, Peer]] = defaultdict(dict)
"""Format -> the peer's name as the tables show it -> the peer."""


def peer(file_format: str, name: str) -> Callable[[Peer], Peer]:
    def enter(function: Peer) -> Peer:
        PEERS[file_format][name] = function
        return function

    return enter


# ------------------------------------------------------------------ pandas


def pandas_frame(table: pa.Table) -> Any:
    """Return a frame with pandas' own types: nullable ``Int64``, ``datetime64``, categories."""
    import pandas as pd

    nullable = {field.name for field in table.schema if table[field.name].null_count}
    frame = table.to_pandas(date_as_object=False)
    for field in table.schema:
        if field.name in nullable and pa.types.is_integer(field.type):
            frame[field.name] = pd.array(
                table[field.name].to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
            )
    return frame


@peer("csv", "pandas to_csv")
def _(table: pa.Table, path: Path) -> Write:
    frame = pandas_frame(table)
    return lambda: frame.to_csv(path, index=False)


@peer("csv.gz", "pandas to_csv")
def _(table: pa.Table, path: Path) -> Write:
    frame = pandas_frame(table)
    return lambda: frame.to_csv(path, index=False, compression="gzip")


@peer("jsonl", "pandas to_json")
def _(table: pa.Table, path: Path) -> Write:
    frame = pandas_frame(table)
    return lambda: frame.to_json(path, orient="records", lines=True, date_format="iso")


@peer("parquet", "pandas to_parquet")
def _(table: pa.Table, path: Path) -> Write:
    frame = pandas_frame(table)
    return lambda: frame.to_parquet(path, index=False, compression="zstd")


# ------------------------------------------------------------------ DuckDB


def _duckdb(table: pa.Table, path: Path, options: str) -> Write:
    """Copy the frame into a table of an in-memory database; the clock measures ``COPY``."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone='UTC'")
    connection.register("frame", table)
    connection.execute("CREATE TABLE native AS SELECT * FROM frame")
    connection.unregister("frame")
    target = str(path).replace("'", "''")
    return lambda: connection.execute(f"COPY native TO '{target}' ({options})")


@peer("csv", "DuckDB COPY")
def _(table: pa.Table, path: Path) -> Write:
    return _duckdb(table, path, "FORMAT csv, HEADER")


@peer("csv.gz", "DuckDB COPY")
def _(table: pa.Table, path: Path) -> Write:
    return _duckdb(table, path, "FORMAT csv, HEADER, COMPRESSION gzip")


@peer("jsonl", "DuckDB COPY")
def _(table: pa.Table, path: Path) -> Write:
    return _duckdb(table, path, "FORMAT json")


@peer("parquet", "DuckDB COPY")
def _(table: pa.Table, path: Path) -> Write:
    return _duckdb(table, path, "FORMAT parquet, COMPRESSION zstd")


# ------------------------------------------------------------------ Polars


def _polars(table: pa.Table) -> Any:
    import polars as pl

    return pl.from_arrow(table)


@peer("csv", "Polars write_csv")
def _(table: pa.Table, path: Path) -> Write:
    frame = _polars(table)
    return lambda: frame.write_csv(path)


@peer("csv", "Polars sink_csv")
def _(table: pa.Table, path: Path) -> Write:
    frame = _polars(table)
    return lambda: frame.lazy().sink_csv(path)


@peer("csv.gz", "Polars sink_csv")
def _(table: pa.Table, path: Path) -> Write:
    frame = _polars(table)
    return lambda: frame.lazy().sink_csv(path, compression="gzip")


@peer("jsonl", "Polars write_ndjson")
def _(table: pa.Table, path: Path) -> Write:
    frame = _polars(table)
    return lambda: frame.write_ndjson(path)


@peer("jsonl", "Polars sink_ndjson")
def _(table: pa.Table, path: Path) -> Write:
    frame = _polars(table)
    return lambda: frame.lazy().sink_ndjson(path)


@peer("parquet", "Polars write_parquet")
def _(table: pa.Table, path: Path) -> Write:
    frame = _polars(table)
    return lambda: frame.write_parquet(path, compression="zstd")


@peer("parquet", "Polars sink_parquet")
def _(table: pa.Table, path: Path) -> Write:
    frame = _polars(table)
    return lambda: frame.lazy().sink_parquet(path, compression="zstd")


# ------------------------------------------------------------------ PyArrow


@peer("csv", "PyArrow write_csv")
def _(table: pa.Table, path: Path) -> Write:
    from pyarrow import csv

    return lambda: csv.write_csv(table, path)


@peer("parquet", "PyArrow write_table")
def _(table: pa.Table, path: Path) -> Write:
    from pyarrow import parquet

    return lambda: parquet.write_table(table, path, compression="zstd")
