"""A PostgreSQL with tables of all kinds, opened by both drivers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pyarrow as pa
import pytest
import sqlalchemy as sa

from jupyter_export.registry import Database

from .conftest import Bench
from .postgres import make_database, opened, sessions_left

ODD = [
    'with "quotes"',
    "a.b",
    "a b",
    "SELECT",
    "ünïcødé \U0001f600",
    "100%s",
    ":param",
    "back\\slash",
    "it's",
    "n" * 63,
    " ",
    "?",
    "$1",
]


def quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


@pytest.fixture(scope="module")
def url(postgres_url: str) -> str:
    return make_database(
        postgres_url,
        "reading",
        "CREATE TABLE flights (id int PRIMARY KEY, name text, delay numeric)",
        "INSERT INTO flights SELECT i, 'row ' || i, i / 4.0 FROM generate_series(1, 1000) AS i",
        "CREATE TABLE log (id int)",
        "CREATE SCHEMA shop",
        "CREATE TABLE shop.orders (id int, placed timestamptz, price numeric(10, 2), tags text[])",
        "CREATE VIEW shop.open_orders AS SELECT id FROM shop.orders",
        "CREATE MATERIALIZED VIEW shop.old_orders AS SELECT id FROM shop.orders",
        "CREATE TABLE shop.parts (id int) PARTITION BY RANGE (id)",
        "CREATE TABLE shop.parts_1 PARTITION OF shop.parts FOR VALUES FROM (0) TO (1000)",
        "INSERT INTO shop.parts SELECT generate_series(0, 499)",
        "ANALYZE",
        "CREATE TABLE shop.fresh (id int)",
        *(
            f"CREATE SCHEMA {q}; CREATE TABLE {q}.{q} ({q} int, odd inet);"
            f" INSERT INTO {q}.{q} VALUES (1, '::1'), (2, '::2')"
            for q in map(quoted, ODD)
        ),
    )


@pytest.fixture(params=["adbc", "psycopg"])
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "psycopg":
        monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", None)
    return str(request.param)


@pytest.fixture
def database(url: str, bench: Bench, driver: str) -> Iterator[Database]:
    with opened(url, bench.surroundings()) as found:
        yield found
    assert sessions_left(url) == 0


def write(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for each in statements:
            connection.execute(each)


def rows(database: Database, statement: sa.Select[Any]) -> list[tuple[Any, ...]]:
    with closing(database.stream(statement)) as stream:
        found = pa.Table.from_batches(list(stream.batches), stream.schema)
    return list(zip(*(column.to_pylist() for column in found.columns), strict=True))
