"""The text of an Arrow type -> the type: as Arrow prints it, and as people write it.

``int32``, ``double``, ``decimal(12, 2)``, ``timestamp[ms, UTC]``, ``date``, ``list<string>``,
``struct<a: int32, b: date>``, ``map<string, double>``, ``dictionary<string>``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from zoneinfo import ZoneInfo

import pyarrow as pa

from ..errors import nearest

_PLAIN: dict[str, Callable[[], pa.DataType]] = {
    "bool": pa.bool_,
    "boolean": pa.bool_,
    **{
        f"{sign}int{n}": getattr(pa, f"{sign}int{n}") for sign in ("", "u") for n in (8, 16, 32, 64)
    },
    "halffloat": pa.float16,
    "float16": pa.float16,
    "float": pa.float32,
    "float32": pa.float32,
    "double": pa.float64,
    "float64": pa.float64,
    "string": pa.string,
    "text": pa.string,
    "utf8": pa.string,
    "large_string": pa.large_string,
    "string_view": pa.string_view,
    "binary": pa.binary,
    "large_binary": pa.large_binary,
    "binary_view": pa.binary_view,
    "date": pa.date32,
    "date32": pa.date32,
    "date64": pa.date64,
    "timestamp": lambda: pa.timestamp("us"),
    "time": lambda: pa.time64("us"),
    "duration": lambda: pa.duration("us"),
    "null": pa.null,
    "category": lambda: pa.dictionary(pa.int32(), pa.string()),
}
_UNITS = {
    "timestamp": ("s", "ms", "us", "ns"),
    "duration": ("s", "ms", "us", "ns"),
    "time": ("s", "ms", "us", "ns"),
    "time32": ("s", "ms"),
    "time64": ("us", "ns"),
    "date32": ("day",),
    "date64": ("ms",),
}
_DIGITS = {"decimal32": 9, "decimal64": 18, "decimal128": 38, "decimal256": 76, "decimal": 76}
_NESTED = ("list", "large_list", "struct", "map", "dictionary")
_OFFSET = re.compile(r"[+-]\d\d:\d\d")
_KNOWN = sorted({*_PLAIN, *_DIGITS, "fixed_size_binary", "time32", "time64", *_NESTED})
_SHAPE = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\((.*)\)|\[(.*)\]|<(.*)>)?\s*", re.DOTALL)
_DEEPEST = 20


def parse(text: str, depth: int = 0) -> pa.DataType:
    """Return the type that ``text`` names. Raises ``ValueError`` with a sentence."""
    shape = _SHAPE.fullmatch(text)
    if shape is None or depth > _DEEPEST:
        raise _unknown(text)
    name = shape[1].lower()
    numbers, bracket, inner = shape[2], shape[3], shape[4]
    if inner is not None:
        return _nested(text, name, inner, depth)
    if bracket is not None:
        return _bracketed(text, name, [part.strip() for part in bracket.split(",")])
    if numbers is not None:
        return _decimal(text, name, numbers)
    if name in _DIGITS:
        raise ValueError(f"“{text}” needs its digits, as in {name}(12, 2)")
    if name not in _PLAIN:
        raise _unknown(text)
    return _PLAIN[name]()


def _unknown(text: str) -> ValueError:
    word = re.split(r"[(\[<]", text.strip(), maxsplit=1)[0].strip()
    close = nearest(word, _KNOWN)
    hint = f"did you mean {close}?" if close else "as int32, decimal(12, 2), timestamp[ms], date"
    return ValueError(f"“{text[:100]}” is not a known type ({hint})")


def _bracketed(text: str, name: str, parts: list[str]) -> pa.DataType:
    if name in ("fixed_size_binary", "binary") and len(parts) == 1 and parts[0].isdigit():
        size = int(parts[0])
        if not 1 <= size <= 2**20:
            raise ValueError(f"“{text}” must have 1 to {2**20:,} bytes")
        return pa.binary(size)
    units = _UNITS.get(name)
    if units is None or len(parts) > 2 or (len(parts) == 2 and name != "timestamp"):
        raise _unknown(text)
    unit = parts[0]
    if unit not in units:
        raise ValueError(f"“{unit}” of “{text}” is not one of {', '.join(units)}")
    if name == "timestamp":
        return pa.timestamp(unit, _zone(text, parts[1]) if len(parts) == 2 else None)
    if name == "duration":
        return pa.duration(unit)
    if name.startswith("date"):
        return _PLAIN[name]()
    return pa.time32(unit) if unit in _UNITS["time32"] else pa.time64(unit)


def _zone(text: str, part: str) -> str:
    zone = part.removeprefix("tz=").strip()
    if _OFFSET.fullmatch(zone):
        return zone
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError):
        raise ValueError(f"“{zone}” of “{text}” is not a time zone, as in Europe/Paris") from None
    return zone


def _decimal(text: str, name: str, numbers: str) -> pa.DataType:
    digits = re.fullmatch(r"\s*(\d{1,3})\s*(?:,\s*(\d{1,3})\s*)?", numbers)
    if name not in _DIGITS or digits is None:
        raise _unknown(text)
    precision, scale = int(digits[1]), int(digits[2] or 0)
    if not 1 <= precision <= _DIGITS[name] or scale > precision:
        raise ValueError(
            f"“{text}” must have 1 to {_DIGITS[name]} digits, and no more of them behind the point"
        )
    if name == "decimal":
        name = "decimal128" if precision <= 38 else "decimal256"
    kind: pa.DataType = getattr(pa, name)(precision, scale)
    return kind


def _nested(text: str, name: str, inner: str, depth: int) -> pa.DataType:
    parts = _parts(inner)
    deeper = depth + 1
    if name in ("list", "large_list") and len(parts) == 1:
        item = parse(parts[0].removeprefix("item:").removeprefix("element:"), deeper)
        return pa.list_(item) if name == "list" else pa.large_list(item)
    if name == "map" and len(parts) == 2:
        return pa.map_(parse(parts[0], deeper), parse(parts[1], deeper))
    if name == "struct":
        fields = []
        for part in parts:
            field, colon, kind = part.partition(":")
            if not colon or not field.strip():
                raise ValueError(f"“{text}” must name its fields, as in struct<a: int32, b: date>")
            fields.append((field.strip(), parse(kind, deeper)))
        return pa.struct(fields)
    if name == "dictionary":
        named = dict(part.split("=", 1) for part in parts if "=" in part)
        values = parse(named.get("values", parts[0]), deeper)
        indices = parse(named.get("indices", "int32"), deeper)
        if not pa.types.is_integer(indices) or pa.types.is_nested(values):
            raise _unknown(text)
        return pa.dictionary(indices, values, ordered=named.get("ordered") == "1")
    raise _unknown(text)


def _parts(inner: str) -> list[str]:
    """Split at the commas outside of all brackets."""
    parts, level, start = [], 0, 0
    for at, character in enumerate(inner):
        level += (character in "<([") - (character in ">)]")
        if character == "," and level == 0:
            parts.append(inner[start:at].strip())
            start = at + 1
    return [*parts, inner[start:].strip()]
