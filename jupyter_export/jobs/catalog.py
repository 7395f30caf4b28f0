"""The tables of a connection, as a worker lists them: no driver is loaded into a server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Any

from .. import registry
from ..pipeline.explaining import explained
from ..registry import Surroundings


def tables(name: str, here: Surroundings, schema: str | None, q: str | None) -> dict[str, Any]:
    """Return ``{"tables": […]}`` of the connection ``name``, as ``chosen`` of what there is.

    Raises what ``registry.database`` raises, and ``QueryFailed``.
    """
    with explained(here), closing(registry.database(name, here)) as database:
        return {"tables": chosen(database.tables(), schema, q)}


def chosen(
    found: Iterable[Mapping[str, Any]], schema: str | None, q: str | None
) -> list[dict[str, Any]]:
    """Return the tables of ``schema`` whose name, or ``schema.name``, holds ``q``; upper and lower
    case do not matter to ``q``."""
    part = (q or "").casefold()
    return [
        dict(table)
        for table in found
        if (not schema or table["schema"] == schema)
        and part in f"{table['schema'] or ''}.{table['name']}".casefold()
    ]
