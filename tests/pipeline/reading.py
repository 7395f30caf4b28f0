"""What a cell of a text file must say, told from the Arrow value alone and not from our code."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
import math
import re
from typing import Any

import numpy as np
import pyarrow as pa

_MOMENT = re.compile(
    r"^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?$"
)
_DURATION = re.compile(r"^(-?)PT(\d+)(?:\.(\d+))?S$")
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def check(value: pa.Scalar, given: Any, *, nan: Any = None) -> None:
    """Assert that ``given`` (a JSON value, or the text of a CSV cell) is ``value``."""
    kind = value.type
    if isinstance(kind, pa.BaseExtensionType):
        value, kind = value.value, kind.storage_type
    if pa.types.is_dictionary(kind):
        value = value.value if value.is_valid else value
        kind = kind.value_type
    if not value.is_valid:
        assert given is None
    elif pa.types.is_boolean(kind):
        assert given in (value.as_py(), str(value.as_py()).lower())
    elif pa.types.is_integer(kind):
        assert not isinstance(given, decimal.Decimal)
        assert int(given) == value.as_py()
    elif pa.types.is_floating(kind):
        _check_float(float(value.as_py()), given, kind, nan)
    elif pa.types.is_decimal(kind):
        assert decimal.Decimal(given) == value.as_py()
    elif pa.types.is_timestamp(kind):
        assert _ticks(given, kind) == value.value, (given, value)
    elif pa.types.is_date(kind):
        assert given == value.as_py().isoformat()
    elif pa.types.is_time(kind):
        hours, minutes, seconds = given.split(":")
        ticks = decimal.Decimal(seconds) + 60 * int(minutes) + 3600 * int(hours)
        assert ticks * _PER_SECOND[kind.unit] == value.value
    elif pa.types.is_duration(kind):
        sign, whole, part = _DURATION.match(given).groups()
        ticks = decimal.Decimal(f"{whole}.{part or 0}") * _PER_SECOND[kind.unit]
        assert (-ticks if sign else ticks) == value.value
    elif _is_binary(kind):
        assert base64.b64decode(given, validate=True) == value.as_py()
    elif _is_text(kind):
        assert given == value.as_py()
    else:
        _check_nested(value, given, nan)


def _check_float(value: float, given: Any, kind: pa.DataType, nan: Any) -> None:
    if given is None:
        assert nan is None
        assert not math.isfinite(value)
        return
    narrow: Any = {16: np.float16, 32: np.float32, 64: np.float64}[kind.bit_width]
    with np.errstate(over="ignore"):
        read = float(narrow(float(given)))
    assert read == value or (math.isnan(read) and math.isnan(value))
    if value == 0:
        assert math.copysign(1, read) == math.copysign(1, value)


def _check_nested(value: pa.Scalar, given: Any, nan: Any) -> None:
    if isinstance(given, str):
        # a cell of a CSV
        given = json.loads(given, parse_float=decimal.Decimal)
    if pa.types.is_map(value.type):
        pairs = list(zip(*value.values.flatten(), strict=True))
        assert len(given) == len(pairs)
        for (key, inner), (name, found) in zip(pairs, given.items(), strict=True):
            assert name == str(key.as_py())
            check(inner, found, nan=nan)
    elif pa.types.is_struct(value.type):
        assert list(given) == [field.name for field in value.type]
        for name, inner in value.items():
            check(inner, given[name], nan=nan)
    else:
        assert len(given) == len(value.values)
        for inner, found in zip(value.values, given, strict=True):
            check(inner, found, nan=nan)


def _ticks(given: str, kind: pa.DataType) -> int:
    year, month, day, hour, minute, second, fraction, zone = _MOMENT.match(given).groups()
    assert (zone is not None) == (kind.tz is not None)
    moment = dt.datetime(*map(int, (year, month, day, hour, minute, second)))  # noqa: DTZ001
    seconds = (moment - dt.datetime(1970, 1, 1)) // dt.timedelta(seconds=1)  # noqa: DTZ001
    if zone and zone != "Z":
        offset = int(zone[1:3]) * 3600 + int(zone[4:6]) * 60
        seconds -= offset if zone[0] == "+" else -offset
    part = decimal.Decimal(f"0.{fraction or 0}") * _PER_SECOND[kind.unit]
    assert part == int(part), "more digits than the type has"
    return seconds * _PER_SECOND[kind.unit] + int(part)


def _is_binary(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )
