"""SQLite files: no way to change them or to leave them, and what goes wrong."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from jupyter_export.errors import (
    ConnectionFailed,
    InvalidSpec,
    QueryCancelled,
    QueryFailed,
    StatementTimeout,
)
from jupyter_export.registry import Connection

from .sources import interrupted, query, read, table
from .sqlite_file import make_flights, opened

BUSY = "SELECT count(*) AS n FROM flights a, flights b, flights c"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return make_flights(tmp_path / "a b%20#.db")


WRITING = [
    "INSERT INTO flights (id) VALUES (-1) RETURNING id",
    "DELETE FROM flights RETURNING id",
    "UPDATE flights SET id = 0",
    "DROP TABLE flights",
    "CREATE TABLE more (i INT)",
]
LEADING_OUT = [
    "ATTACH '{folder}/other.db' AS other",
    "VACUUM INTO '{folder}/other.db'",
    "COMMIT",
    "SAVEPOINT s",
    "PRAGMA query_only = OFF",
]


@pytest.mark.parametrize("text", WRITING + LEADING_OUT)
def test_the_database_refuses(url: str, tmp_path: Path, text: str) -> None:
    before = sorted(tmp_path.iterdir())
    with opened(url) as database:
        with pytest.raises(QueryFailed):
            read(database, query(text.format(folder=tmp_path)))
        found = read(database, query("SELECT count(*) AS n FROM flights"))[0]
        assert found["n"].to_pylist() == [25_000]
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("text", LEADING_OUT)
def test_a_connection_that_may_write_stays_in_its_transaction(
    url: str, tmp_path: Path, text: str
) -> None:
    with opened(url, read_only=False) as database, pytest.raises(QueryFailed):
        read(database, query(text.format(folder=tmp_path)))
    assert not (tmp_path / "other.db").exists()


def test_what_is_written_is_kept_once_all_rows_were_read(url: str) -> None:
    text = "INSERT INTO flights (id) SELECT -id FROM flights RETURNING id"

    def count() -> int:
        with opened(url) as database:
            return int(read(database, query("SELECT count(*) AS n FROM flights"))[0]["n"][0])

    with opened(url, read_only=False) as database:
        stream = database.stream(sa.select(database.relation(query(text)).clause))
        assert next(iter(stream.batches)).num_rows == 10_000
    assert count() == 25_000
    with opened(url, read_only=False) as database:
        assert read(database, query(text))[0].num_rows == 25_000
    assert count() == 50_000


def test_a_timeout(url: str) -> None:
    with (
        opened(url, statement_timeout=1) as database,
        pytest.raises(StatementTimeout, match="longer than the 1 s that the connection db allows"),
    ):
        read(database, query(BUSY))


def test_a_timeout_counts_only_the_database(url: str) -> None:
    with opened(url, statement_timeout=60) as database:
        assert read(database, table("flights"))[0].num_rows == 25_000


def test_interrupt(url: str) -> None:
    with opened(url) as database:
        relation = database.relation(query(f"SELECT id FROM flights UNION ALL {BUSY}"))
        stream = database.stream(sa.select(relation.clause))
        with pytest.raises(QueryCancelled), interrupted(stream.interrupt):
            for _ in stream.batches:
                pass


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    for read_only in (True, False):
        with (
            pytest.raises(ConnectionFailed, match="there is no such file"),
            opened(f"sqlite:///{tmp_path}/none.db", read_only=read_only),
        ):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_named_by_a_uri(url: str, tmp_path: Path) -> None:
    (tmp_path / "a b%20#.db").rename(tmp_path / "plain.db")
    with opened(f"sqlite:///file:{tmp_path}/plain.db?uri=true") as database:
        assert read(database, table("flights"))[0].num_rows == 25_000
        with pytest.raises(QueryFailed, match="readonly"):
            read(database, query("DELETE FROM flights RETURNING id"))
    with (
        pytest.raises(ConnectionFailed, match="unable to open"),
        opened(f"sqlite:///file:{tmp_path}/none.db?uri=true"),
    ):
        pass
    assert not (tmp_path / "none.db").exists()


def test_a_file_that_somebody_keeps_to_himself(url: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a b%20#.db")) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with (
            pytest.raises(ConnectionFailed, match="database is locked"),
            opened(f"{url}?timeout=0"),
        ):
            pass


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("no database" * 1000)
    with (
        pytest.raises(ConnectionFailed, match="file is not a database"),
        opened(f"sqlite:///{tmp_path}/x.db"),
    ):
        pass


def test_a_table_that_is_not_there(url: str) -> None:
    with opened(url) as database:
        with pytest.raises(InvalidSpec, match=r"no table “flihgts”.*Did you mean flights\?"):
            database.relation(table("flihgts"))
        with pytest.raises(QueryFailed, match="no such column: absent"):
            database.relation(query("SELECT absent FROM flights"))


def test_closing_twice(url: str) -> None:
    with opened(url) as database:
        database.stream(sa.select(database.relation(table("flights")).clause))
        database.close()


def test_memory_databases_of_one_connection() -> None:
    with opened("sqlite://", here=None) as database:
        assert read(database, query("SELECT 1 AS a"))[0]["a"].to_pylist() == [1]


def test_a_connection_is_known_by_its_name_alone() -> None:
    assert "sqlite" not in repr(Connection("db", "sqlite:///secret"))
