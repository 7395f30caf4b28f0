"""A database that nobody here knows by name: a PostgreSQL, read as any other is.

The ways that are read in the documentation alone are held to what can be tested of them.
"""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pyarrow as pa
import pytest
import sqlalchemy as sa

from jupyter_export.errors import InvalidSpec, QueryCancelled, QueryFailed, StatementTimeout
from jupyter_export.registry import Connection, Database, Surroundings
from jupyter_export.sources.sql import open_database
from jupyter_export.sources.sql.driver_types import driver_types
from jupyter_export.sources.sql.kinds import Kind

from .sources import interrupted, query, read, table


@pytest.fixture(scope="module")
def url(postgres_url: str) -> str:
    place = postgres_url.replace("+psycopg:", ":")
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS other WITH (FORCE)")
        connection.execute("CREATE DATABASE other")
    with psycopg.connect(place.rpartition("/")[0] + "/other") as connection:
        connection.execute(
            "CREATE TABLE flights AS SELECT i AS id, 'row ' || i AS name, i::numeric(9, 2) AS n "
            "FROM generate_series(1, 25000) AS i"
        )
        connection.execute("CREATE TABLE written (id int)")
    return postgres_url.rpartition("/")[0] + "/other"


@contextmanager
def opened(url: str, folder: Path, **fields: Any) -> Iterator[Database]:
    here = Surroundings(folder, folder / "out", folder / ".out", folder, folder / "scratch")
    with closing(open_database(Connection("db", url, **fields), here)) as found:
        yield found


def test_tables_and_queries(url: str, tmp_path: Path) -> None:
    with opened(url, tmp_path) as database:
        assert not database.point_in_time
        relation = database.relation(table("flights", "public"))
        found = read(database, table("flights"))[0]
        assert found.num_rows == 25_000
        assert relation.schema == found.schema
        assert found.schema.types == [pa.int32(), pa.string(), pa.decimal128(9, 2)]
        asked = read(database, query("SELECT id FROM flights WHERE id < :x ORDER BY 1 DESC", x=4))
        assert asked[0]["id"].to_pylist() == [3, 2, 1]
        statement = sa.select(relation.clause.c.n).where(relation.clause.c.id == 2)
        stream = database.stream(statement)
        assert next(iter(stream.batches)).to_pydict() == {"n": [decimal.Decimal("2.00")]}


def test_a_statement_that_fails_is_not_the_end(url: str, tmp_path: Path) -> None:
    """PostgreSQL ends a transaction with the first error in it."""
    with opened(url, tmp_path) as database:
        for _ in range(2):
            with pytest.raises(QueryFailed, match="absent"):
                read(database, query("SELECT absent FROM flights"))
            with pytest.raises(InvalidSpec, match=r"Did you mean flights\?"):
                database.relation(table("flihgts"))
        assert read(database, query("SHOW server_encoding"))[0].column(0).to_pylist() == ["UTF8"]
        assert read(database, query("SELECT 1 AS a"))[0]["a"].to_pylist() == [1]


def test_what_is_written_is_rolled_back(url: str, tmp_path: Path) -> None:
    text = "INSERT INTO written VALUES (-1) RETURNING id"
    for read_only in (True, False):
        with opened(url, tmp_path, read_only=read_only) as database:
            assert read(database, query(text))[0]["id"].to_pylist() == [-1]
        with opened(url, tmp_path) as database:
            found = read(database, query("SELECT id FROM written"))[0]
            assert found.num_rows == (0 if read_only else 1)


def test_a_timeout_of_our_own(url: str, tmp_path: Path) -> None:
    with (
        opened(url, tmp_path, statement_timeout=1) as database,
        pytest.raises(StatementTimeout, match="longer than the 1 s"),
    ):
        read(database, query("SELECT pg_sleep(60)"))


def test_interrupt(url: str, tmp_path: Path) -> None:
    with opened(url, tmp_path) as database:
        text = "SELECT name FROM flights UNION ALL SELECT pg_sleep(60)::text"
        stream = database.stream(sa.select(database.relation(query(text)).clause))
        with pytest.raises(QueryCancelled), interrupted(stream.interrupt):
            list(stream.batches)


def test_tables(url: str, tmp_path: Path) -> None:
    with opened(url, tmp_path) as database:
        found = database.tables()[0]
    assert (found["schema"], found["name"], found["kind"], found["rows"]) == (
        "public",
        "flights",
        "table",
        None,
    )
    assert found["columns"][2] == {"name": "n", "type": "NUMERIC(9, 2)"}


def test_a_driver_with_one_open_result(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was only looked at runs again; what is being read waits on disk."""
    monkeypatch.setattr(Kind, "several", False)
    with opened(url, tmp_path) as database:
        streams = [
            database.stream(sa.select(database.relation(table("flights")).clause)) for _ in range(3)
        ]
        batches = [iter(each.batches) for each in streams]
        rows = [0, 0, 0]
        for by_turns in zip(*batches, strict=True):
            rows = [n + batch.num_rows for n, batch in zip(rows, by_turns, strict=True)]
    assert rows == [25_000] * 3
    assert list((tmp_path / "scratch").iterdir()) == []


# ------------------------------------------------------------------ what drivers tell


def _cursor(module: str) -> Any:
    return type("Cursor", (), {"__module__": module})()


def _told(module: str, *columns: tuple[Any, Any, Any]) -> list[str]:
    description = [
        ("x", code, None, None, precision, scale, True) for code, precision, scale in columns
    ]
    return [str(each.type) for each in driver_types(_cursor(module), description)]


def test_pyodbc() -> None:
    assert _told(
        "pyodbc", (int, 10, 0), (decimal.Decimal, 12, 3), (str, 20, 0), (dt.datetime, 27, 7),
        (bytearray, 8, 0), (object, 1, 0),
    ) == ["int64", "decimal128(12, 3)", "string", "timestamp[us]", "binary", "None"]  # fmt: skip


def test_oracledb() -> None:
    def named(name: str) -> Any:
        return SimpleNamespace(name=name)

    assert _told(
        "oracledb.cursor", (named("DB_TYPE_NUMBER"), 10, 2), (named("DB_TYPE_NUMBER"), 0, -127),
        (named("DB_TYPE_DATE"), None, None), (named("DB_TYPE_VARCHAR"), None, None),
    ) == ["decimal128(10, 2)", "None", "timestamp[us]", "string"]  # fmt: skip


def test_snowflake() -> None:
    assert _told(
        "snowflake.connector.cursor", (0, 38, 0), (0, 10, 2), (2, None, None), (7, 0, 9),
        (5, None, None),
    ) == [
        "decimal128(38, 0)", "decimal128(10, 2)", "string", "timestamp[us, tz=UTC]", "None",
    ]  # fmt: skip


def test_a_driver_that_nobody_knows() -> None:
    assert _told("unheard.of", (object(), 1, 2), ([], None, None)) == ["None", "None"]
