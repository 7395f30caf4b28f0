"""Tables and queries of databases: a SQLite file, and a real PostgreSQL."""

from __future__ import annotations

import datetime as dt
import decimal
import sqlite3
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from jupyter_export.errors import (
    Cancelled,
    ExportError,
    InvalidSpec,
    MissingDependency,
    QueryFailed,
    SourceFailed,
)

from .conftest import Bench

PASSWORD = "tOp-s3cret-w0rd"


@pytest.fixture(scope="module")
def url(postgres_url: str) -> str:
    """The URL of a database of this module's own, with a password in it."""
    server = postgres_url.replace("+psycopg:", ":")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS exported")
        connection.execute("CREATE DATABASE exported")
    place = server.replace("postgres@", f"postgres:{PASSWORD}@").rpartition("/")[0]
    found = f"{place}/exported"
    with psycopg.connect(found) as connection:
        connection.execute(
            "CREATE TABLE flights AS SELECT i AS id, 'row ' || i AS name "
            "FROM generate_series(1, 25000) AS i"
        )
        connection.execute('CREATE SCHEMA "Odd ""one"; CREATE TABLE "Odd ""one"."T a" (x int)')
    return found


@pytest.fixture
def lite(tmp_path: Path) -> str:
    path = tmp_path / "s.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE flights (id INTEGER, delay REAL, name TEXT)")
        rows = [(i, i / 4, f"row {i}" if i % 3 else None) for i in range(25_000)]
        connection.executemany("INSERT INTO flights VALUES (?, ?, ?)", rows)
    connection.close()
    return f"sqlite:///{path}"


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


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue("lite" if request.param == "sqlite" else "url")
    return found


def test_a_whole_table_is_streamed(bench: Bench, either: str) -> None:
    table = read(bench, either, {"type": "table", "table": "flights"})
    assert table.num_rows == 25_000
    assert table["name"][1].as_py() in ("row 1", "row 2")


def test_params_are_bound(bench: Bench, either: str) -> None:
    source = {
        "type": "sql",
        "query": "SELECT id FROM flights WHERE id < :most AND name LIKE 'row %' AND name <> :odd",
        "params": {"most": 5, "odd": "'; DROP TABLE flights; --"},
    }
    assert set(read(bench, either, source)["id"].to_pylist()) >= {1, 2, 4}
    assert read(bench, either, "SELECT count(*) AS n FROM flights")["n"][0].as_py() == 25_000


def test_params_that_do_not_fit(bench: Bench, either: str) -> None:
    with pytest.raises(InvalidSpec, match=r"do not fit.*The query names: most\."):
        read(bench, either, {"type": "sql", "query": "SELECT :most", "params": {"least": 1}})
    with pytest.raises(InvalidSpec, match="names :most, and the params do not give it"):
        read(bench, either, {"type": "sql", "query": "SELECT :most"})


def test_no_row(bench: Bench, either: str) -> None:
    table = read(bench, either, "SELECT id, name FROM flights WHERE id < -1")
    assert (table.num_rows, table.column_names) == (0, ["id", "name"])


def test_what_is_unknown_names_the_nearest(bench: Bench, either: str) -> None:
    with pytest.raises(InvalidSpec, match=r"no table “flihgts”.*Did you mean flights\?"):
        read(bench, either, {"type": "table", "table": "flihgts"})
    with pytest.raises(InvalidSpec, match=r"“depto” is not a known.*Did you mean depot\?"):
        read(bench, either, {"type": "table", "table": "flights", "connection": "depto"})


@pytest.mark.parametrize(
    "query",
    ["SELEC 1", "SELECT nothing FROM flights", "SELECT 1; SELECT 2", "SELECT 1; COMMIT; SELECT 2"],
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


def test_odd_names(bench: Bench, url: str) -> None:
    source = {"type": "table", "schema": 'Odd "one', "table": "T a"}
    assert read(bench, url, source).num_rows == 0


LONG = f"{'9' * 30}.{'1' * 20}"
TEN = dt.datetime(2020, 1, 1, 10, tzinfo=dt.timezone.utc)


def test_types_of_postgresql(bench: Bench, url: str) -> None:
    columns = {
        "i": ("7::int8", pa.int64(), 7),
        "f": ("1.5::float8", pa.float64(), 1.5),
        "n": ("12.50::numeric(10, 2)", pa.decimal128(38, 2), decimal.Decimal("12.50")),
        "big": ("1e37::numeric", pa.decimal128(38, 0), decimal.Decimal(10) ** 37),
        "long": (LONG, pa.decimal256(76, 20), decimal.Decimal(LONG)),
        "nan": ("'NaN'::numeric", pa.string(), "NaN"),
        "t": ("'ü'::text", pa.string(), "ü"),
        "d": ("'0001-01-01'::date", pa.date32(), dt.date(1, 1, 1)),
        "ts": ("'2020-01-01 12:00'::timestamp", pa.timestamp("us"), dt.datetime(2020, 1, 1, 12)),  # noqa: DTZ001
        "tz": ("'2020-01-01 12:00+02'::timestamptz", pa.timestamp("us", "UTC"), TEN),
        "tm": ("'12:00'::time", pa.time64("us"), dt.time(12)),
        "ttz": ("'12:00+02'::timetz", pa.string(), "12:00:00+02:00"),
        "b": ("true", pa.bool_(), True),
        "raw": ("'\\x00ff'::bytea", pa.binary(), b"\x00\xff"),
        "u": ("'00000000-0000-0000-0000-000000000001'::uuid", pa.string(), str(uuid.UUID(int=1))),
        "j": ("""'{"a": [1]}'::jsonb""", pa.string(), '{"a": [1]}'),
        "a": ("array[1, null]", pa.list_(pa.int64()), [1, None]),
        "z": ("null::text", pa.string(), None),
    }  # fmt: skip
    shown = ", ".join(f'{sql} AS "{name}"' for name, (sql, _, _) in columns.items())
    # the first row holds only nulls: what comes later tells the types
    nothing = ", ".join(["NULL"] * len(columns))
    query = f"SELECT * FROM (SELECT {shown} UNION ALL SELECT {nothing}) AS q ORDER BY i NULLS FIRST"
    table = read(bench, url, query.replace(":", "\\:"))
    for name, (_, kind, value) in columns.items():
        assert (table.schema.field(name).type, table[name].to_pylist()) == (kind, [None, value])


@pytest.mark.parametrize(
    ("first", "late"),
    [("1", "1.5"), ("1", "'x'"), ("1.5", "'x'"), ("x'00'", "1"), ("'2020-01-01'", None)],
)
def test_a_late_value_of_another_type_is_no_silent_change(
    bench: Bench, lite: str, first: str, late: str | None
) -> None:
    """SQLite's columns hold any type; the first rows decide, and a misfit is named."""
    query = f"SELECT CASE WHEN id < 20000 THEN {first} ELSE {late or 'NULL'} END AS x FROM flights"
    if late is None:
        assert read(bench, lite, query)["x"].null_count == 5_000
        return
    with pytest.raises(SourceFailed, match=r"Column “x” began as .*, and row 20,001 holds"):
        read(bench, lite, query)
    assert bench.left() == []


@pytest.mark.parametrize("phase", ["before the first row", "between rows"])
def test_cancel_ends_a_long_query(bench: Bench, either: str, phase: str) -> None:
    if either.startswith("sqlite"):
        busy = "SELECT count(*) AS n FROM flights a, flights b, flights c"
        later = f"SELECT id FROM flights UNION ALL {busy}"
    else:
        busy = "SELECT pg_sleep(60)::text AS n"
        later = f"SELECT name AS n FROM flights UNION ALL {busy}"
    cancelled = threading.Event()
    timer = threading.Timer(0.5, cancelled.set)
    began = time.monotonic()
    timer.start()
    with pytest.raises(Cancelled):
        read(bench, either, busy if phase == "before the first row" else later, cancelled=cancelled)
    # the query alone would take a minute and more
    assert time.monotonic() - began < 10
    assert bench.left() == []


@pytest.mark.parametrize(
    ("made", "error"),
    [
        (lambda url: url.replace("//postgres:", "//nobody:"), SourceFailed),
        (lambda url: url.replace("127.0.0.1", "no.such.host.invalid"), SourceFailed),
        (lambda url: url.rsplit(":", 1)[0] + ":port/x", SourceFailed),
        (lambda url: url.replace("postgresql:", "nosuchdatabase:"), SourceFailed),
        (lambda url: url.replace("postgresql:", "mssql+pymssql:"), MissingDependency),
        (lambda url: url.replace("//", "/"), SourceFailed),
    ],
    ids=["password", "host", "port", "dialect", "driver", "url"],
)
def test_no_word_of_the_url_leaves(bench: Bench, url: str, made: Any, error: Any) -> None:
    with pytest.raises(ExportError) as caught:
        read(bench, made(url), "SELECT 1 AS x")
    assert isinstance(caught.value, error)
    assert PASSWORD not in repr(caught.value.to_json())
    assert "\n" not in caught.value.message


def test_two_columns_of_one_name(bench: Bench, either: str) -> None:
    with pytest.raises(InvalidSpec, match="Two columns of data are named “a”"):
        read(bench, either, "SELECT 1 AS a, 2 AS a")
