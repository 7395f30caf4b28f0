"""Arrow types as they come back out of JSON: what DuckDB reads, what Arrow makes of it."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from . import strftime
from .moments import PER_SECOND

if TYPE_CHECKING:
    from .json.options import JsonLinesOptions

_is = pa.types
_SAFE_DIGITS = 15
"""Decimal digits that a double keeps."""
_STRPTIME = set("YmdjHIpMSfaAbBy")
"""Directives that the engine reads as we write them; %z besides, where there is a zone."""


@dataclass(frozen=True)
class Reading:
    """How the values of one column are read."""

    sql: str
    """The engine's type of the token."""
    form: str
    """SQL over the token, which stands for ``{}``."""
    given: pa.DataType
    """What comes back; it differs from what went in where the file does not say enough."""


def reading(kind: pa.DataType, options: JsonLinesOptions) -> Reading:
    """Return how a column of that type is read from a file that these options wrote."""
    plain = _reading(kind, options)
    if options.nulls != "empty" or may_be_empty(kind):
        return plain
    empty = "nullif({}, '')"
    if plain.sql != "VARCHAR":
        empty += "::JSON" * is_nested_sql(plain.sql) + f"::{plain.sql}"
    return Reading("VARCHAR", plain.form.replace("{}", empty), plain.given)


def _reading(kind: pa.DataType, options: JsonLinesOptions) -> Reading:
    if isinstance(kind, pa.BaseExtensionType):
        return _reading(kind.storage_type, options)
    if _is.is_run_end_encoded(kind):
        return _reading(kind.value_type, options)
    if _is.is_dictionary(kind):
        values = _reading(kind.value_type, options)
        whole = values.given.equals(kind.value_type) and not _is.is_nested(kind.value_type)
        return Reading(values.sql, values.form, kind if whole else values.given)
    if _is.is_date(kind) or _is.is_timestamp(kind):
        if options.moments != "text":
            return _since_1970(kind, 1 if options.moments == "unix" else 1000)
        if options.strftime is not None:
            return _in_format(kind, options.strftime)
    if _is.is_decimal(kind) and options.decimals == "number" and kind.precision > _SAFE_DIGITS:
        return _rounded_decimal(kind)
    if _is.is_duration(kind):
        seconds = "replace(replace({}, 'PT', ''), 'S', '')::DECIMAL(38, 9)"
        return Reading("VARCHAR", f"({seconds} * {PER_SECOND[kind.unit]})::BIGINT", kind)
    if is_binary(kind):
        return Reading("VARCHAR", "from_base64({})", kind)
    if _is.is_null(kind):
        return Reading("VARCHAR", "{}", kind)
    if options.arrays == "stringify" and _is.is_nested(kind):
        return Reading("VARCHAR", "{}", pa.string())
    sql, given = _inside(kind, options)
    return Reading(sql, "{}", given)


def _rounded_decimal(kind: pa.DataType) -> Reading:
    """The engine reads such a number as a double, which may be rounded up to one digit too many."""
    most = math.nextafter(10.0 ** (kind.precision - kind.scale), 0)
    held = f"if({{}} > {most}, {most}, if({{}} < -{most}, -{most}, {{}}))"
    return Reading("DOUBLE", f"{held}::{_decimal(kind)}", kind)


def _decimal(kind: pa.DataType) -> str:
    """Return the engine's type; Arrow reads more digits than 38 out of a text."""
    if kind.precision <= 38 and kind.scale >= 0:
        return f"DECIMAL({kind.precision}, {kind.scale})"
    return "VARCHAR"


def _since_1970(kind: pa.DataType, wanted: int) -> Reading:
    if _is.is_date(kind):
        day = f"(DATE '1970-01-01' + ({{}} // {86_400 * wanted})::INTEGER)"
        return Reading("BIGINT", day, kind)
    has = PER_SECOND[kind.unit]
    ticks = f"({{}} * {has // wanted})" if has >= wanted else f"({{}} // {wanted // has})"
    return Reading("BIGINT", ticks, kind)


def _in_format(kind: pa.DataType, pattern: str) -> Reading:
    """A day that can be told is read as such; all else of a format of one's own stays a text."""
    zone = _is.is_timestamp(kind) and kind.tz is not None
    letters = {t.letter for t in strftime.tokens(pattern) if isinstance(t, strftime.Directive)}
    known = letters <= _STRPTIME | ({"z"} if zone else set())
    if (
        not known
        or strftime.day_kept(pattern) == "none"
        or strftime.hours_kept(pattern) == "twelve"
    ):
        return Reading("VARCHAR", "{}", pa.string())
    parsed = f"strptime({{}}, {literal(pattern)})"
    if _is.is_date(kind):
        return Reading("VARCHAR", f"{parsed}::DATE", kind)
    if zone and "z" not in letters:
        kind = pa.timestamp(kind.unit)
    return Reading("VARCHAR", parsed, kind)


def _inside(kind: pa.DataType, options: JsonLinesOptions) -> tuple[str, pa.DataType]:
    """Return the engine's type and what comes back, of a value that may stand in another one."""
    if isinstance(kind, pa.BaseExtensionType):
        return _inside(kind.storage_type, options)
    if _is.is_dictionary(kind):
        sql, given = _inside(kind.value_type, options)
        # Arrow casts only texts to a dictionary
        return sql, kind if given.equals(kind.value_type) and _is_text(given) else given
    if _is.is_map(kind):
        return _map(kind, options)
    if _is.is_struct(kind):
        return _struct(kind, options)
    if _is.is_list(kind) or _is.is_large_list(kind) or _is.is_fixed_size_list(kind):
        sql, given = _inside(kind.value_type, options)
        field = kind.value_field.with_type(given)
        if _is.is_fixed_size_list(kind):
            return f"{sql}[]", pa.list_(field, kind.list_size)
        return f"{sql}[]", pa.large_list(field) if _is.is_large_list(kind) else pa.list_(field)
    if _is.is_list_view(kind) or _is.is_large_list_view(kind):
        sql, given = _inside(kind.value_type, options)
        return f"{sql}[]", pa.list_(given)
    return _scalar(kind, options)


def _map(kind: pa.DataType, options: JsonLinesOptions) -> tuple[str, pa.DataType]:
    keys, key = _inside(kind.key_type, options)
    values, value = _inside(kind.item_type, options)
    if _is.is_nested(key) or not key.equals(kind.key_type):
        return "VARCHAR", pa.string()
    return f"MAP({keys}, {values})", pa.map_(key, value, keys_sorted=kind.keys_sorted)


def _struct(kind: pa.DataType, options: JsonLinesOptions) -> tuple[str, pa.DataType]:
    fields = [kind.field(i) for i in range(kind.num_fields)]
    if not plain_names([field.name for field in fields]):
        return "VARCHAR", pa.string()
    found = [_inside(field.type, options) for field in fields]
    inner = ", ".join(
        f"{identifier(field.name)} {sql}" for field, (sql, _) in zip(fields, found, strict=True)
    )
    given = [field.with_type(t) for field, (_, t) in zip(fields, found, strict=True)]
    return f"STRUCT({inner})", pa.struct(given)


def _scalar(kind: pa.DataType, options: JsonLinesOptions) -> tuple[str, pa.DataType]:
    if _is.is_integer(kind):
        sign = "U" if _is.is_unsigned_integer(kind) else ""
        name = {8: "TINYINT", 16: "SMALLINT", 32: "INTEGER", 64: "BIGINT"}[kind.bit_width]
        return sign + name, kind
    if _is.is_boolean(kind):
        return "BOOLEAN", kind
    if _is.is_floating(kind):
        return "DOUBLE" if kind.bit_width == 64 else "FLOAT", kind
    if _is.is_decimal(kind):
        if options.decimals == "number" and kind.precision > _SAFE_DIGITS:
            # what has more digits may be rounded to a number that the type does not hold
            return "DOUBLE", pa.float64()
        return _decimal(kind), kind
    if _is.is_date(kind) or _is.is_timestamp(kind):
        return _moment(kind, options)
    if _is.is_time(kind):
        return "TIME_NS" if kind.unit == "ns" else "TIME", kind
    return "VARCHAR", kind if _is_text(kind) else pa.string()


def _moment(kind: pa.DataType, options: JsonLinesOptions) -> tuple[str, pa.DataType]:
    if options.moments != "text":
        return "BIGINT", pa.int64()
    if options.strftime is not None:
        return "VARCHAR", pa.string()
    if _is.is_date(kind):
        return "DATE", kind
    if kind.unit == "ns":
        # Arrow reads the text, with all its digits
        return "VARCHAR", kind
    return "TIMESTAMP" if kind.tz is None else "TIMESTAMPTZ", kind


# ------------------------------------------------------------------ types and names


def is_binary(kind: pa.DataType) -> bool:
    return bool(
        _is.is_binary(kind)
        or _is.is_large_binary(kind)
        or _is.is_fixed_size_binary(kind)
        or _is.is_binary_view(kind)
    )


def may_be_empty(kind: pa.DataType) -> bool:
    """Tell whether a value of that type may be written as an empty text: texts and bytes."""
    if isinstance(kind, pa.BaseExtensionType):
        return may_be_empty(kind.storage_type)
    if _is.is_dictionary(kind):
        return may_be_empty(kind.value_type)
    if _is.is_fixed_size_binary(kind):
        return bool(kind.byte_width == 0)
    return is_binary(kind) or _is_text(kind)


def may_hold_member(kind: pa.DataType, names: Collection[str]) -> bool:
    """Tell whether a value of that type may be, or hold, an object with a member so named."""
    if isinstance(kind, pa.BaseExtensionType):
        return may_hold_member(kind.storage_type, names)
    if _is.is_dictionary(kind) or _is.is_run_end_encoded(kind):
        return may_hold_member(kind.value_type, names)
    if _is.is_map(kind):
        return True
    if not _is.is_nested(kind):
        return False
    inner = [kind.field(i) for i in range(kind.num_fields)]
    is_object = _is.is_struct(kind)
    return any(
        (is_object and field.name in names) or may_hold_member(field.type, names) for field in inner
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(_is.is_string(kind) or _is.is_large_string(kind) or _is.is_string_view(kind))


def is_nested_sql(sql: str) -> bool:
    return sql.endswith("[]") or sql.startswith(("STRUCT(", "MAP("))


def plain_names(names: list[str]) -> bool:
    """Tell whether the engine can name columns so: it does not tell A from a."""
    folded = {name.casefold() for name in names}
    return bool(names) and len(folded) == len(names) and not any("\0" in n or not n for n in names)


def literal(text: str) -> str:
    quoted = "'" + text.replace("'", "''") + "'"
    return quoted.replace("\0", "' || chr(0) || '") if "\0" in text else quoted


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def expression(kind: pa.DataType) -> str:
    """Return the Python expression of an Arrow type."""
    if _is.is_timestamp(kind):
        zone = f", tz={kind.tz!r}" if kind.tz else ""
        return f"pa.timestamp({kind.unit!r}{zone})"
    if _is.is_decimal(kind):
        return f"pa.decimal{kind.bit_width}({kind.precision}, {kind.scale})"
    if _is.is_time(kind):
        return f"pa.time{kind.bit_width}({kind.unit!r})"
    if _is.is_duration(kind):
        return f"pa.duration({kind.unit!r})"
    if _is.is_date(kind):
        return f"pa.date{kind.bit_width}()"
    if _is.is_floating(kind):
        return f"pa.float{kind.bit_width}()"
    if _is.is_boolean(kind):
        return "pa.bool_()"
    if _is.is_fixed_size_binary(kind):
        return f"pa.binary({kind.byte_width})"
    if _is.is_dictionary(kind):
        ordered = ", ordered=True" if kind.ordered else ""
        return (
            f"pa.dictionary({expression(kind.index_type)}, {expression(kind.value_type)}{ordered})"
        )
    if _is.is_map(kind):
        return f"pa.map_({expression(kind.key_type)}, {expression(kind.item_type)})"
    if _is.is_struct(kind):
        shown = ", ".join(f"({f.name!r}, {expression(f.type)})" for f in kind)
        return f"pa.struct([{shown}])"
    if _is.is_fixed_size_list(kind):
        return f"pa.list_({expression(kind.value_type)}, {kind.list_size})"
    if _is.is_list(kind) or _is.is_large_list(kind):
        name = "list_" if _is.is_list(kind) else "large_list"
        return f"pa.{name}({expression(kind.value_type)})"
    return f"pa.{kind}()"
