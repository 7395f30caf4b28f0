"""Which expressions are read, how columns are named in them, and what is refused."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from jupyter_export.engine.dialect import compiled
from jupyter_export.errors import InvalidSpec
from jupyter_export.transform.statement import select_of

from .both import dataset

SCHEMA = pa.schema(
    [("id", pa.int64()), ("word", pa.string()), ("Word", pa.string()), ("a.b", pa.int64()),
     ('q"uote', pa.int64()), ("order", pa.int64()), ("at", pa.timestamp("us")),
     ("s", pa.struct([("x", pa.struct([("y y", pa.int64())]))])), ("list", pa.list_(pa.int64())),
     ("day", pa.date32()), ("data", pa.struct([("id", pa.int64())])), ("100%", pa.float64()),
     ("raw", pa.binary())]
)  # fmt: skip
SOURCE = sa.table("source", *(sa.column(f"k{i}") for i in range(len(SCHEMA))))


def compile_(expression: str) -> tuple[str, list[Any]]:
    steps = {"computed": [{"name": "made", "expression": expression}],
             "columns": {"include": ["made"]}}  # fmt: skip
    return compiled(select_of(dataset(**steps), SOURCE, SCHEMA, "duckdb"))


def refused(expression: str) -> InvalidSpec:
    with pytest.raises(InvalidSpec) as caught:
        compile_(expression)
    assert "\n" not in str(caught.value)
    assert caught.value.field == "computed[0].expression"
    return caught.value


@pytest.mark.parametrize(
    ("expression", "column"),
    [
        ("id", "k0"), ("ID", "k0"), ('"id"', "k0"), ("data.id", "data"), ("source.id", "k0"),
        ("word", "k1"), ("Word", "k2"), ("WORD", "k1"), ('"a.b"', "k3"), ("a.b", "k3"),
        ('"q""uote"', "k4"), ('"order"', "k5"), ("at", "k6"), ('"100%"', "k11"),
        ('data."a.b"', "k3"), ("Source.ID", None), ("other.id", None),
    ],
)  # fmt: skip
def test_names_of_columns(expression: str, column: str | None) -> None:
    if column is None:
        assert "is not in data" in refused(expression).message
    elif column == "data":
        # table.column comes before column.field
        assert "source.k0" in compile_(expression)[0]
    else:
        assert f"source.{column} " in compile_(expression)[0]


def test_fields_of_structs() -> None:
    for text in ('s.x."y y"', "s['x']['y y']", 'data.s.x."Y Y"', "(s).x['y y']"):
        sql, values = compile_(text)
        assert "struct_extract(struct_extract(source.k7, " in sql
        assert values == ["x", "y y"]
    assert "but no field “z”. Known: x" in str(refused("s.z"))
    assert "asks for a field “x”" in str(refused("id.x"))


def test_every_literal_is_bound() -> None:
    sql, values = compile_("CASE WHEN word = 'it''s; --' THEN 1.50 ELSE 2 + 1e3 END")
    assert "it" not in sql.replace("list", "")
    assert {str(value) for value in values} >= {"it's; --", "1.5", "2.0", "1000.0"}


def test_calculations_keep_their_shape() -> None:
    sql, _ = compile_("(id + 1) // (id - 1) * 2 - -(-id)")
    assert "--" not in sql
    assert "((source.k0 + CAST(? AS BIGINT)) // (source.k0 - CAST(? AS BIGINT)))" in sql


@pytest.mark.parametrize(
    "name",
    ["getenv('HOME')", "read_text('/etc/passwd')", "pg_read_file('x')", "pg_sleep(1)",
     "current_setting('x')", "query_to_xml('select 1', true, true, '')", "nextval('s')",
     "pg_catalog.pg_sleep(1)", "system.main.getenv('x')", "lo_import('x')", "dblink('x', 'y')",
     "random()", "now()", "current_user()", "repeat(word, 1000000000)", "set_config('a','b',true)",
     "getvariable('x')", "error('x')", "struct_extract(s, 'x')", "list_transform(list, x -> x)",
     "version()", "txid_current()", "word.upper()", "query('SELECT 1')"],
)  # fmt: skip
def test_functions_that_are_not_listed_are_named(name: str) -> None:
    error = refused(name)
    called = name.split("(")[0].split(".")[-1]
    assert f"calls “{called}”, which is not among the functions" in error.message
    assert error.hint


def test_the_nearest_function_is_named() -> None:
    assert "Did you mean lower?" in str(refused("lowr(word)"))
    assert "Did you mean date_trunc?" in str(refused("date_trunk('day', at)"))
    assert "gives “round” 3 arguments, and it takes 1 to 2" in str(refused("round(1, 2, 3)"))
    assert "gives “coalesce” no arguments, and it takes 1 or more" in str(refused("coalesce()"))


@pytest.mark.parametrize(
    "expression",
    ["(SELECT 1)", "SELECT 1", "id IN (SELECT 1)", "EXISTS (SELECT 1)", "id = ANY (SELECT 1)",
     "sum(id)", "count(*)", "count(DISTINCT id)", "row_number() OVER ()", "id + max(id)",
     "first(id ORDER BY id)", "lower(DISTINCT word)", "id; DROP TABLE x", "id; id", "*", "data.*",
     "COLUMNS(*)", "$1", "?", ":name", "$name", "@x", "x -> x", "[1, 2]", "{'a': 1}", "list[1]",
     "id AS x", "id, id", "id COLLATE nocase", "INTERVAL id", "CAST(id AS uuid)",
     "CAST(id AS int[])", "id::json", "VALUES (1)", "TABLE x", "1) OR (1 = 1", "/* id",
     "  ", "--", "x'00'", "e'\\n'", "CURRENT_USER", "CURRENT_DATE", "word SIMILAR TO 'a'",
     "word GLOB 'a*'", "id & 1", "id BETWEEN SYMMETRIC 2 AND 1", "PIVOT x ON y", "COPY x TO 'y'",
     "SET x = 1", "ATTACH 'x'", "id::decimal(60, 2)", "DATE '2020-02-30'", "TIMESTAMP 'soon'",
     "extract(fortnight FROM at)", "date_trunc('fortnight', at)", "date_trunc(word, at)",
     "word + 1", "word = 1", "id = 'ten'", "id AND true", "NOT id", "lower(id)", "sqrt(word)",
     "id || ", "year(id)", "at + 1", "at - id", "id LIKE 'a'", "word LIKE word",
     "word LIKE 'a\\'", "word ~ '(?=a)'", "regexp_matches(word, word)", "word BETWEEN 1 AND 2",
     "at BETWEEN 'x' AND 'y'", "CASE WHEN id THEN 1 END", "CASE WHEN true THEN id ELSE word END",
     "coalesce(id, word)", "greatest(id, at)", "id IN ()", "id IN ('x')", "round(100.5, -1)",
     "round(\"100%\", id)", "lpad(word, 100000000, 'x')", "lpad(word, 5, '')",
     "split_part(word, '', 1)", "substr(word, 0)", "strftime(at, '%Q')", "\"100%\" % 2",
     "at AT TIME ZONE 'Mars/Base'", "time_bucket('1 fortnight', at)", "time_bucket('1 day', id)",
     "time_bucket('1 hour', day)", "lower(raw)", "s = s", "list + 1",
     "regexp_replace(word, 'a', '\\1')", "regexp_extract(word, 'a', 1)", "md5(raw)",
     "'a\0b' = word", "to_days('x')", "CAST('ten' AS integer)",
     "CAST('300' AS smallint) + CAST('70000' AS smallint)", "(" * 5000, "-" * 3000 + "1",
     "(" * 300 + "id" + ")" * 300, "id" + " + id" * 3000, "round(" * 40 + "id/3" + ", 2)" * 40],
)  # fmt: skip
def test_what_is_no_expression_is_refused(expression: str) -> None:
    assert len(str(refused(expression))) < 600


def test_long_conditions_of_one_kind_are_fine() -> None:
    sql, values = compile_(" OR ".join(f"id = {i}" for i in range(1500)))
    assert len(values) == 1500
    compile_(f"id IN ({', '.join(map(str, range(3000)))})")
    compile_(" AND ".join(["id > 0"] * 900))
    assert sql.count(" OR ") == 1499
    for name in ("lower", "trim", "coalesce", "md5"):
        compile_(f"{name}(" * 25 + "word" + ")" * 25)
    for text in ("not " * 30 + "id > 1", "-(" * 15 + "id" + ")" * 15, "id" + " + id" * 40):
        compile_(text)
    compile_("CASE WHEN id = 1 THEN 1 ELSE " * 20 + "2" + " END" * 20)
    compile_(" || ".join(["word"] * 300))


def test_a_text_that_must_not_be_read_as_a_condition() -> None:
    for where, why in (("id", "is not a condition"), ("word || 'x'", "is not a condition")):
        with pytest.raises(InvalidSpec, match=why) as caught:
            select_of(dataset(where=where), SOURCE, SCHEMA, "duckdb")
        assert caught.value.field == "where"
