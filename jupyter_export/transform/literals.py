"""A value of the document, made what the column that it is compared with holds."""

from __future__ import annotations

import math
import re
from datetime import datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from ..errors import InvalidSpec
from .values import BIGINT, BOOLEAN, DATE, DOUBLE, MOST_DIGITS, TEXT, TIME, TIMESTAMP, Kind, Value

_MOMENT = re.compile(
    r"\s*(\d{4})-(\d{2})-(\d{2})"
    r"(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|z|[+-]\d{2}(?::?\d{2})?)?)?\s*"
)
_TIME = re.compile(r"\s*(\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6}))?)?\s*")


class Misfit(Exception):
    """A value that is none of a column's type; the text says what would be one."""


def fitted(given: Any, column: Value, field: str) -> tuple[Any, pa.DataType]:
    """Return ``given`` as a Python value to bind, and the Arrow type that it then has.

    Text of ISO 8601 becomes a date or a timestamp. A timestamp without a zone, over a column that
    has one, is a time of the column's own zone; over a column without a zone, a timestamp that
    names its zone is compared by its UTC time. Numbers stay exact: what a float of the document
    shows is a decimal. Raises ``InvalidSpec`` for what the column cannot hold.
    """
    try:
        return _FITS[column.kind](given, column)
    except Misfit as error:
        name = f"Column “{column.words}”" if column.words else "It"
        shown = str(given).lower() if isinstance(given, bool) else str(given)
        if len(shown) > 100:
            shown = f"{shown[:100]}…"
        raise InvalidSpec(
            f"{name} holds {column.kind.value}, and “{shown}” is none of them.",
            hint=str(error) or None,
            field=field,
        ) from None


def moment(text: str) -> tuple[datetime, bool, bool, int]:
    """Return what an ISO 8601 text says: the moment (in UTC if it names a zone), whether it names
    one, whether it is a date alone, and the nanoseconds that a ``datetime`` cannot hold."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise Misfit("Write it as 2013-01-31, 2013-01-31T12:00:00 or 2013-01-31T12:00:00Z.")
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    nanoseconds = int((fraction or "").ljust(9, "0"))
    try:
        made = datetime(  # noqa: DTZ001 - the zone comes below
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0),
            nanoseconds // 1000,
        )  # fmt: skip
        if zone is not None:
            made = (made - _offset(zone)).replace(tzinfo=timezone.utc)
    except (ValueError, OverflowError):
        raise Misfit("There is no such day or time.") from None
    return made, zone is not None, hour is None, nanoseconds % 1000


def _offset(zone: str) -> timedelta:
    if zone in "Zz":
        return timedelta(0)
    hours, minutes = int(zone[1:3]), int(zone[3:].lstrip(":") or 0)
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if zone[0] == "-" else offset


def number(given: Any) -> Decimal:
    """Return a number, or the text of one, exactly. Raises ``Misfit``."""
    if isinstance(given, bool) or not isinstance(given, (int, float, str, Decimal)):
        raise Misfit("Give a number.")
    try:
        # the digits that a float shows are those that stood in the document
        return Decimal(repr(given) if isinstance(given, float) else given)
    except InvalidOperation:
        raise Misfit("Give a number.") from None


def exact(value: Decimal) -> tuple[Any, pa.DataType]:
    """Return a finite number as an integer or decimal to bind, with its type.

    What is beyond 38 digits before the point becomes the largest number of 38 digits: no column
    holds more, so every comparison has the same answer.
    """
    if value and value.adjusted() >= MOST_DIGITS:
        largest = 10**MOST_DIGITS - 1
        return Decimal(largest if value > 0 else -largest), pa.decimal128(MOST_DIGITS, 0)
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    while exponent < 0 and digits[-1] == 0:
        digits, exponent = digits[:-1] or (0,), exponent + 1
        if digits == (0,):
            exponent = 0
    if exponent >= 0:
        whole = int(value)
        if -(2**63) <= whole < 2**63:
            return whole, BIGINT
        return Decimal(whole), pa.decimal128(MOST_DIGITS, 0)
    precision = max(len(digits), -exponent)
    if precision > MOST_DIGITS:
        raise Misfit(f"At most {MOST_DIGITS} digits can be compared.")
    made = Decimal((int(value.is_signed()), digits, exponent))
    return made, pa.decimal128(precision, -exponent)


def _fit_number(given: Any, column: Value) -> tuple[Any, pa.DataType]:
    value = number(given)
    if not value.is_finite():
        return float(value), DOUBLE
    return exact(value)


def _fit_double(given: Any, column: Value) -> tuple[Any, pa.DataType]:
    if isinstance(given, str) and given.strip().lower() in ("nan", "inf", "-inf", "infinity"):
        value = float(given)
    else:
        value = float(number(given))
    if pa.types.is_float32(column.type) or pa.types.is_float16(column.type):
        # 0.1 finds what shows as 0.1
        return value, pa.float32()
    return value, DOUBLE


def _fit_text(given: Any, column: Value) -> tuple[Any, pa.DataType]:
    if not isinstance(given, str):
        raise Misfit(f'Write it as text: "{str(given).lower()}".')
    return plain_text(given), TEXT


def plain_text(given: str) -> str:
    """Return a text that a database can be asked for. Raises ``Misfit``."""
    if "\0" in given or any("\ud800" <= c <= "\udfff" for c in given):
        raise Misfit("It holds a character that no database compares.")
    return given


def _fit_boolean(given: Any, column: Value) -> tuple[Any, pa.DataType]:
    if isinstance(given, bool):
        return given, BOOLEAN
    if isinstance(given, str) and given.strip().lower() in ("true", "false"):
        return given.strip().lower() == "true", BOOLEAN
    raise Misfit("Give true or false.")


def _text(given: Any, example: str) -> str:
    if not isinstance(given, str):
        raise Misfit(f"Write it as {example}.")
    return given


def _fit_date(given: Any, column: Value) -> tuple[Any, pa.DataType]:
    made, _, _, nanoseconds = moment(_text(given, "2013-01-31"))
    made = made.replace(tzinfo=None)
    if made.time() == time() and not nanoseconds:
        return made.date(), DATE
    if nanoseconds:
        raise Misfit("Microseconds are the smallest part that can be compared.")
    return made, TIMESTAMP


def _fit_timestamp(given: Any, column: Value) -> tuple[Any, pa.DataType]:
    made, _, _, nanoseconds = moment(_text(given, "2013-01-31T12:00:00"))
    made = made.replace(tzinfo=None)
    if nanoseconds:
        if column.type.unit != "ns":
            raise Misfit("Microseconds are the smallest part that it holds.")
        return f"{made.isoformat(sep=' ', timespec='microseconds')}{nanoseconds:03}", column.type
    return made, TIMESTAMP


def _fit_timestamptz(given: Any, column: Value) -> tuple[Any, pa.DataType]:
    made, zoned, _, nanoseconds = moment(_text(given, "2013-01-31T12:00:00Z"))
    if nanoseconds:
        raise Misfit("Microseconds are the smallest part that can be compared.")
    if not zoned:
        try:
            made = made.replace(tzinfo=zone_of(column.zone)).astimezone(timezone.utc)
        except OverflowError:
            raise Misfit("There is no such day or time.") from None
    return made, pa.timestamp("us", "UTC")


def offset_of(zone: str) -> int | None:
    """Return the microseconds of a zone that is an offset (``+02:00``), as Arrow has them; None
    for one with a name."""
    if not re.fullmatch(r"[+-]\d{2}:?\d{2}", zone):
        return None
    return _offset(zone) // timedelta(microseconds=1)


def zone_of(name: str) -> tzinfo:
    """Return the time zone of that name, or offset. Raises ``Misfit`` where there is none."""
    offset = offset_of(name)
    if offset is not None:
        return timezone(timedelta(microseconds=offset))
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise Misfit("Its time zone is not known here: end the value in Z or an offset.") from None


def _fit_time(given: Any, column: Value) -> tuple[Any, pa.DataType]:
    found = _TIME.fullmatch(_text(given, "12:30:00"))
    if found is None:
        raise Misfit("Write it as 12:30:00.")
    hour, minute, second, fraction = found.groups()
    try:
        made = time(int(hour), int(minute), int(second or 0), int((fraction or "").ljust(6, "0")))
    except ValueError:
        raise Misfit("There is no such time.") from None
    return made, TIME


def _fit_native(given: Any, column: Value) -> tuple[Any, pa.DataType]:
    if isinstance(given, bool):
        return ("true" if given else "false"), TEXT
    if isinstance(given, float) and not math.isfinite(given):
        raise Misfit("Give a number.")
    return plain_text(str(given)), TEXT


def _fit_none(given: Any, column: Value) -> tuple[Any, pa.DataType]:
    raise Misfit("Only is_null and not_null can be asked of it.")


def _fit_anything(given: Any, column: Value) -> tuple[Any, pa.DataType]:
    """A column of nothing but nulls takes every value, and no row answers."""
    if isinstance(given, bool):
        return given, BOOLEAN
    return (plain_text(given), TEXT) if isinstance(given, str) else _fit_number(given, column)


_FITS = {
    Kind.BOOLEAN: _fit_boolean,
    Kind.INTEGER: _fit_number,
    Kind.DECIMAL: _fit_number,
    Kind.DOUBLE: _fit_double,
    Kind.TEXT: _fit_text,
    Kind.DATE: _fit_date,
    Kind.TIMESTAMP: _fit_timestamp,
    Kind.TIMESTAMPTZ: _fit_timestamptz,
    Kind.TIME: _fit_time,
    Kind.NATIVE: _fit_native,
    Kind.NULL: _fit_anything,
    Kind.INTERVAL: _fit_none,
    Kind.BINARY: _fit_none,
    Kind.NESTED: _fit_none,
}
