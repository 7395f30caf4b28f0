"""What a file says of itself: where its rows come from, their types, how many they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...registry import FileContext, Table
from .relations import relationships


def metadata(tables: Sequence[Table], context: FileContext) -> dict[str, Any]:
    """Return name, version, time (RFC 3339, UTC), schema, query and, where there are any, the
    relationships; the rows are not known yet."""
    from ... import __version__  # looked up in the installed package, when it is asked for

    related = relationships(context.relations, {table.name: table.schema for table in tables})
    return {
        "name": context.name,
        "version": __version__,
        "created": context.here.started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "schema": {
            table.name: [
                {"name": field.name, "type": str(field.type), "nullable": field.nullable}
                for field in table.schema
            ]
            for table in tables
        },
        "query": {table.name: dict(table.description) for table in tables},
        **({"relationships": related} if related else {}),
    }


def with_rows(known: Mapping[str, Any], rows: Mapping[str, int]) -> dict[str, Any]:
    """Return the metadata of the finished file."""
    return {**known, "rows": dict(rows)}
