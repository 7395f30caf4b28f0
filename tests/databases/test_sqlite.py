"""SQLite files: the types that they declare, one snapshot."""

from __future__ import annotations

import datetime as dt
import decimal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from jupyter_export.errors import (
    QueryFailed,
    SourceFailed,
)

from .conftest import Bench
from .sources import query, read, table
from .sqlite_file import make, make_flights, opened


@pytest.fixture
def url(tmp_path: Path) -> str:
    return make_flights(tmp_path / "a b%20#.db")


# ------------------------------------------------------------------ types

DECLARED = {
    "i": ("INTEGER", "7", pa.int64(), 7),
    "big": ("UNSIGNED BIG INT", "7", pa.int64(), 7),
    "r": ("DOUBLE PRECISION", "1.5", pa.float64(), 1.5),
    "t": ("VARCHAR(20)", "'ü'", pa.string(), "ü"),
    "b": ("BLOB", "x'00ff'", pa.binary(), b"\x00\xff"),
    "yes": ("BOOLEAN", "1", pa.bool_(), True),
    "d": ("DATE", "'2020-02-29'", pa.date32(), dt.date(2020, 2, 29)),
    "at": (
        "DATETIME",
        "'2020-01-01 12:00:00.5'",
        pa.timestamp("us"),
        dt.datetime(2020, 1, 1, 12, 0, 0, 500_000),  # noqa: DTZ001
    ),
    "clock": ("TIME", "'12:30:01'", pa.time64("us"), dt.time(12, 30, 1)),
    "n": ("DECIMAL(10, 2)", "12.5", pa.decimal128(10, 2), decimal.Decimal("12.50")),
    "any": ("", "'x'", pa.string(), "x"),
}


def test_a_table_arrives_as_it_declares(tmp_path: Path) -> None:
    columns = ", ".join(f'"{name}" {kind}' for name, (kind, *_) in DECLARED.items())
    values = ", ".join(value for _, value, *_ in DECLARED.values())
    nothing = ", ".join(["NULL"] * len(DECLARED))
    url = make(
        tmp_path / "t.db",
        f"CREATE TABLE t ({columns})",
        f"INSERT INTO t VALUES ({values})",
        f"INSERT INTO t VALUES ({nothing})",
    )
    with opened(url) as database:
        found, losses = read(database, table("t"))
        relation = database.relation(table("t"))
    for name, (_, _, kind, value) in DECLARED.items():
        assert (found.schema.field(name).type, found[name].to_pylist()) == (kind, [value, None])
    assert relation.schema == found.schema
    assert losses == ()


def test_columns_of_nulls_are_what_they_declare(tmp_path: Path) -> None:
    url = make(
        tmp_path / "t.db", "CREATE TABLE t (i INT, d DATE)", "INSERT INTO t VALUES (NULL, NULL)"
    )
    with opened(url) as database:
        assert read(database, table("t"))[0].schema.types == [pa.int64(), pa.date32()]


@pytest.mark.parametrize(
    ("declared", "values", "kind"),
    [
        ("DATE", ["2020-01-01", "01.02.2020"], pa.string()),
        ("DATETIME", [1577836800, 1577836801], pa.int64()),
        ("DATETIME", ["2020-01-01T10:00:00+02:00"], pa.string()),
        ("BOOLEAN", [0, 2], pa.int64()),
        ("DECIMAL(10, 2)", [1.125], pa.float64()),
        ("INTEGER", ["x"], pa.string()),
        ("INTEGER", [1.5], pa.float64()),
        ("TEXT", [b"\x00"], pa.binary()),
    ],
)
def test_what_is_not_what_it_declares_arrives_as_it_is_stored(
    tmp_path: Path, declared: str, values: list[Any], kind: pa.DataType
) -> None:
    url = make(tmp_path / "t.db", f"CREATE TABLE t (x {declared})")
    with closing(sqlite3.connect(tmp_path / "t.db")) as connection, connection:
        connection.executemany("INSERT INTO t VALUES (?)", [(value,) for value in values])
    with opened(url) as database:
        found = read(database, table("t"))[0]
    assert (found.schema.field("x").type, found["x"].to_pylist()) == (kind, values)


def test_a_late_value_that_is_not_what_the_column_declares(bench: Bench, tmp_path: Path) -> None:
    """The run begins again, and nothing is changed."""
    url = make(
        tmp_path / "t.db",
        "CREATE TABLE t (x DATE, y INT)",
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 24999) "
        "INSERT INTO t SELECT CASE WHEN i = 24000 THEN 'soon' ELSE '2020-01-01' END, i FROM n",
    )
    source = {"type": "table", "connection": "db", "table": "t"}
    bench.run({"source": source}, "out.arrow", connections={"db": url})
    with pa.ipc.open_file(bench.root / "out.arrow") as file:
        found = file.read_all()
    assert found.schema.types == [pa.string(), pa.int64()]
    assert found["x"][24_000].as_py() == "soon"


@pytest.mark.parametrize("late", ["5", "1.5", "x'00'"])
def test_a_column_that_begins_with_nulls(bench: Bench, url: str, late: str) -> None:
    """The first value tells its type, however late it comes."""
    text = f"SELECT CASE WHEN id = 24000 THEN {late} END AS x FROM flights"
    source = {"type": "sql", "connection": "db", "query": text}
    bench.run({"source": source}, "out.arrow", connections={"db": url})
    with pa.ipc.open_file(bench.root / "out.arrow") as file:
        found = file.read_all()
    known = {"5": (pa.int64(), 5), "1.5": (pa.float64(), 1.5), "x'00'": (pa.binary(), b"\x00")}
    assert (found.schema.field("x").type, found["x"][24_000].as_py()) == known[late]


@pytest.mark.parametrize(
    ("first", "late"),
    [("1", "1.5"), ("1", "'x'"), ("1.5", "'x'"), ("x'00'", "1"), ("'2020-01-01'", None)],
)
def test_a_late_value_of_another_type_is_no_silent_change(
    bench: Bench, url: str, first: str, late: str | None
) -> None:
    """SQLite's columns hold any type; the first rows decide, and a misfit is named."""
    text = f"SELECT CASE WHEN id < 20000 THEN {first} ELSE {late or 'NULL'} END AS x FROM flights"
    source = {"type": "sql", "connection": "db", "query": text}
    if late is None:
        bench.run({"source": source}, "out.arrow", connections={"db": url})
        with pa.ipc.open_file(bench.root / "out.arrow") as file:
            assert file.read_all()["x"].null_count == 5_000
        return
    with pytest.raises(SourceFailed, match=r"Column “x” began as .*, and row 20,001 holds"):
        bench.run({"source": source}, "out.arrow", connections={"db": url})
    assert bench.left() == []


# ------------------------------------------------------------------ what is read


def test_what_a_statement_may_do(url: str) -> None:
    with opened(url) as database:
        relation = database.relation(query("SELECT id, name FROM flights ORDER BY id DESC"))
        c = relation.clause.c

        def got(statement: Any) -> list[Any]:
            return list(
                pa.Table.from_batches(database.stream(statement).batches).column(0).to_pylist()
            )

        every = sa.select(relation.clause)
        assert got(every)[:2] == [24_999, 24_998]
        assert got(every) == got(every)
        assert got(sa.select(c.id.label("x")).where(c.id < 3)) == [2, 1, 0]
        assert got(sa.select(every.subquery("limited")).limit(3)) == [24_999, 24_998, 24_997]
        assert got(sa.select(c.name))[1] == "row 24998"
        assert got(sa.select(sa.func.count())) == [1]
        assert got(sa.select(sa.func.count()).select_from(relation.clause)) == [25_000]


def test_streams_by_turns(url: str) -> None:
    with opened(url) as database:
        relation = database.relation(table("flights"))
        first, second = (iter(database.stream(sa.select(relation.clause)).batches) for _ in "ab")
        rows = [0, 0]
        for one, other in zip(first, second, strict=True):
            rows[0] += one.num_rows
            rows[1] += other.num_rows
    assert rows == [25_000, 25_000]


def test_one_snapshot(url: str) -> None:
    """What others write while a job reads is not seen, by no dataset of it."""
    path = sa.make_url(url).database or ""
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        with opened(url) as database:
            assert database.point_in_time
            with writer:
                writer.execute("DELETE FROM flights")
            for _ in range(2):
                found = read(database, query("SELECT count(*) AS n FROM flights"))[0]
                assert found["n"].to_pylist() == [25_000]
        with opened(url) as database:
            found = read(database, query("SELECT count(*) AS n FROM flights"))[0]
            assert found["n"].to_pylist() == [0]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 AS a;",
        "SELECT 1 AS a -- the end; or not",
        "SELECT 1 AS a /* ; */ ; -- ;",
        "WITH x AS (SELECT 1 AS a) SELECT a FROM x",
        "VALUES (1)",
        "SELECT 1 AS a UNION SELECT 1",
        "PRAGMA application_id = 1",
    ],
)
def test_statements_that_have_rows(url: str, text: str) -> None:
    with opened(url) as database:
        if text.startswith("PRAGMA"):
            with pytest.raises(QueryFailed):
                read(database, query(text))
            found = read(database, query("PRAGMA table_info('flights')"))[0]
            assert found["name"].to_pylist() == ["id", "delay", "name"]
            return
        assert read(database, query(text))[0].column(0).to_pylist() == [1]


def test_a_statement_that_runs_by_itself_is_not_selected_from(url: str) -> None:
    with opened(url) as database:
        relation = database.relation(query("PRAGMA table_info('flights')"))
        assert relation.opaque
        with pytest.raises(QueryFailed, match="cannot select from this statement"):
            database.stream(sa.select(relation.clause).where(relation.clause.c.cid > 0))


NAMES = [
    "select",
    "a.b",
    'a "quoted" one',
    "a b",
    "Ünï😀",
    "x:y",
    "100%s",
    "50%",
    "a%b :x",
    "?",
    "z" * 63,
]


def test_odd_names(tmp_path: Path) -> None:
    def quoted(name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    columns = ", ".join(f"{quoted(name)} INT" for name in NAMES)
    url = make(tmp_path / "t.db", *[f"CREATE TABLE {quoted(name)} ({columns})" for name in NAMES])
    with opened(url) as database:
        for name in NAMES:
            relation = database.relation(table(name, "main"))
            assert relation.schema.names == NAMES
            statement = sa.select(*[relation.clause.c[each] for each in NAMES])
            assert database.stream(statement).schema.names == NAMES
            assert database.stream(statement.where(relation.clause.c[name] > 1)).schema.names


def test_estimates(url: str) -> None:
    with opened(url) as database:
        relation = database.relation(table("flights"))
        every = sa.select(relation.clause)
        assert database.estimate(every) == 25_000
        assert database.estimate(every.limit(10)) == 10
        assert database.estimate(every.where(relation.clause.c.id > 1)) is None
        asked = database.relation(query("SELECT id FROM flights"))
        assert database.estimate(sa.select(asked.clause)) is None
    with closing(sqlite3.connect(sa.make_url(url).database or "")) as connection, connection:
        connection.execute("CREATE INDEX i ON flights (id)")
        connection.execute("DELETE FROM flights WHERE id < 24000")
        connection.execute("ANALYZE")
    with opened(url) as database:
        assert database.estimate(sa.select(database.relation(table("flights")).clause)) == 1000


def test_tables(tmp_path: Path) -> None:
    url = make(
        tmp_path / "t.db",
        "CREATE TABLE b (i INTEGER, x, d DECIMAL(10, 2))",
        "CREATE VIEW a AS SELECT i FROM b",
        "INSERT INTO b VALUES (1, 2, 3)",
        "CREATE INDEX bi ON b (i)",
        "ANALYZE",
    )
    with opened(url) as database:
        found = database.tables()
    assert [(each["schema"], each["name"], each["kind"], each["rows"]) for each in found] == [
        ("main", "a", "view", None),
        ("main", "b", "table", 1),
    ]
    assert found[1]["columns"] == [
        {"name": "i", "type": "INTEGER"},
        {"name": "x", "type": ""},
        {"name": "d", "type": "DECIMAL(10, 2)"},
    ]
