"""What stands in an expression or a value is never anything else: quotes, comments, backslashes,
placeholders of drivers and the names of columns, in the engine and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from ..pipeline.conftest import Bench
from .test_expressions import compile_, refused

WORDS = [
    "ab", "a\\b", "a'b", 'a"b', "%", "_", "a\\%b", "?", ":x", "%s", "%(x)s", "$1", "{x}", "--",
    "/*", "\\", "\\'", "'; DROP TABLE odd; --", "x' OR 1=1 -- ", "é", "a\nb", "👍", "",
]  # fmt: skip
QUOTED = 'q"u:o?%s`'
ODD = pa.table(
    {
        "id": pa.array(range(len(WORDS)), pa.int64()),
        "word": WORDS,
        QUOTED: pa.array(range(len(WORDS)), pa.int64()),
    }
)


@pytest.fixture(scope="module")
def odd(postgres: sa.Engine) -> Iterator[sa.Engine]:
    types = (sa.BigInteger(), sa.Text(), sa.BigInteger())
    columns = [sa.Column(n, t) for n, t in zip(ODD.column_names, types, strict=True)]
    table = sa.Table("odd", sa.MetaData(), *columns)
    with postgres.begin() as connection:
        table.create(connection)
        keys = [column.key for column in table.c]
        rows = [dict(zip(keys, row.values(), strict=True)) for row in ODD.to_pylist()]
        connection.execute(table.insert(), rows)
    yield postgres
    with postgres.begin() as connection:
        table.drop(connection)


def exported(bench: Bench, odd: sa.Engine, **steps: Any) -> list[dict[str, Any]]:
    """Return the rows, which must be the same of an upload and of a table."""
    url = odd.url.render_as_string(hide_password=False)
    found = []
    for source in (
        {"type": "upload", "id": bench.freeze(ODD)},
        {"type": "table", "connection": "db", "table": "odd"},
    ):
        document = {"source": source, "sort": ["id"], "output": {"if_exists": "replace"}, **steps}
        bench.run(document, "rows.arrow", connections={"db": {"url": url}})
        with pa.ipc.open_file(bench.root / "rows.arrow") as file:
            found.append(file.read_all())
    assert found[0].schema.names == found[1].schema.names
    assert found[0].schema.types == found[1].schema.types
    rows: list[dict[str, Any]] = found[0].to_pylist()
    assert rows == found[1].to_pylist()
    return rows


@pytest.mark.parametrize("number", range(len(WORDS)), ids=map(repr, WORDS))
def test_every_text_is_found_as_it_is(bench: Bench, odd: sa.Engine, number: int) -> None:
    word = WORDS[number]
    literal = "'" + word.replace("'", "''") + "'"
    [row] = exported(bench, odd, where={"column": "word", "op": "=", "value": word})
    assert row["id"] == number
    made = {"name": f"m{word}", "expression": f"word || {literal}"}
    where = f"word = {literal} AND word IN ({literal}, 'x') AND strpos(word, {literal}) = 1 -- so"
    [row] = exported(bench, odd, where=where, computed=[made])
    assert (row["id"], row[made["name"]]) == (number, word * 2)


def test_names_of_columns_are_names(bench: Bench, odd: sa.Engine) -> None:
    name = '"' + QUOTED.replace('"', '""') + '"'
    found = exported(bench, odd, where=f"{name} % 7 = 3 OR data.{name} = 0")
    assert [row[QUOTED] for row in found] == [0, 3, 10, 17]


@pytest.mark.parametrize("expression", ["a.b + 1", '"a.b" + 1', "A.B + 1", 'data."a.b" + 1'])
def test_a_name_with_a_dot(bench: Bench, expression: str) -> None:
    data = pa.table({"id": [1], "a.b": [5]})
    for steps in (
        {
            "computed": [{"name": "made", "expression": expression}],
            "columns": {"include": ["made"]},
        },
        {"group_by": [{"expression": expression, "as": "made"}]},
        {"aggregates": [{"function": "max", "expression": expression, "as": "made"}]},
    ):
        assert bench.rows(data, **steps).to_pylist() == [{"made": 6}]


@pytest.mark.parametrize(
    "expression",
    ["id = 1); DROP TABLE odd; --", "id = 1; SELECT 1", "id = 1;;", "$$a$$", "$x$a$x$", "E'\\''",
     "U&'\\0061'", "N'a'", "`id`", "id = %s", "id = %(a)s", "id = {a}", "{{ id }}",
     "(1, 2) = (1, 2)", "id IN (SELECT 1)", "id IN id", "id IN UNNEST([1])",
     "true UNION SELECT 1", "id LIMIT 1",
     "id ORDER BY id", "id FOR UPDATE", "FROM source",
     "id FROM source", "id INTO x", "true WINDOW w AS ()",
     "'odd'::regclass", "id::oid", "id OPERATOR(pg_catalog.=) 1",
     "word COLLATE \"C\" = 'a'", "word ->> 'a'", "id IS OF (int)", "0x10", "1e3+1", "\\",
     "id = 1\\", "'", '"', "/*", "$$", "current_user", "session_user", "localtime", "DEFAULT"],
)  # fmt: skip
def test_what_is_more_than_an_expression_is_refused(expression: str) -> None:
    refused(expression)


@pytest.mark.parametrize(
    "expression",
    ["id = 1 -- comment", "id = 1 /* ; SELECT 1 */", "-- first\nid = 1", "id = 1;", "(id) = ((1))"],
)
def test_comments_go_no_further(expression: str) -> None:
    assert compile_(expression)[0] == compile_("id = 1")[0]
