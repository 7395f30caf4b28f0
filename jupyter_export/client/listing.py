"""Lists as text: of jobs (as HTML, too), of connections, of tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from . import card


def row(job: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    """Return (id, file, status, rows and bytes or why not, when it was created)."""
    state = dict(job)
    if state["status"] == "completed":
        said = card.facts(state)
    elif state["error"]:
        said = str(state["error"].get("message") or "")
    else:
        said = card.rows_so_far(state["progress"])
    when = str(state["created_at"])[:19].replace("T", " ")
    return str(state["id"]), card.title(state), str(state["status"]), said, when


LONGEST = 100
"""Characters of a table's columns that are shown."""
HEADS = ("id", "file", "status", "", "created (UTC)")


def table_text(jobs: Sequence[Mapping[str, Any]]) -> str:
    """Return one line for each job under a line of heads; a sentence when there are none."""
    if not jobs:
        return "There are no exports yet."
    return _aligned([HEADS, *(row(job) for job in jobs)])


def connections_text(found: Sequence[Mapping[str, Any]]) -> str:
    """Return one line for each connection: its name, its dialect, what is allowed or missing."""
    if not found:
        return (
            "There are no connections: define some by c.ExportApp.connections in "
            "jupyter_export_config.py."
        )
    lines = [("name", "dialect", "")]
    for each in found:
        said = "read-only" if each["read_only"] else "may write"
        if each["error"]:
            said = str(each["error"]["message"])
        elif each["kind"] == "files":
            said = f"{said}, files"
        lines.append((str(each["name"]), str(each["dialect"] or ""), said))
    return _aligned(lines)


def tables_text(found: Sequence[Mapping[str, Any]]) -> str:
    """Return one line for each table: its name, about how many rows it has, its columns."""
    if not found:
        return "There are no such tables."
    lines = [("table", "rows", "columns")]
    for each in found:
        name = f"{each['schema']}.{each['name']}" if each["schema"] else str(each["name"])
        rows = "" if each["rows"] is None else f"~{each['rows']:,}"
        columns = ", ".join(f"{column['name']} {column['type']}" for column in each["columns"])
        shown = columns if len(columns) <= LONGEST else f"{columns[: LONGEST - 1]}…"
        lines.append((name if each["kind"] == "table" else f"{name} (view)", rows, shown))
    return _aligned(lines)


def templates_text(found: Sequence[Mapping[str, Any]]) -> str:
    """Return one line for each template: its name, its format, what it takes, what it is for."""
    if not found:
        return "There are no templates yet."
    lines = [("template", "format", "takes", "")]
    for each in found:
        said = str(each["description"] or "").partition("\n")[0]
        shown = said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"
        lines.append((str(each["name"]), str(each["format"] or ""), template_facts(each), shown))
    return _aligned(lines)


def template_facts(template: Mapping[str, Any]) -> str:
    """Return what a template takes: its frames, its parameters with their defaults."""
    takes = [f"frame {name}" for name in dict.fromkeys(template["frames"])]
    for each in template["parameters"]:
        default = json.dumps(each["default"], ensure_ascii=False)
        shown = default if len(default) <= 30 else f"{default[:29]}…"
        takes.append(each["name"] if each["required"] else f"{each['name']}={shown}")
    return ", ".join(takes)


def _aligned(lines: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        for cells in lines
    )


def table_html(jobs: Sequence[Mapping[str, Any]]) -> str:
    if not jobs:
        return f'{card.STYLE}<div class="jx-card jx-muted">There are no exports yet.</div>'
    heads = "".join(f"<th>{head}</th>" for head in HEADS)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row(job)) + "</tr>" for job in jobs
    )
    return f'{card.STYLE}<div class="jx-card"><table><tr>{heads}</tr>{body}</table></div>'
