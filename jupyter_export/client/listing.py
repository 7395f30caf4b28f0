"""A list of jobs as text and as HTML."""

from __future__ import annotations

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


HEADS = ("id", "file", "status", "", "created (UTC)")


def table_text(jobs: Sequence[Mapping[str, Any]]) -> str:
    """Return one line for each job under a line of heads; a sentence when there are none."""
    if not jobs:
        return "There are no exports yet."
    rows = [HEADS, *(row(job) for job in jobs)]
    widths = [max(len(cells[i]) for cells in rows) for i in range(len(HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        for cells in rows
    )


def table_html(jobs: Sequence[Mapping[str, Any]]) -> str:
    if not jobs:
        return f'{card.STYLE}<div class="jx-card jx-muted">There are no exports yet.</div>'
    heads = "".join(f"<th>{head}</th>" for head in HEADS)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row(job)) + "</tr>" for job in jobs
    )
    return f'{card.STYLE}<div class="jx-card"><table><tr>{heads}</tr>{body}</table></div>'
