"""A real MariaDB: exact types, one snapshot, one open result."""

from __future__ import annotations

import datetime as dt
import decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from jupyter_export.errors import (
    InvalidSpec,
)

from .conftest import Bench
from .mariadb import make_database, opened, run
from .sources import query, read, table

MANY = "SELECT seq AS i FROM seq_1_to_100000"
ENDLESS = "SELECT a.seq AS endless FROM seq_1_to_1000000 AS a, seq_1_to_1000000 AS b"


@pytest.fixture(scope="module")
def server(mariadb_url: str) -> str:
    return make_database(mariadb_url)


# ------------------------------------------------------------------ types

D = decimal.Decimal
UTC = dt.timezone.utc
NOON = dt.datetime(2020, 1, 1, 12, 0, 0, 123_456)  # noqa: DTZ001
TYPES: dict[str, tuple[str, str, pa.DataType, Any]] = {
    "t1": ("TINYINT(1)", "-7", pa.int8(), -7),
    "t1u": ("TINYINT UNSIGNED", "255", pa.uint8(), 255),
    "bool": ("BOOLEAN", "TRUE", pa.int8(), 1),
    "s": ("SMALLINT", "-5", pa.int16(), -5),
    "m": ("MEDIUMINT UNSIGNED", "16777215", pa.uint32(), 16777215),
    "i": ("INT", "-3", pa.int32(), -3),
    "iz": ("INT ZEROFILL", "3", pa.uint32(), 3),
    "b": ("BIGINT", "-9223372036854775808", pa.int64(), -(2**63)),
    "bu": ("BIGINT UNSIGNED", "18446744073709551615", pa.uint64(), 2**64 - 1),
    "d": ("DECIMAL(10, 2)", "12.5", pa.decimal128(10, 2), D("12.50")),
    "du": ("DECIMAL(10, 2) UNSIGNED", "9.99", pa.decimal128(10, 2), D("9.99")),
    "d0": ("DECIMAL(5, 0)", "-12345", pa.decimal128(5, 0), D("-12345")),
    "dl": ("DECIMAL(65, 30)", "1e34", pa.decimal256(65, 30), D("1e34")),
    "f": ("FLOAT", "16777215", pa.float32(), 16777215.0),
    "db": ("DOUBLE", "0.1", pa.float64(), 0.1),
    "da": ("DATE", "'2020-02-29'", pa.date32(), dt.date(2020, 2, 29)),
    "dt": (
        "DATETIME",
        "'9999-12-31 23:59:59'",
        pa.timestamp("us"),
        dt.datetime(9999, 12, 31, 23, 59, 59),  # noqa: DTZ001
    ),
    "dt6": ("DATETIME(6)", "'2020-01-01 12:00:00.123456'", pa.timestamp("us"), NOON),
    "ts": (
        "TIMESTAMP NULL",
        "FROM_UNIXTIME(0.5 + 0.5)",
        pa.timestamp("us", "UTC"),
        dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
    ),
    "ti": ("TIME", "'-838:59:59'", pa.duration("us"), -dt.timedelta(hours=838, seconds=3599)),
    "ti6": ("TIME(6)", "'00:01:00.000001'", pa.duration("us"), dt.timedelta(0, 60, 1)),
    "y": ("YEAR", "2155", pa.int16(), 2155),
    "b1": ("BIT(1)", "1", pa.bool_(), True),
    "b9": ("BIT(9)", "257", pa.uint64(), 257),
    "c": ("CHAR(3)", "'ab'", pa.string(), "ab"),
    "v": ("VARCHAR(20)", "'ü😀'", pa.string(), "ü😀"),
    "l1": ("VARCHAR(20) CHARACTER SET latin1", "'é'", pa.string(), "é"),
    "bi": ("BINARY(3)", "0x000102", pa.binary(), b"\x00\x01\x02"),
    "bl": ("BLOB", "0xff", pa.binary(), b"\xff"),
    "tx": ("LONGTEXT", "'text'", pa.string(), "text"),
    "j": ("JSON", "'{\"a\": 1}'", pa.string(), '{"a": 1}'),
    "e": ("ENUM('x', 'y')", "'y'", pa.string(), "y"),
    "st": ("SET('p', 'q')", "'p,q'", pa.string(), "p,q"),
    "u": (
        "UUID",
        "'00000000-0000-0000-0000-000000000001'",
        pa.string(),
        "00000000-0000-0000-0000-000000000001",
    ),
    "g": ("GEOMETRY", "ST_GeomFromText('POINT(1 2)')", pa.string(), "POINT(1 2)"),
}  # fmt: skip


@pytest.mark.parametrize("way", ["table", "query", "sorted query", "condition"])
def test_types(server: str, tmp_path: Path, way: str) -> None:
    name = f"types_{way.replace(' ', '_')}"
    columns = ", ".join(f"`{name}` {kind}" for name, (kind, *_) in TYPES.items())
    values = ", ".join(value for _, value, *_ in TYPES.values())
    run(
        server,
        f"CREATE OR REPLACE TABLE {name} (n INT NOT NULL, {columns})",
        # by a client in another zone: an instant is an instant
        "SET time_zone = '+05:00'",
        f"INSERT INTO {name} VALUES (1, {values})",
        f"INSERT INTO {name} (n) VALUES (2)",
    )
    source: Any = {
        "table": table(name),
        "query": query(f"SELECT * FROM {name}"),
        "sorted query": query(f"SELECT * FROM {name} ORDER BY n"),
        "condition": table(name),
    }[way]
    with opened(server, tmp_path) as database:
        relation = database.relation(source)
        statement = sa.select(relation.clause)
        if way == "condition":
            statement = statement.where(relation.clause.c.n < 3).order_by(relation.clause.c.n)
        stream = database.stream(statement)
        assert relation.schema == stream.schema
        found = pa.Table.from_batches(stream.batches, stream.schema)
    for column, (_, _, kind, value) in TYPES.items():
        assert (found.schema.field(column).type, found[column].to_pylist()) == (kind, [value, None])
    assert [(loss.kind, loss.column) for loss in stream.losses] == [("database_type", "g")]


def test_what_expressions_give(server: str, tmp_path: Path) -> None:
    with opened(server, tmp_path) as database:
        found, _ = read(
            database,
            query(
                "SELECT count(*) AS c, sum(id) AS s, avg(id) AS a, 1.5 * 2 AS d, NULL AS n, "
                "now(6) AS t, id = 1 AS b, concat(id, 'x') AS x, 0xff AS h FROM flights"
            ),
        )
    assert [str(kind) for kind in found.schema.types] == [
        "int64", "decimal256(42, 0)", "decimal128(24, 4)", "decimal128(3, 1)", "string",
        "timestamp[us]", "int32", "string", "binary",
    ]  # fmt: skip


def test_no_date_is_no_null(bench: Bench, server: str) -> None:
    """0000-00-00 arrives as it stands, however late it comes, and is reported."""
    run(
        server,
        "SET sql_mode = ''",
        "CREATE OR REPLACE TABLE zeros (d DATE, t DATETIME, ok DATE)",
        "INSERT INTO zeros SELECT '2020-01-01', '2020-01-01', '2020-01-01' FROM seq_1_to_20000",
        "INSERT INTO zeros VALUES ('0000-00-00', '2020-00-15 10:00:00', NULL)",
    )
    document = {"source": {"type": "table", "connection": "db", "table": "zeros"}}
    result = bench.run(document, "out.arrow", connections={"db": server})
    with pa.ipc.open_file(bench.root / "out.arrow") as file:
        found = file.read_all()
    assert found.schema.types == [pa.string(), pa.string(), pa.date32()]
    last = found.slice(20_000).to_pylist()
    assert last == [{"d": "0000-00-00", "t": "2020-00-15 10:00:00", "ok": None}]
    assert {(loss["kind"], loss["column"]) for loss in result.losses} == {
        ("database_type", "d"),
        ("database_type", "t"),
    }


# ------------------------------------------------------------------ what is read


def test_statements(server: str, tmp_path: Path) -> None:
    with opened(server, tmp_path) as database:
        relation = database.relation(query("SELECT * FROM flights ORDER BY id DESC"))
        c = relation.clause.c

        def got(statement: Any) -> list[Any]:
            return list(
                pa.Table.from_batches(database.stream(statement).batches).column(0).to_pylist()
            )

        every = sa.select(relation.clause)
        # MariaDB drops the order of a query inside another one
        assert got(every)[:2] == [25_000, 24_999]
        assert got(sa.select(c.id.label("x")).where(c.name != "row 24999"))[:2] == [25_000, 24_998]
        assert got(sa.select(every.subquery("limited")).limit(2)) == [25_000, 24_999]
        assert got(sa.select(c.name))[0] == "row 25000"
        assert got(sa.select(sa.func.count()).select_from(relation.clause)) == [25_000]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("SELECT 1 AS a;", 1),
        ("SELECT 1 AS a -- the end; or not", 1),
        ("SELECT 1 AS a # the end; or not", 1),
        ("SELECT 'a;\\\\'';' AS a /* ; */ ; -- ;", "a;\\';"),
        ("WITH x AS (SELECT 1 AS a) SELECT a FROM x", 1),
        ("VALUES (1)", 1),
        ("SHOW TABLES LIKE 'fli%'", "flights"),
        ("SELECT '100%' AS a", "100%"),
    ],
)
def test_statements_that_have_rows(server: str, tmp_path: Path, text: str, value: Any) -> None:
    with opened(server, tmp_path) as database:
        assert read(database, query(text))[0].column(0).to_pylist() == [value]


def test_params(server: str, tmp_path: Path) -> None:
    text = "SELECT id FROM flights WHERE id < :most AND name <> :odd AND name LIKE 'row%'"
    with opened(server, tmp_path) as database:
        found, _ = read(database, query(text, most=3, odd="'; DROP TABLE flights; --"))
        assert found["id"].to_pylist() == [1, 2]
        with pytest.raises(InvalidSpec, match="names :most, and the params do not give it"):
            database.relation(query("SELECT :most"))


def test_streams_by_turns_wait_on_disk(server: str, tmp_path: Path) -> None:
    """The driver holds one open result; both come from the one snapshot."""
    with opened(server, tmp_path) as database:
        streams = [
            database.stream(sa.select(database.relation(query(MANY)).clause)) for _ in range(2)
        ]
        first, second = (iter(each.batches) for each in streams)
        seen = [next(first).num_rows, next(second).num_rows, next(first).num_rows]
        assert list((tmp_path / "scratch").iterdir()) != []
        # questions between them are no end of a result either
        assert database.estimate(sa.select(database.relation(table("flights")).clause))
        assert database.tables()
        seen += [batch.num_rows for batch in second] + [batch.num_rows for batch in first]
        assert sum(seen) == 200_000
        for each in streams:
            each.close()
        assert list((tmp_path / "scratch").iterdir()) == []


def test_datasets_of_one_snapshot(bench: Bench, server: str) -> None:
    source = {"type": "sql", "connection": "db", "query": MANY}
    names = ["a", "b", "c"]
    document = {"datasets": [{"name": name, "source": source} for name in names]}
    result = bench.run(document, "out.jsonl", connections={"db": server})
    assert result.rows == 300_000
    assert result.losses == ()


def test_one_snapshot(server: str, tmp_path: Path) -> None:
    run(server, "CREATE OR REPLACE TABLE moving AS SELECT 1 AS i")
    with opened(server, tmp_path) as database:
        assert database.point_in_time
        run(server, "INSERT INTO moving VALUES (2)")
        assert read(database, table("moving"))[0]["i"].to_pylist() == [1]
    with opened(server, tmp_path) as database:
        assert read(database, table("moving"))[0]["i"].to_pylist() == [1, 2]


def test_a_table_without_transactions_is_no_snapshot(server: str, tmp_path: Path) -> None:
    run(server, "CREATE OR REPLACE TABLE old (i INT) ENGINE = MyISAM")
    with opened(server, tmp_path) as database:
        database.relation(table("old"))
        assert not database.point_in_time


NAMES = [
    "select",
    "a.b",
    "a `quoted` one",
    "a b",
    "Ünï",
    "x:y",
    "100%s",
    "50%",
    "a%b :x",
    "?",
    "z" * 63,
]


def test_odd_names(server: str, tmp_path: Path) -> None:
    def quoted(name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    columns = ", ".join(f"{quoted(name)} FLOAT" for name in NAMES)
    run(server, "CREATE OR REPLACE DATABASE `odd.``one`")
    for name in NAMES:
        run(server, f"CREATE TABLE `odd.``one`.{quoted(name)} ({columns})")
    with opened(server, tmp_path) as database:
        for name in NAMES:
            relation = database.relation(table(name, "odd.`one"))
            statement = sa.select(*[relation.clause.c[each] for each in NAMES])
            assert database.stream(statement).schema.names == NAMES
            where = statement.where(relation.clause.c[name] > 1)
            assert list(database.stream(where).batches) == []


def test_estimates_and_tables(server: str, tmp_path: Path) -> None:
    run(
        server,
        "CREATE OR REPLACE TABLE counted (i INT PRIMARY KEY, d DECIMAL(10, 2) UNSIGNED)",
        "INSERT INTO counted SELECT seq, 1 FROM seq_1_to_1000",
        "CREATE OR REPLACE VIEW seen AS SELECT i FROM counted",
        "ANALYZE TABLE counted",
    )
    with opened(server, tmp_path) as database:
        relation = database.relation(table("counted"))
        every = sa.select(relation.clause)
        assert 500 < (database.estimate(every) or 0) < 2000
        assert database.estimate(every.limit(10)) == 10
        assert database.estimate(every.where(relation.clause.c.i == 5)) == 1
        asked = database.relation(query("SELECT i FROM counted WHERE d > :x", x=0))
        assert (database.estimate(sa.select(asked.clause)) or 0) > 0
        assert database.estimate(sa.select(database.relation(query("SHOW TABLES")).clause)) is None
        found = {each["name"]: each for each in database.tables() if each["schema"] == "exported"}
    assert found["counted"]["columns"] == [
        {"name": "i", "type": "int(11)"},
        {"name": "d", "type": "decimal(10,2) unsigned"},
    ]
    assert (found["counted"]["kind"], found["seen"]["kind"]) == ("table", "view")
    assert 500 < found["counted"]["rows"] < 2000
