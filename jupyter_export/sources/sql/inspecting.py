"""The tables and views that a connection shows."""

from __future__ import annotations

import warnings
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.exc import SAWarning, SQLAlchemyError


def table_names(connection: sa.Connection, schema: str | None) -> list[str]:
    """Return the names of tables and views, none where they cannot be looked up."""
    looker = sa.inspect(connection)
    try:
        return [*looker.get_table_names(schema), *looker.get_view_names(schema)]
    except (SQLAlchemyError, NotImplementedError):
        return []


def listed(connection: sa.Connection, schemas: Sequence[str | None]) -> list[dict[str, Any]]:
    """Return what ``Database.tables`` does, with a few questions for each schema."""
    looker = sa.inspect(connection)
    found: list[dict[str, Any]] = []
    for schema in schemas:
        views = set(looker.get_view_names(schema))
        with warnings.catch_warnings():
            # a type that SQLAlchemy has no class for has its name all the same
            warnings.simplefilter("ignore", SAWarning)
            columns = looker.get_multi_columns(schema=schema, kind=ObjectKind.ANY)
        for (_, name), members in columns.items():
            found.append(
                {
                    "schema": schema,
                    "name": name,
                    "kind": "view" if name in views else "table",
                    "columns": [
                        {"name": each["name"], "type": _type_name(each["type"], connection)}
                        for each in members
                    ],
                    "rows": None,
                }
            )
    return sorted(found, key=lambda each: (each["schema"] or "", each["name"]))


def _type_name(type: sa.types.TypeEngine[Any], connection: sa.Connection) -> str:
    try:
        return str(type.compile(dialect=connection.dialect))
    except SQLAlchemyError:
        return "unknown"


def gathered(
    columns: Iterable[Sequence[Any]],
    views: Container[tuple[str | None, str]],
    rows: Mapping[tuple[str | None, str], int | None],
) -> list[dict[str, Any]]:
    """Return what ``Database.tables`` does from (schema, table, column, type) in order."""
    found: dict[tuple[str | None, str], dict[str, Any]] = {}
    for schema, table, column, kind in columns:
        key = (schema, table)
        if key not in found:
            found[key] = {
                "schema": schema,
                "name": table,
                "kind": "view" if key in views else "table",
                "columns": [],
                "rows": rows.get(key),
            }
        found[key]["columns"].append({"name": column, "type": kind})
    return sorted(found.values(), key=lambda each: (each["schema"] or "", each["name"]))
