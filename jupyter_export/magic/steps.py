"""The flags that narrow and shape the rows, as steps of the document.

What they say is SQL where SQL has a word for it: names may stand in double quotes, a new column is
``name=expression`` or ``expression AS name``, and lists are split at commas outside of quotes and
brackets. Nothing is checked against columns here: whoever runs the document knows them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, get_args

from ..errors import InvalidRequest, did_you_mean, nearest
from ..spec import AggregateFunction
from .arguments import Arguments
from .caret import at
from .columns import columns
from .names import QUOTED, bare, call_of, column_of, items, named
from .pieces import pieces

_ORDER = re.compile(
    r"(?P<column>.+?)(?:\s+(?P<way>asc|desc))?(?:\s+nulls\s+(?P<nulls>first|last))?",
    re.DOTALL | re.IGNORECASE,
)
_WIDTH = re.compile(r"(?:interval\s+)?'([^']+)'|([0-9]+\s*[^\W\d]+)", re.IGNORECASE)
_FUNCTIONS = get_args(AggregateFunction)
_ELSEWHERE = {
    "average": "avg",
    "mean": "avg",
    "nunique": "count_distinct",
    "percentile_cont": "percentile",
    "quantile": "percentile",
    "quantile_cont": "percentile",
    "size": "count",
    "std": "stddev",
    "stddev_samp": "stddev",
    "total": "sum",
}
"""What other tools call an aggregate."""
_PIVOT = ("on", "values", "index", "function", "p")


def steps_of(asked: Arguments, known: Collection[str] = ()) -> dict[str, Any]:
    """Return the fields of a dataset that the flags of a line mean; those not given are left out.

    ``known`` are the columns of the frame, where they are known: a name that looks like something
    else (``-delay``, ``count(x)``) means the column then. Raises ``InvalidRequest``.
    """
    if asked.seed is not None and asked.sample is None:
        raise at(
            InvalidRequest("--seed belongs to --sample.", hint="Write --sample 1000 --seed 7."),
            asked.places.of("--seed")[-1].span,
        )
    fields: dict[str, Any] = {
        "where": asked.where,
        "time_range": None if asked.time_range is None else time_range(asked.time_range),
        "sample": None if asked.sample is None else sample(asked.sample, asked.seed),
        "computed": [each for text in asked.compute for each in computed(text)],
        "group_by": [each for text in asked.group_by for each in group_by(text, known)],
        "aggregates": [each for text in asked.aggregate for each in aggregates(text)],
        "pivot": None if asked.pivot is None else pivot(asked.pivot),
        "distinct": asked.distinct or None,
        "limit": asked.limit,
    }
    made = [*fields["computed"], *fields["group_by"], *fields["aggregates"]]
    there = {*known, *(each.get("name") or each.get("as", "") for each in made)}
    fields["columns"] = columns(asked.columns, asked.rename, there)
    fields["sort"] = [each for text in asked.sort for each in sort(text, there)]
    return {name: value for name, value in fields.items() if value is not None and value != []}


def sort(text: str, known: Collection[str] = ()) -> Iterator[dict[str, Any]]:
    """Yield the keys of ``-dep_delay, carrier desc nulls first``: a minus means descending."""
    for item in items(text, "--sort"):
        if item in known:
            yield {"column": item}
            continue
        found = _ORDER.fullmatch(item)
        column = found["column"] if found else item
        minus = column.startswith("-") and len(column) > 1 and column not in known
        if minus and _lower(found, "way") == "asc":
            raise InvalidRequest(
                f"--sort: “{item}” is both descending (the minus) and ascending.",
                hint=f'A column whose name begins with a minus stands in quotes: "{column}".',
            )
        key: dict[str, Any] = {"column": bare(column[1:].lstrip() if minus else column)}
        if minus or _lower(found, "way") == "desc":
            key["descending"] = True
        if _lower(found, "nulls") == "first":
            key["nulls"] = "first"
        yield key


def _lower(found: re.Match[str] | None, group: str) -> str:
    return ((found and found[group]) or "").lower()


def group_by(text: str, known: Collection[str] = ()) -> Iterator[dict[str, Any]]:
    """Yield the keys of ``carrier, day=time_bucket(time_hour, 1 day), late=dep_delay > 60``."""
    for item in items(text, "--group-by"):
        if item in known:
            yield {"column": item}
            continue
        name, body = named(item)
        call = call_of(body)
        if call is not None and call[0] == "time_bucket":
            key = _bucket(body, call[1])
        elif (column := column_of(body)) is not None or (name is None and call is None):
            key = {"column": column if column is not None else body}
        elif name is None:
            raise _needs_name("--group-by", body)
        else:
            key = {"expression": body}
        yield key | ({"as": name} if name else {})


def _bucket(text: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Read ``time_bucket(column, 1 day)``, in either order as databases differ in it, and a zone
    behind them."""
    widths = [bool(_WIDTH.fullmatch(each)) for each in arguments[:2]]
    column = column_of(arguments[widths.index(False)]) if widths.count(True) == 1 else None
    if len(arguments) not in (2, 3) or column is None:
        raise InvalidRequest(
            f"--group-by: “{text}” is not a time bucket.",
            hint="Write time_bucket(COLUMN, 1 day), or with a zone: "
            "time_bucket(COLUMN, 1 day, Europe/Paris).",
        )
    found = _WIDTH.fullmatch(arguments[widths.index(True)])
    assert found is not None
    key = {"column": column, "time_bucket": found[1] or found[2]}
    return key | ({"time_zone": bare(arguments[2].strip("'"))} if arguments[2:] else {})


def aggregates(text: str, flag: str = "--aggregate") -> Iterator[dict[str, Any]]:
    """Yield the values of ``avg(dep_delay), p95=percentile(dep_delay, 0.95), count(*)``."""
    for item in items(text, flag):
        name, body = named(item)
        function, arguments = call_of(body) or (body.lower(), [])
        if not function.isidentifier():
            raise InvalidRequest(
                f"{flag}: “{body}” is not one aggregate.",
                hint="Write FUNCTION(COLUMN), such as avg(dep_delay).",
            )
        if function not in _FUNCTIONS:
            close = _ELSEWHERE.get(function) or nearest(function, _FUNCTIONS)
            raise InvalidRequest(
                f"{flag}: “{function}” is not an aggregate.",
                hint=f"Did you mean {close}?" if close else f"One of {', '.join(_FUNCTIONS)}.",
            )
        made = _aggregate(function, arguments, body, flag)
        if "expression" in made and name is None:
            raise _needs_name(flag, body)
        yield made | ({"as": name} if name else {})


def _aggregate(function: str, arguments: Sequence[str], text: str, flag: str) -> dict[str, Any]:
    made: dict[str, Any] = {"function": function}
    if function == "count" and (not arguments or list(arguments) == ["*"]):
        return made
    expected = 2 if function == "percentile" else 1
    if len(arguments) != expected:
        shown = "percentile(COLUMN, 0.95)" if expected == 2 else f"{function}(COLUMN)"
        raise InvalidRequest(f"{flag}: “{text}” cannot be read.", hint=f"Write {shown}.")
    what = arguments[0]
    if function == "percentile":
        made["p"] = _share(arguments[1], flag)
    if function == "count" and (each := re.fullmatch(r"(?is)distinct\s+(.+)", what)):
        made["function"], what = "count_distinct", each[1]
    elif function in ("first", "last") and (
        by := re.fullmatch(r"(?is)(.+)\s+order\s+by\s+(.+)", what)
    ):
        what, made["order_by"] = by[1], bare(by[2])
    column = column_of(what)
    return made | ({"expression": what} if column is None else {"column": column})


def _share(text: str, flag: str) -> float:
    try:
        p = float(text)
    except ValueError:
        p = -1.0
    if not 0 <= p <= 1:
        raise InvalidRequest(
            f"{flag}: “{text}” is not a share for a percentile.",
            hint="Give a number from 0 to 1, such as 0.95.",
        )
    return p


def computed(text: str) -> Iterator[dict[str, Any]]:
    """Yield the new columns of ``hours=dep_delay / 60, late=dep_delay > 60``."""
    for item in items(text, "--compute"):
        name, body = named(item)
        if name is None:
            raise _needs_name("--compute", body)
        yield {"name": name, "expression": body}


def pivot(text: str) -> dict[str, Any]:
    """Return the pivot of ``on=carrier values=max(p95) index=day,origin``."""
    found: dict[str, Any] = {}
    for _, word in pieces(text, str.isspace):
        key, sign, value = word.partition("=")
        key = key.strip().lower()
        if not sign or not value:
            raise InvalidRequest(
                f"--pivot: “{word}” is not KEY=VALUE.",
                hint='Write --pivot "on=carrier values=p95".',
            )
        if key not in _PIVOT:
            raise InvalidRequest(
                f"--pivot: “{key}” is not a part of a pivot.", hint=did_you_mean(key, _PIVOT)
            )
        if key == "index":
            found[key] = [bare(each) for each in items(value, "--pivot")]
        elif key == "p":
            found[key] = _share(value, "--pivot")
        elif key == "values" and call_of(value) is not None:
            (made,) = aggregates(value, "--pivot")
            if "column" not in made:
                raise InvalidRequest(
                    f"--pivot: “{value}” names no column.", hint="Write values=max(COLUMN)."
                )
            found |= {"values": made["column"], "function": made["function"]}
            found |= {"p": made["p"]} if "p" in made else {}
        else:
            found[key] = bare(value)
    for key in ("on", "values"):
        if key not in found:
            raise InvalidRequest(
                f"--pivot has no “{key}”.", hint='Write --pivot "on=carrier values=p95".'
            )
    return found


def sample(text: str, seed: int | None) -> dict[str, Any]:
    """Return the sample of ``1000`` or ``5%``."""
    number, sign, after = text.replace("_", "").replace(",", "").partition("%")
    try:
        found: dict[str, Any] = {"percent": float(number)} if sign else {"rows": int(number)}
    except ValueError:
        found = {}
    if not found or after.strip():
        raise InvalidRequest(
            f"--sample: “{text}” is neither a number of rows nor a percentage.",
            hint="Write --sample 1000 or --sample 5%.",
        )
    return found | ({"seed": seed} if seed is not None else {})


def time_range(text: str) -> dict[str, Any]:
    """Return the range of ``time_hour 2013-01-01..2013-02-01``; either end may be left out."""
    found = re.fullmatch(rf"\s*({QUOTED}|\S+)\s+(.*?)\s*\.\.\s*(.*?)\s*", text, re.DOTALL)
    if not found or not (found[2] or found[3]):
        raise InvalidRequest(
            f"--time-range: “{text}” is not a column and a range.",
            hint='Write --time-range "time_hour 2013-01-01..2013-02-01"; the end is not included.',
        )
    ends = {"start": found[2], "end": found[3]}
    return {"column": bare(found[1])} | {name: end for name, end in ends.items() if end}


def _needs_name(flag: str, text: str) -> InvalidRequest:
    return InvalidRequest(f"{flag}: “{text}” needs a name.", hint=f"Write NAME={text}.")
