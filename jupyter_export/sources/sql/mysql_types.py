"""The types of a result of MySQL or MariaDB, as its column definitions tell them.

https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset_column_definition.html
"""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from .columns import UNTOLD, Convert, Told

_UNSIGNED = 32
_BINARY = 63
"""The character set of bytes."""
_INTEGERS = {
    1: (pa.int8(), pa.uint8(), mysql.TINYINT),
    2: (pa.int16(), pa.uint16(), mysql.SMALLINT),
    9: (pa.int32(), pa.uint32(), mysql.MEDIUMINT),
    3: (pa.int32(), pa.uint32(), mysql.INTEGER),
    8: (pa.int64(), pa.uint64(), mysql.BIGINT),
}
"""Code -> signed, unsigned, native."""
_DECIMALS = (0, 246)
_FLOAT, _DOUBLE, _NULL = 4, 5, 6
_TIMESTAMP, _DATE, _TIME, _DATETIME, _YEAR, _BIT = 7, 10, 11, 12, 13, 16
_JSON, _GEOMETRY = 245, 255
_TEXTS = (15, 247, 248, 249, 250, 251, 252, 253, 254)


@dataclass(frozen=True)
class Field:
    """One column definition."""

    code: int
    flags: int
    charset: int
    length: int
    """Characters that the longest value is shown with, or bytes."""
    scale: int


def field_types(
    cursor: Any, description: Sequence[Sequence[Any]], zone: str | None = "UTC"
) -> list[Told]:
    """Return what is told of each column; nothing, where the driver keeps it to itself.

    ``zone``: that of the session, in which a TIMESTAMP is shown; None: nobody knows it, so that
    only the clock is certain.
    """
    fields = _fields(cursor, description)
    if fields is None:
        return [UNTOLD for _ in description]
    return [_told(each, zone) for each in fields]


def _fields(cursor: Any, description: Sequence[Sequence[Any]]) -> list[Field] | None:
    result = getattr(cursor, "_result", None)
    found = getattr(result, "fields", None)
    if found and hasattr(found[0], "charsetnr"):  # PyMySQL
        return [Field(f.type_code, f.flags, f.charsetnr, f.length, f.scale) for f in found]
    flags = getattr(cursor, "description_flags", None)
    if flags is not None and hasattr(result, "field_flags"):  # mysqlclient
        texts = getattr(result, "describe", lambda: description)()
        return [
            Field(d[1], f, _charset(d, f), d[3] or 0, d[5] or 0)
            for d, f in zip(texts, flags, strict=True)
        ]
    return None


def _charset(description: Sequence[Any], flags: int) -> int:
    """mysqlclient tells no character set: a binary flag without that of text means bytes."""
    return _BINARY if flags & 128 and not flags & (256 | 2048) else 0


def _told(field: Field, zone: str | None) -> Told:
    unsigned = bool(field.flags & _UNSIGNED)
    if field.code in _INTEGERS:
        signed, positive, integer = _INTEGERS[field.code]
        kind = positive if unsigned else signed
        return Told(kind, _numbers(kind, int), native=integer(unsigned=unsigned))
    if field.code in _DECIMALS:
        # the length counts the sign and the point
        precision = field.length - (field.scale > 0) - (not unsigned)
        precision = max(precision, field.scale, 1)
        kind = (
            pa.decimal128(precision, field.scale)
            if precision <= 38
            else pa.decimal256(precision, field.scale)
        )
        numeric = sa.Numeric(precision, field.scale)
        return Told(kind, _numbers(kind, decimal.Decimal), native=numeric)
    if field.code == _FLOAT:
        return Told(
            pa.float32(),
            _numbers(pa.float32(), float),
            native=mysql.FLOAT(),
            exact=lambda column: column.op("*", return_type=mysql.DOUBLE())(
                sa.literal_column("1e0")
            ),
        )
    if field.code == _DOUBLE:
        return Told(pa.float64(), _numbers(pa.float64(), float), native=mysql.DOUBLE())
    if field.code in _MOMENTS:
        return _moment(field, zone)
    if field.code == _TIME:
        return Told(pa.duration("us"), _durations, native=mysql.TIME(fsp=field.scale or None))
    if field.code == _YEAR:
        return Told(pa.int16(), _numbers(pa.int16(), int), native=mysql.YEAR())
    if field.code == _BIT:
        kind = pa.bool_() if field.length == 1 else pa.uint64()
        return Told(kind, _bits(kind), native=mysql.BIT(field.length))
    if field.code == _GEOMETRY:
        return Told(
            pa.string(),
            _texts,
            loss="geometry is written as its well-known text",
            exact=lambda column: sa.func.ST_AsText(column, type_=sa.Text()),
        )
    if field.code == _JSON:
        return Told(pa.string(), _texts, native=sa.Text())
    if field.code in _TEXTS:
        # NULL in a query inside another one has no length, and is no bytes either
        if field.charset == _BINARY and field.length:
            return Told(pa.binary(), _blobs, native=sa.LargeBinary())
        return Told(pa.string(), _texts, native=sa.Text())
    return Told(pa.string(), _texts) if field.code == _NULL else UNTOLD


_MOMENTS: dict[int, tuple[pa.DataType, str]] = {
    _DATE: (pa.date32(), "dates"),
    _DATETIME: (pa.timestamp("us"), "times"),
    _TIMESTAMP: (pa.timestamp("us"), "times"),
}


def _moment(field: Field, zone: str | None) -> Told:
    kind, what = _MOMENTS[field.code]
    if field.code == _TIMESTAMP and zone is not None:
        kind = pa.timestamp("us", zone)
    native: sa.types.TypeEngine[Any] = sa.Date()
    if field.code != _DATE:
        native = mysql.DATETIME(fsp=field.scale or None)
    if field.code == _TIMESTAMP:
        native = mysql.TIMESTAMP(fsp=field.scale or None)

    def convert(values: Sequence[Any]) -> pa.Array:
        if _spoken(values):
            # a TIMESTAMP is shown in the session's zone, which is UTC
            found = pa.array(values, pa.string()).cast(
                pa.timestamp("us") if pa.types.is_timestamp(kind) else kind
            )
            return found.cast(kind)
        accepted = dt.date if pa.types.is_date(kind) else dt.datetime
        if any(value is not None and type(value) is not accepted for value in values):
            raise TypeError("another type")
        return pa.array(values, kind)

    as_text = Told(
        pa.string(),
        _texts,
        native=native,
        loss=f"it holds {what} that no calendar has (0000-00-00), and is written as its text",
    )
    return Told(kind, convert, as_text, native=native)


def _spoken(values: Sequence[Any]) -> bool:
    """Tell whether the values are the server's own text (PyMySQL, undecoded)."""
    return isinstance(next((v for v in values if v is not None), ""), str)


def _numbers(kind: pa.DataType, python: type) -> Convert:
    def convert(values: Sequence[Any]) -> pa.Array:
        if _spoken(values):
            texts = pa.array(values, pa.string())
            return pc.cast(texts, kind)
        if any(value is not None and type(value) is not python for value in values):
            raise TypeError("another type")
        return pa.array(values, kind)

    return convert


def _texts(values: Sequence[Any]) -> pa.Array:
    if all(value is None or isinstance(value, str) for value in values):
        return pa.array(values, pa.string())
    return pa.array(
        [
            v if v is None or isinstance(v, str) else bytes(v).decode()
            if isinstance(v, (bytes, bytearray)) else str(v)
            for v in values
        ],
        pa.string(),
    )  # fmt: skip


def _blobs(values: Sequence[Any]) -> pa.Array:
    return pa.array([v.encode() if isinstance(v, str) else v for v in values], pa.binary())


def _bits(kind: pa.DataType) -> Convert:
    def convert(values: Sequence[Any]) -> pa.Array:
        found = [
            int.from_bytes(value, "big") if isinstance(value, (bytes, bytearray)) else value
            for value in values
        ]
        return pa.array(found, pa.uint64()).cast(kind)

    return convert


_CLOCK = r"\A(?P<sign>-?)(?P<hours>\d+):(?P<minutes>\d\d):(?P<seconds>\d\d)(?:\.(?P<parts>\d+))?\z"


def _durations(values: Sequence[Any]) -> pa.Array:
    """``[-]H…H:MM:SS[.f…]`` -> microseconds."""
    if not _spoken(values):
        if any(value is not None and type(value) is not dt.timedelta for value in values):
            raise TypeError("another type")
        return pa.array(values, pa.duration("us"))
    texts = pa.array(values, pa.string())
    found = pc.extract_regex(texts, _CLOCK)
    if found.null_count > texts.null_count:
        raise ValueError("no time")
    hours, minutes, seconds = (
        pc.struct_field(found, name).cast(pa.int64()) for name in ("hours", "minutes", "seconds")
    )
    parts = pc.utf8_rpad(pc.struct_field(found, "parts"), 6, "0").cast(pa.int64())
    whole = pc.add(pc.multiply(hours, 3600), pc.add(pc.multiply(minutes, 60), seconds))
    total = pc.add(pc.multiply(whole, 1_000_000), parts)
    negative = pc.equal(pc.struct_field(found, "sign"), "-")
    return pc.if_else(negative, pc.negate(total), total).cast(pa.duration("us"))
