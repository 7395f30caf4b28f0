"""A real MariaDB: what it refuses, and what goes wrong."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from jupyter_export.errors import (
    ConnectionFailed,
    ConnectionLost,
    ExportError,
    InvalidSpec,
    LoginRefused,
    MissingDependency,
    QueryCancelled,
    QueryFailed,
    SourceFailed,
    StatementTimeout,
)
from jupyter_export.jobs.retrying import may_pass

from ..mariadb_server import PASSWORD
from .conftest import Bench
from .mariadb import make_database, opened, run
from .sources import query, read, table

MANY = "SELECT seq AS i FROM seq_1_to_100000"
ENDLESS = "SELECT a.seq AS endless FROM seq_1_to_1000000 AS a, seq_1_to_1000000 AS b"


@pytest.fixture(scope="module")
def server(mariadb_url: str) -> str:
    return make_database(mariadb_url)


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO flights (id) VALUES (-1) RETURNING id",
        "/* note */ INSERT INTO flights (id) VALUES (-1)",
        "DELETE FROM flights RETURNING id",
        "UPDATE flights SET id = 0",
        "DROP TABLE flights",
        "CREATE TABLE more (i INT)",
        "TRUNCATE flights",
        "COMMIT",
        "START TRANSACTION READ WRITE",
        "SELECT 1; DROP TABLE flights",
    ],
)
def test_the_database_refuses(server: str, tmp_path: Path, text: str) -> None:
    with opened(server, tmp_path) as database, pytest.raises(QueryFailed):
        read(database, query(text))
    assert run(server, "SELECT count(*), min(id) FROM flights") == [(25_000, 1)]


def test_what_is_written_is_kept_once_all_rows_were_read(server: str, tmp_path: Path) -> None:
    run(server, "CREATE OR REPLACE TABLE written (i INT)")
    text = "INSERT INTO written SELECT seq FROM seq_1_to_30000 RETURNING i"
    with opened(server, tmp_path, read_only=False) as database:
        stream = database.stream(sa.select(database.relation(query(text)).clause))
        assert next(iter(stream.batches)).num_rows == 10_000
    assert run(server, "SELECT count(*) FROM written") == [(0,)]
    with opened(server, tmp_path, read_only=False) as database:
        assert read(database, query(text))[0].num_rows == 30_000
    assert run(server, "SELECT count(*) FROM written") == [(30_000,)]


def test_a_timeout(server: str, tmp_path: Path) -> None:
    with (
        opened(server, tmp_path, statement_timeout=1) as database,
        pytest.raises(StatementTimeout, match="longer than the 1 s that the connection db allows"),
    ):
        read(database, query(f"SELECT count(*) AS n FROM ({ENDLESS}) AS x"))


def test_interrupt_stops_the_query_on_the_server(server: str, tmp_path: Path) -> None:
    with opened(server, tmp_path) as database:
        relation = database.relation(query(f"SELECT count(*) AS n FROM ({ENDLESS}) AS x"))
        stream = database.stream(sa.select(relation.clause))

        def stop() -> None:
            _wait(lambda: bool(_running(server)))
            stream.interrupt()

        thread = threading.Thread(target=stop)
        thread.start()
        with pytest.raises(QueryCancelled):
            list(stream.batches)
        thread.join()
        _wait(lambda: not _running(server))
        # the connection is as good as before
        assert read(database, query("SELECT 1 AS a"))[0]["a"].to_pylist() == [1]


def _running(url: str) -> list[Any]:
    text = "SELECT id FROM information_schema.processlist WHERE info LIKE '%AS endless%'"
    return run(url, f"{text} AND id <> connection_id()")


def _wait(until: Any) -> None:
    deadline = time.monotonic() + 20
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_result_that_nobody_reads_is_given_back(server: str, tmp_path: Path) -> None:
    """Not by reading it to its end, which would never come."""
    with opened(server, tmp_path) as database:
        for _ in range(2):
            stream = database.stream(sa.select(database.relation(query(ENDLESS)).clause))
            next(iter(stream.batches))
            stream.close()
        assert read(database, query("SELECT 1 AS a"))[0]["a"].to_pylist() == [1]
        stream = database.stream(sa.select(database.relation(query(ENDLESS)).clause))
        next(iter(stream.batches))
    _wait(lambda: not _running(server))


def test_a_connection_that_is_lost(server: str, bench: Bench) -> None:
    source = {"type": "sql", "connection": "db", "query": ENDLESS}

    def kill() -> None:
        _wait(lambda: bool(_running(server)))
        for (identity,) in _running(server):
            run(server, f"KILL {identity}")

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(ConnectionLost, match="connection db was lost while it was read"):
        bench.run({"source": source}, "out.csv", connections={"db": server})
    thread.join()
    assert bench.left() == []


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (("//tester:", "//nobody:"), LoginRefused),
        ((PASSWORD, f"{PASSWORD}x"), LoginRefused),
        (("/exported", "/nowhere"), LoginRefused),
        (("127.0.0.1", "no.such.host.invalid"), ConnectionFailed),
        (("mysql:", "mysql+mysqldb:"), MissingDependency),
        (("mysql:", "mysql+nodriver:"), SourceFailed),
        (("//", "/"), SourceFailed),
    ],
)
def test_no_word_of_the_url_leaves(
    server: str, tmp_path: Path, change: tuple[str, str], error: type[ExportError]
) -> None:
    url = server.replace(*change)
    if change[1] == "/nowhere":
        run(server, f"CREATE OR REPLACE USER few IDENTIFIED BY '{PASSWORD}'")
        url = url.replace("tester", "few")
    with pytest.raises(error) as caught, opened(url, tmp_path):
        pass
    assert PASSWORD not in repr(caught.value.to_json())
    assert "\n" not in caught.value.message


def test_a_password_that_a_query_shows_is_hidden(server: str, tmp_path: Path) -> None:
    with opened(server, tmp_path) as database, pytest.raises(QueryFailed) as caught:
        read(database, query(f"SELECT `{PASSWORD}`"))
    assert PASSWORD not in str(caught.value)


def test_what_is_not_there(server: str, tmp_path: Path) -> None:
    with opened(server, tmp_path) as database:
        with pytest.raises(InvalidSpec, match=r"no table “flihgts”.*Did you mean flights\?"):
            database.relation(table("flihgts"))
        with pytest.raises(QueryFailed, match="Unknown column 'absent'"):
            database.relation(query("SELECT absent FROM flights"))
        with pytest.raises(QueryFailed, match="error in your SQL syntax"):
            database.relation(query("SELEC 1"))


def test_two_columns_of_one_name(bench: Bench, server: str) -> None:
    source = {"type": "sql", "connection": "db", "query": "SELECT 1 AS a, 2 AS a"}
    with pytest.raises(InvalidSpec, match="Two columns of data are named “a”"):
        bench.run({"source": source}, connections={"db": server})


def test_mariadb_is_mysql(server: str, tmp_path: Path) -> None:
    with opened(server.replace("mysql:", "mariadb:"), tmp_path) as database:
        assert read(database, table("flights"))[0].num_rows == 25_000


def test_a_server_that_takes_no_further_connection(server: str, tmp_path: Path) -> None:
    run(
        server,
        f"CREATE OR REPLACE USER lonely IDENTIFIED BY '{PASSWORD}' WITH MAX_USER_CONNECTIONS 1",
        "GRANT SELECT ON exported.* TO lonely",
    )
    mine = server.replace("//tester:", "//lonely:")
    with opened(mine, tmp_path) as one:
        assert read(one, table("flights"))[0].num_rows == 25_000
        with (
            pytest.raises(ConnectionFailed, match="max_user_connections") as caught,
            opened(mine, tmp_path),
        ):
            pass
    assert may_pass(caught.value)
    assert PASSWORD not in str(caught.value)
