"""Every type of PostgreSQL, value for value against the database's own text of it."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from jupyter_export.registry import Database

from .conftest import Bench
from .postgres import make_database, opened, query, read

EXTENSIONS = ("hstore", "citext", "ltree", "cube", "seg", "isn", "vector")
PREPARED = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s "fine", {really}');
CREATE TYPE pair AS (a int, "the b" text, n numeric(10, 2));
CREATE TYPE moment AS (at timestamptz, day date, span interval, id uuid, raw bytea);
CREATE TYPE place AS (host inet, n int);
CREATE TYPE shaped AS (x int[], n int);
CREATE TYPE bent AS (a int, gone text, c text);
ALTER TYPE bent DROP ATTRIBUTE gone;
CREATE TYPE span AS RANGE (subtype = float8);
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE DOMAIN price AS numeric(12, 2);
CREATE DOMAIN better_price AS price;
CREATE DOMAIN several AS int[];
CREATE DOMAIN couple AS pair;
CREATE DOMAIN feeling AS mood;
CREATE SCHEMA "Odd one";
CREATE TYPE "Odd one"."My type" AS ENUM ('x y');
CREATE TABLE small (a int, b text);
"""


@pytest.fixture(scope="module")
def url(postgres_url: str) -> str:
    extensions = (f"CREATE EXTENSION {name}" for name in EXTENSIONS)
    return make_database(postgres_url, "typed", *extensions, PREPARED)


@pytest.fixture(params=["adbc", "psycopg"])
def database(
    request: pytest.FixtureRequest, url: str, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    if request.param == "psycopg":
        monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", None)
    with opened(url, bench.surroundings()) as found:
        yield found


US = pa.timestamp("us")
UTC = pa.timestamp("us", "UTC")
TEXT = pa.string()
MOMENT = (
    '("2020-01-01 00:00:00+00",2020-01-01,"1 day",00000000-0000-0000-0000-000000000001,"\\\\x00ff")'
)
MONEY = pa.decimal128(19, 2)

# type -> Arrow's, whether it is reported, values as literals
CASES: list[tuple[str, pa.DataType, str | None, list[str]]] = [
    ("bool", pa.bool_(), None, ["t", "f"]),
    ("int2", pa.int16(), None, ["-32768", "32767", "0"]),
    ("int4", pa.int32(), None, ["-2147483648", "2147483647"]),
    ("int8", pa.int64(), None, ["-9223372036854775808", "9223372036854775807"]),
    ("float4", pa.float32(), None, ["0.1", "NaN", "-Infinity", "3.4028235e38", "-0", "1e-45"]),
    ("float8", pa.float64(), None, ["0.1", "NaN", "Infinity", "1.7976931348623157e308", "5e-324"]),
    ("numeric(10,2)", pa.decimal128(10, 2), None, ["-99999999.99", "0.01", "99999999.99", "0"]),
    ("numeric(3,-2)", pa.decimal128(5, 0), None, ["99900", "-100", "0"]),
    ("numeric(2,4)", pa.decimal128(4, 4), None, ["0.0099", "-0.0001", "0"]),
    ("numeric(38,10)", pa.decimal128(38, 10), None, [f"-{'9' * 28}.{'9' * 10}", "1"]),
    ("numeric(50,10)", pa.decimal256(50, 10), None, [f"{'9' * 40}.{'9' * 10}", "-0.0000000001"]),
    ("numeric(76,0)", pa.decimal256(76, 0), None, ["9" * 76, f"-{'9' * 76}"]),
    ("numeric(90,5)", TEXT, "numeric", ["9" * 85, "1.00001", "NaN"]),
    ("numeric(10,2)", TEXT, "numeric", ["1.50", "NaN"]),
    ("numeric", pa.decimal128(38, 3), None, ["1.5", "-123456789.125", "0", "0.000"]),
    ("numeric", pa.decimal128(38, 0), None, [f"1{'0' * 37}", "-1"]),
    ("numeric", pa.decimal256(76, 20), None, [f"{'9' * 30}.{'1' * 20}", "1"]),
    ("numeric", pa.decimal256(76, 31), None, [f"0.{'0' * 30}1"]),
    ("numeric", TEXT, "numeric", ["9" * 77, "0.5"]),
    ("numeric", TEXT, "numeric", ["1", "NaN", "Infinity", "-Infinity"]),
    ("money", MONEY, None, ["-92233720368547758.08", "92233720368547758.07", "0.01", "1234.50"]),
    ("text", TEXT, None, ["", "ü\t\n\\", "NULL", "\U0001f600"]),
    ("varchar(5)", TEXT, None, ["", "äöüßé"]),
    ("char(5)", TEXT, None, ["a    ", "     "]),
    ("name", TEXT, None, ["a" * 63]),
    ('"char"', TEXT, None, ["c"]),
    ("citext", TEXT, None, ["MiXed"]),
    ("bytea", pa.binary(), None, [r"\x", r"\x00ff5c"]),
    ("date", pa.date32(), None, ["2020-02-29", "0001-01-01", "9999-12-31"]),
    ("date", pa.date32(), None, ["0044-03-15 BC", "4714-11-24 BC", "5874897-12-31"]),
    ("date", TEXT, "date", ["2020-02-29", "infinity", "-infinity"]),
    ("timestamp", US, None, ["2020-01-01 12:00:00.000001", "0044-03-15 00:00:00 BC"]),
    ("timestamp", US, None, ["4714-11-24 00:00:00 BC", "294246-12-31 23:59:59.999999"]),
    ("timestamp", TEXT, "timestamp", ["294276-12-31 23:59:59.999999", "infinity"]),
    ("timestamp", TEXT, "timestamp", ["-infinity"]),
    ("timestamptz", UTC, None, ["2020-01-01 12:00:00+02", "1883-11-18 12:03:58-05"]),
    ("timestamptz", TEXT, "timestamp", ["infinity", "2020-01-01 12:00:00+02"]),
    ("time", pa.time64("us"), None, ["00:00:00", "23:59:59.999999"]),
    ("time", TEXT, "time", ["24:00:00", "12:00:00"]),
    ("timetz", TEXT, "time", ["12:00:00+02", "24:00:00-15:59:59"]),
    ("interval", pa.duration("us"), None, ["1 day", "-04:05:06.789", "-1 days +00:00:00.000001"]),
    ("interval", TEXT, "interval", ["1 year 2 mons 3 days 04:05:06.789", "-1 mons", "00:00:01"]),
    ("interval", TEXT, "interval", ["infinity", "-infinity", "3000000:00:00", "1 day"]),
    ("interval", TEXT, "interval", ["178000000 years"]),
    ("interval", TEXT, "interval", ["2147483647 days", "-2147483648 days"]),
    ("interval", pa.duration("us"), None, ["100000000 days 2000000:00:00", "-100000000 days"]),
    ("uuid", TEXT, None, ["00000000-0000-0000-0000-000000000001"]),
    ("json", TEXT, None, ['{"a":  [1, null]}', "null", '"x"']),
    ("jsonb", TEXT, None, ['{"a": [1, null]}', "1.50"]),
    ("mood", TEXT, None, ["sad", 'it\'s "fine", {really}']),
    ('"Odd one"."My type"', TEXT, None, ["x y"]),
    ("feeling", TEXT, None, ["ok"]),
    ("positive", pa.int32(), None, ["1"]),
    ("price", pa.decimal128(12, 2), None, ["1.50"]),
    ("better_price", pa.decimal128(12, 2), None, ["1.50"]),
    ("bit(3)", TEXT, "bit", ["101", "000"]),
    ("varbit", TEXT, "bit varying", ["", "1", "10101010101"]),
    ("inet", TEXT, "inet", ["10.0.0.1", "10.0.0.0/8", "::1", "fe80::/10"]),
    ("cidr", TEXT, "cidr", ["10.0.0.0/8", "10.0.0.1/32", "::/0"]),
    ("macaddr", TEXT, "macaddr", ["08:00:2b:01:02:03"]),
    ("macaddr8", TEXT, "macaddr8", ["08:00:2b:01:02:03:04:05"]),
    ("point", TEXT, "point", ["(1.5,-2)", "(NaN,Infinity)"]),
    ("line", TEXT, "line", ["{1,2,3}"]),
    ("lseg", TEXT, "lseg", ["[(1,2),(3,4)]"]),
    ("box", TEXT, "box", ["(3,4),(1,2)"]),
    ("path", TEXT, "path", ["((1,2),(3,4))", "[(1,2),(3,4)]"]),
    ("polygon", TEXT, "polygon", ["((1,2),(3,4))"]),
    ("circle", TEXT, "circle", ["<(1,2),3>"]),
    ("tsvector", TEXT, "tsvector", ["'a':1A 'b c':2"]),
    ("tsquery", TEXT, "tsquery", ["'a' & !'b'"]),
    ("pg_lsn", TEXT, "pg_lsn", ["16/B374D848"]),
    ("oid", pa.int64(), None, ["4294967295", "0"]),
    ("xid", pa.int64(), None, ["4294967295", "0"]),
    ("cid", pa.int64(), None, ["4294967295"]),
    ("xid8", TEXT, "xid8", ["18446744073709551615"]),
    ("tid", TEXT, "tid", ["(4294967295,65535)"]),
    ("regclass", TEXT, "regclass", ["pg_class", "small"]),
    ("regtype", TEXT, "regtype", ["integer"]),
    ("regproc", TEXT, "regproc", ["now"]),
    ("txid_snapshot", TEXT, "txid_snapshot", ["10:20:10,14"]),
    ("pg_snapshot", TEXT, "pg_snapshot", ["10:20:10,14"]),
    ("jsonpath", TEXT, "jsonpath", ['$."a"']),
    ("aclitem", TEXT, "aclitem", ["=r/postgres"]),
    ("int2vector", pa.list_(pa.int16()), None, ["1 2", ""]),
    ("oidvector", pa.list_(pa.int64()), None, ["1 4294967295", ""]),
    ("int4range", TEXT, "int4range", ["[1,2)", "empty", "(,)"]),
    ("numrange", TEXT, "numrange", ["[1.5,2.5]"]),
    ("tstzrange", TEXT, "tstzrange", ['["2020-01-01 00:00:00+00",)']),
    ("span", TEXT, "span", ["[1.5,2.5]"]),
    ("int4multirange", TEXT, "int4multirange", ["{[1,2),[5,6)}", "{}"]),
    ("hstore", TEXT, "hstore", ['"a"=>"1", "b"=>NULL']),
    ("ltree", TEXT, "ltree", ["a.b.c"]),
    ("lquery", TEXT, "lquery", ["a.*"]),
    ("cube", TEXT, "cube", ["(1, 2),(3, 4)"]),
    ("seg", TEXT, "seg", ["1 .. 2"]),
    ("isbn13", TEXT, "isbn13", ["978-0-393-04002-9"]),
    ("vector(3)", TEXT, "vector", ["[1,2.5,3]"]),
    ("int4[]", pa.list_(pa.int32()), None, ["{1,NULL,3}", "{}", "{NULL}"]),
    ("int4[]", pa.list_(pa.list_(pa.int32())), None, ["{{1,2},{3,NULL}}", "{}", "{{5}}"]),
    ("date[]", pa.list_(pa.list_(TEXT)), "date", ["{{2020-01-01,infinity}}", "{{NULL}}"]),
    ("numeric[]", pa.list_(pa.list_(TEXT)), "numeric", ["{{1.5},{NaN}}"]),
    ("int4[]", pa.list_(pa.list_(pa.list_(pa.int32()))), None, ["{{{1,2},{3,4}},{{5,6},{7,8}}}"]),
    ("int4[]", TEXT, "integer[]", ["{1,2}", "{{1,2},{3,4}}"]),
    ("int4[]", TEXT, "integer[]", ["[0:1]={1,2}", "{1}"]),
    ("text[]", pa.list_(TEXT), None, ['{a,NULL,"NULL","","a b, {c}\\"\\\\"}']),
    ("bool[]", pa.list_(pa.bool_()), None, ["{t,f,NULL}"]),
    ("float8[]", pa.list_(pa.float64()), None, ["{1.5,-Infinity}"]),
    ("numeric(10,2)[]", pa.list_(pa.decimal128(10, 2)), None, ["{1.50,NULL}"]),
    ("numeric[]", pa.list_(pa.decimal128(38, 1)), None, ["{1.5,2}", "{}"]),
    ("numeric[]", pa.list_(pa.list_(pa.decimal128(38, 1))), None, ["{{1.5,2},{0,NULL}}"]),
    ("numeric[]", pa.list_(TEXT), "numeric", ["{1.5,NaN}"]),
    ("money[]", pa.list_(MONEY), None, ["{$1.50,NULL}"]),
    ("date[]", pa.list_(pa.date32()), None, ["{2020-01-01,NULL}"]),
    ("date[]", pa.list_(TEXT), "date", ["{2020-01-01,infinity}"]),
    ("timestamptz[]", pa.list_(UTC), None, ['{"2020-01-01 00:00:00+00"}']),
    ("interval[]", pa.list_(pa.duration("us")), None, ['{"1 day",NULL,00:00:01}']),
    ("interval[]", pa.list_(TEXT), "interval", ['{"1 mon",NULL,00:00:01}']),
    ("uuid[]", pa.list_(TEXT), None, ["{00000000-0000-0000-0000-000000000001}"]),
    ("inet[]", pa.list_(TEXT), "inet", ["{10.0.0.1,10.0.0.0/8,NULL}"]),
    ("mood[]", pa.list_(TEXT), None, ["{sad,NULL}"]),
    ("jsonb[]", pa.list_(TEXT), None, ['{"{\\"a\\": 1}"}']),
    ("bytea[]", pa.list_(pa.binary()), None, ['{"\\\\x00ff",NULL}']),
    ("oid[]", pa.list_(pa.int64()), None, ["{4294967295}"]),
    ("point[]", pa.list_(TEXT), "point", ['{"(1,2)"}']),
    ("int4range[]", pa.list_(TEXT), "int4range", ['{"[1,2)"}']),
    ("positive[]", pa.list_(pa.int32()), None, ["{1,NULL}"]),
    ("several", pa.list_(pa.int32()), None, ["{1,NULL}"]),
    ("several[]", TEXT, "several[]", ['{"{1,2}"}']),
    (
        "pair",
        pa.struct([("a", pa.int32()), ("the b", TEXT), ("n", pa.decimal128(10, 2))]),
        None,
        ["(1,x,2.50)", '(,"a ""b"", (c)",)', '(1,"",-0.01)'],
    ),
    (
        "couple",
        pa.struct([("a", pa.int32()), ("the b", TEXT), ("n", pa.decimal128(10, 2))]),
        None,
        ["(1,x,2.50)"],
    ),
    (
        "pair[]",
        pa.list_(pa.struct([("a", pa.int32()), ("the b", TEXT), ("n", pa.decimal128(10, 2))])),
        None,
        ['{"(1,x,2.50)",NULL}'],
    ),
    (
        "moment",
        pa.struct(
            [
                ("at", UTC),
                ("day", pa.date32()),
                ("span", pa.duration("us")),
                ("id", TEXT),
                ("raw", pa.binary()),
            ]
        ),
        None,
        [MOMENT],
    ),
    ("pair", TEXT, "pair", ["(1,x,NaN)"]),
    ("place", TEXT, "place", ["(10.0.0.1,1)"]),
    ("shaped", TEXT, "shaped", ['("{{1},{2}}",1)']),
    # the driver counts fields that such a row does not have
    ("bent", TEXT, "bent", ["(1,x)"]),
    ("small", TEXT, "small", ["(1,x)"]),
]


def comparable(value: pa.Scalar) -> Any:
    """Return a value of Arrow's; dates and times as the counts that they are."""
    kind = value.type
    if not value.is_valid:
        return None
    if pa.types.is_list(kind):
        return [comparable(each) for each in value.values]
    if pa.types.is_struct(kind):
        return {name: comparable(value[name]) for name in value}
    if pa.types.is_date(kind):
        return value.cast(pa.int32()).as_py()
    if pa.types.is_temporal(kind):
        return value.cast(pa.int64()).as_py()
    return number(value.as_py()) if pa.types.is_floating(kind) else value.as_py()


def number(value: float) -> Any:
    """Return a float so that NaN equals itself and 0 is not -0."""
    return "NaN" if math.isnan(value) else (value, math.copysign(1, value))


Ask = Callable[[str, str], "str | None"]


@pytest.fixture(scope="module")
def ask(url: str) -> Iterator[Ask]:
    """What the database says of a value, by its own arithmetic and its own output functions."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")

        def asked(expression: str, literal: str) -> str | None:
            query = f"SELECT {expression.replace('%', '%%').replace('{}', '%s')}"
            result = connection.execute(query, [literal]).pgresult
            assert result is not None
            said = result.get_value(0, 0)
            return None if said is None else said.decode()

        yield asked


def expected(text: str | None, kind: pa.DataType, ask: Ask) -> Any:
    """Return what PostgreSQL's own ``text`` of a value stands for."""
    if text is None:
        return None
    if pa.types.is_list(kind):
        elements = json.loads(ask("to_json({}::text[])", text) or "")
        return _elements(elements, kind, ask)
    if pa.types.is_boolean(kind):
        return text == "t"
    if pa.types.is_integer(kind):
        return int(text)
    if pa.types.is_floating(kind):
        return number(pa.array([float(text)], kind)[0].as_py())
    if pa.types.is_decimal(kind):
        return Decimal(text.replace("$", "").replace(",", ""))
    if pa.types.is_date(kind):
        return int(ask("{}::date - date '1970-01-01'", text) or "")
    if pa.types.is_temporal(kind):
        name = {US: "timestamp", UTC: "timestamptz", pa.time64("us"): "time"}.get(kind, "interval")
        return int(Decimal(ask(f"extract(epoch from {{}}::{name}) * 1000000", text) or ""))
    if pa.types.is_binary(kind):
        return bytes.fromhex(text.removeprefix("\\x"))
    return text


def _elements(elements: list[Any], kind: pa.DataType, ask: Ask) -> list[Any]:
    inner = kind.value_type
    if pa.types.is_list(inner):
        return [_elements(each, inner, ask) for each in elements]
    return [expected(each, inner, ask) for each in elements]


def wanted(literal: str, sql_type: str, kind: pa.DataType, ask: Ask) -> Any:
    if pa.types.is_struct(kind):
        return {
            field.name: expected(
                ask(f'(({{}}::{sql_type})."{field.name}")', literal), field.type, ask
            )
            for field in kind
        }
    if sql_type == "pair[]":
        return [wanted("(1,x,2.50)", "pair", kind.value_type, ask), None]
    if sql_type in ("int2vector", "oidvector"):
        return [int(each) for each in literal.split()]
    return expected(ask(f"{{}}::{sql_type}", literal), kind, ask)


@pytest.mark.parametrize(
    ("sql_type", "kind", "lost", "texts"),
    CASES,
    ids=[f"{case[0]}-{case[3][0]}"[:60] for case in CASES],
)
def test_every_type_arrives_right(
    database: Database,
    ask: Ask,
    sql_type: str,
    kind: pa.DataType,
    lost: str | None,
    texts: list[str],
) -> None:
    literals = [*(psycopg.sql.Literal(text).as_string(None) for text in texts), "NULL"]
    rows = " UNION ALL ".join(
        f"SELECT {i} AS i, {literal}::{sql_type} AS x" for i, literal in enumerate(literals)
    )
    # the first row holds a null as well: what comes later tells the type
    table, losses = read(database, query(f"SELECT x FROM ({rows}) AS r ORDER BY i"))
    assert table.schema.field("x").type == kind
    found = [comparable(value) for value in table["x"]]
    assert found == [*(wanted(text, sql_type, kind, ask) for text in texts), None]
    assert table["x"].combine_chunks().validate(full=True) is None
    if lost is None:
        assert losses == ()
    else:
        (loss,) = losses
        assert (loss.kind, loss.column) == ("database_type", "x")
        assert f"PostgreSQL's {lost}" in loss.message
