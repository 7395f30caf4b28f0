"""Rows with what databases disagree about: nulls, NaN, blanks, quotes, the nights of the DST."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import pyarrow as pa

UTC = dt.timezone.utc


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=UTC)


def plain(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


TABLE = pa.table(
    {
        "id": pa.array(range(8), pa.int64()),
        "small": pa.array([3, -3, 7, None, 0, -7, 1, 2], pa.int16()),
        "number": pa.array([1.5, -2.5, None, math.nan, 0.0, math.inf, 2.675, -0.5]),
        "finite": pa.array([1.5, -2.5, None, 1e15, 0.1, 1234567890123456.5, 2.675, 1e-5]),
        "money": pa.array(
            [Decimal("1.25"), Decimal("-2.50"), None, Decimal("0.00"), Decimal("99999999.99"),
             Decimal("2.35"), Decimal("-0.05"), Decimal("10.00")],
            pa.decimal128(10, 2),
        ),
        "word": ["ab", "B%", None, "", " Äé ß ", "a_c,d,,e", "line\nbreak", "ab12cd"],
        "flag": [True, False, None, True, False, None, True, False],
        "day": pa.array(
            [dt.date(2020, 3, 29), dt.date(2020, 1, 31), None, dt.date(1999, 12, 31),
             dt.date(2020, 2, 29), dt.date(2000, 1, 3), dt.date(1960, 5, 6), dt.date(2021, 12, 27)]
        ),
        "at": pa.array(
            [plain("2020-03-29T02:30:00"), plain("2020-10-25T02:30:00.123456"), None,
             plain("1999-12-31T23:59:59.999999"), plain("2020-02-29T12:00:00"),
             plain("2000-01-03T00:00:00"), plain("1960-05-06T07:08:09.5"),
             plain("2021-12-27T00:00:00")],
            pa.timestamp("us"),
        ),
        "moment": pa.array(
            [at("2020-03-29T00:30:00"), at("2020-10-25T00:30:00.123456"), None,
             at("2020-10-25T01:30:00"), at("2020-03-29T01:30:00"), at("2000-01-03T00:00:00"),
             at("1960-05-06T07:08:09.5"), at("2020-11-01T06:30:00")],
            pa.timestamp("us", "UTC"),
        ),
        "hour": pa.array(
            [dt.time(1, 2, 3), dt.time(0), None, dt.time(23, 59, 59, 999999), dt.time(12, 30),
             dt.time(6), dt.time(7), dt.time(8)]
        ),
        "Select": pa.array([1, 2, None, 4, 5, 6, 7, 8], pa.int64()),
        "od.d \"n": ["x", "y", None, "z", "x", "y", "z", "x"],
    }
)  # fmt: skip
