"""The steps of a dataset as flags of ``%export``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .command_words import PLAIN, QUOTED_IN_SQL, Unsayable, flag_with, one_line, word
from .where_text import condition_text, identifier

_SPLITTING = re.compile(r"(?i)\sas\s|\sorder\s+by\s|\bdistinct\s|[\"'()\[\]{}\\=]")
"""What may not stand in the name of a column, even in quotes, where functions are named."""
_WIDTH = re.compile(r"[0-9]+\s*[^\W\d]+")


def steps(fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield the flags of one dataset, in the order in which its rows are made. Raises
    ``Unsayable``."""
    if not fields.keys() <= _STEPS.keys():
        raise Unsayable
    for name, value in sorted(fields.items(), key=lambda each: _ORDER.index(each[0])):
        yield from _STEPS[name](value)


def _where(value: Any) -> list[str]:
    return flag_with(
        "--where", one_line(value if isinstance(value, str) else condition_text(value))
    )


def _time_range(value: Mapping[str, Any]) -> list[str]:
    start, end = value.get("start") or "", value.get("end") or ""
    if ".." in start + end or start != start.strip() or end != end.strip():
        raise Unsayable
    return flag_with("--time-range", f"{identifier(value['column'])} {start}..{end}")


def _sample(value: Mapping[str, Any]) -> list[str]:
    size = str(value["rows"]) if value.get("rows") is not None else f"{value['percent']:.17g}%"
    seed = value.get("seed", 0)
    return ["--sample", size, *(["--seed", str(seed)] if seed else [])]


def _computed(value: Sequence[Mapping[str, Any]]) -> list[str]:
    return flag_with("--compute", ", ".join(map(_new, value)))


def _new(value: Mapping[str, Any]) -> str:
    return f"{identifier(value['name'])}={_expression(value['expression'])}"


def _expression(text: str) -> str:
    """Return an expression that can stand in a list: a comma at its top would end it."""
    line = one_line(text).strip()
    bare = QUOTED_IN_SQL.sub("", line)
    depth = 0
    for letter in bare:
        depth += (letter in "([{") - (letter in ")]}")
        if depth < 0 or (letter == "," and depth == 0):
            raise Unsayable
    if depth or "'" in bare or '"' in bare:
        raise Unsayable
    return line


def _group_by(value: Sequence[Mapping[str, Any]]) -> list[str]:
    return flag_with("--group-by", ", ".join(map(_bucket, value)))


def _bucket(value: Mapping[str, Any]) -> str:
    column = value.get("column")
    if column is None:
        return f"{identifier(value['as'])}={_expression(value['expression'])}"
    said = identifier(column)
    width = value.get("time_bucket")
    if width is not None:
        if not _WIDTH.fullmatch(width):
            if "'" in width:
                raise Unsayable
            width = f"'{width}'"
        zone = value.get("time_zone")
        if zone is not None and (not zone or re.search(r"[,'\"()\[\]{}\s]", zone)):
            raise Unsayable
        said = f"time_bucket({_argument(column)}, {width}{'' if zone is None else f', {zone}'})"
    return f"{identifier(value['as'])}={said}" if value.get("as") else said


def _aggregates(value: Sequence[Mapping[str, Any]]) -> list[str]:
    return flag_with("--aggregate", ", ".join(map(_aggregate, value)))


def _aggregate(value: Mapping[str, Any]) -> str:
    function, column = value["function"], value.get("column")
    expression = value.get("expression")
    if column is not None:
        what = _argument(column)
    else:
        what = "*" if expression is None else _expression(expression)
    if function == "percentile":
        what += f", {value['p']!r}"
    if value.get("order_by") is not None:
        what += f" order by {_argument(value['order_by'])}"
    said = f"{function}({what})"
    return f"{identifier(value['as'])}={said}" if value.get("as") else said


def _argument(column: str) -> str:
    if _SPLITTING.search(column):
        raise Unsayable
    return identifier(column)


def _pivot(value: Mapping[str, Any]) -> list[str]:
    function, values = value.get("function"), identifier(value["values"])
    if function == "percentile":
        values = f"percentile({_argument(value['values'])}, {value['p']!r})"
    elif function is not None:
        values = f"{function}({_argument(value['values'])})"
    said = f"on={identifier(value['on'])} values={values}"
    index = value.get("index")
    if index == []:
        raise Unsayable
    if index is not None:
        said += f" index={','.join(map(identifier, index))}"
    return flag_with("--pivot", said)


def _columns(value: Mapping[str, Any]) -> Iterator[str]:
    """Yield ``--columns``; names that change where nothing else does are ``--rename``'s."""
    include, exclude = value.get("include", []), value.get("exclude", [])
    order, rename = value.get("order", []), dict(value.get("rename", {}))
    made = {each["name"]: each for each in value.get("computed", [])}
    items: list[str] = []
    first = [*order, *(name for name in include if name not in order)] if include else order
    for name in first:
        if name in made and include:
            items.append(_new(made.pop(name)))
        elif name in rename:
            items.append(f"{identifier(name)} as {identifier(rename.pop(name))}")
        else:
            items.append(identifier(name))
    if not include and (order or exclude or made):
        items.append("*")
    items += [_new(each) for each in made.values()]
    items += [f"-{identifier(name)}" for name in exclude]
    if items:
        yield from flag_with("--columns", ", ".join(items))
    if rename:
        renamed = (f"{identifier(old)} as {identifier(new)}" for old, new in rename.items())
        yield from flag_with("--rename", ", ".join(renamed))


def _distinct(value: bool) -> list[str]:
    return ["--distinct"] if value else []


def _sort(value: Sequence[Mapping[str, Any]]) -> list[str]:
    said = ", ".join(map(_key, value))
    # the one flag whose value may begin with a minus
    return ["--sort", said if PLAIN.fullmatch(said) else word(said)]


def _key(value: Mapping[str, Any]) -> str:
    said = f"{'-' if value.get('descending') else ''}{identifier(value['column'])}"
    return f"{said} nulls first" if value.get("nulls") == "first" else said


def _limit(value: int) -> list[str]:
    return ["--limit", str(value)]


_STEPS: dict[str, Any] = {
    "where": _where,
    "time_range": _time_range,
    "sample": _sample,
    "computed": _computed,
    "group_by": _group_by,
    "aggregates": _aggregates,
    "pivot": _pivot,
    "columns": _columns,
    "distinct": _distinct,
    "sort": _sort,
    "limit": _limit,
}
_ORDER = tuple(_STEPS)
