"""What every database does alike, through the real pipeline."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pymysql
import pytest
import sqlalchemy as sa

from jupyter_export.errors import (
    Cancelled,
    ConnectionFailed,
    ExportError,
    InvalidSpec,
    LoginRefused,
    MissingDependency,
    QueryFailed,
    SourceFailed,
)

from ..mariadb_server import PASSWORD
from .conftest import Bench

KINDS = ["sqlite", "duckdb", "postgresql", "mysql"]
FLIGHTS = "CREATE TABLE flights (id INTEGER, delay DOUBLE PRECISION, name VARCHAR(20))"
FILL = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000) "
    "SELECT i, i / 4.0, concat('row ', i) FROM n"
)
BUSY = "SELECT count(*) AS n FROM flights a, flights b, flights c WHERE a.id <> b.id + c.id"


def _sqlite(folder: Path, _: Callable[[str], str]) -> str:
    path = folder / "s.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(FLIGHTS)
        rows = [(i, i / 4, f"row {i}") for i in range(1, 25_001)]
        connection.executemany("INSERT INTO flights VALUES (?, ?, ?)", rows)
    return f"sqlite:///{path}"


def _duckdb(folder: Path, _: Callable[[str], str]) -> str:
    path = folder / "d.duckdb"
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute(FLIGHTS).fetchall()
        connection.execute(f"INSERT INTO flights {FILL}").fetchall()
    return f"duckdb:///{path}"


def _postgresql(_: Path, server: Callable[[str], str]) -> str:
    place = server("postgres_url").replace("+psycopg:", ":")
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS any_database WITH (FORCE)")
        connection.execute("CREATE DATABASE any_database")
    place = place.replace("postgres@", f"postgres:{PASSWORD}@").rpartition("/")[0]
    with psycopg.connect(f"{place}/any_database") as connection:
        connection.execute(FLIGHTS)
        connection.execute(f"INSERT INTO flights {FILL}")
    return f"{place}/any_database"


def _mysql(_: Path, server: Callable[[str], str]) -> str:
    url = sa.make_url(server("mariadb_url"))
    place: dict[str, Any] = {"host": url.host, "port": url.port, "user": url.username}
    with closing(
        pymysql.connect(**place, password=url.password or "", autocommit=True)
    ) as connection:
        for each in (
            "DROP DATABASE IF EXISTS any_database",
            "CREATE DATABASE any_database",
            "USE any_database",
            "SET max_recursive_iterations = 100000",
            FLIGHTS,
            f"INSERT INTO flights {FILL}",
        ):
            connection.cursor().execute(each)
    return url.set(database="any_database").render_as_string(hide_password=False)


@pytest.fixture(scope="module", params=KINDS)
def either(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a database of this module's own, with a password where it has one."""
    make: Callable[..., str] = {
        "sqlite": _sqlite,
        "duckdb": _duckdb,
        "postgresql": _postgresql,
        "mysql": _mysql,
    }[request.param]
    return make(tmp_path_factory.mktemp("any"), request.getfixturevalue)


def read(bench: Bench, url: str, source: Any, **changes: Any) -> pa.Table:
    """Export ``source`` (a query, or a whole source) and return the rows."""
    if isinstance(source, str):
        source = {"type": "sql", "query": source}
    document = {"source": {"connection": "db", **source}, "output": {"if_exists": "replace"}}
    result = bench.run(document, "rows.arrow", connections={"db": url, "depot": url}, **changes)
    with pa.ipc.open_file(bench.root / "rows.arrow") as file:
        table = file.read_all()
    assert result.rows == table.num_rows
    return table


def test_a_whole_table_is_streamed(bench: Bench, either: str) -> None:
    table = read(bench, either, {"type": "table", "table": "flights"})
    assert table.column_names == ["id", "delay", "name"]
    assert sorted(table["id"].to_pylist()) == list(range(1, 25_001))
    assert table["delay"].type == pa.float64()
    assert pa.types.is_string(table["name"].type)


def test_what_is_left_to_the_pipeline(bench: Bench, either: str) -> None:
    document = {
        "source": {"type": "table", "connection": "db", "table": "flights"},
        "where": "id > 24990 and name <> 'row 24995'",
        "columns": {"include": ["name"]},
        "sort": [{"column": "name"}],
        "limit": 5,
    }
    bench.run(document, "rows.arrow", connections={"db": either})
    with pa.ipc.open_file(bench.root / "rows.arrow") as file:
        found = file.read_all()["name"].to_pylist()
    assert found == ["row 24991", "row 24992", "row 24993", "row 24994", "row 24996"]


def test_params_are_bound(bench: Bench, either: str) -> None:
    source = {
        "type": "sql",
        "query": "SELECT id FROM flights WHERE id < :most AND name LIKE 'row %' AND name <> :odd",
        "params": {"most": 5, "odd": "'; DROP TABLE flights; --"},
    }
    assert sorted(read(bench, either, source)["id"].to_pylist()) == [1, 2, 3, 4]
    assert read(bench, either, "SELECT count(*) AS n FROM flights")["n"][0].as_py() == 25_000


def test_params_that_do_not_fit(bench: Bench, either: str) -> None:
    with pytest.raises(InvalidSpec, match=r"do not fit.*The query names: :most\."):
        read(bench, either, {"type": "sql", "query": "SELECT :most", "params": {"least": 1}})
    with pytest.raises(InvalidSpec, match="names :most, and the params do not give it"):
        read(bench, either, {"type": "sql", "query": "SELECT :most"})


def test_no_row(bench: Bench, either: str) -> None:
    table = read(bench, either, "SELECT id, name FROM flights WHERE id < -1")
    assert (table.num_rows, table.column_names) == (0, ["id", "name"])


def test_the_order_of_a_query_is_kept(bench: Bench, either: str) -> None:
    table = read(bench, either, "SELECT id FROM flights ORDER BY id DESC -- the newest first;\n;")
    assert table["id"].to_pylist() == list(range(25_000, 0, -1))


def test_two_datasets_of_one_connection(bench: Bench, either: str) -> None:
    source = {"type": "table", "connection": "db", "table": "flights"}
    datasets = [{"name": name, "source": source} for name in ("a", "b")]
    result = bench.run({"datasets": datasets}, "out.jsonl", connections={"db": either})
    assert result.rows == 50_000
    assert not [loss for loss in result.losses if loss["kind"] == "not_point_in_time"]


def test_what_is_unknown_names_the_nearest(bench: Bench, either: str) -> None:
    with pytest.raises(InvalidSpec, match=r"no table “flihgts”.*Did you mean flights\?"):
        read(bench, either, {"type": "table", "table": "flihgts"})
    with pytest.raises(InvalidSpec, match=r"“depto” is not a known.*Did you mean depot\?"):
        read(bench, either, {"type": "table", "table": "flights", "connection": "depto"})


@pytest.mark.parametrize(
    "query",
    ["SELEC 1", "SELECT absent FROM flights", "SELECT 1; SELECT 2", "SELECT 1; COMMIT; SELECT 2"],
)
def test_a_query_that_fails_is_one_sentence(bench: Bench, either: str, query: str) -> None:
    with pytest.raises(QueryFailed) as caught:
        read(bench, either, query)
    assert caught.value.message.startswith("The query failed: ")
    assert "\n" not in str(caught.value)
    assert PASSWORD not in repr(caught.value.to_json())
    assert either not in str(caught.value)
    assert bench.left() == []


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO flights (id, name) VALUES (-1, 'x') RETURNING id",
        "/* note */ INSERT INTO flights (id, name) VALUES (-1, 'x') RETURNING id",
        "WITH a AS (SELECT -1 AS i) INSERT INTO flights (id) SELECT i FROM a RETURNING id",
        "DELETE FROM flights RETURNING id",
        "DROP TABLE flights",
        "UPDATE flights SET id = 0; COMMIT",
    ],
)
def test_the_database_is_never_changed(bench: Bench, either: str, query: str) -> None:
    before = read(bench, either, "SELECT count(*) AS n, min(id) AS least FROM flights")
    with suppress(QueryFailed):
        read(bench, either, query)
    after = read(bench, either, "SELECT count(*) AS n, min(id) AS least FROM flights")
    assert before.equals(after)


@pytest.mark.parametrize("phase", ["before the first row", "between rows"])
def test_cancel_ends_a_long_query(bench: Bench, either: str, phase: str) -> None:
    later = f"SELECT id AS n FROM flights UNION ALL {BUSY}"
    cancelled = threading.Event()
    timer = threading.Timer(0.5, cancelled.set)
    began = time.monotonic()
    timer.start()
    with pytest.raises(Cancelled):
        read(bench, either, BUSY if phase.startswith("before") else later, cancelled=cancelled)
    # the query alone would take many minutes
    assert time.monotonic() - began < 60
    assert bench.left() == []


@pytest.mark.parametrize(
    ("made", "error"),
    [
        (lambda url: url.replace("//postgres:", "//nobody:"), LoginRefused),
        (lambda url: url.replace("127.0.0.1", "no.such.host.invalid"), ConnectionFailed),
        (lambda url: url.rsplit(":", 1)[0] + ":port/x", SourceFailed),
        (lambda url: url.replace("postgresql:", "nosuchdatabase:"), SourceFailed),
        (lambda url: url.replace("postgresql:", "mssql+pymssql:"), MissingDependency),
        (lambda url: url.replace("//", "/"), SourceFailed),
    ],
    ids=["password", "host", "port", "dialect", "driver", "url"],
)
def test_no_word_of_the_url_leaves(bench: Bench, postgres_url: str, made: Any, error: Any) -> None:
    url = postgres_url.replace("+psycopg:", ":").replace("postgres@", f"postgres:{PASSWORD}@")
    with pytest.raises(ExportError) as caught:
        read(bench, made(url), "SELECT 1 AS x")
    assert isinstance(caught.value, error)
    assert PASSWORD not in repr(caught.value.to_json())
    assert "\n" not in caught.value.message


def test_two_columns_of_one_name(bench: Bench, either: str) -> None:
    with pytest.raises(InvalidSpec, match=r"Two columns of (data|the query) are named “a”"):
        read(bench, either, "SELECT 1 AS a, 2 AS a")
