"""A row condition, given as a tree or as SQL text, as one SQL expression of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import expressions as sql_tree

from .. import engine
from ..errors import InvalidSpec
from ..spec import And, Comparison, Not, Or
from .columns import known, unknown_column

_ALLOWED_STATEMENTS = (sql_tree.Condition, sql_tree.Paren)
_REFUSED: tuple[type[Any], ...] = (
    sql_tree.Query,
    sql_tree.Subquery,
    sql_tree.Exists,
    sql_tree.Command,
    sql_tree.DDL,
    sql_tree.DML,
    sql_tree.Window,
    sql_tree.AggFunc,
    sql_tree.Parameter,
    sql_tree.Placeholder,
    sql_tree.Star,
    sql_tree.Lambda,
)


@dataclass(frozen=True)
class Condition:
    """A row condition as SQL of the engine: bound values, and the columns that it names."""

    sql: str
    values: tuple[Any, ...]
    columns: tuple[str, ...]


def condition_sql(
    where: Comparison | And | Or | Not,
    names: Sequence[str],
    dataset: str,
    values: list[Any],
    used: list[str],
) -> str:
    def part(inner: Any) -> str:
        return condition_sql(inner, names, dataset, values, used)

    if isinstance(where, And):
        return "(" + " AND ".join(part(each) for each in where.and_) + ")"
    if isinstance(where, Or):
        return "(" + " OR ".join(part(each) for each in where.or_) + ")"
    if isinstance(where, Not):
        return f"(NOT {part(where.not_)})"
    used.append(known(where.column, names, dataset, "where"))
    column = engine.identifier(engine_names(names)[names.index(where.column)])

    def bound(value: Any) -> str:
        values.append(value)
        return "?"

    given = where.value
    if where.op == "is_null" or (where.op == "=" and given is None):
        return f"({column} IS NULL)"
    if where.op == "not_null" or (where.op == "!=" and given is None):
        return f"({column} IS NOT NULL)"
    if where.op in ("in", "not_in"):
        assert isinstance(given, list)
        listed = ", ".join(bound(each) for each in given)
        return f"({column} {'NOT IN' if where.op == 'not_in' else 'IN'} ({listed}))"
    if where.op == "between":
        assert isinstance(given, list)
        return f"({column} BETWEEN {bound(given[0])} AND {bound(given[1])})"
    function = {
        "contains": "contains",
        "starts_with": "starts_with",
        "ends_with": "ends_with",
        "regex": "regexp_matches",
    }.get(where.op)
    if function is not None:
        return f"{function}(CAST({column} AS VARCHAR), {bound(given)})"
    if where.op in ("like", "ilike"):
        return f"(CAST({column} AS VARCHAR) {where.op.upper()} {bound(given)})"
    return f"({column} {where.op} {bound(given)})"


def parse(text: str, names: Sequence[str], dataset: str) -> Condition:
    """Read SQL text of one boolean expression; nothing else reaches the engine."""

    def wrong(why: str) -> InvalidSpec:
        return InvalidSpec(
            f"The condition “{text}” {why}.",
            hint="Write one SQL expression over the columns, such as dep_delay > 60.",
            field="where",
        )

    try:
        trees = sqlglot.parse(text, read="duckdb")
    except sqlglot.errors.SqlglotError as error:
        found = getattr(error, "errors", None)
        detail = found[0] if found else {}
        near = detail.get("highlight")
        raise wrong(f"cannot be read near “{near}”" if near else "cannot be read") from None
    except RecursionError:
        raise wrong("is nested too deeply") from None
    if len(trees) != 1 or trees[0] is None:
        raise wrong("is not one expression")
    tree = trees[0]
    if not isinstance(tree, _ALLOWED_STATEMENTS) or isinstance(tree, _REFUSED):
        raise wrong("is not a condition")
    for node in tree.walk():
        if isinstance(node, _REFUSED):
            raise wrong("may hold no query, aggregate or window")
    used: list[str] = []
    folded = {name.casefold(): name for name in reversed(names)}
    shown = dict(zip(names, engine_names(names), strict=True))
    for column in tree.find_all(sql_tree.Column):
        parts = column.parts
        found = [
            part.name if part.name in shown else folded.get(part.name.casefold()) for part in parts
        ]
        qualified = len(parts) > 1 and parts[0].name in (dataset, "source")
        # as in SQL, table.column comes before column.field
        if qualified and (found[1] is not None or found[0] is None):
            parts[0].pop()
            parts, found = parts[1:], found[1:]
        # what follows the first part is a field of a struct
        real = found[0]
        if real is None:
            raise unknown_column(parts[0].name, names, dataset, "where")
        used.append(real)
        parts[0].replace(sql_tree.to_identifier(shown[real], quoted=True))
    return Condition(tree.sql(dialect="duckdb"), (), tuple(dict.fromkeys(used)))


def engine_names(names: Sequence[str]) -> list[str]:
    """Return for each column the name that the engine sees: to it, ``A`` and ``a`` are the same."""
    folded = [name.casefold() for name in names]
    return [f"{name} #{i}" if folded.count(folded[i]) > 1 else name for i, name in enumerate(names)]
