"""A panel as text, and a line of ``%export`` as a panel's document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..client.card import counted
from . import document as documents
from .frames import Holdings, rows
from .frames import names as names_of


def is_line(text: str) -> bool:
    """Tell a line or cell of ``%export`` from a spec."""
    return text.lstrip().startswith(("%export", "%%export"))


def read(text: str, names: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the document that a line of ``%export`` makes, as the notebook's magic reads it.

    Raises ``ExportError`` for what is wrong with it.
    """
    import jupyter_export

    found: Mapping[str, Any] = jupyter_export.spec_of_line(text, names)
    return found


def described(document: Mapping[str, Any], summary: Mapping[str, Any], holdings: Holdings) -> str:
    """Return what a panel holds as plain lines: a terminal shows these in its place."""
    sources = [
        _source(each, index, document, holdings)
        for index, each in enumerate(documents.datasets_of(document))
    ]
    what = ", ".join(sources) or "nothing yet"
    where = documents.path_of(document) or "a file that is named for you"
    shown = [f"ExportPanel · {what} → {where}"]
    shown += [f"  {each['message']}" for each in summary["problems"]]
    chosen = document.get("format")
    options = chosen if isinstance(chosen, Mapping) else {}
    # these lines are kept in the notebook: no password stands in them
    if summary["line"] and not any("password" in str(each).lower() for each in options):
        shown += [f"  {line}" for line in str(summary["line"]).splitlines()]
    return "\n".join(shown)


def _source(
    dataset: Mapping[str, Any], index: int, document: Mapping[str, Any], holdings: Holdings
) -> str:
    name = documents.frame_names(document).get(index)
    if name is None:
        return documents.name_of_source(dataset.get("source")) or "a source"
    frame = dict(holdings.frames()).get(name)
    count, columns = (rows(frame), names_of(frame)) if frame is not None else (None, None)
    facts = [counted(count, "row")] if count is not None else []
    facts += [counted(len(columns), "column")] if columns is not None else []
    return f"{name} ({', '.join(facts)})" if facts else name
