"""DuckDB files: read by their own module, locked, and what Arrow has no type for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import sqlalchemy as sa

from jupyter_export.errors import (
    ConnectionFailed,
    InvalidSpec,
    QueryCancelled,
    QueryFailed,
    SourceFailed,
    StatementTimeout,
)
from jupyter_export.registry import Database, Surroundings, database

from .conftest import Bench
from .sources import interrupted, query, read, table

BUSY = "SELECT count(*) AS n FROM range(1000000) AS a, range(1000000) AS b WHERE a.range <> b.range"


def make(path: Path, *statements: str) -> str:
    """Return the URL of a file in which ``statements`` ran."""
    with closing(duckdb.connect(str(path))) as connection:
        for each in statements:
            connection.execute(each).fetchall()
    return f"duckdb:///{path}"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return make(
        tmp_path / "a b.duckdb",
        "CREATE TABLE flights AS SELECT range AS id, 'row ' || range AS name FROM range(200000)",
    )


@contextmanager
def opened(url: str, folder: Path, **fields: Any) -> Iterator[Database]:
    here = Surroundings(
        folder,
        folder / "out",
        folder / ".out",
        folder,
        folder / "scratch",
        connections={"db": {"url": url, **fields}},
    )
    with closing(database("db", here)) as found:
        yield found


# ------------------------------------------------------------------ types

ODD: dict[str, tuple[str, Any]] = {
    "bt": ("'101'::BIT", "101"),
    "tz": ("'12:00:00+02'::TIMETZ", "12:00:00+02"),
    "nested": ("{'a': '101'::BIT}", "{'a': 101}"),
}
PLAIN: dict[str, tuple[str, str]] = {
    "i": ("1::TINYINT", "int8"),
    "h": ("sum(1)", "decimal128(38, 0)"),
    "u": ("1::UHUGEINT", "decimal128(38, 0)"),
    "d": ("1.5::DECIMAL(38, 2)", "decimal128(38, 2)"),
    "t": ("'2020-01-01'::TIMESTAMPTZ", "timestamp[us, tz=UTC]"),
    "n": ("'2020-01-01'::TIMESTAMP_NS", "timestamp[ns]"),
    "day": ("'2020-01-01'::DATE", "date32[day]"),
    "l": ("[1, 2]", "list<l: int32>"),
    "s": ("{'a': 1}", "struct<a: int32>"),
    "b": ("'a'::BLOB", "binary"),
    "id": ("'00000000-0000-0000-0000-000000000001'::UUID", "string"),
}


def test_types(tmp_path: Path) -> None:
    shown = ", ".join(f"{sql} AS {name}" for name, (sql, _) in {**PLAIN, **ODD}.items())
    url = make(tmp_path / "t.duckdb", f"CREATE TABLE t AS SELECT {shown}")
    with opened(url, tmp_path) as database:
        relation = database.relation(table("t"))
        found, losses = read(database, table("t"))
        asked, _ = read(database, query("SELECT * FROM t ORDER BY ALL"))
    assert relation.schema == found.schema == asked.schema
    assert asked.equals(found)
    for name, (_, kind) in PLAIN.items():
        assert str(found.schema.field(name).type) == kind
    for name, (_, value) in ODD.items():
        assert (found.schema.field(name).type, found[name][0].as_py()) == (pa.string(), value)
    assert {(loss.kind, loss.column) for loss in losses} == {("database_type", n) for n in ODD}


@pytest.mark.parametrize(
    "value", ["'infinity'::DATE", "'-infinity'::TIMESTAMP", "'infinity'::TIMESTAMPTZ",
              "'24:00:00'::TIME", "['infinity'::DATE]"]
)  # fmt: skip
def test_infinity_is_no_date(bench: Bench, tmp_path: Path, value: str) -> None:
    """It arrives as its text, however late it comes, and is reported."""
    url = make(tmp_path / "t.duckdb", "CREATE TABLE t AS SELECT range AS i FROM range(200000)")
    text = f"SELECT i, CASE WHEN i = 190000 THEN {value} END AS x FROM t ORDER BY i"
    document = {"source": {"type": "sql", "connection": "db", "query": text}}
    result = bench.run(document, "out.arrow", connections={"db": url})
    with pa.ipc.open_file(bench.root / "out.arrow") as file:
        found = file.read_all()
    expected = value.partition("::")[0].strip("[']")
    assert found["x"][190_000].as_py().strip("[]") == expected
    assert [loss["kind"] for loss in result.losses] == ["database_type"]


def test_an_integer_of_39_digits(url: str, tmp_path: Path) -> None:
    with opened(url, tmp_path) as database:
        for kind in ("UHUGEINT", "HUGEINT"):
            text = f"SELECT {2**127 - 1}::{kind} AS x"
            with pytest.raises(QueryFailed, match="“x” holds an integer of 39 digits"):
                read(database, query(text))


# ------------------------------------------------------------------ what is read


def test_statements(url: str, tmp_path: Path) -> None:
    with opened(url, tmp_path) as database:
        relation = database.relation(
            query("SELECT * FROM flights WHERE id <> :odd ORDER BY id DESC", odd=5)
        )
        c = relation.clause.c

        def got(statement: Any) -> list[Any]:
            return list(
                pa.Table.from_batches(database.stream(statement).batches).column(0).to_pylist()
            )

        every = sa.select(relation.clause)
        assert got(every)[:2] == [199_999, 199_998]
        assert got(sa.select(c.id.label("x")).where(c.id < 7)) == [6, 4, 3, 2, 1, 0]
        assert got(sa.select(every.subquery("limited")).limit(2)) == [199_999, 199_998]
        assert got(sa.select(sa.func.count()).select_from(relation.clause)) == [199_999]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("SELECT 1 AS a;", 1),
        ("SELECT 1 AS a -- the end; or not", 1),
        ("SELECT 'a;' AS a /* ; */ ; -- ;", "a;"),
        ("FROM flights SELECT max(id)", 199_999),
        ("WITH x AS (SELECT 1 AS a) SELECT a FROM x", 1),
        ("VALUES (1)", 1),
        ("SHOW TABLES", "flights"),
        ("PRAGMA database_size", "a b"),
        ("CALL pragma_version()", f"v{duckdb.__version__}"),
    ],
)
def test_statements_that_have_rows(url: str, tmp_path: Path, text: str, value: Any) -> None:
    with opened(url, tmp_path) as database:
        assert read(database, query(text))[0].column(0).to_pylist() == [value]


def test_streams_by_turns(url: str, tmp_path: Path) -> None:
    for read_only in (True, False):
        with opened(url, tmp_path, read_only=read_only) as database:
            relation = database.relation(table("flights"))
            first, second = (
                iter(database.stream(sa.select(relation.clause)).batches) for _ in "ab"
            )
            seen = [next(first).num_rows, next(second).num_rows, next(first).num_rows]
            seen += [batch.num_rows for batch in second] + [batch.num_rows for batch in first]
            assert sum(seen) == 400_000


NAMES = ["select", "a.b", 'a "quoted" one', "a b", "Ünï😀", "x:y", "100%s", "?", "$1", "z" * 63]


def test_odd_names(tmp_path: Path) -> None:
    def quoted(name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    columns = ", ".join(f"{quoted(name)} INT" for name in NAMES)
    made = [f"CREATE TABLE {quoted('s.é')}.{quoted(name)} ({columns})" for name in NAMES]
    url = make(tmp_path / "t.duckdb", f"CREATE SCHEMA {quoted('s.é')}", *made)
    with opened(url, tmp_path) as database:
        for name in NAMES:
            relation = database.relation(table(name, "s.é"))
            statement = sa.select(*[relation.clause.c[each] for each in NAMES])
            assert database.stream(statement).schema.names == NAMES
            assert list(database.stream(statement.where(relation.clause.c[name] > 1)).batches) == []


def test_two_columns_of_one_name(bench: Bench, url: str) -> None:
    source = {"type": "sql", "connection": "db", "query": "SELECT 1 AS a, 2 AS a"}
    with pytest.raises(InvalidSpec, match="Two columns of data are named “a”"):
        bench.run({"source": source}, connections={"db": url})


def test_jobs_of_one_process_share_the_file(url: str, tmp_path: Path) -> None:
    with opened(url, tmp_path / "a") as one, opened(url, tmp_path / "b") as other:
        assert read(one, table("flights"))[0].equals(read(other, table("flights"))[0])


def test_estimates_and_tables(tmp_path: Path) -> None:
    url = make(
        tmp_path / "t.duckdb",
        "CREATE TABLE b AS SELECT range AS i, 1.5 AS d FROM range(1000)",
        "CREATE VIEW a AS SELECT i FROM b",
        "CREATE SCHEMA s; CREATE TABLE s.c (x INT[])",
    )
    with opened(url, tmp_path) as database:
        every = sa.select(database.relation(table("b")).clause)
        assert database.estimate(every) == 1000
        assert database.estimate(every.limit(10)) == 10
        assert 0 < (database.estimate(every.where(sa.literal_column("i") > 5)) or 0) <= 1000
        found = database.tables()
    assert [(each["schema"], each["name"], each["kind"], each["rows"]) for each in found] == [
        ("main", "a", "view", None),
        ("main", "b", "table", 1000),
        ("s", "c", "table", 0),
    ]
    assert found[1]["columns"] == [
        {"name": "i", "type": "BIGINT"},
        {"name": "d", "type": "DECIMAL(2,1)"},
    ]


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO flights VALUES (-1, 'x') RETURNING id",
        "DELETE FROM flights",
        "UPDATE flights SET id = 0",
        "DROP TABLE flights",
        "CREATE TABLE more AS SELECT 1",
        "COPY flights TO '{folder}/other.csv'",
        "ATTACH '{folder}/other.duckdb' AS other",
        "EXPORT DATABASE '{folder}/other'",
        "SET enable_external_access = true",
        "SELECT * FROM '{folder}/data.csv'",
        "SELECT * FROM read_csv('{folder}/data.csv')",
        "INSTALL httpfs",
        "SELECT 1; DROP TABLE flights",
        "SELECT * FROM here",
        "SELEC 1",
    ],
)
def test_the_database_refuses(url: str, tmp_path: Path, text: str) -> None:
    (tmp_path / "data.csv").write_text("a\n1\n")
    with opened(url, tmp_path) as database:
        with pytest.raises(QueryFailed):
            read(database, query(text.format(folder=tmp_path)))
        assert database.estimate(sa.select(database.relation(table("flights")).clause)) == 200_000
    assert not [each for each in tmp_path.iterdir() if each.name.startswith("other")]


def test_other_files_where_the_connection_allows_it(url: str, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a\n1\n")
    with opened(url, tmp_path, options={"enable_external_access": True}) as database:
        found = read(database, query(f"SELECT * FROM '{tmp_path}/data.csv'"))[0]
        assert found["a"].to_pylist() == [1]


def test_what_is_written_is_kept_once_all_rows_were_read(url: str, tmp_path: Path) -> None:
    text = "INSERT INTO flights SELECT id, name FROM flights RETURNING id"

    def count() -> int:
        with opened(url, tmp_path) as database:
            return int(read(database, query("SELECT count(*) AS n FROM flights"))[0]["n"][0])

    with opened(url, tmp_path, read_only=False) as database:
        stream = database.stream(sa.select(database.relation(query(text)).clause))
        next(iter(stream.batches))
    assert count() == 200_000
    with opened(url, tmp_path, read_only=False) as database:
        assert read(database, query(text))[0].num_rows == 200_000
    assert count() == 400_000


def test_a_timeout(url: str, tmp_path: Path) -> None:
    with (
        opened(url, tmp_path, statement_timeout=1) as database,
        pytest.raises(StatementTimeout, match="longer than the 1 s that the connection db allows"),
    ):
        read(database, query(BUSY))


def test_interrupt(url: str, tmp_path: Path) -> None:
    with opened(url, tmp_path) as database:
        stream = database.stream(sa.select(database.relation(query(BUSY)).clause))
        with pytest.raises(QueryCancelled), interrupted(stream.interrupt):
            list(stream.batches)


def test_a_division_that_fails_late(url: str, tmp_path: Path) -> None:
    text = "SELECT CASE WHEN id = 199999 THEN error('late') ELSE id END AS x FROM flights"
    with opened(url, tmp_path) as database:
        stream = database.stream(sa.select(database.relation(query(text)).clause))
        with pytest.raises(QueryFailed, match="late"):
            list(stream.batches)


def test_files_that_cannot_be_opened(url: str, tmp_path: Path) -> None:
    (tmp_path / "x.duckdb").write_text("no database" * 1000)
    for name, said in (("none", "there is no such file"), ("x", "not a valid DuckDB database")):
        for read_only in (True, False):
            with (
                pytest.raises(ConnectionFailed, match=said) as caught,
                opened(f"duckdb:///{tmp_path}/{name}.duckdb", tmp_path, read_only=read_only),
            ):
                pass
            assert str(tmp_path) not in str(caught.value)
    assert not (tmp_path / "none.duckdb").exists()
    with pytest.raises(SourceFailed), opened("duckdb:x", tmp_path):
        pass


def test_a_file_that_the_process_itself_writes(url: str, tmp_path: Path) -> None:
    with (
        closing(duckdb.connect(str(tmp_path / "a b.duckdb"))),
        pytest.raises(ConnectionFailed, match="This process holds the file open itself"),
        opened(url, tmp_path),
    ):
        pass


def test_a_file_that_another_process_writes(url: str, tmp_path: Path) -> None:
    lines = (
        f"import duckdb, sys; c = duckdb.connect({str(tmp_path / 'a b.duckdb')!r}); "
        "print('open', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", lines]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        try:
            assert writer.stdout is not None
            writer.stdout.readline()
            with (
                pytest.raises(ConnectionFailed, match="Another process") as caught,
                opened(url, tmp_path),
            ):
                pass
            assert str(tmp_path) not in str(caught.value)
        finally:
            writer.communicate()


def test_what_is_not_there(url: str, tmp_path: Path) -> None:
    with opened(url, tmp_path) as database:
        with pytest.raises(InvalidSpec, match=r"no table “flihgts”.*Did you mean flights\?"):
            database.relation(table("flihgts"))
        with pytest.raises(QueryFailed, match="absent"):
            database.relation(query("SELECT absent FROM flights"))
        with pytest.raises(InvalidSpec, match="names :most, and the params do not give it"):
            database.relation(query("SELECT :most"))
