"""What databases do of a dataset's steps; the rest is the engine's, and nothing is done twice."""

from __future__ import annotations

import sqlite3
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from jupyter_export.errors import InvalidSpec
from jupyter_export.registry import Relation
from jupyter_export.spec import Columns
from jupyter_export.transform.push import Pushed, at_most, push

from .both import dataset

SCHEMA = pa.schema(
    [("id", pa.int64()), ("word", pa.string()), ("number", pa.float64()), ("day", pa.date32()),
     ("price", pa.decimal128(10, 2)), ("flag", pa.bool_())]
)  # fmt: skip
TABLE = sa.table(
    "things", sa.column("id", sa.BigInteger()), sa.column("word", sa.Text()),
    sa.column("number", sa.Double()), sa.column("day", sa.Date()),
    sa.column("price", sa.Numeric(10, 2)), sa.column("flag", sa.Boolean()),
)  # fmt: skip


def pushed(dialect: str, **steps: Any) -> Pushed:
    return push(dataset(**steps), Relation(TABLE, SCHEMA), dialect)


def names(found: Pushed) -> list[str]:
    return [str(column.name) for column in found.statement.selected_columns]


def left(found: Pushed) -> set[str]:
    return set(found.rest.model_dump(exclude_defaults=True)) - {"source"}


def sql(found: Pushed) -> str:
    return str(found.statement.compile(dialect=postgresql.dialect()))


EVERYTHING = {
    "where": {"column": "id", "op": ">", "value": 1},
    "time_range": {"column": "day", "start": "2020-01-01"},
    "computed": [{"name": "twice", "expression": "id * 2"}],
    "group_by": ["word"],
    "aggregates": [{"function": "sum", "column": "twice"}],
    "columns": {"rename": {"sum_twice": "total"}, "order": ["sum_twice"]},
    "distinct": True,
    "sort": [{"column": "sum_twice", "descending": True}],
    "limit": 5,
}


@pytest.mark.parametrize("dialect", ["postgresql", "duckdb"])
def test_everything_is_pushed(dialect: str) -> None:
    found = pushed(dialect, **EVERYTHING)
    assert found.rest == dataset()
    assert names(found) == ["total", "word"]
    assert not found.rest_needs_all_rows


def test_no_value_and_no_name_of_a_users_stands_in_the_text() -> None:
    evil = "x'; DROP TABLE things; --"
    found = pushed(
        "postgresql",
        where={"and": [{"column": "word", "op": op, "value": evil}
                       for op in ("=", "!=", "like", "ilike", "contains", "ends_with", "regex")]},
        computed=[{"name": evil, "expression": "concat('x''; DROP --', word)"}],
        columns={"include": ["id", evil]},
    )  # fmt: skip
    text = sql(found)
    assert text.count("DROP") == 1
    assert f'"{evil}"' in text


@pytest.mark.parametrize("dialect", ["postgresql", "duckdb", "sqlite", "mysql", "oracle"])
def test_a_sample_stops_what_follows(dialect: str) -> None:
    steps = {**EVERYTHING, "where": {"column": "id", "op": ">", "value": 1}}
    del steps["time_range"]
    found = pushed(dialect, sample={"rows": 3}, **steps)
    assert left(found) == {
        "sample", "computed", "group_by", "aggregates", "columns", "distinct", "sort", "limit"
    }  # fmt: skip
    assert found.rest.where is None
    assert set(names(found)) == {"id", "word"}
    assert "WHERE" in sql(found)
    assert found.rest_needs_all_rows


@pytest.mark.parametrize("dialect", ["postgresql", "duckdb"])
def test_the_order_of_arrival_is_not_the_databases(dialect: str) -> None:
    one = {"function": "first", "column": "number"}
    found = pushed(dialect, group_by=["word"], aggregates=[one], where="id > 1", limit=3)
    assert left(found) == {"group_by", "aggregates", "limit"}
    assert set(names(found)) == {"word", "number"}
    assert "WHERE" in sql(found)
    found = pushed(dialect, group_by=["word"], aggregates=[{**one, "order_by": "id"}])
    assert left(found) == set()


def test_conditions_are_pushed_one_by_one() -> None:
    can = {"column": "id", "op": ">", "value": 1}
    cannot = {"column": "word", "op": "regex", "value": "a"}
    found = pushed("sqlite", where={"and": [can, cannot]}, columns={"include": ["number"]})
    assert found.rest.where is not None
    assert found.rest.model_dump(by_alias=True)["where"] == {**cannot}
    assert names(found) == ["word", "number"]
    assert found.rest_needs_all_rows
    found = pushed("sqlite", where={"and": [can, cannot, cannot]})
    assert len(found.rest.model_dump(by_alias=True)["where"]["and"]) == 2
    found = pushed("sqlite", where={"or": [can, cannot]}, limit=1)
    assert left(found) == {"where", "limit"}


def test_only_columns_that_are_needed_are_read() -> None:
    found = pushed("oracle", columns={"exclude": ["word", "flag"], "order": ["price"],
                                      "rename": {"word": "w", "id": "key"}},
                   sort=["word"])  # fmt: skip
    assert names(found) == ["id", "word", "number", "day", "price"]
    assert found.rest.columns == Columns(exclude=["word"], order=["price"],
                                         rename={"id": "key", "word": "w"})  # fmt: skip
    found = pushed("oracle", computed=[{"name": "x", "expression": "lower(word) || data.flag"}],
                   columns={"include": ["x"]})  # fmt: skip
    assert names(found) == ["word", "flag"]
    computed = [{"name": "y", "expression": "number + 1"}]
    found = pushed("oracle", columns={"include": ["id"], "computed": computed})
    assert names(found) == ["id", "number"]
    found = pushed("oracle", where="lower(word) = 'a'", aggregates=[{"function": "count"}])
    assert names(found) == ["word"]
    found = pushed("oracle", aggregates=[{"function": "count"}])
    assert names(found) == ["flag"]


def test_a_pivot_is_grouped_there_and_spread_here() -> None:
    pivot = {"index": ["day"], "on": "word", "values": "number", "function": "avg"}
    steps: Any = {"where": "id > 1", "sort": ["day"], "limit": 3, "pivot": pivot}
    found = pushed("postgresql", **steps)
    assert names(found) == ["day", "word", "number"]
    assert found.rest.pivot is not None
    assert found.rest.pivot.function is None
    assert left(found) == {"pivot", "sort", "limit"}
    assert "GROUP BY" in sql(found)
    for function in (None, "count", "first"):
        steps["pivot"]["function"] = function
        found = pushed("postgresql", **steps)
        assert set(names(found)) == {"word", "number", "day"}
        assert found.rest.pivot == dataset(**steps).pivot
        assert "GROUP BY" not in sql(found)


def test_a_name_that_is_too_long_is_given_later() -> None:
    long = "ü" * 40
    found = pushed("postgresql", columns={"include": ["id"], "rename": {"id": long}}, limit=2)
    assert names(found) == ["c0"]
    assert found.rest.columns.rename == {"c0": long}
    assert left(found) == {"columns"}
    found = pushed("postgresql", columns={"include": ["id", "word"],
                                          "rename": {"id": "a", "word": "A"}})  # fmt: skip
    assert found.rest.columns.rename == {"c0": "a", "c1": "A"}
    found = pushed("postgresql", computed=[{"name": long, "expression": "id"}], sample={"rows": 1})
    assert [each.name for each in found.rest.computed] == [long]


def test_bad_input_is_told_before_anything_is_read() -> None:
    for dialect in ("postgresql", "sqlite", "oracle"):
        with pytest.raises(InvalidSpec, match="Did you mean word"):
            pushed(dialect, sample={"rows": 1}, sort=["wrod"])
        with pytest.raises(InvalidSpec, match="a sum needs numbers"):
            pushed(dialect, sample={"rows": 1}, aggregates=[{"function": "sum", "column": "word"}])
        with pytest.raises(InvalidSpec, match="getenv"):
            pushed(dialect, where="getenv('HOME') = 'x'")


def test_at_most() -> None:
    for steps, expected in (
        ({}, 20),
        ({"limit": 5}, 5),
        ({"limit": 500}, 20),
        ({"sort": ["id"], "limit": 2**62}, 20),
        ({"distinct": True, "sort": ["word"]}, 20),
    ):
        statement = at_most(pushed("postgresql", **steps).statement, 20)
        text = str(statement.compile(dialect=postgresql.dialect(),
                                     compile_kwargs={"literal_binds": True}))  # fmt: skip
        assert text.rstrip().endswith(f"LIMIT {expected}")
        assert text.count("LIMIT") == 1
        if "sort" in steps:
            assert text.index("ORDER BY") > text.index("FROM")


# ------------------------------------------------------------------ a real SQLite

ROWS = [(1, "b", 1.5), (2, "B", None), (3, None, -2.5), (4, "a", 0.0), (5, "ä", 1e300),
        (6, "b ", 2), (None, "a", 3)]  # fmt: skip


@pytest.fixture
def lite(tmp_path: Any) -> Any:
    path = tmp_path / "s.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE things (id INTEGER, word TEXT COLLATE NOCASE, number REAL)")
    connection.executemany("INSERT INTO things VALUES (?, ?, ?)", ROWS)
    connection.commit()
    connection.close()
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def test_sqlite(lite: sa.Connection) -> None:
    table = sa.table(
        "things", sa.column("id", sa.BigInteger()), sa.column("word", sa.Text()),
        sa.column("number", sa.Double()),
    )  # fmt: skip

    def run(**steps: Any) -> list[Any]:
        schema = pa.schema([SCHEMA.field(i) for i in range(3)])
        found = push(dataset(**steps), Relation(table, schema), "sqlite")
        assert left(found) == set()
        return [row if len(row) > 1 else row[0] for row in lite.execute(found.statement)]

    only = {"columns": {"include": ["id"]}}

    def where(op: str, value: Any, column: str = "word") -> list[Any]:
        found = run(where={"column": column, "op": op, "value": value}, sort=["id"], **only)
        return found

    assert where("=", "b") == [1]
    assert where("!=", "b") == [2, 4, 5, 6, None]
    assert where("<", "a") == [2]
    assert where("in", ["B", "ä"]) == [2, 5]
    assert where("not_in", ["B", "ä"]) == [1, 4, 6, None]
    assert where("contains", "b") == [1, 6]
    assert where("starts_with", "b") == [1, 6]
    assert where("ends_with", "b") == [1]
    assert where("ends_with", "") == [1, 2, 4, 5, 6, None]
    assert where("between", [2, 4], "id") == [2, 3, 4]
    assert where(">", 1, "number") == [1, 5, 6, None]
    assert where("is_null", None) == [3]
    assert run(sort=["word", {"column": "id", "nulls": "first"}], **only) == [
        2,
        None,
        4,
        1,
        6,
        5,
        3,
    ]
    assert run(sort=[{"column": "id", "descending": True}], limit=2, **only) == [6, 5]
    assert run(group_by=["word"], aggregates=[{"function": "count"}]) == [
        ("B", 1), ("a", 2), ("b", 1), ("b ", 1), ("ä", 1), (None, 1)
    ]  # fmt: skip
    assert run(columns={"include": ["word"]}, distinct=True, sort=["word"]) == [
        "B", "a", "b", "b ", "ä", None
    ]  # fmt: skip
    functions = ("count", "count_distinct", "min", "max")
    aggregates = [{"function": f, "column": "word"} for f in functions]
    assert run(aggregates=[*aggregates, {"function": "sum", "column": "id"}]) == [
        (6, 5, "B", "ä", 21)
    ]


@pytest.mark.parametrize(
    "steps",
    [
        {"where": {"column": "word", "op": "like", "value": "a"}},
        {"where": {"column": "day", "op": ">", "value": "2020-01-01"}},
        {"where": {"column": "price", "op": ">", "value": 1}},
        {"where": {"column": "flag", "op": "=", "value": True}},
        {"computed": [{"name": "x", "expression": "number / 2"}]},
        {"aggregates": [{"function": "avg", "column": "id"}]},
        {"group_by": [{"column": "day", "time_bucket": "1 day"}]},
        {"group_by": ["day"]},
    ],
)
def test_what_sqlite_does_in_its_own_way_is_left(steps: Any) -> None:
    assert left(pushed("sqlite", **steps)) == set(steps)


# ------------------------------------------------------------------ PostgreSQL's own types


def test_types_that_arrive_as_text(postgres: sa.Engine) -> None:
    with postgres.connect() as connection:
        connection.execute(sa.text("CREATE TYPE pg_temp.mood AS ENUM ('sad', 'ok', 'happy')"))
        connection.exec_driver_sql(
            "CREATE TEMP TABLE odd (u uuid, i inet, j jsonb, k json, m pg_temp.mood, n numeric,"
            " v varchar(10), c char(4)); INSERT INTO odd VALUES"
            " ('00000000-0000-0000-0000-00000000000a', '10.0.0.1', '{\"a\": 1}', '{\"b\":2}',"
            " 'sad', 1.5, 'Abc', 'x'), (NULL, '10.0.0.2/24', '[]', '[]', 'ok', 'NaN', '', 'y')"
        )
        table = sa.Table("odd", sa.MetaData(), autoload_with=connection)
        schema = pa.schema([(c.name, pa.string()) for c in table.c])

        def count(where: Any) -> int:
            found = push(
                dataset(where=where, aggregates=[{"function": "count"}]),
                Relation(table, schema), "postgresql",
            )  # fmt: skip
            assert left(found) == set()
            return int(connection.execute(found.statement).scalar_one())

        def one(column: str, op: str, value: Any) -> int:
            return count({"column": column, "op": op, "value": value})

        assert one("u", "=", "00000000-0000-0000-0000-00000000000A") == 1
        assert one("u", "in", ["00000000-0000-0000-0000-00000000000A"]) == 1
        assert one("u", "like", "%000a") == 1
        assert one("i", "=", "10.0.0.1/32") == 1
        assert one("i", "<", "10.0.0.9") == 2
        assert one("i", "contains", "/24") == 1
        # jsonb has a text of its own, with blanks
        assert [one("j", "=", '{"a":1}'), one("j", "=", '{"a": 1}')] == [0, 1]
        assert one("k", "=", '{"b":2}') == 1
        assert one("m", "=", "ok") == 1
        assert one("m", "starts_with", "s") == 1
        assert one("n", ">", 1) == 2
        assert one("v", ">", "A") == 1
        assert one("v", "ilike", "aB_") == 1
        assert count("m = 'ok' and lower(m) = 'ok'") == 1
        assert count("u is null") == 1
        for column in schema.names:
            for steps in (
                {"group_by": [column], "aggregates": [{"function": "count"}]},
                {"columns": {"include": [column]}, "distinct": True, "sort": [column]},
                {"aggregates": [{"function": f, "column": column, "as": f}
                                for f in ("min", "max", "count_distinct")]},
                {"aggregates": [{"function": "last", "column": column, "order_by": "v"}]},
            ):  # fmt: skip
                found = push(dataset(**steps), Relation(table, schema), "postgresql")
                assert connection.execute(found.statement).all()
        connection.rollback()


# ------------------------------------------------------------------ a real MariaDB


def test_mariadb(mariadb_url: str) -> None:
    engine = sa.create_engine(mariadb_url.replace("mysql:", "mysql+pymysql:", 1))
    table = sa.table(
        "things", sa.column("id", sa.BigInteger()), sa.column("word", sa.Text()),
        sa.column("number", sa.Double()), sa.column("day", sa.Date()),
        sa.column("price", sa.Numeric(10, 2)),
    )  # fmt: skip
    schema = pa.schema([SCHEMA.field(i) for i in range(5)])
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "CREATE TEMPORARY TABLE things (id BIGINT, word VARCHAR(20) CHARACTER SET latin1,"
            " number DOUBLE, day DATE, price DECIMAL(10, 2))"
        )
        for number, (id_, word, value) in enumerate(ROWS):
            connection.exec_driver_sql(
                "INSERT INTO things VALUES (%s, %s, %s, %s, %s)",
                (id_, word, value, f"2020-01-{number + 1:02}", number / 4),
            )

        def run(**steps: Any) -> list[Any]:
            found = push(dataset(**steps), Relation(table, schema), "mysql")
            assert left(found) == set()
            return [r if len(r) > 1 else r[0] for r in connection.execute(found.statement)]

        only = {"columns": {"include": ["id"]}}

        def where(op: str, value: Any, column: str = "word") -> list[Any]:
            return run(where={"column": column, "op": op, "value": value}, sort=["id"], **only)

        assert where("=", "b") == [1]
        assert where("!=", "b") == [2, 4, 5, 6, None]
        assert where("<", "a") == [2]
        assert where("in", ["B", "ä", "語"]) == [2, 5]
        assert where("not_in", ["B", "ä"]) == [1, 4, 6, None]
        assert where("contains", "b") == [1, 6]
        assert where("contains", "ä") == [5]
        assert where("starts_with", "b") == [1, 6]
        assert where("ends_with", "b") == [1]
        assert where("ends_with", "") == [1, 2, 4, 5, 6, None]
        assert where(">", 1, "number") == [1, 5, 6, None]
        assert where(">=", "2020-01-06", "day") == [6, None]
        assert where("=", 0.75, "price") == [4]
        assert run(sort=["word", {"column": "id", "nulls": "first"}], **only) == [
            2, None, 4, 1, 6, 5, 3
        ]  # fmt: skip
        found = run(group_by=["day"], aggregates=[{"function": "count", "column": "id"}], limit=2)
        assert [row[1] for row in found] == [1, 1]
        aggregates = [
            *({"function": f, "column": "price", "as": f} for f in ("min", "max")),
            {"function": "count_distinct", "column": "word"},
        ]
        [(least, most, words)] = run(aggregates=aggregates)
        assert (str(least), str(most), words) == ("0.00", "1.50", 5)
    engine.dispose()
    for steps in (
        {"group_by": ["word"]},
        {"aggregates": [{"function": "sum", "column": "id"}]},
        {"where": {"column": "word", "op": "ilike", "value": "a"}},
    ):
        assert left(pushed("mariadb", **steps)) == set(steps)
