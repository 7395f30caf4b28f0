"""What a statement takes of a relation, where it takes rows as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa


@dataclass(frozen=True)
class Taken:
    """Some columns of one relation, all of its rows or the first ones, in its own order."""

    clause: sa.FromClause
    columns: tuple[str, ...]
    """Names in the relation."""
    names: tuple[str, ...]
    """Names in the result."""
    limit: int | None


def taken(statement: sa.Select[Any]) -> Taken | None:
    """Return what ``statement`` takes, or None when it does more than to pick columns and stop."""
    # SQLAlchemy shows these parts of a Select to dialects by the names used here
    parts: Any = statement
    if (
        parts.whereclause is not None
        or parts._group_by_clauses
        or parts._having_criteria
        or parts._distinct
        or parts._order_by_clauses
        or parts._offset_clause is not None
        or parts._fetch_clause is not None
        or parts._setup_joins
        or parts._prefixes
    ):
        return None
    froms = statement.get_final_froms()
    if len(froms) != 1:
        return None
    (source,) = froms
    picked: list[tuple[str, str]] = []
    for column in statement.selected_columns:
        origin = column.element if isinstance(column, sa.Label) else column
        if not isinstance(origin, sa.ColumnClause) or origin.table is not source:
            return None
        picked.append((origin.name, column.name))
    limit = limit_of(statement)
    if limit is None and parts._limit_clause is not None:
        return None
    origins, names = tuple(o for o, _ in picked), tuple(n for _, n in picked)
    if isinstance(source, sa.Subquery) and isinstance(source.element, sa.Select):
        inner = taken(source.element)
        if inner is None:
            return None
        within = dict(zip(inner.names, inner.columns, strict=True))
        limits = [each for each in (limit, inner.limit) if each is not None]
        return Taken(
            inner.clause, tuple(within[o] for o in origins), names, min(limits, default=None)
        )
    return Taken(source, origins, names, limit)


def mentions(statement: sa.Select[Any], clause: sa.FromClause) -> bool:
    """Tell whether ``statement`` selects from ``clause``, however deep inside."""
    # columns answer “==” with SQL
    return any(each is clause for each in sa.sql.visitors.iterate(statement))


def limit_of(statement: sa.Select[Any]) -> int | None:
    """Return the rows that ``statement`` gives at most, where it has a LIMIT of its own."""
    clause: Any = statement._limit_clause
    limit = getattr(clause, "value", None)
    return limit if isinstance(limit, int) else None


def origin(column: sa.ColumnElement[Any], known: Mapping[int, object]) -> tuple[int | None, str]:
    """Return which of the ``known`` relations (by the identity of its clause) a column of a result
    comes from as it is, and its name there; None: it is computed."""
    element = column.element if isinstance(column, sa.Label) else column
    if not isinstance(element, sa.ColumnClause):
        return None, ""
    table = element.table
    if id(table) in known:
        return id(table), element.name
    if isinstance(table, (sa.Subquery, sa.CTE)) and isinstance(table.element, sa.Select):
        for inner in table.element.selected_columns:
            if inner.key == element.key:
                return origin(inner, known)
    return None, ""
