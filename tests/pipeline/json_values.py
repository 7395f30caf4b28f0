"""What JSON must say of an Arrow value, by Python's own json module and clock."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from jupyter_export.spec import Link

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


def value(found: Any, kind: pa.DataType, **options: Any) -> Any:
    """Return the JSON value of a Python value of that type."""
    if found is None:
        return None
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if isinstance(found, float):
        if math.isfinite(found):
            return found
        shown = {"nan": "nan", "inf": "inf", "-inf": "-inf"}[str(found)]
        return shown if options.get("nan") == "string" else None
    if isinstance(found, decimal.Decimal):
        return str(found) if options.get("decimals") == "string" else float(found)
    if isinstance(found, bytes):
        return base64.b64encode(found).decode()
    if isinstance(found, (dt.datetime, dt.date)):
        return moment(found, options.get("date_format", "iso"))
    if isinstance(found, dt.time):
        return found.isoformat()
    if isinstance(found, int) and not isinstance(found, bool):
        wide = options.get("large_integers") == "string" and kind.bit_width == 64
        return str(found) if wide else found
    nested = _nested(found, kind, **options)
    if options.get("arrays") == "stringify" and pa.types.is_nested(kind):
        return json.dumps(nested, ensure_ascii=False, separators=(",", ":"))
    return nested


def _nested(found: Any, kind: pa.DataType, **options: Any) -> Any:
    inner = {**options, "arrays": "expand"}
    if pa.types.is_map(kind):
        return {str(k): value(v, kind.item_type, **inner) for k, v in found}
    if pa.types.is_struct(kind):
        return {f.name: value(found[f.name], f.type, **inner) for f in kind}
    if isinstance(found, list):
        return [value(v, kind.value_type, **inner) for v in found]
    return found


def moment(found: Any, how: str) -> Any:
    is_day = not isinstance(found, dt.datetime)
    if is_day and how == "iso":
        return found.isoformat()
    if is_day:
        found = dt.datetime(found.year, found.month, found.day)  # noqa: DTZ001
    if "%" in how:
        return found.strftime(how)
    if how == "iso":
        text = found.isoformat(timespec="microseconds")
        return text.replace("+00:00", "Z") if str(found.tzinfo) == "UTC" else text
    aware = found if found.tzinfo else found.replace(tzinfo=ZoneInfo("UTC"))
    step = dt.timedelta(seconds=1) if how == "unix" else dt.timedelta(milliseconds=1)
    return (aware - EPOCH) // step


def rows(table: pa.Table, **options: Any) -> list[dict[str, Any]]:
    """Return the table's rows as JSON objects, nulls as the options have them."""
    out = []
    for row in table.to_pylist(maps_as_pydicts=None):
        shown = {f.name: value(row[f.name], f.type, **options) for f in table.schema}
        how = options.get("nulls", "include")
        if how == "exclude":
            shown = {name: v for name, v in shown.items() if v is not None}
        elif how == "empty":
            shown = {name: "" if v is None else v for name, v in shown.items()}
        out.append(shown)
    return out


def structure(table: pa.Table, kind: str, **options: Any) -> Any:
    """Return one table in the structure records, split or columns."""
    objects = rows(table, **options)
    if kind == "split":
        return {"columns": table.column_names, "data": [list(o.values()) for o in objects]}
    if kind == "columns":
        return {name: [o[name] for o in objects] for name in table.column_names}
    return objects


def nested(tables: Mapping[str, pa.Table], links: Sequence[Link]) -> dict[str, Any]:
    """Put rows inside of rows, one by one."""
    first: dict[str, Link] = {}
    for link in links:
        first.setdefault(link.child, link)
    objects = {name: rows(table) for name, table in tables.items()}
    kept = {name: table.to_pylist() for name, table in tables.items()}
    outside: dict[str, list[Any]] = {name: [] for name in tables if name in first}
    inner: dict[int, dict[str, list[Any]]] = {}
    for name in tables:
        for parent in objects[name]:
            inner[id(parent)] = {c: [] for c in tables if c in first and first[c].parent == name}
    for name, link in first.items():
        by_key: dict[Any, Any] = {}
        for row, shown in zip(kept[link.parent], objects[link.parent], strict=True):
            by_key.setdefault(row[link.parent_column], shown)
        for row, shown in zip(kept[name], objects[name], strict=True):
            key = row[link.child_column]
            if key is not None and key in by_key:
                inner[id(by_key[key])][name].append(shown)
            else:
                outside[name].append(shown)
    for shown in [o for each in objects.values() for o in each]:
        shown.update(inner[id(shown)])
    roots = {name: objects[name] for name in tables if name not in first}
    return roots | {n: outside[n] for n in tables if outside.get(n)}
