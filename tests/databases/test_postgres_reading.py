"""How a PostgreSQL is read: one snapshot, its own names, what is bound, what is written."""

# ruff: noqa: F811 - fixtures come by import
from __future__ import annotations

import threading
from contextlib import closing
from decimal import Decimal
from itertools import zip_longest
from typing import Any

import psycopg
import pyarrow as pa
import pytest
import sqlalchemy as sa

from jupyter_export.errors import QueryFailed
from jupyter_export.registry import Connection, Database
from jupyter_export.sources.postgres import open_postgres

from .conftest import Bench
from .postgres import opened, query, read, sessions, sessions_left, table
from .postgres_reading import ODD, database, driver, quoted, rows, url, write  # noqa: F401 - fixtures

# ------------------------------------------------------------------ one moment


def test_all_statements_see_one_moment(url: str, bench: Bench, driver: str) -> None:
    counted = "SELECT count(*) AS n FROM log"
    with opened(url, bench.surroundings()) as database:
        write(url, "INSERT INTO log VALUES (1)")
        first = read(database, counted)[0]["n"][0].as_py()
        write(url, "INSERT INTO log VALUES (2)")
        assert read(database, counted)[0]["n"][0].as_py() == first
    with opened(url, bench.surroundings()) as database:
        assert read(database, counted)[0]["n"][0].as_py() == first + 2
    write(url, "TRUNCATE log")


def test_several_statements_are_read_by_turns(database: Database) -> None:
    text = "SELECT i, repeat('x', 100) AS pad FROM generate_series(1, 200000) AS i"
    clause = database.relation(query(text)).clause
    streams = [database.stream(sa.select(clause.c.i)) for _ in range(3)]
    turns = list(zip_longest(*(stream.batches for stream in streams)))
    assert len(turns) > 1
    for each in zip(*turns, strict=True):
        assert sum(batch.num_rows for batch in each if batch is not None) == 200_000


def test_nothing_is_read_before_it_is_asked_for(url: str, database: Database) -> None:
    stream = database.stream(sa.select(database.relation(table("log")).clause))
    assert len(sessions(url)) == 1
    assert list(stream.batches) == []
    assert stream.schema == pa.schema([("id", pa.int32())])


def test_the_session_is_what_it_should_be(url: str, bench: Bench, driver: str) -> None:
    names = {
        "application_name": "jupyter_export",
        "TimeZone": "UTC",
        "transaction_isolation": "repeatable read",
        "transaction_read_only": "on",
        "statement_timeout": "7s",
        "DateStyle": "ISO, YMD",
        "IntervalStyle": "postgres",
        "idle_in_transaction_session_timeout": "0",
        "synchronize_seqscans": "off",
    }
    shown = ", ".join(f"current_setting('{name}') AS \"{name}\"" for name in names)
    write(url, "ALTER ROLE postgres SET IntervalStyle = 'sql_standard'")
    with opened(url, bench.surroundings(), statement_timeout=7) as database:
        assert read(database, f"SELECT {shown}")[0].to_pylist() == [names]
    write(url, "ALTER ROLE postgres RESET IntervalStyle")


def test_options_of_the_connection(url: str, bench: Bench, driver: str) -> None:
    options = {"application_name": "mine", "options": "-c work_mem=5MB"}
    with opened(url, bench.surroundings(), options=options) as database:
        found, _ = read(
            database,
            "SELECT current_setting('application_name') AS a, current_setting('work_mem') AS b",
        )
    assert found.to_pylist() == [{"a": "mine", "b": "5MB"}]


# ------------------------------------------------------------------ queries


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SELECT 1 AS x;", [(1,)]),
        ("SELECT 1 AS x -- the end", [(1,)]),
        ("SELECT 1 AS x; -- the end\n;", [(1,)]),
        ("/* a /* nested */ one */ SELECT 1 AS x", [(1,)]),
        ("VALUES (1), (2)", [(1,), (2,)]),
        ("TABLE shop.parts_1 LIMIT 1", [(0,)]),
        ("WITH a AS (SELECT 1 AS x) SELECT x FROM a", [(1,)]),
        ("WITH RECURSIVE a(x) AS (SELECT 1 UNION ALL SELECT 2) SELECT x FROM a", [(1,), (2,)]),
        ("(SELECT 1 AS x) UNION ALL (SELECT 2) ORDER BY 1 DESC", [(2,), (1,)]),
        ("SELECT '100%' AS x, 7 % 4 AS y, 'a%s' AS z", [("100%", 3, "a%s")]),
        ("SELECT '12:00'::time::text AS x, 'a :b' AS y", [("12:00:00", "a :b")]),
        ("SELECT '12\\:00'\\:\\:time\\:\\:text AS x", [("12:00:00",)]),
        ("SELECT $$it's :x$$ AS x, E'\\\\' AS y, \":z\" FROM (SELECT 1) AS a(\":z\")",
         [("it's :x", "\\", 1)]),
        ("SELECT (ARRAY[1, 2, 3])[2:3] AS x", [([2, 3],)]),
        ("SHOW transaction_read_only", [("on",)]),
        ("EXPLAIN (COSTS OFF) SELECT 1", [("Result",)]),
        ("SELECT x FROM (VALUES (2), (1), (3)) AS a(x) ORDER BY x DESC", [(3,), (2,), (1,)]),
        ("SELECT x, '1.1.1.1'::inet AS i FROM (VALUES (2), (1)) AS a(x) ORDER BY x",
         [(1, "1.1.1.1"), (2, "1.1.1.1")]),
    ],
)  # fmt: skip
def test_queries(database: Database, text: str, found: list[tuple[Any, ...]]) -> None:
    assert rows(database, sa.select(database.relation(query(text)).clause)) == found


@pytest.mark.parametrize(
    ("text", "params", "found"),
    [
        ("SELECT :a::int AS x", {"a": 5}, 5),
        ("SELECT 1 -:a AS x", {"a": -5}, 6),
        ("SELECT :a AS x", {"a": "it's \\ :b % \" $$"}, "it's \\ :b % \" $$"),
        ("SELECT :a AS x", {"a": True}, True),
        ("SELECT :a::text AS x", {"a": None}, None),
        ("SELECT :a AS x", {"a": "'; DROP TABLE flights; --"}, "'; DROP TABLE flights; --"),
        ("SELECT count(*) AS x FROM flights WHERE id = ANY(:ids)", {"ids": [1, 2, 3]}, 3),
        ("SELECT count(*) AS x FROM flights WHERE name = ANY(:names)", {"names": ["row 1"]}, 1),
        ("SELECT count(*) AS x FROM flights WHERE delay > :most", {"most": 249.5}, 2),
        ("SELECT (:a::jsonb) ->> 'b' AS x", {"a": {"b": "c's"}}, "c's"),
        ("SELECT :a || :a || ':a' AS x", {"a": "1"}, "11:a"),
        (
            "SELECT count(*) AS x FROM (VALUES (gen_random_uuid())) AS a(u) WHERE u <> :a",
            {"a": "00000000-0000-0000-0000-000000000000"},
            1,
        ),
    ],
)
def test_params(database: Database, text: str, params: dict[str, Any], found: Any) -> None:
    clause = database.relation(query(text, **params)).clause
    assert rows(database, sa.select(clause.c.x)) == [(found,)]


def test_values_of_a_statement_are_bound(database: Database) -> None:
    clause = database.relation(table("flights")).clause
    wanted = sa.select(clause.c.id).where(
        clause.c.name.in_(["row 7", "it's \\ % :x"]), clause.c.delay < Decimal("1.80")
    )
    assert rows(database, wanted) == [(7,)]
    like = sa.select(clause.c.id).where(clause.c.name.like("row 1%", escape="\\"))
    assert len(rows(database, like.limit(5).offset(1))) == 5
    # no cast stands between a text and a uuid, an address or an enum
    odd = database.relation(query("SELECT '10.0.0.1'::inet AS i, gen_random_uuid() AS u")).clause
    found = sa.select(odd.c.i).where(
        odd.c.i == "10.0.0.1", odd.c.u != "00000000-0000-0000-0000-000000000000"
    )
    assert rows(database, found) == [("10.0.0.1",)]


def test_a_relation_tells_types_without_reading(database: Database) -> None:
    relation = database.relation(
        query("SELECT 1 AS i, 1.5::numeric(10, 2) AS n, 'a'::text AS t, now() AS at, pg_sleep(60)")
    )
    assert relation.schema.types[:4] == [
        pa.int32(),
        pa.decimal128(10, 2),
        pa.string(),
        pa.timestamp("us", "UTC"),
    ]
    assert isinstance(relation.clause.c["i"].type, sa.Integer)
    assert isinstance(relation.clause.c["n"].type, sa.Numeric)
    assert repr(relation.clause.c["at"].type) == "DateTime(timezone=True)"


# ------------------------------------------------------------------ names


@pytest.mark.parametrize("name", ODD)
def test_odd_names(database: Database, name: str) -> None:
    clause = database.relation(table(name, name)).clause
    wanted = sa.select(clause).where(clause.c[name] == 1).order_by(clause.c[name])
    with closing(database.stream(wanted)) as stream:
        assert stream.schema.names == [name, "odd"]
        assert [batch.to_pylist() for batch in stream.batches] == [[{name: 1, "odd": "::1"}]]
    text = f"SELECT {quoted(name)}, odd FROM {quoted(name)}.{quoted(name)}"
    again = database.relation(query(text)).clause
    assert rows(database, sa.select(again.c[name])) == [(1,), (2,)]


def test_a_table_is_found_as_the_search_path_finds_it(url: str, bench: Bench) -> None:
    options = {"options": "-c search_path=shop"}
    with opened(url, bench.surroundings(), options=options) as database:
        assert read(database, table("parts"))[0].num_rows == 500
        for name in ("open_orders", "old_orders", "orders"):
            assert read(database, table(name))[0].num_rows == 0


# ------------------------------------------------------------------ what there is


def test_tables(database: Database) -> None:
    found = {(each["schema"], each["name"]): each for each in database.tables()}
    shop = [name for schema, name in found if schema == "shop"]
    assert shop == ["fresh", "old_orders", "open_orders", "orders", "parts", "parts_1"]
    assert ("public", "flights") in found
    assert not any(schema.startswith("pg_") for schema, _ in found)
    assert found["shop", "orders"] == {
        "schema": "shop",
        "name": "orders",
        "kind": "table",
        "columns": [
            {"name": "id", "type": "integer"},
            {"name": "placed", "type": "timestamp with time zone"},
            {"name": "price", "type": "numeric(10,2)"},
            {"name": "tags", "type": "text[]"},
        ],
        "rows": 0,
    }
    assert found["shop", "open_orders"]["kind"] == "view"
    assert found["shop", "old_orders"]["kind"] == "view"
    assert found["shop", "open_orders"]["rows"] is None
    assert found["shop", "fresh"]["rows"] is None
    assert found["shop", "parts"]["rows"] == 500
    assert found["public", "flights"]["rows"] == 1000


def test_estimates(database: Database) -> None:
    clause = database.relation(table("flights")).clause
    assert database.estimate(sa.select(clause)) == 1000
    assert database.estimate(sa.select(clause).where(clause.c.id == 5)) == 1
    assert database.estimate(sa.select(clause).where(sa.text("nonsense"))) is None
    # and the snapshot lives on
    assert len(rows(database, sa.select(clause))) == 1000


# ------------------------------------------------------------------ a connection that may write

WRITING = [
    ("INSERT INTO log VALUES (1), (2) RETURNING id", [(1,), (2,)], 2),
    ("insert into log select 5 returning id, '::1'::inet as i;", [(5, "::1")], 1),
    ("WITH a AS (INSERT INTO log VALUES (7) RETURNING id) SELECT id FROM a -- it", [(7,)], 1),
    (
        """WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 3),
        a AS (INSERT INTO log SELECT i FROM s RETURNING id) SELECT id FROM a""",
        [(1,), (2,), (3,)],
        3,
    ),
    ("WITH s AS (SELECT 9 AS i) INSERT INTO log SELECT i FROM s RETURNING id", [(9,)], 1),
]


@pytest.mark.parametrize(("text", "found", "kept"), WRITING)
def test_what_a_query_writes_is_kept(
    url: str, bench: Bench, driver: str, text: str, found: list[tuple[Any, ...]], kept: int
) -> None:
    write(url, "TRUNCATE log")
    with opened(url, bench.surroundings(), read_only=False) as database:
        clause = database.relation(query(text)).clause
        assert rows(database, sa.select(clause)) == found
    with opened(url, bench.surroundings(), read_only=False) as database:
        assert read(database, "SELECT count(*) AS n FROM log")[0]["n"][0].as_py() == kept
        narrowed = database.relation(query(text)).clause
        some = sa.select(narrowed.c.id).where(narrowed.c.id > 100).order_by(narrowed.c.id)
        assert rows(database, some) == []
    with opened(url, bench.surroundings()) as database:
        assert read(database, "SELECT count(*) AS n FROM log")[0]["n"][0].as_py() == 2 * kept
    write(url, "TRUNCATE log")


def test_what_is_not_read_to_its_end_is_rolled_back(url: str, bench: Bench, driver: str) -> None:
    write(url, "TRUNCATE log")
    text = "INSERT INTO log SELECT generate_series(1, 1000000) RETURNING id, repeat('x', 20)"
    with opened(url, bench.surroundings(), read_only=False) as database:
        done = database.stream(sa.select(database.relation(query(WRITING[0][0])).clause))
        assert len(list(done.batches)) == 1
        stream = database.stream(sa.select(database.relation(query(text)).clause))
        next(stream.batches)
    with opened(url, bench.surroundings()) as database:
        assert read(database, table("log"))[0].num_rows == 0


def test_a_run_that_begins_again_writes_once(url: str, bench: Bench, driver: str) -> None:
    write(url, "TRUNCATE log")
    with opened(url, bench.surroundings(), read_only=False) as database:
        text = "INSERT INTO log VALUES (1) RETURNING id, 'infinity'::date AS d"
        assert read(database, text)[0].to_pylist() == [{"id": 1, "d": "infinity"}]
    with opened(url, bench.surroundings()) as database:
        assert read(database, table("log"))[0].num_rows == 1
    write(url, "TRUNCATE log")


# ------------------------------------------------------------------ closing


def test_closing_twice_and_from_the_start(url: str, bench: Bench, driver: str) -> None:
    database = open_postgres(Connection("db", url), bench.surroundings())
    stream = database.stream(sa.select(database.relation(table("flights")).clause))
    next(stream.batches)
    database.close()
    database.close()
    assert sessions_left(url) == 0
    assert not [t for t in threading.enumerate() if t.name == "jupyter-export-postgres"]


def test_rows_are_handed_over_in_bounded_batches(database: Database) -> None:
    clause = database.relation(query("SELECT generate_series(1, 200000) AS i")).clause
    with closing(database.stream(sa.select(clause))) as stream:
        sizes = [batch.num_rows for batch in stream.batches]
    assert sum(sizes) == 200_000
    assert max(sizes) <= 65_536


def test_bytes_that_are_no_text(postgres_url: str, bench: Bench, driver: str) -> None:
    """A database of the encoding SQL_ASCII takes any bytes for text, and hands them out again."""
    server = postgres_url.replace("+psycopg:", ":")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS anything WITH (FORCE)")
        connection.execute(
            "CREATE DATABASE anything ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"
        )
    url = f"{server.rpartition('/')[0]}/anything"
    with psycopg.connect(url, autocommit=True, client_encoding="SQL_ASCII") as connection:
        connection.execute(b"CREATE TABLE texts AS SELECT '\xc3\xbc' AS x")
        connection.execute(b"CREATE TABLE bytes AS SELECT '\xff' AS x")
    with opened(url, bench.surroundings()) as database:
        assert read(database, table("texts"))[0]["x"][0].as_py() == "ü"
        with pytest.raises(QueryFailed, match='invalid byte sequence for encoding "UTF8"'):
            read(database, table("bytes"))
