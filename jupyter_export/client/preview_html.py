"""How a preview looks in a notebook: a table for each dataset, and what the format would change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from .card import STYLE, counted, size
from .loss_text import changed, loss_html
from .preview import is_number, plain

MOST_COLUMNS = 100
"""Columns that are drawn; the others are counted."""
MAX_CELL = 200
"""Characters of a cell that are drawn."""
_TABLE_STYLE = (
    "<style>"
    ".jx-card .jx-scroll{overflow-x:auto;margin:6px 0 2px}"
    ".jx-card .jx-scroll:focus-visible{outline:2px solid var(--jx-brand)}"
    ".jx-card .jx-preview{width:auto;min-width:50%;margin:0;border:0;color:inherit;"
    "background:transparent;font-variant-numeric:tabular-nums}"
    ".jx-card .jx-preview tr,.jx-card .jx-preview thead{background:transparent;border:0}"
    ".jx-card .jx-preview th,.jx-card .jx-preview td{max-width:260px;overflow:hidden;"
    "text-overflow:ellipsis;white-space:pre;text-align:left;vertical-align:top;color:inherit}"
    ".jx-card .jx-preview th{vertical-align:bottom;font-weight:600}"
    ".jx-card .jx-preview th span{display:block;color:var(--jx-muted);font-weight:400;"
    "font-size:11px}"
    ".jx-card .jx-preview .jx-right{text-align:right}"
    "</style>"
)


def html(found: Mapping[str, Any]) -> str:
    """Return a preview as HTML that needs nothing but itself, and runs nothing."""
    parts = [_dataset(each) for each in found["datasets"]]
    return f'{STYLE}{_TABLE_STYLE}<div class="jx-card">{"".join(parts)}{_outcome(found)}</div>'


def _dataset(dataset: Mapping[str, Any]) -> str:
    columns = dataset["columns"][:MOST_COLUMNS]
    heads = "".join(
        f'<th scope="col"{_side(column)}>{_text(column["name"])}'
        f"<span>{_text(column['type'])}</span></th>"
        for column in columns
    )
    rows = "".join(f"<tr>{_cells(row, columns)}</tr>" for row in dataset["rows"])
    left = len(dataset["columns"]) - len(columns)
    more = f'<div class="jx-muted">… and {counted(left, "more column")}</div>' if left else ""
    name = _text(dataset["name"])
    return (
        f'<div class="jx-row"><b>{name}</b> <span class="jx-muted">{escape(_facts(dataset))}'
        "</span></div>"
        f'<div class="jx-scroll" tabindex="0" role="region" aria-label="First rows of {name}">'
        f'<table class="jx-preview"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
        f"</div>{more}"
    )


def _facts(dataset: Mapping[str, Any]) -> str:
    total, shown = dataset["total_rows"], len(dataset["rows"])
    columns = counted(len(dataset["columns"]), "column")
    if total is None:
        first = f"first {counted(shown, 'row')}" if shown else "rows not counted yet"
    elif shown == total and not dataset["estimated"]:
        first = counted(total, "row")
    else:
        about = "about " if dataset["estimated"] else ""
        first = f"first {shown:,} of {about}{counted(total, 'row')}"
    return f"{first} · {columns}"


def _cells(row: Sequence[Any], columns: Sequence[Mapping[str, Any]]) -> str:
    return "".join(
        f"<td{_side(column)}>{_cell(value)}</td>"
        for value, column in zip(row, columns, strict=False)
    )


def _side(column: Mapping[str, Any]) -> str:
    return ' class="jx-right"' if is_number(column["type"]) else ""


def _cell(value: Any) -> str:
    if value is None:
        return '<span class="jx-muted" title="null" aria-label="null">∅</span>'
    if isinstance(value, bool):
        return "true" if value else "false"
    words = str(value)
    if len(words) <= MAX_CELL:
        return _text(words)
    return f"{_text(words[: MAX_CELL - 1])}…"


def _text(words: str) -> str:
    return escape(plain(words))


def _outcome(found: Mapping[str, Any]) -> str:
    kind = escape(str(found["format"]))
    about = found["bytes_estimate"]
    lines = loss_html(found["losses"])
    said = f"About {size(about)} as {kind}" if about is not None else f"As {kind}"
    if not lines:
        return f'<div class="jx-muted">{said}; nothing would be lost.</div>'
    title = escape(changed(found["losses"], would=True))
    body = "".join(f"<div>{line}</div>" for line in lines)
    return (
        f'<div class="jx-muted">{said}.</div>'
        f'<div class="jx-loss"><span class="jx-warn">▲ {title}</span>{body}</div>'
    )
