"""Connections as a notebook has them, each with a table of three flights."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa

CREATE = "CREATE TABLE flights (carrier VARCHAR(2), delay INTEGER)"
INSERT = "INSERT INTO flights VALUES ('UA', 5), ('AA', NULL), ('UA', 61)"
ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT {} AS n FROM c"
ENDLESS_IN_DUCK = "SELECT {} AS n FROM range(10000000) AS a(n), range(10000000) AS b(m)"


def sqlite_memory() -> Any:
    connection = sqlite3.connect(":memory:")
    connection.execute(CREATE)
    connection.execute(INSERT)
    return connection


def sqlite_file() -> Any:
    connection = sqlite3.connect("own.db")
    connection.execute(CREATE)
    connection.execute(INSERT)
    connection.commit()
    return connection


def engine_of_memory() -> Any:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        connection.exec_driver_sql(CREATE)
        connection.exec_driver_sql(INSERT)
    return engine


def engine_of_file() -> Any:
    sqlite_file().close()
    return sa.create_engine("sqlite:///own.db")


def connection_of_engine() -> Any:
    return engine_of_memory().connect()


def duck() -> Any:
    connection = duckdb.connect()
    connection.execute(CREATE)
    connection.execute(INSERT)
    return connection


KINDS: dict[str, Callable[[], Any]] = {
    each.__name__: each
    for each in (
        sqlite_memory, sqlite_file, engine_of_memory, engine_of_file, connection_of_engine, duck,
    )
}  # fmt: skip


@pytest.fixture(params=KINDS)
def own(request: pytest.FixtureRequest) -> Iterator[Any]:
    made = KINDS[request.param]()
    yield made
    made.dispose() if isinstance(made, sa.Engine) else made.close()
    if isinstance(made, sa.Connection):
        made.engine.dispose()


def is_there_still(own: Any) -> bool:
    query = "SELECT count(*) FROM flights"
    if isinstance(own, sa.Engine):
        with own.connect() as connection:
            return bool(connection.exec_driver_sql(query).scalar() == 3)
    if isinstance(own, sa.Connection):
        return bool(own.exec_driver_sql(query).scalar() == 3)
    return bool(own.execute(query).fetchone()[0] == 3)
