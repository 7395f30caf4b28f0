"""Exports from a PostgreSQL on the same machine, and what its own tools need for the same rows.

The frame of ``data`` stands in it as the table ``few`` (and eight times the rows as ``many``); the
price is ``numeric(12, 2)``, as money is kept.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from . import data
from .postgres_server import binaries, running

__all__ = ["FILTER", "PEERS", "export", "fill", "running"]

FILTER = "quantity < 10"
"""Keeps about one row of a hundred."""
_COLUMNS = (
    "id bigint, created timestamptz, day date, category text, customer text, note text, "
    "price numeric(12, 2), score double precision, quantity bigint, active boolean"
)


def plain(url: str) -> str:
    """Return the URL as libpq knows it."""
    return url.replace("+psycopg", "")


def fill(url: str, table: str, rows: int) -> None:
    """Make ``table`` with ``rows`` rows and analyse it, as a database that is used is."""
    import psycopg

    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {table}; CREATE TABLE {table} ({_COLUMNS})")
        with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT csv)") as copy:
            options = pa.csv.WriteOptions(include_header=False)
            for batch in data.batches(rows):
                sink = pa.BufferOutputStream()
                pa.csv.write_csv(_as_text(batch), sink, options)
                copy.write(sink.getvalue().to_pybytes())
        connection.execute(f"VACUUM ANALYZE {table}")


def _as_text(batch: pa.RecordBatch) -> pa.Table:
    table = pa.Table.from_batches([batch])
    place = table.schema.get_field_index("category")
    return table.set_column(place, "category", table["category"].cast(pa.string()))


# ------------------------------------------------------------------ ours


def export(
    url: str, table: str, file_format: str, output: Path, where: str | None = None
) -> Callable[[], Any]:
    """Return the call that exports a table to ``output``, as a warm worker runs it."""
    from .ours import CHOICES, surroundings, through

    document = {
        "source": {"type": "table", "connection": "bench", "table": table},
        **({"where": where} if where else {}),
        "output": {"path": output.name, "if_exists": "replace"},
        **CHOICES[file_format],
    }
    here = surroundings(output, connections={"bench": url})
    return through(document, here)


# ------------------------------------------------------------------ its own tools and other ways


def psql_copy(url: str, table: str, output: Path, where: str | None = None) -> Callable[[], Any]:
    """``psql \\copy`` to CSV, the whole program; it has no more to import than we have."""
    chosen = f"(SELECT * FROM {table} WHERE {where})" if where else table
    command = [
        str(binaries() / "psql"), "-X", "-q", "-d", plain(url),
        "-c", f"\\copy {chosen} to '{output}' with (format csv, header)",
    ]  # fmt: skip
    return lambda: subprocess.run(command, check=True, env={**os.environ, "PGTZ": "UTC"})


def adbc_read(url: str, table: str, output: Path) -> Callable[[], Any]:
    """Read the table by ADBC and drop the batches: no file is made."""
    import adbc_driver_postgresql.dbapi as adbc

    def call() -> int:
        rows = 0
        with adbc.connect(plain(url)) as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table}")
            for batch in cursor.fetch_record_batch():
                rows += batch.num_rows
        output.touch()
        return rows

    return call


def pandas_over_sqlalchemy(url: str, table: str, output: Path) -> Callable[[], Any]:
    """``pandas.read_sql`` and the writer of that format."""
    import pandas as pd
    import sqlalchemy as sa

    engine = sa.create_engine(url)

    def call() -> None:
        frame = pd.read_sql(f"SELECT * FROM {table}", engine)
        if output.suffix == ".csv":
            frame.to_csv(output, index=False)
        elif output.suffix == ".parquet":
            frame.to_parquet(output, index=False, compression="zstd")
        else:
            frame["created"] = frame["created"].dt.tz_localize(None)
            with pd.ExcelWriter(output, engine="openpyxl") as writer:
                frame.to_excel(writer, index=False)
        engine.dispose()

    return call


PEERS: dict[str, Callable[[str, str, Path], Callable[[], Any]]] = {
    "psql \\copy": psql_copy,
    "psql \\copy, filtered": lambda url, table, output: psql_copy(url, table, output, FILTER),
    "ADBC, read alone": adbc_read,
    "pandas over SQLAlchemy": pandas_over_sqlalchemy,
}
