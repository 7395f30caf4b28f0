"""A tree of conditions as SQL text that the document's expressions read back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

_FUNCTIONS = {
    "contains": "contains",
    "starts_with": "starts_with",
    "ends_with": "ends_with",
    "regex": "regexp_matches",
}
_PLAIN_NAME = re.compile(r"[^\W\d]\w*")
_MOST_DIGITS = 38
"""Digits behind the point that a decimal has; a smaller number is written with an exponent."""


def condition_text(tree: Mapping[str, Any]) -> str:
    """Return the SQL of a checked ``where`` (JSON). ``contains`` and the other operators of text
    want a column of text, where the tree takes any."""
    return _condition(tree, outermost=True)


def identifier(name: str) -> str:
    """Return the name of a column as SQL, and the flags of ``%export``, have it."""
    if _PLAIN_NAME.fullmatch(name) and name.isascii() and name.upper() not in _keywords():
        return name
    return '"' + name.replace('"', '""') + '"'


@cache
def _keywords() -> frozenset[str]:
    """Words that SQL reads as its own, in capitals; ``asc``, ``nulls`` and the like are names."""
    from sqlglot.dialects.duckdb import DuckDB

    return frozenset(DuckDB.Tokenizer.KEYWORDS) | {"BY", "TIME_BUCKET"}


def _condition(tree: Mapping[str, Any], *, outermost: bool = False) -> str:
    for word in ("and", "or"):
        if word in tree:
            parts = [_condition(each) for each in tree[word]]
            if len(parts) == 1:
                return _condition(tree[word][0], outermost=outermost)
            joined = f" {word.upper()} ".join(parts)
            return joined if outermost else f"({joined})"
    if "not" in tree:
        inner = _condition(tree["not"], outermost=True)
        return f"NOT ({inner})" if outermost else f"(NOT ({inner}))"
    return _comparison(tree)


def _comparison(tree: Mapping[str, Any]) -> str:
    column, op = identifier(tree["column"]), tree["op"]
    value: Any = tree.get("value")
    if op == "is_null" or (op == "=" and value is None):
        return f"{column} IS NULL"
    if op == "not_null" or (op == "!=" and value is None):
        return f"{column} IS NOT NULL"
    if op in ("in", "not_in"):
        listed = ", ".join(map(literal, value))
        return f"{column} {'NOT IN' if op == 'not_in' else 'IN'} ({listed})"
    if op == "between":
        low, high = map(literal, value)
        return f"{column} BETWEEN {low} AND {high}"
    if op in _FUNCTIONS:
        return f"{_FUNCTIONS[op]}({column}, {literal(value)})"
    return f"{column} {op.upper()} {literal(value)}"


def literal(value: Any) -> str:
    """Return a JSON value as SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, float):
        exact = Decimal(repr(value))
        exponent = exact.as_tuple().exponent
        assert isinstance(exponent, int)
        return f"{exact:f}" if exponent >= -_MOST_DIGITS else repr(value)
    return str(value)
