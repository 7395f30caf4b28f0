"""A panel's document, as the service that would run it previews and runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..client import ExportClient, LocalClients, find_client
from ..client.draft import Draft, unique
from ..client.export import _where_it_can, start
from ..client.job import Job
from ..client.stopping import Stop
from ..errors import ServerUnavailable
from .document import checked, datasets_of, is_short, path_of, with_defaults
from .frames import Resolved, rows
from .sending import Sent

PREVIEW_ROWS = 20
TOP = 1000
"""Rows of an order that a preview looks at."""
Call = tuple[Any, "str | None", "str | None", dict[str, Any]]
"""Source, path, if_exists and other fields: what ``jupyter_export.export`` takes."""


def answering() -> ExportClient:
    """Return the client of this process's server, or the kernel's own service where none answers.

    Raises ``ExportError`` when neither does.
    """
    client = find_client()
    try:
        client.check()
    except ServerUnavailable:
        return LocalClients.here()
    return client


def call_of(document: Mapping[str, Any], resolved: Sequence[Resolved]) -> Call:
    """Return a document as the call that runs it. Raises ``InvalidSpec``."""
    checked(document)
    whole = with_defaults(document)
    output = whole.pop("output", None) or {}
    if is_short(whole):
        whole.pop("source", None)
        return resolved[0].source, path_of(document), output.get("if_exists"), whole
    datasets = datasets_of(whole)
    whole.pop("datasets")
    names = unique([str(each.get("name") or "data") for each in datasets])
    several = {
        name: {**{k: v for k, v in each.items() if k != "name"}, "source": found.source}
        for name, each, found in zip(names, datasets, resolved, strict=True)
    }
    return several, path_of(document), output.get("if_exists"), whole


def preview(
    document: Mapping[str, Any],
    resolved: Sequence[Resolved],
    sent: Sent,
    count: int = PREVIEW_ROWS,
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Return the first rows of what a document would write, from where its export would run.

    Raises ``ExportError``.
    """
    asked = _of_the_top(document, count)
    source, path, if_exists, fields = call_of(asked, resolved)
    keys = {index: each.key for index, each in enumerate(resolved)}

    def go(client: ExportClient, draft: Draft, _: tuple[str, ...]) -> dict[str, Any]:
        return sent.preview(client, draft, keys, count, stop)

    found = _where_it_can(source, path, None, if_exists, fields, go)
    if asked is document or found["datasets"][0]["total_rows"] not in (TOP, None):
        return found
    return _of_all(found, document, resolved)


def _of_the_top(document: Mapping[str, Any], count: int) -> Mapping[str, Any]:
    """Return the document limited to the first rows of an order, where only the order is asked
    for: the engine finds these several times sooner than it sorts all rows."""
    grouped = any(document.get(each) for each in ("group_by", "aggregates", "pivot", "distinct"))
    if not document.get("sort") or grouped or document.get("limit") is not None or count > TOP:
        return document
    return {**document, "limit": TOP} if is_short(document) else document


def _of_all(
    found: dict[str, Any], document: Mapping[str, Any], resolved: Sequence[Resolved]
) -> dict[str, Any]:
    """Return a preview of the top of an order as one of all rows: their number, and what was
    counted in the top scaled up to it, where that is known."""
    filtered = any(document.get(each) for each in ("where", "time_range", "sample"))
    held = not filtered and resolved[0].key is not None and resolved[0].key[0] == "frame"
    total = rows(resolved[0].source) if held else None
    size = found["bytes_estimate"]
    share = None if total is None else total / TOP

    def scaled(number: int | None) -> int | None:
        return None if number is None or share is None else round(number * share)

    return {
        **found,
        "datasets": [{**found["datasets"][0], "total_rows": total}],
        "losses": [
            {**each, "count": scaled(each["count"]), "estimated": True} for each in found["losses"]
        ],
        "bytes_estimate": scaled(size),
    }


def export(document: Mapping[str, Any], resolved: Sequence[Resolved]) -> Job:
    """Send the frames and start the job; it is running when this returns. Raises
    ``ExportError``."""
    source, path, if_exists, fields = call_of(document, resolved)
    return start(source, path, if_exists=if_exists, **fields)
