"""Functions of dates and timestamps. A timestamp with a zone is taken apart in UTC, unless ``AT
TIME ZONE`` says where."""

from __future__ import annotations

import re

import sqlalchemy as sa

from ..errors import did_you_mean
from .buckets import check_bucket, check_zone, interval_of, unit_of, width_of
from .formats import FORMATS
from .functions import Build, Function, Reader, known_value
from .values import (
    BIGINT,
    DATE,
    DOUBLE,
    INTERVAL,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    Clause,
    Kind,
    Value,
    plain,
)

_FIELDS = {
    "year": "year", "years": "year", "y": "year", "quarter": "quarter", "month": "month",
    "months": "month", "mon": "month", "week": "week", "weeks": "week", "weekofyear": "week",
    "day": "day", "days": "day", "d": "day", "dayofmonth": "day", "hour": "hour", "hours": "hour",
    "h": "hour", "minute": "minute", "minutes": "minute", "min": "minute", "second": "second",
    "seconds": "second", "s": "second", "dow": "dow", "dayofweek": "dow", "weekday": "dow",
    "isodow": "isodow", "doy": "doy", "dayofyear": "doy", "isoyear": "isoyear", "epoch": "epoch",
}  # fmt: skip
"""What may be asked of a moment -> what both call it. Weeks are those of ISO 8601, Sunday is day 0
of ``dow``."""
_HOURS = ("hour", "minute", "second")
_UNITS = ("second", "minute", "hour", "day", "week", "month", "quarter", "year", "decade")


def _naive(reader: Reader, value: Value) -> Value:
    """Return a timestamp without a zone: the UTC time of one that has one."""
    if value.kind is Kind.TIMESTAMPTZ:
        return Value(reader.full.utc(value.clause), TIMESTAMP, value.size + 2)
    return reader.full.converted(value, TIMESTAMP)


def extract(reader: Reader, what: str, value: Value) -> Value:
    """Return a part of a moment as a whole number; ``epoch``, the seconds since 1970, a double."""
    name = _FIELDS.get(what.lower())
    if name is None:
        raise reader.wrong(
            f"asks for “{what}” of a moment, which is not known",
            did_you_mean(what, [*_FIELDS]),
        )
    if value.kind is Kind.INTERVAL and name == "epoch":
        seconds = sa.func.date_part("epoch", value.clause)
        return reader.made(sa.cast(seconds, sa.Double()), DOUBLE, value)
    if value.kind is Kind.TIME and name in _HOURS:
        naive = value
    else:
        naive = _naive(reader, reader.moment_of(value, name))
    made: Clause = sa.func.date_part(sa.literal_column(f"'{name}'"), naive.clause)
    if name == "epoch":
        return reader.made(sa.cast(made, sa.Double()), DOUBLE, naive)
    if name == "second":
        made = sa.func.floor(made)
    return reader.made(sa.cast(made, sa.BigInteger()), BIGINT, naive)


def _part(what: str) -> Build:
    def build(reader: Reader, name: str, given: list[Value]) -> Value:
        return extract(reader, what, given[0])

    return build


def _date_part(reader: Reader, name: str, given: list[Value]) -> Value:
    return extract(reader, known_value(reader, given[0], name), given[1])


def _unit(reader: Reader, value: Value, name: str) -> str:
    text = known_value(reader, value, name)
    unit = unit_of(text)
    if unit not in _UNITS:
        raise reader.wrong(
            f"gives “{name}” the unit “{text}”, which is not known", did_you_mean(text, _UNITS)
        )
    return unit


def _truncated(reader: Reader, name: str, given: list[Value]) -> Value:
    """Where a year, month, week (Monday), … begins, as a value of the same type."""
    unit = _unit(reader, given[0], name)
    value = reader.moment_of(given[1], name)
    naive = _naive(reader, value)
    made: Clause = sa.func.date_trunc(sa.literal_column(f"'{unit}'"), naive.clause)
    if value.kind is Kind.DATE:
        return reader.made(sa.cast(made, sa.Date()), DATE, naive)
    if value.kind is Kind.TIMESTAMPTZ:
        made = reader.full.utc(made)
    return reader.made(made, plain(value.type), naive)


def _bucket(reader: Reader, name: str, given: list[Value]) -> Value:
    """``time_bucket('15 minutes', at)`` or ``time_bucket(INTERVAL …, at, 'Europe/Paris')``."""
    width = width_of(known_value(reader, given[0], name), reader.field)
    zone = None
    if len(given) > 2:
        zone = check_zone(known_value(reader, given[2], name), reader.field)
    value = reader.moment_of(given[1], name)
    check_bucket(value, width, zone, reader.field)
    return reader.speech.bucket(value, width, zone)


def interval(reader: Reader, count: Value, unit: str | None) -> Value:
    """``INTERVAL 3 DAY``, ``INTERVAL '3 days'``, ``INTERVAL (n) HOUR``."""
    text = count.constant
    if isinstance(text, str):
        found = re.fullmatch(r"\s*([+-]?\d{1,9})\s*([A-Za-z]*)\s*", text)
        unit = found[2] if found and found[2] else unit
        if found is None or unit is None:
            raise reader.wrong(
                f"holds the interval “{text}”, which is not a number and a unit",
                "Write INTERVAL 3 DAYS; add two of them for more.",
            )
        number = int(found[1])
    else:
        number = text if isinstance(text, int) else 1
    known = unit_of(unit or "")
    if known is None:
        raise reader.wrong(
            f"holds an interval of “{unit}”, which is no unit of time",
            did_you_mean(unit or "", _UNITS),
        )
    width = interval_of(number, known)
    shown = f"{number} {known}"
    made = Value(reader.full.interval_of(width), INTERVAL, 2, constant=shown)
    if text is None:
        counted = reader.integer_of(count, "INTERVAL")
        product = reader.full.times(made.clause, counted.clause)
        return reader.made(product, INTERVAL, made, counted)
    return made


def _of_units(unit: str) -> Build:
    def build(reader: Reader, name: str, given: list[Value]) -> Value:
        return interval(reader, given[0], unit)

    return build


def at_time_zone(reader: Reader, value: Value, zone: str) -> Value:
    """A timestamp with a zone as the clocks of another show it; one without a zone as a time of
    that zone."""
    zone = check_zone(zone, reader.field)
    value = reader.moment_of(value, "AT TIME ZONE")
    bound = reader.bind(zone, TEXT)
    if value.kind is Kind.TIMESTAMPTZ:
        return reader.made(sa.func.timezone(bound, value.clause), TIMESTAMP, value)
    naive = reader.full.converted(value, TIMESTAMP)
    return reader.made(sa.func.timezone(bound, naive.clause), TIMESTAMPTZ, naive)


def _timezone(reader: Reader, name: str, given: list[Value]) -> Value:
    return at_time_zone(reader, given[1], known_value(reader, given[0], name))


def _between(reader: Reader, name: str, given: list[Value]) -> Value:
    """date_diff: how many beginnings of a unit lie between two moments."""
    unit = _unit(reader, given[0], name)
    begin, end = (_naive(reader, reader.moment_of(each, name)) for each in given[1:])
    one, two = (reader.full.since(each.clause, unit) for each in (begin, end))
    return reader.made(two - one, BIGINT, begin, end, times=2)


def _made_date(reader: Reader, name: str, given: list[Value]) -> Value:
    parts = [reader.integer_of(each, name) for each in given]
    made = sa.func.make_date(*(sa.cast(each.clause, sa.Integer()) for each in parts))
    return reader.made(made, DATE, *parts)


def _made_timestamp(reader: Reader, name: str, given: list[Value]) -> Value:
    parts = [reader.integer_of(each, name) for each in given[:5]]
    seconds = reader.double_of(given[5], name)
    made = sa.func.make_timestamp(
        *(reader.full.count_argument(each.clause) for each in parts), seconds.clause
    )
    return reader.made(made, TIMESTAMP, *parts, seconds)


def _from_epoch(reader: Reader, name: str, given: list[Value]) -> Value:
    seconds = reader.double_of(given[0], name)
    return reader.made(sa.func.to_timestamp(seconds.clause), TIMESTAMPTZ, seconds)


def _formatted(reader: Reader, name: str, given: list[Value]) -> Value:
    """``strftime(at, '%Y-%m')``; names of days and months are English."""
    if isinstance(given[0].constant, str) and given[1].constant is None:
        given = [given[1], given[0]]
    value = _naive(reader, reader.moment_of(given[0], name))
    text = known_value(reader, given[1], name)
    if not text:
        raise reader.wrong(f"gives “{name}” no format", "Write one such as '%Y-%m-%d'.")
    for found in re.finditer(r"%(-?.?)", text, re.DOTALL):
        if found[1] not in FORMATS:
            raise reader.wrong(
                f"gives “{name}” the format “%{found[1]}”, which is not known",
                f"Known: {', '.join('%' + each for each in FORMATS)}.",
            )
    return reader.made(reader.full.formatted(value.clause, text), TEXT, value)


TIME_FUNCTIONS: dict[str, Function] = {
    **{
        name: Function(1, 1, _part(name))
        for name in (
            "year", "quarter", "month", "week", "weekofyear", "day", "dayofmonth", "hour",
            "minute", "second", "dayofweek", "isodow", "dayofyear", "isoyear", "epoch",
        )
    },
    "date_part": Function(2, 2, _date_part),
    "datepart": Function(2, 2, _date_part),
    "date_trunc": Function(2, 2, _truncated),
    "datetrunc": Function(2, 2, _truncated),
    "time_bucket": Function(2, 3, _bucket),
    "timezone": Function(2, 2, _timezone),
    "date_diff": Function(3, 3, _between),
    "datediff": Function(3, 3, _between),
    "make_date": Function(3, 3, _made_date),
    "make_timestamp": Function(6, 6, _made_timestamp),
    "to_timestamp": Function(1, 1, _from_epoch),
    "strftime": Function(2, 2, _formatted),
    **{
        f"to_{unit}s": Function(1, 1, _of_units(unit))
        for unit in ("second", "minute", "hour", "day", "week", "month", "year")
    },
}  # fmt: skip
