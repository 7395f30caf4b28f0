"""The values that a column has, for a picker."""

from __future__ import annotations

from typing import Any

from . import service
from .document import Document
from .frames import Holdings
from .sending import Sent

MOST = 200
"""Values that are offered."""


def values(
    dataset: Document, column: str, kind: str, q: str, holdings: Holdings, sent: Sent
) -> dict[str, Any]:
    """Return ``{"values": [{"value", "text"}], "more"}``: those of a column of a dataset's
    source that hold ``q`` (upper and lower case do not matter), in order, nulls left out.

    Raises ``ExportError``.
    """
    limit = MOST + 1
    asked: Document = {
        "name": dataset.get("name") or "data",
        "source": dataset["source"],
        "where": {"column": column, "op": "not_null"},
        "columns": {"include": [column]},
        "distinct": True,
        "sort": [{"column": column}],
        "limit": limit,
        "format": {"type": "jsonl"},
    }
    if q:
        asked["where"] = {"column": column, "op": "ilike", "value": f"%{_plain(q)}%"}
        if kind != "text":
            asked["where"] = _as_text(column, q)
    resolved = holdings.resolved({"source": dataset["source"]})
    found = service.preview(asked, resolved, sent, limit)["datasets"][0]["rows"]
    shown = [{"value": row[0], "text": text(row[0])} for row in found]
    return {"values": shown[:MOST], "more": len(shown) > MOST}


def _as_text(column: str, q: str) -> str:
    """Return the condition that a value of any type holds a text, as SQL."""
    name, part = column.replace('"', '""'), _plain(q).replace("'", "''")
    return f"""CAST("{name}" AS VARCHAR) ILIKE '%{part}%'"""


def _plain(q: str) -> str:
    """Return a text in which nothing stands for other letters in ``like``."""
    return "".join(f"\\{letter}" if letter in "\\%_" else letter for letter in q)


def text(value: Any) -> str:
    """Return a value as a picker shows it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "(empty)" if value == "" else str(value)
