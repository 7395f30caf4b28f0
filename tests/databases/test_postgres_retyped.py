"""What the first rows of a PostgreSQL do not tell of a type, and a later one does."""

# ruff: noqa: F811 - fixtures come by import
from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
import sqlalchemy as sa

from jupyter_export.registry import Database, Retyped

from .postgres import query, read
from .postgres_reading import database, driver, rows, url  # noqa: F401 - fixtures


def test_a_late_value_begins_the_run_again(database: Database) -> None:
    text = (
        "SELECT CASE WHEN i = 200000 THEN 1.25 ELSE 1.5 END AS n, repeat('x', 60) AS pad,"
        " CASE WHEN i = 200000 THEN 'infinity' ELSE '2020-01-01' END::date AS d"
        " FROM generate_series(1, 200000) AS i"
    )
    clause = database.relation(query(text)).clause
    stream = database.stream(sa.select(clause))
    assert stream.schema.types[::2] == [pa.decimal128(38, 1), pa.date32()]
    with pytest.raises(Retyped):
        list(stream.batches)
    stream.close()
    found, losses = read(database, text)
    assert found.schema.types[::2] == [pa.decimal128(38, 2), pa.string()]
    assert found["n"][-1].as_py() == Decimal("1.25")
    assert [loss.column for loss in losses] == ["d"]
    assert "infinity" in losses[0].message


def test_longer_numbers_begin_the_run_again_once(database: Database) -> None:
    columns = [
        f"CASE WHEN i = {200_000 - 20_000 * k} THEN 1.25 ELSE 1.5 END AS n{k}" for k in range(6)
    ]
    text = (
        f"SELECT repeat('x', 60) AS pad, {', '.join(columns)} FROM generate_series(1, 200000) AS i"
    )
    again = 0
    while True:
        try:
            stream = database.stream(sa.select(database.relation(query(text)).clause))
            assert sum(batch.num_rows for batch in stream.batches) == 200_000
            break
        except Retyped:
            again += 1
    assert (again, stream.schema.types[1:]) == (1, [pa.decimal128(38, 2)] * 6)


def test_others_that_are_read_meanwhile_begin_again_too(database: Database) -> None:
    text = "SELECT repeat('x', 100) AS x FROM generate_series(1, 1000000) AS i"
    other = database.stream(sa.select(database.relation(query(text)).clause))
    next(other.batches)
    odd = database.stream(sa.select(database.relation(query("SELECT 'infinity'::date")).clause))
    with pytest.raises(Retyped):
        list(odd.batches)
    with pytest.raises(Retyped):
        list(other.batches)


def test_one_of_several_arrays_is_no_list(database: Database) -> None:
    found, losses = read(
        database, "SELECT ARRAY[1] AS a, ARRAY[[1, 2]] AS b, '[0:0]={1}'::int[] AS c, 1.5 AS n"
    )
    assert found.to_pylist() == [{"a": [1], "b": [[1, 2]], "c": "[0:0]={1}", "n": Decimal("1.5")}]
    assert [loss.column for loss in losses] == ["c"]


def test_rows_that_are_others_each_time_come_to_an_end(database: Database) -> None:
    text = (
        "SELECT CASE WHEN random() < 0.5 THEN ARRAY[1] ELSE ARRAY[[1]] END AS a,"
        " CASE WHEN current_query() LIKE 'COPY%' THEN 'infinity'::date ELSE now()::date END AS d,"
        " CASE WHEN current_query() LIKE 'COPY%' AND i > 90000 THEN 1.55 ELSE 1 END AS n"
        " FROM generate_series(1, 100000) AS i"
    )
    stream = None
    for _ in range(12):
        try:
            stream = database.stream(sa.select(database.relation(query(text)).clause))
            assert sum(batch.num_rows for batch in stream.batches) == 100_000
            break
        except Retyped:
            continue
    assert stream is not None
    assert stream.schema.types == [pa.string()] * 3


def test_no_row_and_only_nulls(database: Database) -> None:
    found, losses = read(
        database, "SELECT NULL::numeric AS n, NULL::date AS d, NULL AS u WHERE false"
    )
    assert (found.num_rows, losses) == (0, ())
    found, _ = read(database, "SELECT NULL::numeric AS n, NULL::int[] AS a, NULL::interval AS i")
    assert found.to_pylist() == [{"n": None, "a": None, "i": None}]
