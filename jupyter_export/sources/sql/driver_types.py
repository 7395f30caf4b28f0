"""What drivers tell of a column's type in ``cursor.description`` (PEP 249), as a table.

psycopg is tested; pyodbc, python-oracledb and Snowflake are written from their documentation. A
value that is not what was told makes the first rows decide, as where nothing is told.
"""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import pyarrow as pa

from ..python_rows import exactly
from .columns import UNTOLD, Told

_US = pa.timestamp("us")
_UTC = pa.timestamp("us", "UTC")
_TIME = pa.time64("us")
_NUMBER = object()
"""Marks a type whose precision and scale follow in the description."""

Kinds: TypeAlias = "dict[Any, Any]"

_PSYCOPG: Kinds = {
    # https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat
    16: pa.bool_(),
    17: pa.binary(),
    20: pa.int64(),
    21: pa.int16(),
    23: pa.int32(),
    25: pa.string(),
    26: pa.int64(),
    114: pa.string(),
    700: pa.float32(),
    701: pa.float64(),
    1042: pa.string(),
    1043: pa.string(),
    1082: pa.date32(),
    1083: _TIME,
    1114: _US,
    1184: _UTC,
    1700: _NUMBER,
    2950: pa.string(),
    3802: pa.string(),
}
_PYODBC: Kinds = {
    # https://github.com/mkleehammer/pyodbc/wiki/Cursor#description
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    bytes: pa.binary(),
    bytearray: pa.binary(),
    dt.date: pa.date32(),
    dt.time: _TIME,
    dt.datetime: _US,
    decimal.Decimal: _NUMBER,
}
_ORACLE: Kinds = {
    # https://python-oracledb.readthedocs.io/en/latest/api_manual/module.html#database-types
    "DB_TYPE_NUMBER": _NUMBER,
    "DB_TYPE_BINARY_INTEGER": pa.int64(),
    "DB_TYPE_BINARY_FLOAT": pa.float32(),
    "DB_TYPE_BINARY_DOUBLE": pa.float64(),
    "DB_TYPE_BOOLEAN": pa.bool_(),
    "DB_TYPE_CHAR": pa.string(),
    "DB_TYPE_NCHAR": pa.string(),
    "DB_TYPE_VARCHAR": pa.string(),
    "DB_TYPE_NVARCHAR": pa.string(),
    "DB_TYPE_RAW": pa.binary(),
    # Oracle's DATE has hours, minutes and seconds
    "DB_TYPE_DATE": _US,
    "DB_TYPE_TIMESTAMP": _US,
    "DB_TYPE_INTERVAL_DS": pa.duration("us"),
}
_SNOWFLAKE: Kinds = {
    # https://docs.snowflake.com/en/developer-guide/python-connector/python-connector-api#type-codes
    0: _NUMBER,
    1: pa.float64(),
    2: pa.string(),
    3: pa.date32(),
    6: _UTC,
    7: _UTC,
    8: _US,
    11: pa.binary(),
    12: _TIME,
    13: pa.bool_(),
}
_DRIVERS: dict[str, tuple[Kinds, Callable[[Any], Any]]] = {
    "psycopg": (_PSYCOPG, lambda code: code),
    "psycopg2": (_PSYCOPG, lambda code: code),
    "pyodbc": (_PYODBC, lambda code: code),
    "oracledb": (_ORACLE, lambda code: getattr(code, "name", None)),
    "snowflake": (_SNOWFLAKE, lambda code: code),
}
"""First part of the driver's module -> its types, and how its codes name them."""


def driver_types(cursor: Any, description: Sequence[Sequence[Any]]) -> list[Told]:
    """Return what the driver of ``cursor`` tells of each column."""
    driver = type(cursor).__module__.split(".", 1)[0]
    kinds, named = _DRIVERS.get(driver, ({}, lambda code: code))
    told = []
    for column in description:
        try:
            kind = kinds.get(named(column[1]))
        except TypeError:  # a code that is no key
            kind = None
        if kind is _NUMBER:
            kind = _number(column[4], column[5])
        told.append(UNTOLD if kind is None else Told(kind, partial(_convert, kind), UNTOLD))
    return told


def _number(precision: Any, scale: Any) -> pa.DataType | None:
    """Return the decimal type of a precision and scale, None where the driver knows none."""
    if not isinstance(precision, int) or not isinstance(scale, int):
        return None
    if not 0 < precision <= 76 or not 0 <= scale <= precision:
        return None
    return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)


def _convert(kind: pa.DataType, values: Sequence[Any]) -> pa.Array:
    if pa.types.is_string(kind) and any(not isinstance(v, (str, type(None))) for v in values):
        raise TypeError("no text")
    return exactly(list(values), kind)
