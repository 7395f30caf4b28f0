"""What a panel offers to choose from: frames, connections and their tables, formats, templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from ..client import ExportClient
from ..client.find import server_client
from ..client.recommend import COMMON, purpose
from ..errors import ExportError
from .frames import Holdings

EMPTY: dict[str, Any] = {
    "frames": [],
    "connections": [],
    "own_connections": [],
    "tables": {},
    "formats": [],
    "templates": [],
    "has_server": False,
}


def of_notebook(holdings: Holdings) -> dict[str, Any]:
    """Return what this process holds; quick enough for the kernel's main thread."""
    return {"frames": holdings.described(), "own_connections": holdings.connections()}


def of_service(client: ExportClient) -> dict[str, Any]:
    """Return what the service offers. Raises ``ExportError`` when it does not answer; connections
    or templates that the user may not read are none."""
    found: dict[str, Any] = {
        "formats": formats(client),
        "connections": [],
        "templates": [],
        "has_server": client is server_client(),
    }
    with suppress(ExportError):
        found["connections"] = [
            {"name": each["name"], "dialect": each["dialect"], "kind": each["kind"]}
            for each in client.connections()
        ]
    with suppress(ExportError):
        found["templates"] = template_names(client)
    return found


def formats(client: ExportClient) -> list[dict[str, Any]]:
    return [
        {**each, "purpose": purpose(each), "common": list(COMMON.get(each["type"], ()))}
        for each in client.formats()
    ]


def template_names(client: ExportClient) -> list[str]:
    return [str(each["name"]) for each in client.templates()]


def tables(
    name: str, holdings: Holdings, client: Callable[[], ExportClient]
) -> list[dict[str, Any]]:
    """Return the tables of a connection, of the notebook's or of the service. Raises
    ``ExportError``."""
    own = holdings.connection(name)
    found = _own_tables(own) if own is not None else client().tables(name)
    return [_shown(each) for each in found]


def _shown(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: table.get(key) for key in ("schema", "name", "columns", "rows")}


def _own_tables(connection: Any) -> list[dict[str, Any]]:
    """Return the tables of an SQLAlchemy engine; other connections are asked in SQL."""
    if not hasattr(connection, "dialect"):
        return []
    import sqlalchemy

    inspector = sqlalchemy.inspect(connection)
    return [
        {
            "schema": None,
            "name": name,
            "columns": [
                {"name": str(each["name"]), "type": str(each["type"])}
                for each in inspector.get_columns(name)
            ],
            "rows": None,
        }
        for name in [*inspector.get_table_names(), *inspector.get_view_names()]
    ]
