"""One table of cases through the engine and through PostgreSQL: the same values, the same types.

The table is frozen as an upload, and loaded into a real database; each document is exported from
both. What the database does of its steps, and what is left to the engine, makes no difference.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pytest
import sqlalchemy as sa

from jupyter_export.errors import InvalidSpec, QueryFailed

from ..pipeline.conftest import Bench

UTC = dt.timezone.utc


def naive(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def utc(text: str) -> dt.datetime:
    return naive(text).replace(tzinfo=UTC)


# the nights in which clocks are set forward and back: Paris on 2020-03-29 and 2020-10-25 at
# 01:00 UTC, New York on 2020-03-08 at 07:00 UTC and 2020-11-01 at 06:00 UTC
_MOMENTS = [
    "2020-03-28T22:59:59.999999", "2020-03-28T23:00:00", "2020-03-29T00:30:00",
    "2020-03-29T01:30:00", "2020-03-29T22:00:00", "2020-10-25T00:15:00", "2020-10-25T01:15:00",
    "2020-10-25T23:00:00", "2020-03-08T06:59:00", "2020-03-08T07:01:00", "2020-11-01T05:30:00",
    "2020-11-01T06:30:00", "2020-11-02T04:59:59", "1969-12-31T23:59:59.5", "2000-01-03T00:00:00",
    "1960-02-29T12:00:00",
]  # fmt: skip
_ROWS = len(_MOMENTS) + 2
_CYCLE: dict[str, tuple[pa.DataType, str, list[Any]]] = {
    "id": (pa.int64(), "bigint", [*range(_ROWS)]),
    "small": (pa.int16(), "smallint", [3, -3, 7, None, 0, -7, 1, 3]),
    "whole": (pa.int32(), "integer", [7, 2, -7, None, 100, -1, 2**31 - 1, 0, 13]),
    "big": (pa.int64(), "bigint", [2**53 + 1, -(2**62), None, 5, 0]),
    "number": (
        pa.float64(), "double precision",
        [1.5, -2.5, None, math.nan, 0.0, math.inf, -math.inf, 2.675, 1e300, -0.5, 1.5],
    ),
    "finite": (pa.float64(), "double precision", [1.5, -2.5, None, 1e15, 0.1, 2.5, 1e-5, 1234.5]),
    "single": (pa.float32(), "real", [0.1, None, -1e30, 2.5, math.nan]),
    "money": (
        pa.decimal128(10, 2), "numeric(10,2)",
        [Decimal("1.25"), Decimal("-2.50"), None, Decimal("0.00"), Decimal("99999999.99"),
         Decimal("2.35"), Decimal("-0.05")],
    ),
    "word": (
        pa.string(), "text",
        ["ab", "AB", "B%", None, "", "Äé ß", "äÉ", "a_c", "line\nbreak", "it's \"x\"", "zz\\", "Z"],
    ),
    "group": (pa.string(), "text", ["x", "y", "X", None, "z", "x", "y"]),
    "flag": (pa.bool_(), "boolean", [True, False, None, True, False]),
    "day": (
        pa.date32(), "date",
        [dt.date(2020, 3, 29), dt.date(2020, 1, 31), None, dt.date(1999, 12, 31),
         dt.date(2020, 2, 29), dt.date(1960, 5, 6), dt.date(2021, 12, 27)],
    ),
    "at": (pa.timestamp("us"), "timestamp", [*map(naive, _MOMENTS), None, naive(_MOMENTS[0])]),
    "moment": (pa.timestamp("us", "UTC"), "timestamptz", [*map(utc, _MOMENTS), None,
                                                          utc(_MOMENTS[0])]),
    "Select": (pa.int64(), "bigint", [1, 2, None, 4]),
}  # fmt: skip
TABLE = pa.table(
    {
        name: pa.array([values[i % len(values)] for i in range(_ROWS)], kind)
        for name, (kind, _, values) in _CYCLE.items()
    }
)
NAME = 'both "ways" at once'


@pytest.fixture(scope="module")
def warehouse(postgres_url: str) -> Iterator[str]:
    """The URL of a database that has the table."""
    plain = postgres_url.replace("+psycopg", "")
    quoted = '"' + NAME.replace('"', '""') + '"'
    columns = ", ".join(f'"{name}" {kind}' for name, (_, kind, _) in _CYCLE.items())
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {quoted}")
        connection.execute(f"CREATE TABLE {quoted} ({columns})")
        with connection.cursor() as cursor:
            marks = ", ".join(["%s"] * len(_CYCLE))
            rows = [list(row.values()) for row in TABLE.to_pylist()]
            cursor.executemany(f"INSERT INTO {quoted} VALUES ({marks})", rows)
    yield str(sa.make_url(postgres_url).render_as_string(hide_password=False))
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f"DROP TABLE {quoted}")


def where(column: str, op: str, value: Any = None) -> dict[str, Any]:
    return {"where": {"column": column, "op": op, "value": value}}


def computed(*expressions: str) -> dict[str, Any]:
    made = [{"name": f"made{i}", "expression": text} for i, text in enumerate(expressions)]
    return {"computed": made, "columns": {"include": ["id", *(each["name"] for each in made)]}}


def aggregates(*columns: str, **more: Any) -> dict[str, Any]:
    """``sum:small`` and the like, over groups."""
    made = []
    for each in columns:
        function, _, column = each.partition(":")
        made.append({"function": function, **({"column": column} if column else {})})
    return {"group_by": ["group"], "aggregates": made, **more}


def bucket(column: str, width: str, zone: str | None = None) -> dict[str, Any]:
    key = {"column": column, "time_bucket": width, **({"time_zone": zone} if zone else {})}
    return {
        "group_by": [key],
        "aggregates": [{"function": "count"}, {"function": "min", "column": "id"}],
    }


BY_ID = {"sort": ["id"]}
CASES: dict[str, dict[str, Any]] = {
    "everything": {},
    # ---------------------------------------------------------------- where
    "= int": where("whole", "=", 7),
    "!= int": where("whole", "!=", 7),
    "< int": where("small", "<", 0),
    "<= int": where("small", "<=", 0),
    "> fraction": where("small", ">", 2.5),
    ">= beyond": where("big", ">=", 2**70),
    "= big": where("big", "=", 2**53 + 1),
    "= nan": where("number", "=", "nan"),
    "> number": where("number", ">", 1.5),
    "< number": where("number", "<", 0),
    ">= infinity": where("number", ">=", "inf"),
    "!= number": where("number", "!=", 1.5),
    "= single": where("single", "=", 0.1),
    "= decimal": where("money", "=", "1.25"),
    "< decimal": where("money", "<", 0.5),
    "> finer decimal": where("money", ">", "2.349"),
    "in": where("whole", "in", [7, 2, 13]),
    "in with null": where("whole", "in", [7, None]),
    "not in": where("whole", "not_in", [7, 2]),
    "not in with null": where("whole", "not_in", [7, None]),
    "in text": where("word", "in", ["ab", "", "it's \"x\""]),
    "in decimals": where("money", "in", [1.25, "2.35", 7]),
    "between": where("number", "between", [-2.5, 1.5]),
    "between days": where("day", "between", ["2020-01-01", "2020-03-29"]),
    "like": where("word", "like", "a%"),
    "like one": where("word", "like", "a_"),
    "like escaped": where("word", "like", "%\\%"),
    "like backslash": where("word", "like", "%\\\\"),
    "ilike": where("word", "ilike", "AB%"),
    "ilike unicode": where("word", "ilike", "ÄÉ%"),
    "contains": where("word", "contains", "%"),
    "contains nothing": where("word", "contains", ""),
    "starts with": where("word", "starts_with", "A"),
    "ends with": where("word", "ends_with", "\\"),
    "regex": where("word", "regex", "^[a-z]+_?c?$"),
    "regex across lines": where("word", "regex", "e.b"),
    "is null": where("word", "is_null"),
    "not null": where("number", "not_null"),
    "= null": where("word", "=", None),
    "!= null": where("word", "!=", None),
    "= text": where("word", "=", "it's \"x\""),
    "> text": where("word", ">", "Z"),
    "<= text": where("word", "<=", "a"),
    "= flag": where("flag", "=", True),
    "!= flag": where("flag", "!=", True),
    "= day": where("day", "=", "2020-02-29"),
    "> day and time": where("day", ">", "2020-03-28T12:00:00"),
    "< at": where("at", "<", "2020-03-29T01:30:00"),
    ">= moment": where("moment", ">=", "2020-10-25T03:15:00+02:00"),
    "= moment": where("moment", "=", "1969-12-31T23:59:59.5Z"),
    "and or not": {
        "where": {
            "or": [
                {"and": [{"column": "small", "op": ">", "value": 0},
                         {"not": {"column": "flag", "op": "=", "value": True}}]},
                {"not": {"column": "word", "op": "like", "value": "%b%"}},
            ]
        }
    },
    "keywords and quotes": where("Select", ">", 1),
    "text condition": {"where": "small > 0 AND (flag OR word IS NULL)"},
    "text condition with nulls": {"where": "NOT (small > 0) OR coalesce(flag, true)"},
    "text condition in": {"where": "\"group\" IN ('x', 'X') AND id BETWEEN 2 AND 12"},
    "case condition": {"where": "CASE WHEN small > 0 THEN flag ELSE whole > 0 END"},
    "null condition": {"where": "null"},
    "time range": {"time_range": {"column": "moment", "start": "2020-03-29T00:30:00Z",
                                  "end": "2020-10-25T01:15:00Z"}},
    "time range of days": {"time_range": {"column": "day", "start": "2020-01-01"}},
    "time range and where": {**where("flag", "=", True),
                             "time_range": {"column": "at", "end": "2020-04-01"}},
    # ---------------------------------------------------------------- computed
    "true division": computed("whole / 2", "big / 7", "money / 3", "finite / 4"),
    "integer division": computed("whole // 2", "whole // -2", "small // 3", "big // 7"),
    "rest": computed("whole % 4", "whole % -4", "small % 3"),
    "sums and products": computed("small + whole", "money * 2", "money + small", "finite - id",
                                  "-small", "big - 1"),
    "text functions": computed("upper(\"group\")", "lower(word)", "length(word)", "word || '!'",
                               "substr(word, 1, 2)", "trim(word)", "replace(word, 'b', 'c')"),
    "number functions": computed("abs(whole)", "round(finite, 1)", "floor(finite)",
                                 "ceil(finite)", "sqrt(abs(small))", "round(money, 1)"),
    "nulls": computed("coalesce(word, 'none')", "nullif(small, 3)", "small IS NULL",
                      "coalesce(small, whole)"),
    "case": computed("CASE WHEN small > 0 THEN 'up' WHEN small < 0 THEN 'down' END",
                     "CASE \"group\" WHEN 'x' THEN 1 ELSE 2 END"),
    "casts": computed("CAST(small AS VARCHAR)", "CAST(finite AS VARCHAR)", "CAST(money AS DOUBLE)",
                      "CAST(flag AS VARCHAR)", "CAST(day AS VARCHAR)", "CAST(at AS VARCHAR)",
                      "CAST(moment AS VARCHAR)"),
    "parts of moments": computed("year(day)", "month(at)", "hour(moment)", "extract(dow FROM day)",
                                 "minute(at)"),
    "moments that are moved": computed("at + INTERVAL 1 month", "moment + INTERVAL 1 hour",
                                       "day + INTERVAL 1 day"),
    "moments in a zone": computed("moment AT TIME ZONE 'Europe/Paris'",
                                  "at AT TIME ZONE 'America/New_York'",
                                  "hour(moment AT TIME ZONE 'America/New_York')"),
    "truncated": computed("date_trunc('month', at)", "date_trunc('hour', moment)"),
    "comparisons": computed("small > 1", "number = number", "word < 'b'", "flag AND small > 0"),
    "one upon another": computed("whole + 1", "made0 * 2", "made1 / 3"),
    "computed at the end": {"columns": {"include": [
        "id", {"name": "twice", "expression": "small * 2"}]}},
    # ---------------------------------------------------------------- groups
    "count": aggregates("count", "count:word", "count_distinct:word", "count_distinct:number"),
    "sum": aggregates("sum:small", "sum:whole", "sum:money", "sum:finite"),
    "avg": aggregates("avg:small", "avg:money", "avg:finite", "avg:number"),
    "min": aggregates("min:small", "min:number", "min:money", "min:word", "min:day", "min:moment",
                      "min:flag", "min:single"),
    "max": aggregates("max:small", "max:number", "max:money", "max:word", "max:at", "max:moment",
                      "max:flag"),
    "median": aggregates("median:small", "median:money", "median:finite"),
    "percentile": {"group_by": ["group"], "aggregates": [
        {"function": "percentile", "column": column, "p": p}
        for column in ("small", "money", "finite") for p in (0, 0.25, 0.9, 1)]},
    "stddev": aggregates("stddev:small", "stddev:finite", "stddev:money"),
    "first by another": {"group_by": ["group"], "aggregates": [
        {"function": "first", "column": "word", "order_by": "id"},
        {"function": "last", "column": "word", "order_by": "id"},
        {"function": "last", "column": "money", "order_by": "moment"},
        {"function": "first", "column": "id", "order_by": "word", "as": "by_word"}]},
    "aggregate of an expression": {"group_by": ["flag"], "aggregates": [
        {"function": "sum", "expression": "small * 2", "as": "twice"},
        {"function": "max", "expression": "length(word)", "as": "longest"}]},
    "one row": {"aggregates": [{"function": "count"}, {"function": "sum", "column": "small"},
                               {"function": "median", "column": "finite"}]},
    "one row of none": {**where("id", "<", 0),
                        "aggregates": [{"function": "count"}, {"function": "max", "column": "at"}]},
    "no groups of none": {**where("id", "<", 0), **aggregates("count")},
    "distinct keys": {"group_by": ["group", "flag"]},
    "groups of numbers": {"group_by": ["number"], "aggregates": [{"function": "count"}]},
    "groups of decimals": {"group_by": ["money"], "aggregates": [{"function": "count"}]},
    "groups of text": {"group_by": ["word"], "aggregates": [{"function": "count"}]},
    "groups of an expression": {"group_by": [{"expression": "length(word)", "as": "size"}],
                                "aggregates": [{"function": "count"}]},
    "groups of what is computed": {
        "computed": [{"name": "sign", "expression": "small > 0"}],
        "group_by": ["sign"], "aggregates": [{"function": "count"}]},
    "groups, sorted and cut": aggregates(
        "count", "sum:small",
        sort=[{"column": "count", "descending": True}], limit=3,
        columns={"rename": {"sum_small": "total"}}),
    "groups, computed with": aggregates(
        "count", "sum:small",
        columns={"include": ["group", {"name": "mean", "expression": "sum_small / count"}]}),
    # ---------------------------------------------------------------- time buckets
    **{
        f"{width} of {column}{' in ' + zone if zone else ''}": bucket(column, width, zone)
        for column in ("at", "moment")
        for width, zone in (
            ("15 minutes", None), ("1 hour", "Europe/Paris"), ("6 hours", "America/New_York"),
            ("1 day", None), ("1 day", "Europe/Paris"), ("1 day", "America/New_York"),
            ("1 week", None), ("2 weeks", "Europe/Paris"), ("1 month", None),
            ("1 month", "America/New_York"), ("3 months", "Europe/Paris"), ("1 year", None),
            ("1 hour", "Asia/Kolkata"),
        )
    },
    "week of day": bucket("day", "1 week"),
    "10 days of day": bucket("day", "10 days"),
    "quarter of day": bucket("day", "3 months"),
    # ---------------------------------------------------------------- pivot
    "pivot of groups": {"group_by": ["group", "flag"],
                        "aggregates": [{"function": "sum", "column": "small"}],
                        "pivot": {"on": "flag", "values": "sum_small"}},
    "pivot of rows": {"pivot": {"index": ["flag"], "on": "group", "values": "money",
                                "function": "max"}},
    "pivot by count": {"pivot": {"index": ["group"], "on": "flag", "values": "id",
                                 "function": "count"}},
    "pivot, then all else": {
        "pivot": {"index": ["group"], "on": "flag", "values": "small", "function": "sum"},
        "columns": {"rename": {"true": "yes"},
                    "computed": [{"name": "both", "expression": '"true" + "false"'}]},
        "sort": [{"column": "true", "descending": True}], "limit": 3},
    "pivot of days": {"pivot": {"index": ["flag"], "on": "day", "values": "moment",
                                "function": "min"}},
    # ---------------------------------------------------------------- distinct, sort, limit
    "distinct": {"columns": {"include": ["group", "flag"]}, "distinct": True},
    "distinct numbers": {"columns": {"include": ["number"]}, "distinct": True},
    "distinct, sorted and cut": {"columns": {"include": ["word"]}, "distinct": True,
                                 "sort": ["word"], "limit": 5},
    **{
        f"sort by {column}{' down' if down else ''}, nulls {nulls}": {
            "sort": [{"column": column, "descending": down, "nulls": nulls}, "id"]}
        for column in ("number", "word", "flag", "money", "single", "moment", "day")
        for down, nulls in ((False, "last"), (True, "last"), (False, "first"))
    },
    "sort by two": {"sort": ["group", {"column": "finite", "descending": True}, "id"]},
    "sort by what is not exported": {"columns": {"include": ["id"]}, "sort": ["word", "id"]},
    "sorted and cut": {"sort": [{"column": "id", "descending": True}], "limit": 4},
    "limit of none": {"limit": 0},
    "renamed": {"columns": {"include": ["word", "id"], "rename": {"id": "word", "word": "Select"},
                            "order": ["id"]}, **BY_ID},
    "excluded": {"columns": {"exclude": ["big", "at"]}, **BY_ID},
    # ---------------------------------------------------------------- samples
    "sample of rows": {"sample": {"rows": 5, "seed": 3}},
    "sample of percent": {"sample": {"percent": 40, "seed": 5}},
    "sample of what is chosen": {**where("small", ">", 0), "sample": {"rows": 3, "seed": 1},
                                 "sort": [{"column": "id", "descending": True}]},
    "sample, then groups": {"sample": {"rows": 12}, **aggregates("count", "sum:id")},
}  # fmt: skip


def exported(bench: Bench, warehouse: str, source: dict[str, Any], case: dict[str, Any]) -> Any:
    document = {"source": source, "output": {"if_exists": "replace"}, **case}
    bench.run(document, "out.arrow", connections={"warehouse": warehouse})
    with pa.ipc.open_file(bench.root / "out.arrow") as file:
        return file.read_all()


def sources(bench: Bench, case: dict[str, Any]) -> list[dict[str, Any]]:
    upload = {"type": "upload", "id": bench.freeze(TABLE)}
    if "sample" in case or "limit" in case:
        # which rows come first is the source's to say
        quoted = NAME.replace('"', '""')
        query = f'SELECT * FROM "{quoted}" ORDER BY id'
        return [upload, {"type": "sql", "connection": "warehouse", "query": query}]
    return [upload, {"type": "table", "connection": "warehouse", "table": NAME}]


def in_order(case: dict[str, Any]) -> bool:
    """Tell whether the document says in which order its rows come."""
    said = ("sort", "group_by", "aggregates", "pivot", "limit", "sample")
    return any(name in case for name in said)


def same(one: Any, two: Any) -> bool:
    if isinstance(one, float) and isinstance(two, float):
        if math.isnan(one) or math.isnan(two):
            return math.isnan(one) and math.isnan(two)
        return math.isclose(one, two, rel_tol=1e-13, abs_tol=1e-300)
    return repr(one) == repr(two)


@pytest.mark.parametrize("name", CASES)
def test_same_either_way(bench: Bench, warehouse: str, name: str) -> None:
    case = CASES[name]
    here, there = (exported(bench, warehouse, each, case) for each in sources(bench, case))
    assert here.schema.names == there.schema.names
    assert [str(kind) for kind in here.schema.types] == [str(kind) for kind in there.schema.types]
    rows = [[list(row.values()) for row in table.to_pylist()] for table in (here, there)]
    if not in_order(case):
        rows = [sorted(each, key=repr) for each in rows]
    assert len(rows[0]) == len(rows[1])
    for ours, theirs in zip(*rows, strict=True):
        assert all(map(same, ours, theirs)), f"engine {ours}\npostgres {theirs}"


FAILING: dict[str, tuple[dict[str, Any], str]] = {
    "division by zero": (computed("whole / (small - 3)"), "division by zero"),
    "integer division by zero": (computed("whole // (small - 3)"), "division by zero"),
    "rest of a division by zero": (computed("whole % (small - 3)"), "division by zero"),
    "a text that is no number": (computed("CAST(word AS INTEGER)"), "ab"),
    "a sum beyond 64 bits": (
        {"aggregates": [{"function": "sum", "expression": "big * 2 + id", "as": "s"},
                        {"function": "sum", "expression": "9223372036854775800 + id", "as": "t"}]},
        "The query failed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILING)
def test_fails_either_way(bench: Bench, warehouse: str, name: str) -> None:
    case, sentence = FAILING[name]
    for source in sources(bench, case):
        with pytest.raises(QueryFailed, match=sentence):
            exported(bench, warehouse, source, case)
    assert bench.left() == []


WRONG: dict[str, dict[str, Any]] = {
    "an unknown column": where("wrod", "=", 1),
    "a text for a number": where("small", "=", "x"),
    "a sum of text": aggregates("sum:word"),
    "a bucket of text": bucket("word", "1 day"),
    "hours of a day": bucket("day", "1 hour"),
    "a zone that is none": bucket("at", "1 day", "Europe/Pari"),
    "a query": computed("(SELECT 1)"),
    "a function that is none": computed("pg_sleep(1)"),
    "a column that is grouped away": aggregates("count", sort=["id"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_is_refused_either_way(bench: Bench, warehouse: str, name: str) -> None:
    said = []
    for source in sources(bench, WRONG[name]):
        with pytest.raises(InvalidSpec) as caught:
            exported(bench, warehouse, source, WRONG[name])
        said.append((caught.value.message, caught.value.hint, caught.value.field))
    assert said[0] == said[1]
    assert bench.left() == []
