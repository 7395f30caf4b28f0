"""The columns that a panel offers, and what may be asked of each. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..spec import Dataset
from .document import Document

Column = dict[str, str]
"""``{"name", "type", "kind"}``; the type as Arrow writes it, empty where nobody knows it yet."""

_NUMBERS = ("int", "uint", "float", "double", "halffloat", "decimal")
_TEXTS = ("string", "large_string", "string_view")


def kind_of(kind: str) -> str:
    """Return ``number``, ``text``, ``time``, ``date``, ``bool`` or ``other`` for an Arrow type."""
    if kind.startswith("dictionary<values="):
        return kind_of(kind.removeprefix("dictionary<values=").split(", indices", 1)[0])
    if kind.startswith(_NUMBERS):
        return "number"
    if kind in _TEXTS:
        return "text"
    if kind.startswith("timestamp"):
        return "time"
    if kind.startswith("date"):
        return "date"
    return "bool" if kind == "bool" else "other"


def described(columns: Iterable[Mapping[str, Any]]) -> list[Column]:
    """Return columns (``{"name", "type"}``) with their kinds."""
    return [column(str(each["name"]), str(each["type"])) for each in columns]


def column(name: str, kind: str) -> Column:
    return {"name": name, "type": kind, "kind": kind_of(kind)}


_NONE = [{"op": "is_null", "label": "is empty"}, {"op": "not_null", "label": "is not empty"}]
_SET = [{"op": "in", "label": "is one of"}, {"op": "not_in", "label": "is none of"}]
OPERATORS: dict[str, list[dict[str, str]]] = {
    "number": [
        {"op": "=", "label": "="},
        {"op": "!=", "label": "≠"},
        {"op": ">", "label": ">"},
        {"op": ">=", "label": "≥"},
        {"op": "<", "label": "<"},
        {"op": "<=", "label": "≤"},
        {"op": "between", "label": "is between"},
        *_SET,
        *_NONE,
    ],
    "text": [
        {"op": "=", "label": "is"},
        {"op": "!=", "label": "is not"},
        *_SET,
        {"op": "contains", "label": "contains"},
        {"op": "starts_with", "label": "starts with"},
        {"op": "ends_with", "label": "ends with"},
        {"op": "like", "label": "is like (% _)"},
        {"op": "ilike", "label": "is like, any case (% _)"},
        {"op": "regex", "label": "matches (regex)"},
        {"op": "<", "label": "sorts before"},
        {"op": ">", "label": "sorts after"},
        *_NONE,
    ],
    **{
        kind: [
            {"op": "=", "label": "is"},
            {"op": "!=", "label": "is not"},
            {"op": ">=", "label": since},
            {"op": ">", "label": "is after"},
            {"op": "<", "label": "is before"},
            {"op": "<=", "label": until},
            {"op": "between", "label": "is between"},
            *_SET,
            *_NONE,
        ]
        for kind, since, until in (
            ("time", "is at or after", "is at or before"),
            ("date", "is on or after", "is on or before"),
        )
    },
    "bool": [{"op": "=", "label": "is"}, {"op": "!=", "label": "is not"}, *_NONE],
    "other": [*_NONE],
}
"""Kind of a column -> the operators of ``where`` that make sense of it, in words."""


def shaped(
    dataset: Dataset, source: Sequence[Column], shown: Sequence[Column] | None
) -> list[Column] | None:
    """Return the columns after computed, group_by, aggregates and pivot, before ``columns``.

    ``shown`` are those that a preview gave of ``dataset``, after ``columns``; None: not yet. The
    result is None where only a preview without ``columns`` tells them (a pivot's, narrowed).
    """
    types = {each["name"]: each["type"] for each in source}
    new = {after: before for before, after in dataset.columns.rename.items()}
    seen = {new.get(each["name"], each["name"]): each["type"] for each in shown or ()}
    if dataset.pivot is not None:
        narrowed = dataset.columns.include or dataset.columns.exclude
        if shown is None or narrowed or dataset.columns.computed:
            return None
        return [column(new.get(each["name"], each["name"]), each["type"]) for each in shown]
    names = [*types, *(each.name for each in dataset.computed)]
    if dataset.group_by or dataset.aggregates:
        for key in dataset.group_by:
            if key.column is not None and key.time_bucket is None:
                types[key.name] = types.get(key.column, "")
        for value in dataset.aggregates:
            types[value.name] = _type_of(value.function, types.get(value.column or "", ""))
        names = [*(key.name for key in dataset.group_by), *(v.name for v in dataset.aggregates)]
    return [column(name, seen.get(name) or types.get(name, "")) for name in dict.fromkeys(names)]


def _type_of(function: str, of: str) -> str:
    """Return the type of an aggregate, as far as its function tells."""
    if function in ("count", "count_distinct"):
        return "int64"
    return of if function in ("min", "max", "first", "last") else "double"


def before_columns(document: Document) -> Document:
    """Return a dataset (or short document) up to its pivot, in a format that takes any column."""
    steps = ("source", "where", "time_range", "sample", "computed", "group_by", "aggregates")
    kept = {key: document[key] for key in (*steps, "pivot") if key in document}
    return {**kept, "format": {"type": "arrow"}}
