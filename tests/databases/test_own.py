"""Connections of the user's own: read as they stand, and left as they were."""

from __future__ import annotations

import datetime as dt
import decimal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pymysql
import pytest
import sqlalchemy as sa

from jupyter_export.errors import (
    ConnectionFailed,
    InvalidSpec,
    QueryCancelled,
    QueryFailed,
    SourceFailed,
)
from jupyter_export.sources.own import is_connection, read_query

from ..mariadb_server import PASSWORD
from .sources import interrupted

ROWS = 25_000
FILL = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000) "
    "INSERT INTO flights SELECT i, 'row ' || i FROM n",
    "mysql": "INSERT INTO flights SELECT seq, concat('row ', seq) FROM seq_1_to_25000",
    "postgresql": "INSERT INTO flights SELECT i, 'row ' || i FROM generate_series(1, 25000) AS i",
}
BUSY = {
    "sqlite": "SELECT count(*) AS n FROM flights a, flights b, flights c",
    "mysql": "SELECT count(*) AS n FROM flights a, flights b, flights c",
    "postgresql": "SELECT pg_sleep(60)::text AS n",
    "duckdb": "SELECT count(*) AS n FROM flights a, flights b, flights c WHERE a.id <> b.id + c.id",
}


@pytest.fixture(scope="module")
def urls(
    postgres_url: str, mariadb_url: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, sa.URL]:
    """SQLAlchemy URLs of databases of this module's own, with a table in each."""
    made: dict[str, sa.URL] = {
        "sqlite": sa.URL.create("sqlite", database=str(tmp_path_factory.mktemp("own") / "own.db"))
    }
    for name, url in (("postgresql", postgres_url), ("mysql", mariadb_url)):
        server = sa.make_url(url)
        if name == "mysql":
            server = server.set(drivername="mysql+pymysql")
        engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.execute(sa.text("DROP DATABASE IF EXISTS own"))
            connection.execute(sa.text("CREATE DATABASE own"))
        engine.dispose()
        made[name] = server.set(database="own")
    for name, url in made.items():
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE flights (id INTEGER, name TEXT)"))
            connection.execute(sa.text(FILL[name]))
        engine.dispose()
    return made


def open_driver(name: str, urls: dict[str, sa.URL]) -> Any:
    """Return a connection of the driver itself."""
    if name == "duckdb":
        connection = duckdb.connect()
        connection.execute(
            "CREATE TABLE flights AS SELECT range::INT AS id, 'row ' || range AS name "
            "FROM range(1, 25001)"
        ).fetchall()
        return connection
    url = urls[name]
    if name == "sqlite":
        return sqlite3.connect(url.database or "")
    if name == "postgresql":
        return psycopg.connect(url.set(drivername="postgresql").render_as_string())
    return pymysql.connect(
        host=url.host or "",
        port=url.port or 0,
        user=url.username,
        password=url.password or "",
        database=url.database,
    )


KINDS = [
    *("sqlite", "postgresql", "mysql", "duckdb"),
    *(f"{name} {kind}" for kind in ("engine", "connection") for name in FILL),
]


@pytest.fixture(params=KINDS)
def own(request: pytest.FixtureRequest, urls: dict[str, sa.URL]) -> Iterator[tuple[str, Any]]:
    """Yield the database's name, and an object that a notebook might hold."""
    name, _, kind = request.param.partition(" ")
    if not kind:
        with closing(open_driver(name, urls)) as connection:
            yield name, connection
        return
    engine = sa.create_engine(urls[name])
    try:
        if kind == "engine":
            yield name, engine
        else:
            with engine.connect() as connection:
                yield name, connection
    finally:
        engine.dispose()


def rows(value: Any, sql: str, params: Any = None) -> pa.Table:
    reader, _, close = read_query(value, sql, params)
    try:
        return reader.read_all()
    finally:
        close()


def test_all_rows_in_batches(own: tuple[str, Any]) -> None:
    assert is_connection(own[1])
    reader, _, close = read_query(own[1], "SELECT id, name FROM flights ORDER BY id;")
    first = reader.read_next_batch()
    assert first.num_rows < ROWS or own[0] == "duckdb"
    found = pa.Table.from_batches([first, *reader])
    close()
    assert found["id"].to_pylist() == list(range(1, ROWS + 1))
    assert found["name"][-1].as_py() == "row 25000"
    assert pa.types.is_integer(found.schema.field("id").type)


def test_it_can_be_used_afterwards(own: tuple[str, Any]) -> None:
    for _ in range(2):
        reader, _, close = read_query(own[1], "SELECT id FROM flights")
        reader.read_next_batch()
        close()
        close()
    assert rows(own[1], "SELECT count(*) AS n FROM flights")["n"].to_pylist() == [ROWS]


def test_its_transaction_is_left_as_it_was(own: tuple[str, Any]) -> None:
    name, value = own
    if isinstance(value, sa.Engine):
        assert rows(value, "SELECT id FROM flights").num_rows == ROWS
        assert value.pool.checkedout() == 0  # type: ignore[attr-defined]
        return
    begin, state = _transactions(name, value)
    assert not state()
    rows(value, "SELECT id FROM flights")
    assert not state()
    begin()
    before = rows(value, "SELECT count(*) AS n FROM flights")["n"].to_pylist()
    assert before == [ROWS + 1]
    assert state()
    value.rollback()
    assert rows(value, "SELECT count(*) AS n FROM flights")["n"].to_pylist() == [ROWS]


def _transactions(name: str, value: Any) -> tuple[Callable[[], Any], Callable[[], bool]]:
    """Return what begins a transaction that has written, and what tells whether one is open."""
    write = "INSERT INTO flights VALUES (0, 'mine')"
    raw = value.connection.driver_connection if isinstance(value, sa.Connection) else value
    if name == "duckdb":
        inside = [False]

        def begin() -> None:
            value.execute("BEGIN")
            value.execute(write)
            inside[0] = True

        return begin, lambda: inside[0]
    states: dict[str, Callable[[], bool]] = {
        "sqlite": lambda: raw.in_transaction,
        "postgresql": lambda: raw.info.transaction_status != psycopg.pq.TransactionStatus.IDLE,
        "mysql": lambda: bool(raw.server_status & 1),
    }
    if isinstance(value, sa.Connection):
        return lambda: value.execute(sa.text(write)), states[name]
    return lambda: value.cursor().execute(write), states[name]


@pytest.mark.parametrize("autocommit", [True, False])
def test_psycopg_in_any_mode(urls: dict[str, sa.URL], autocommit: bool) -> None:
    with closing(open_driver("postgresql", urls)) as connection:
        connection.autocommit = autocommit
        connection.row_factory = psycopg.rows.dict_row
        assert rows(connection, "SELECT id FROM flights").num_rows == ROWS
        assert rows(connection, "SHOW application_name").num_rows == 1
        assert rows(connection, "SELECT '100%' AS a")["a"].to_pylist() == ["100%"]
        text = "SELECT id FROM flights WHERE id < %(most)s"
        assert rows(connection, text, {"most": 3})["id"].to_pylist() == [1, 2]


def test_params(own: tuple[str, Any]) -> None:
    name, value = own
    style = "named" if isinstance(value, (sa.Engine, sa.Connection)) else name
    text, params = {
        "named": (":most", {"most": 3}),
        "sqlite": ("?", (3,)),
        "postgresql": ("%s", (3,)),
        "mysql": ("%s", (3,)),
        "duckdb": ("$most", {"most": 3}),
    }[style]
    sql = f"SELECT id FROM flights WHERE name LIKE 'row {'%%' if text == '%s' else '%'}' AND id < "
    assert rows(value, sql + text, params)["id"].to_pylist() == [1, 2]


@pytest.mark.parametrize(
    ("sql", "said"),
    [("SELEC 1", "syntax"), ("SELECT absent FROM flights", "absent"), ("SELECT 1; SELECT 2", "")],
)
def test_a_query_that_fails(own: tuple[str, Any], sql: str, said: str) -> None:
    with pytest.raises(QueryFailed) as caught:
        rows(own[1], sql)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert PASSWORD not in repr(caught.value.to_json())
    assert rows(own[1], "SELECT 1 AS a")["a"].to_pylist() == [1]


def test_a_statement_without_rows(own: tuple[str, Any]) -> None:
    name, value = own
    if name == "duckdb":
        assert rows(value, "CREATE TABLE t (a INT)").num_rows in (0, 1)
        return
    with pytest.raises(QueryFailed, match="returns no rows to export"):
        rows(value, "UPDATE flights SET id = id WHERE id < 0")


def test_interrupt(own: tuple[str, Any]) -> None:
    name, value = own
    column = "name" if name == "postgresql" else "id"
    query = f"SELECT {column} AS n FROM flights UNION ALL {BUSY[name]}"
    begun: list[Callable[[], None]] = []

    def interrupt() -> None:
        for each in begun:
            each()

    # a slow machine may compute before the first row, that is, while the query is begun
    def read(stack: ExitStack) -> None:
        reader, _, close = read_query(value, query, None, lambda _, end: begun.append(end))
        stack.callback(close)
        reader.read_all()

    with ExitStack() as stack, pytest.raises(QueryCancelled), interrupted(interrupt):
        read(stack)


@pytest.mark.parametrize("kind", ["mysql", "mysql engine", "postgresql", "postgresql engine"])
def test_interrupt_before_the_first_row(urls: dict[str, sa.URL], kind: str) -> None:
    name, _, engine = kind.partition(" ")
    sql, listed = {
        "mysql": (
            "SELECT sleep(60) AS n",
            (
                "SELECT count(*) FROM information_schema.processlist "
                "WHERE info LIKE '%sleep(60)%' AND id <> connection_id()"
            ),
        ),
        "postgresql": (
            BUSY["postgresql"],
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
        ),
    }[name]
    value = sa.create_engine(urls[name]) if engine else open_driver(name, urls)
    begun: list[Callable[[], None]] = []
    raised: list[BaseException] = []

    def read() -> None:
        try:
            read_query(value, sql, None, lambda _, interrupt: begun.append(interrupt))
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=read)
    with closing(open_driver(name, urls)) as other, other.cursor() as cursor:
        other.autocommit(True) if name == "mysql" else other.set_autocommit(True)

        def runs() -> bool:
            cursor.execute(listed)
            return bool(cursor.fetchone()[0])

        thread.start()
        while not runs():
            assert thread.is_alive(), raised
            time.sleep(0.05)
        begun[0]()
        thread.join()
        assert not runs()
    assert isinstance(raised[0], QueryCancelled)
    assert rows(value, "SELECT 1 AS a")["a"].to_pylist() == [1]
    value.dispose() if engine else value.close()


def test_nothing_begins_after_an_interrupt(own: tuple[str, Any]) -> None:
    if own[0] == "duckdb":
        return  # its interrupt is the engine's own
    with pytest.raises(QueryCancelled):
        read_query(own[1], "SELECT 1 AS a", None, lambda _, interrupt: interrupt())
    assert rows(own[1], "SELECT 1 AS a")["a"].to_pylist() == [1]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"most": 3}, "The query names :least, and the params do not give it."),
        ({"most": 3, "lest": 1}, "The params do not fit the query: it does not name :lest."),
    ],
)
def test_params_that_do_not_fit(urls: dict[str, sa.URL], params: Any, said: str) -> None:
    engine = sa.create_engine(urls["sqlite"], poolclass=sa.NullPool)
    with pytest.raises(InvalidSpec) as caught:
        rows(engine, "SELECT id FROM flights WHERE id < :most AND id > :least", params)
    assert caught.value.message == said


def test_types_of_postgresql(urls: dict[str, sa.URL]) -> None:
    sql = (
        "SELECT 1::int2 AS s, 1 AS i, 1::int8 AS b, 1.5::float4 AS f, 1.5::numeric(10, 2) AS n, "
        "true AS t, 'x'::varchar AS v, '2020-01-01'::date AS d, "
        "'2020-01-01 12:00+02'::timestamptz AS tz, '\\x00'::bytea AS y, "
        "'{\"a\": 1}'::jsonb AS j, array[1, 2] AS a, null::int4 AS z"
    )
    with closing(open_driver("postgresql", urls)) as connection:
        found = rows(connection, sql)
    assert [str(kind) for kind in found.schema.types] == [
        "int16", "int32", "int64", "float", "decimal128(10, 2)", "bool", "string", "date32[day]",
        "timestamp[us, tz=UTC]", "binary", "string", "list<item: int64>", "int32",
    ]  # fmt: skip
    row = found.to_pylist()[0]
    assert (row["n"], row["j"], row["z"]) == (decimal.Decimal("1.50"), '{"a": 1}', None)
    assert row["tz"] == dt.datetime(2020, 1, 1, 10, tzinfo=dt.timezone.utc)


def test_types_of_mysql(urls: dict[str, sa.URL]) -> None:
    with closing(open_driver("mysql", urls)) as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE OR REPLACE TABLE t (f FLOAT, u BIGINT UNSIGNED, ts TIMESTAMP)")
            cursor.execute("INSERT INTO t VALUES (16777215, 18446744073709551615, now())")
        found = rows(connection, "SELECT * FROM t ORDER BY f")
        # the session's zone is the user's, and nobody knows it
        assert [str(kind) for kind in found.schema.types] == ["float", "uint64", "timestamp[us]"]
        assert found["f"].to_pylist() == [16777215.0]
        with connection.cursor() as cursor:
            # what the user reads is read as ever
            cursor.execute("SELECT u FROM t")
            assert cursor.fetchone() == (2**64 - 1,)


def test_a_late_value_of_another_type(urls: dict[str, sa.URL]) -> None:
    with closing(open_driver("sqlite", urls)) as connection:
        connection.row_factory = sqlite3.Row
        sql = "SELECT CASE WHEN id < 20000 THEN 1 ELSE 'x' END AS x FROM flights"
        with pytest.raises(SourceFailed, match=r"Column “x” began as int64, and row 20,000 holds"):
            rows(connection, sql)


def test_duckdb_sees_what_the_connection_sees() -> None:
    with closing(duckdb.connect()) as connection:
        connection.execute("CREATE TEMP TABLE mine AS SELECT 1 AS a").fetchall()
        connection.register("frame", pa.table({"b": [2]}))
        assert rows(connection, "SELECT a, b FROM mine, frame").to_pylist() == [{"a": 1, "b": 2}]
        relation = connection.sql("SELECT 3 AS c").set_alias("rel")
        assert is_connection(relation)
        assert rows(relation, "SELECT c + 1 AS d FROM rel")["d"].to_pylist() == [4]
        odd = rows(connection, "SELECT '101'::BIT AS a, 1 AS b")
        assert odd.to_pylist() == [{"a": "101", "b": 1}]
        with pytest.raises(SourceFailed, match="“x” holds infinity"):
            rows(connection, "SELECT 'infinity'::DATE AS x")


def test_duckdb_is_read_as_the_connection_sees_it() -> None:
    with closing(duckdb.connect()) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS a").fetchall()
        connection.execute("BEGIN")
        connection.execute("INSERT INTO t VALUES (2)")
        assert rows(connection, "FROM t ORDER BY a")["a"].to_pylist() == [1, 2]
        reader, _, close = read_query(connection, "FROM range(1000000)")
        reader.read_next_batch()
        close()
        # what was left of the rows has cost the transaction nothing
        assert rows(connection, "SELECT count(*) AS n FROM t")["n"].to_pylist() == [2]
        connection.commit()
        connection.execute("CREATE TEMP TABLE t AS SELECT 'temporary' AS a").fetchall()
        assert rows(connection, "FROM t")["a"].to_pylist() == ["temporary"]
        connection.execute("SET TimeZone = 'Asia/Tokyo'").fetchall()
        found = rows(connection, "SELECT hour(TIMESTAMPTZ '2020-01-01 00:00+00') AS h")
        assert found["h"].to_pylist() == [9]


def test_duckdb_with_a_result_that_is_not_read() -> None:
    with closing(duckdb.connect()) as connection:
        waiting = connection.execute("FROM range(100000)")
        with pytest.raises(QueryFailed, match="a result that is not read to its end"):
            rows(connection, "SELECT 1 AS a")
        assert len(waiting.fetchall()) == 100_000
        assert rows(connection, "SELECT 1 AS a")["a"].to_pylist() == [1]


def test_duckdb_names_the_parameter() -> None:
    with closing(duckdb.connect()) as connection:
        with pytest.raises(InvalidSpec, match=r"names \$low, and the params do not give it"):
            rows(connection, "SELECT $low AS a, $high AS b", {"high": 1})
        with pytest.raises(InvalidSpec, match=r"it does not name \$lwo"):
            rows(connection, "SELECT $low AS a", {"low": 1, "lwo": 1})


def test_an_engine_that_cannot_connect(urls: dict[str, sa.URL]) -> None:
    engine = sa.create_engine(urls["mysql"].set(username="nobody"))
    with pytest.raises(ConnectionFailed, match="Access denied") as caught:
        rows(engine, "SELECT 1")
    assert PASSWORD not in repr(caught.value.to_json())


@pytest.mark.parametrize("value", [None, 1, "db", pa.table({"a": [1]}), sqlite3, duckdb, object()])
def test_what_is_no_connection(value: Any) -> None:
    assert not is_connection(value)
    with pytest.raises(InvalidSpec, match="is no connection to a database"):
        read_query(value, "SELECT 1")


def test_asking_loads_no_database() -> None:
    lines = (
        "import sys; from jupyter_export.sources.own import is_connection; is_connection(1); "
        "print([m for m in ('duckdb', 'sqlalchemy', 'psycopg', 'pymysql') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
