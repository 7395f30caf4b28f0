"""Conditions, groups, columns, order: the same rows from the engine and from PostgreSQL."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import sqlalchemy as sa

from jupyter_export.errors import InvalidSpec

from .both import Both
from .rows import TABLE

NAN = float("nan")


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ({"column": "number", "op": "=", "value": "NaN"}, [3]),
        ({"column": "number", "op": ">", "value": 2}, [3, 5, 6]),
        ({"column": "number", "op": "in", "value": [1.5, "nan"]}, [0, 3]),
        ({"column": "number", "op": "!=", "value": 1.5}, [1, 3, 4, 5, 6, 7]),
        ({"column": "small", "op": "in", "value": [3, None]}, [0]),
        ({"column": "small", "op": "not_in", "value": [3, None]}, []),
        ({"column": "small", "op": "not_in", "value": [3]}, [1, 2, 4, 5, 6, 7]),
        ({"column": "small", "op": "between", "value": [0, 2]}, [4, 6, 7]),
        ({"column": "small", "op": ">", "value": 2.5}, [0, 2]),
        ({"column": "small", "op": "<", "value": 10**50}, [0, 1, 2, 4, 5, 6, 7]),
        ({"column": "id", "op": "=", "value": 2**70}, []),
        ({"column": "money", "op": "=", "value": 1.25}, [0]),
        ({"column": "money", "op": ">=", "value": "2.35"}, [4, 5, 7]),
        ({"column": "money", "op": ">", "value": 2.3499999999}, [4, 5, 7]),
        ({"column": "word", "op": "<", "value": "a"}, [1, 3, 4]),
        ({"column": "word", "op": "between", "value": ["A", "ac"]}, [0, 1, 5, 7]),
        ({"column": "word", "op": "like", "value": "a\\_%"}, [5]),
        ({"column": "word", "op": "like", "value": "%e_b%"}, [6]),
        ({"column": "word", "op": "ilike", "value": "%B"}, [0]),
        ({"column": "word", "op": "ilike", "value": "%ÄÉ%"}, [4]),
        ({"column": "word", "op": "contains", "value": "%"}, [1]),
        ({"column": "word", "op": "starts_with", "value": "ab"}, [0, 7]),
        ({"column": "word", "op": "ends_with", "value": "e"}, [5]),
        ({"column": "word", "op": "regex", "value": "^[a-z]{2}$"}, [0]),
        ({"column": "word", "op": "regex", "value": "e.b"}, [6]),
        ({"column": "word", "op": "=", "value": "x' OR 1=1 --"}, []),
        ({"column": "id", "op": "contains", "value": "7"}, [7]),
        ({"column": "money", "op": "like", "value": "%.5_"}, [1]),
        ({"column": "finite", "op": "ends_with", "value": ".5"}, [0, 1, 5]),
        ({"column": "moment", "op": "starts_with", "value": "2020-03-29 0"}, [0, 4]),
        ({"column": "flag", "op": "=", "value": True}, [0, 3, 6]),
        ({"column": "flag", "op": "!=", "value": "true"}, [1, 4, 7]),
        ({"column": "flag", "op": "in", "value": [True, False]}, [0, 1, 3, 4, 6, 7]),
        ({"column": "day", "op": "<", "value": "2000-01-03"}, [3, 6]),
        ({"column": "day", "op": ">=", "value": "2020-03-29T00:00:01"}, [7]),
        ({"column": "at", "op": "=", "value": "2020-10-25T02:30:00.123456"}, [1]),
        ({"column": "at", "op": "<", "value": "1999-12-31"}, [6]),
        ({"column": "at", "op": "=", "value": "2020-03-29T04:30:00+02:00"}, [0]),
        ({"column": "moment", "op": "=", "value": "2020-10-25T01:30:00Z"}, [3]),
        ({"column": "moment", "op": "=", "value": "2020-10-25T02:30:00+01:00"}, [3]),
        ({"column": "moment", "op": "=", "value": "2020-10-25 01:30"}, [3]),
        ({"column": "hour", "op": ">=", "value": "12:30"}, [3, 4]),
        ({"column": "number", "op": "=", "value": None}, [2]),
        ({"column": "number", "op": "!=", "value": None}, [0, 1, 3, 4, 5, 6, 7]),
        ({"not": {"column": "number", "op": ">", "value": 2}}, [0, 1, 4, 7]),
        ({"column": 'od.d "n', "op": "=", "value": "x"}, [0, 4, 7]),
        ('data."od.d ""n" = \'x\'', [0, 4, 7]),
        ("null", []),
        ("true", [0, 1, 2, 3, 4, 5, 6, 7]),
    ],
)  # fmt: skip
def test_conditions(both: Both, where: Any, ids: list[int]) -> None:
    found = both.rows(where=where, columns={"include": ["id"]}, sort=["id"])
    assert [row[0] for row in found] == ids


@pytest.mark.parametrize(
    ("stretch", "ids"),
    [
        ({"column": "day", "start": "2020-01-31", "end": "2020-03-29"}, [1, 4]),
        ({"column": "day", "start": "2020-01-31T00:00:00Z", "end": "2020-03-29T00:00:01Z"},
         [0, 1, 4]),
        ({"column": "moment", "start": "2020-10-25T00:30:00.123456Z"}, [1, 3, 7]),
        ({"column": "moment", "end": "1999-12-31"}, [6]),
        ({"column": "at", "start": "2020-03-29T02:30:00Z"}, [0, 1, 7]),
    ],
)  # fmt: skip
def test_a_time_range_has_its_start_and_not_its_end(
    both: Both, stretch: Any, ids: list[int]
) -> None:
    found = both.rows(time_range=stretch, columns={"include": ["id"]}, sort=["id"])
    assert [row[0] for row in found] == ids


@pytest.mark.parametrize("column", TABLE.column_names)
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("nulls", ["first", "last"])
def test_every_type_sorts_alike(both: Both, column: str, descending: bool, nulls: str) -> None:
    order = {"column": column, "descending": descending, "nulls": nulls}
    found = both.rows(sort=[order, "id"])
    values = [row[TABLE.column_names.index(column)] for row in found]
    if None in values:
        assert [values[0], values[-1]][nulls == "last"] is None
    if column == "number":
        known = [v for v in values if v is not None]
        assert str(known[0 if descending else -1]) == "nan"


@pytest.mark.parametrize("function", ["count", "count_distinct", "min", "max"])
@pytest.mark.parametrize("column", TABLE.column_names)
def test_aggregates_of_every_type(both: Both, function: str, column: str) -> None:
    one = {"function": function, "column": column}
    both.rows(aggregates=[one])
    both.rows(group_by=["flag"], aggregates=[one])


@pytest.mark.parametrize("function", ["sum", "avg", "median", "stddev"])
@pytest.mark.parametrize("column", ["id", "small", "number", "finite", "money"])
def test_aggregates_of_numbers(both: Both, function: str, column: str) -> None:
    one = {"function": function, "column": column}
    [(found,)] = both.rows(aggregates=[one])
    exact = {"id": int, "small": int, "money": Decimal}
    assert isinstance(found, exact.get(column, float) if function == "sum" else float)
    both.rows(group_by=["flag"], aggregates=[one])
    both.rows(where="false", aggregates=[one])


@pytest.mark.parametrize("p", [0, 0.05, 0.5, 0.95, 1])
@pytest.mark.parametrize("column", ["id", "small", "finite", "money"])
def test_percentiles_interpolate(both: Both, column: str, p: float) -> None:
    both.rows(group_by=["flag"], aggregates=[{"function": "percentile", "column": column, "p": p}])


def test_a_percentile_between_two_rows(both: Both) -> None:
    one = {"function": "percentile", "column": "id", "p": 0.9, "as": "p"}
    [(found,)] = both.rows(aggregates=[one])
    assert found == pytest.approx(6.3)


@pytest.mark.parametrize("column", TABLE.column_names)
def test_first_and_last_by_another_column(both: Both, column: str) -> None:
    aggregates = [
        {"function": function, "column": column, "order_by": "at", "as": function}
        for function in ("first", "last")
    ]
    index = TABLE.column_names.index(column)
    rows = [tuple(row.values()) for row in TABLE.to_pylist()]
    [found] = both.rows(aggregates=aggregates)
    assert str(found) == str((rows[6][index], rows[7][index]))
    both.rows(group_by=["flag"], aggregates=aggregates)


def test_first_and_last_in_the_order_of_arrival(both: Both) -> None:
    aggregates = [
        {"function": "first", "column": "word"}, {"function": "last", "column": "number"},
    ]  # fmt: skip
    found = both.in_engine(where="id between 2 and 6", group_by=["flag"], aggregates=aggregates)
    assert str(found) == str(
        [(False, " Äé ß ", 0.0), (True, "", 2.675), (None, None, float("inf"))]
    )


def test_sums_beyond_64_bits_fail(both: Both, postgres: sa.Engine) -> None:
    big = [{"function": "sum", "expression": "id * 0 + 1152921504606846975", "as": "x"}]
    both.rows(aggregates=big)
    wide = [{"function": "sum", "expression": "9223372036854775807", "as": "x"}]
    with pytest.raises(Exception, match="out of range"):
        both.in_engine(aggregates=wide)
    with pytest.raises(sa.exc.DataError, match="out of range"):
        both.in_postgres(aggregates=wide)


@pytest.mark.parametrize(
    "expression",
    ["id / (id - 3)", "id // (id - 3)", "id % (id - 3)", "money / (id - 3)", "1 / 0", "7 // 0",
     "money % (money * 0)", "finite / 0", "id + 9223372036854775807", "id * 9223372036854775807",
     "-9223372036854775807 - id", "cast(id * 100000 as smallint)", "cast(word as integer)",
     "cast(word as date)", "cast(id || '.5' as integer)", "cast(word as boolean)",
     "sqrt(-id)", "ln(id - 3)", "log10(-id)", "power(0, -id)", "power(-2, id / 2)",
     "exp(id * 1000)", "acos(id)", "asin(2 + id)", "cast(money as decimal(4, 2))",
     "make_date(2020, 13, id)", "make_date(2020, 2, 28 + id)", "cast('2020-02-3' || id as date)",
     "cast(word as timestamptz)", "power(10, 100 * id)"],
)  # fmt: skip
def test_what_fails_in_both(both: Both, expression: str) -> None:
    steps = {"computed": [{"name": "made", "expression": expression}]}
    with pytest.raises(duckdb.Error):
        both.in_engine(**steps)
    with pytest.raises(sa.exc.DBAPIError):
        both.in_postgres(**steps)


def test_what_is_not_reached_does_not_fail(both: Both) -> None:
    assert both.column("case when id = 3 then 0 else 1 / (id - 3) end")[3] == 0.0
    assert both.column("case when small = 0 then null else id // small end")[4] is None
    assert both.column("null / 0") == [None] * 8
    assert both.column("(null / small) is null") == [True] * 8


# ------------------------------------------------------------------ groups


def test_groups_come_in_the_order_of_their_keys(both: Both) -> None:
    found = both.rows(
        group_by=["flag", {"expression": "left(word, 1)", "as": "letter"}],
        aggregates=[{"function": "count"}, {"function": "sum", "column": "money"}],
    )
    assert [row[:3] for row in found] == [
        (False, " ", 1), (False, "B", 1), (False, "a", 1), (True, "", 1), (True, "a", 1),
        (True, "l", 1), (None, "a", 1), (None, None, 1),
    ]  # fmt: skip


def test_groups_without_aggregates_and_aggregates_without_groups(both: Both) -> None:
    assert both.rows(group_by=["flag"]) == [(False,), (True,), (None,)]
    assert both.rows(aggregates=[{"function": "count"}]) == [(8,)]
    assert both.rows(where="false", aggregates=[{"function": "count"}]) == [(0,)]
    assert both.rows(where="false", group_by=["flag"], aggregates=[{"function": "count"}]) == []


# ------------------------------------------------------------------ columns, distinct, order


def test_columns_of_what_was_made(both: Both) -> None:
    found = both.rows(
        computed=[{"name": "twice", "expression": "id * 2"},
                  {"name": "more", "expression": "twice + 1"}],
        group_by=["flag"],
        aggregates=[{"function": "max", "column": "more"}, {"function": "count"}],
        columns={
            "include": ["max_more", {"name": "share", "expression": "max_more / count"}],
            "rename": {"max_more": "share", "share": "max_more"},
        },
        sort=[{"column": "share", "descending": True}],
        limit=2,
    )  # fmt: skip
    assert [row[0] for row in found] == [11, 15]
    assert found[0][1] == 5.5


def test_distinct_rows(both: Both) -> None:
    found = both.rows(columns={"include": ["flag"], "rename": {"flag": "x"}}, distinct=True,
                      sort=[{"column": "flag", "nulls": "first"}])  # fmt: skip
    assert found == [(None,), (False,), (True,)]
    odd = 'od.d "n'
    found = both.rows(columns={"include": [odd]}, distinct=True, sort=[odd], limit=2)
    assert found == [("x",), ("y",)]


def test_a_sort_by_what_is_not_exported(both: Both) -> None:
    found = both.rows(
        columns={"include": ["id"]}, sort=[{"column": "word", "descending": True}], limit=3
    )
    assert [row[0] for row in found] == [6, 7, 0]


def test_the_rows_that_a_pivot_spreads(both: Both) -> None:
    steps = {
        "where": "small is not null",
        "pivot": {"index": ["flag"], "on": 'od.d "n', "values": "money"},
    }
    found = both.in_engine(**steps)
    assert found[0] == (False, "x", Decimal("99999999.99"), 2)
    steps["pivot"]["function"] = "sum"
    found = both.in_engine(**steps)
    assert found[0] == (False, "x", Decimal("100000009.99"))


# ------------------------------------------------------------------ sentences


@pytest.mark.parametrize(
    ("steps", "field", "sentence"),
    [
        ({"where": {"column": "ide", "op": "=", "value": 1}}, "where",
         "Column “ide” is not in data. Did you mean id?"),
        ({"time_range": {"column": "mmoment", "start": "2020-01-01"}}, "time_range.column",
         "Did you mean moment?"),
        ({"time_range": {"column": "id", "start": "2020-01-01"}}, "time_range.column",
         "Column “id” holds whole numbers; a time range needs dates or timestamps."),
        ({"time_range": {"column": "at", "start": "soon"}}, "time_range.start",
         "Column “at” holds timestamps without a zone, and “soon” is none of them."),
        ({"time_range": {"column": "at", "end": "2020-02-30"}}, "time_range.end",
         "There is no such day"),
        ({"group_by": ["flag", "wrd"]}, "group_by[1].column", "Did you mean word?"),
        ({"aggregates": [{"function": "sum", "column": "monee"}]}, "aggregates[0].column",
         "Did you mean money?"),
        ({"aggregates": [{"function": "sum", "column": "word"}]}, "aggregates[0].column",
         "Column “word” holds text; a sum needs numbers."),
        ({"aggregates": [{"function": "percentile", "column": "day", "p": 0.5}]},
         "aggregates[0].column", "Column “day” holds dates; a percentile needs numbers."),
        ({"aggregates": [{"function": "first", "column": "id", "order_by": "x"}]},
         "aggregates[0].order_by", "“x” is not in data"),
        ({"aggregates": [{"function": "count"}, {"function": "max", "column": "id",
                                                 "as": "flag"}], "group_by": ["flag"]},
         "aggregates", "Two columns of data are named “flag”."),
        ({"group_by": [{"column": "id", "time_bucket": "1 day"}]}, "group_by[0].time_bucket",
         "Column “id” holds whole numbers; a time bucket needs dates or timestamps."),
        ({"group_by": [{"column": "at", "time_bucket": "1 dya"}]}, "group_by[0].time_bucket",
         "bucket: “dya” is no unit of time. Did you mean days?"),
        ({"group_by": [{"column": "at", "time_bucket": "0 days"}]}, "group_by[0].time_bucket",
         "cannot be 0 wide"),
        ({"group_by": [{"column": "at", "time_bucket": "-1 day"}]}, "group_by[0].time_bucket",
         "is not the width"),
        ({"group_by": [{"column": "at", "time_bucket": "999999999 years"}]},
         "group_by[0].time_bucket", "too wide"),
        ({"group_by": [{"column": "at", "time_bucket": "1 day", "time_zone": "Europe/Pari"}]},
         "group_by[0].time_zone",
         "“Europe/Pari” is not a known time zone. Did you mean Europe/Paris?"),
        ({"computed": [{"name": "id", "expression": "1"}]}, "computed[0].name",
         "Two columns of data are named “id”."),
        ({"computed": [{"name": "x", "expression": "idd + 1"}]}, "computed[0].expression",
         "Column “idd” is not in data. Did you mean id?"),
        ({"computed": [{"name": "x", "expression": "id +"}]}, "computed[0].expression",
         "The expression “id +” cannot be read"),
        ({"columns": {"computed": [{"name": "x", "expression": "nope"}]}},
         "columns.computed[0].expression", "“nope” is not in data"),
        ({"columns": {"order": ["idd"]}}, "columns.order", "Did you mean id?"),
        ({"sort": ["idd"]}, "sort[0].column", "Did you mean id?"),
        ({"sort": ["id"], "distinct": True, "columns": {"include": ["word"]}}, "sort[0].column",
         "The distinct rows of data are sorted by “id”, which is not exported."),
        ({"pivot": {"on": "wrd", "values": "id"}}, "pivot.on", "Did you mean word?"),
        ({"pivot": {"on": "word", "values": "ide"}}, "pivot.values", "Did you mean id?"),
        ({"pivot": {"on": "word", "values": "id", "index": ["dya"]}}, "pivot.index",
         "Did you mean day?"),
        ({"pivot": {"on": "id", "values": "word", "index": [], "function": "sum"}},
         "pivot.values", "Column “word” holds text; a sum needs numbers."),
        ({"where": {"column": "id", "op": "=", "value": "ten"}}, "where",
         "Column “id” holds whole numbers, and “ten” is none of them. Give a number."),
        ({"where": {"column": "id", "op": ">", "value": True}}, "where",
         "Column “id” holds whole numbers, and “true” is none of them."),
        ({"where": {"column": "word", "op": "=", "value": 5}}, "where",
         'Column “word” holds text, and “5” is none of them. Write it as text: "5".'),
        ({"where": {"column": "flag", "op": "=", "value": "perhaps"}}, "where",
         "Give true or false."),
        ({"where": {"column": "day", "op": "=", "value": "31.12.2020"}}, "where",
         "Write it as 2013-01-31"),
        ({"where": {"column": "day", "op": ">", "value": 5}}, "where", "Write it as 2013-01-31"),
        ({"where": {"column": "at", "op": "=", "value": "2020-01-01T00:00:00.123456789"}},
         "where", "Microseconds"),
        ({"where": {"column": "hour", "op": "=", "value": "25:00"}}, "where", "no such time"),
        ({"where": {"column": "word", "op": "=", "value": "a\0b"}}, "where", "no database"),
        ({"where": {"column": "word", "op": "like", "value": "a\\"}}, "where",
         "The pattern “a\\” ends in “\\”"),
        ({"where": {"column": "word", "op": "regex", "value": "(?=a)"}}, "where",
         "holds “(?=”, which the engine and databases do not read alike"),
        ({"where": {"column": "word", "op": "regex", "value": "(a)\\1"}}, "where", "“\\1”"),
    ],
)  # fmt: skip
def test_sentences(both: Both, steps: Any, field: str, sentence: str) -> None:
    for run in (both.in_engine, both.in_postgres):
        with pytest.raises(InvalidSpec) as caught:
            run(**steps)
        assert sentence in str(caught.value)
        assert caught.value.field == field
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["100%", "%(x)s", ":x", "a.b", 'q"u', "select", "ü" * 31, "a b?"])
def test_names_that_sql_has_a_use_for(postgres: sa.Engine, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    with postgres.connect() as connection:
        both = Both(pa.table({name: pa.array([1, 2, None], pa.int64())}), connection)
        found = both.rows(
            where=f"{quoted} > 1 OR {quoted} IS NULL",
            computed=[{"name": f"{name}2", "expression": f"{quoted} * 2"}],
            group_by=[name],
            aggregates=[{"function": "max", "column": f"{name}2", "as": f"{name}m"}],
            sort=[{"column": f"{name}m", "nulls": "first"}],
        )
        assert found == [(None, None), (2, 4)]
        both.engine.close()
