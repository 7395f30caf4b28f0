"""Where buckets of time begin: the same in the engine and in PostgreSQL."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
import sqlalchemy as sa

from jupyter_export.errors import InvalidSpec
from jupyter_export.transform.statement import select_of

from .both import Both, dataset
from .rows import at, plain

PARIS, NEW_YORK = "Europe/Paris", "America/New_York"


@pytest.mark.parametrize("column", ["day", "at", "moment"])
@pytest.mark.parametrize(
    "width",
    ["1 day", "2 days", "1 week", "weeks", "1 month", "3 months", "1 quarter", "1 year", "10 years",
     "15 minutes", "1 hour", "6 hours", "90 seconds", "7 hours"],
)  # fmt: skip
@pytest.mark.parametrize("zone", [None, PARIS, NEW_YORK, "utc", "Asia/Kolkata"])
def test_buckets(both: Both, column: str, width: str, zone: str | None) -> None:
    key = {"column": column, "time_bucket": width, "as": "begin"}
    if zone is not None:
        key["time_zone"] = zone
    steps = {"group_by": [key], "aggregates": [{"function": "count"}]}
    hours = any(word in width for word in ("min", "hour", "second"))
    if column == "day" and (zone is not None or hours):
        with pytest.raises(InvalidSpec, match="Column “day” holds dates"):
            both.rows(**steps)
        return
    found = both.rows(**steps)
    assert sum(row[1] for row in found) == 8
    kinds = {"day": dt.date, "at": dt.datetime, "moment": dt.datetime}
    assert all(type(row[0]) in (kinds[column], type(None)) for row in found)
    assert column != "moment" or all(row[0] is None or row[0].tzinfo for row in found)


@pytest.mark.parametrize(
    ("width", "zone", "moment", "begin"),
    [
        # 23 hours, 25 hours
        ("1 day", PARIS, "2020-03-29T21:59:59", "2020-03-28T23:00:00"),
        ("1 day", PARIS, "2020-03-29T22:00:00", "2020-03-29T22:00:00"),
        ("1 day", PARIS, "2020-10-25T22:59:59", "2020-10-24T22:00:00"),
        ("1 day", PARIS, "2020-10-25T23:00:00", "2020-10-25T23:00:00"),
        ("1 day", NEW_YORK, "2020-11-02T04:59:59", "2020-11-01T04:00:00"),
        ("1 day", NEW_YORK, "2020-03-08T04:59:59", "2020-03-07T05:00:00"),
        # both hours of the night stay apart
        ("1 hour", PARIS, "2020-10-25T00:30:00", "2020-10-25T00:00:00"),
        ("1 hour", PARIS, "2020-10-25T01:30:00", "2020-10-25T01:00:00"),
        ("30 minutes", NEW_YORK, "2020-11-01T06:45:00", "2020-11-01T06:30:00"),
        ("1 week", PARIS, "2020-03-29T12:00:00", "2020-03-22T23:00:00"),
        ("1 month", PARIS, "2020-03-29T12:00:00", "2020-02-29T23:00:00"),
        ("1 month", PARIS, "2020-04-01T00:00:00", "2020-03-31T22:00:00"),
        ("1 year", NEW_YORK, "2021-01-01T04:59:59", "2020-01-01T05:00:00"),
        ("1 year", None, "2021-01-01T04:59:59", "2021-01-01T00:00:00"),
        ("1 week", None, "1999-12-31T00:00:00", "1999-12-27T00:00:00"),
        ("3 months", None, "1960-05-06T00:00:00", "1960-04-01T00:00:00"),
        ("1 hour", "Asia/Kolkata", "2020-01-01T00:45:00", "2020-01-01T00:30:00"),
    ],
)
def test_where_a_bucket_begins(
    postgres: sa.Engine, width: str, zone: str | None, moment: str, begin: str
) -> None:
    key = {"column": "t", "time_bucket": width, **({"time_zone": zone} if zone else {})}
    for values, expected, type_ in (
        ([at(moment)], at(begin), pa.timestamp("us", "UTC")),
        ([plain(moment)], plain(begin), pa.timestamp("us")),
    ):
        with postgres.connect() as connection:
            both = Both(pa.table({"t": pa.array(values, type_)}), connection)
            assert both.rows(group_by=[key]) == [(expected,)]
            both.engine.close()


def test_the_zone_of_a_column_is_the_one_of_its_days() -> None:
    schema = pa.schema([("t", pa.timestamp("us", PARIS))])
    key = {"column": "t", "time_bucket": "1 day"}
    statement = select_of(dataset(group_by=[key]), sa.table("x", sa.column("t")), schema, "duckdb")
    assert PARIS in statement.compile().params.values()


def test_a_zone_that_is_an_offset(postgres: sa.Engine) -> None:
    type_ = pa.timestamp("us", "+05:30")
    moments = [at("2020-01-01T18:29:59"), at("2020-01-01T18:30:00")]
    with postgres.connect() as connection:
        both = Both(pa.table({"t": pa.array(moments, pa.timestamp("us", "UTC"))}), connection)
        both.table = both.table.cast(pa.schema([("t", type_)]))
        both.engine.register("source", both.table)
        for width, begins in (
            ("1 day", [at("2019-12-31T18:30:00"), moments[1]]),
            ("1 hour", [at("2020-01-01T17:30:00"), moments[1]]),
        ):
            found = both.rows(group_by=[{"column": "t", "time_bucket": width}])
            assert [row[0] for row in found] == begins
        where = {"column": "t", "op": "<", "value": "2020-01-02 00:00"}
        assert len(both.rows(where=where)) == 1
        both.engine.close()
