"""What a panel shows of the document it holds: first rows, columns, losses, what is wrong."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from ..client.command import export_line
from ..client.loss_text import loss_text
from ..client.recommend import recommend
from ..client.stopping import Stop
from ..errors import ExportError
from ..spec import ExportSpec
from . import columns as kinds
from . import document as documents
from . import service
from .columns import Column
from .document import Document
from .frames import Holdings, columns_here
from .newest import Newest
from .sending import Sent

log = logging.getLogger(__name__)

NOTHING: dict[str, Any] = {
    "for": 0,
    "status": "none",
    "datasets": [],
    "losses": [],
    "format": None,
    "bytes_estimate": None,
    "error": None,
    "note": None,
}
NO_COLUMNS: dict[str, list[Column]] = {"source": [], "shaped": []}
NO_SUMMARY: dict[str, Any] = {
    "line": None,
    "path": "",
    "format": None,
    "recommended": None,
    "problems": [],
}
Publish = Callable[[Mapping[str, Any]], None]


class Looking:
    """Follows the document of one panel, in threads of its own; ``publish`` gets new values of the
    traits ``preview``, ``columns`` and ``summary``. Thread-safe."""

    def __init__(self, holdings: Holdings, sent: Sent, publish: Publish) -> None:
        self._holdings = holdings
        self._sent = sent
        self._publish = publish
        self._newest = Newest(self._look)
        self._index = 0
        self.endings: dict[str, list[str]] = {}
        """Format -> its endings, once the service has told them."""
        self._lock = threading.RLock()
        self._preview = NOTHING
        self._columns = NO_COLUMNS
        self._columns_of: str | None = None
        self._summary = NO_SUMMARY
        self._remembered: dict[str, list[Column]] = {}

    def close(self) -> None:
        self._newest.close()

    def forget(self) -> None:
        """Forget what is known of sources: they may have changed."""
        with self._lock:
            self._remembered.clear()
            self._columns_of = None

    @property
    def summary(self) -> dict[str, Any]:
        return self._summary

    def turn_to(self, index: int, document: Document) -> None:
        """Show the columns of another dataset of the document."""
        with self._lock:
            self._index = max(index, 0)
        self.show(document, at_once=True, keep=True)

    def dataset(self, document: Mapping[str, Any]) -> Document:
        """Return the dataset whose columns are shown, as a short document; {} without datasets."""
        found = documents.datasets_of(document)
        return found[min(self._index, len(found) - 1)] if found else {}

    # ------------------------------------------------------------- a new document

    def show(self, document: Document, *, at_once: bool = False, keep: bool = False) -> None:
        """Publish at once what the document alone tells, and ask for its preview. The rows of
        another source go away, unless it is to ``keep`` them."""
        problems: list[dict[str, Any]] = []
        try:
            documents.checked(document)
        except ExportError as error:
            problems.append(documents.problem(error))
        moved = self._columns_at_once(document)
        with self._lock:
            number = self._newest.ask(document, at_once=at_once) if not problems else None
            if number is None:
                number = self._newest.forget()
            self._summary = {
                **self._summary,
                "line": self._line(document) if not problems else None,
                "path": documents.path_of(document) or documents.suggested(document, self.endings),
                "format": documents.format_of(document) or self._summary["format"],
                "problems": problems,
            }
            unsaid = {**problems[0]} if problems else None
            nothing = not documents.datasets_of(document)
            self._preview = {
                **(NOTHING if nothing or (moved and not keep) else self._preview),
                "for": number,
                "status": "none" if nothing else "error" if problems else "busy",
                "error": None if nothing else unsaid,
            }
            self._publish({"summary": self._summary, "preview": self._preview})

    def refused(self, error: ExportError, field: str | None = None) -> None:
        """Mark the choice that a service refused, until the document changes."""
        found = {**documents.problem(error), "field": field or error.field}
        with self._lock:
            self._summary = {**self._summary, "problems": [found]}
            self._publish({"summary": self._summary})

    def _line(self, document: Document) -> str | None:
        """Return the line that makes the document, where its frames are the notebook's."""
        named = documents.frame_names(document).values()
        return _line(document) if all(map(self._holdings.is_variable, named)) else None

    def _columns_at_once(self, document: Document) -> bool:
        """Publish the source's columns where this process knows them, none where they are not
        those of the source any more; return whether the source is another one."""
        dataset = self.dataset(document)
        source = _key_of(dataset.get("source"))
        with self._lock:
            if source == self._columns_of:
                return False
            self._columns_of = source
            known = columns_here(dataset.get("source"), self._holdings)
            if known is None:
                known = self._remembered.get(source, [])
            self._columns = {"source": known, "shaped": _shaped(dataset, known, None) or known}
            self._publish({"columns": self._columns})
            return True

    # ------------------------------------------------------------- in a thread

    def _look(self, number: int, document: Document, stop: Stop) -> None:
        """Make the preview of a document, and publish it if nothing newer was asked for."""
        try:
            found = self._previewed(document, stop)
        except ExportError as error:
            self._failed(number, document, error, stop)
            return
        except Exception as error:  # A frame's own library may raise anything; the panel goes on.
            log.debug("a preview failed", exc_info=True)
            first = (str(error).strip().splitlines() or [""])[0]
            said = f"The preview failed: {type(error).__name__}: {first}"
            self._failed(number, document, ExportError(said), stop)
            return
        self._found(number, document, found)
        try:
            self._details(number, document, found, stop)
        except ExportError:
            log.debug("the details of a preview failed", exc_info=True)
        except Exception:  # As above; the rows are shown already.
            log.debug("the details of a preview failed", exc_info=True)

    def _previewed(
        self, document: Document, stop: Stop, rows: int = service.PREVIEW_ROWS
    ) -> dict[str, Any]:
        resolved = self._holdings.resolved(document)
        return service.preview(document, resolved, self._sent, rows, stop)

    def _found(self, number: int, document: Document, found: Mapping[str, Any]) -> None:
        with self._lock:
            if not self._newest.is_newest(number):
                return
            self._preview = {
                "for": number,
                "status": "ok",
                "datasets": found["datasets"],
                "losses": [
                    {**loss, "text": loss_text({**loss, "option": None})}
                    for loss in found["losses"]
                ],
                "format": found["format"],
                "bytes_estimate": found["bytes_estimate"],
                "error": None,
                "note": found["note"],
            }
            self._summary = {**self._summary, "format": found["format"]}
            self._publish({"preview": self._preview, "summary": self._summary})

    def _failed(self, number: int, document: Document, error: ExportError, stop: Stop) -> None:
        short = documents.is_short(document)
        field = documents.field_as_written(error.field, short=short)
        said = {"message": error.message, "hint": error.hint, "field": field}
        with self._lock:
            if not self._newest.is_newest(number):
                return
            self._preview = {**self._preview, "for": number, "status": "error", "error": said}
            advice = self._summary["recommended"] if self._columns["source"] else None
            problems = [said] if field else []
            self._summary = {**self._summary, "problems": problems, "recommended": advice}
            self._publish({"preview": self._preview, "summary": self._summary})
        if not self._columns["source"]:
            try:
                self._columns_of_source(number, document, stop)
            except ExportError:
                log.debug("the columns of a source are not known", exc_info=True)

    def _details(
        self, number: int, document: Document, found: Mapping[str, Any], stop: Stop
    ) -> None:
        """Publish what takes another question: columns, the number of rows, a recommendation."""
        source = self._columns_of_source(number, document, stop)
        dataset = self.dataset(document)
        shown = found["datasets"][min(self._index, len(found["datasets"]) - 1)]
        shaped = _shaped(dataset, source, kinds.described(shown["columns"]))
        if shaped is None:
            whole = self._previewed(kinds.before_columns(dataset), stop, 0)
            shaped = kinds.described(whole["datasets"][0]["columns"])
        with self._lock:
            if not self._newest.is_newest(number):
                return
            self._columns = {"source": source, "shaped": shaped}
            self._publish({"columns": self._columns})
        (first, *others) = found["datasets"]
        rows = first["total_rows"]
        if rows is None and not others and found["note"] is None:
            rows = self._counted(document, stop)
            if rows is not None:
                counted = {**first, "total_rows": rows, "estimated": False}
                with self._lock:
                    if not self._newest.is_newest(number):
                        return
                    self._preview = {**self._preview, "datasets": [counted]}
                    self._publish({"preview": self._preview})
        advice = recommend(first["columns"], rows, 1 + len(others), head=first["rows"])
        with self._lock:
            if self._newest.is_newest(number):
                said = {"type": advice.type, "reason": advice.reason}
                self._summary = {**self._summary, "recommended": said}
                self._publish({"summary": self._summary})

    def _columns_of_source(self, number: int, document: Document, stop: Stop) -> list[Column]:
        """Return the columns of the first dataset's source, asking for no row of it."""
        dataset = self.dataset(document)
        key = _key_of(dataset.get("source"))
        with self._lock:
            known = self._columns["source"] if self._columns_of == key else None
            known = known or self._remembered.get(key)
        if not known:
            bare = {"source": dataset["source"], "limit": 1, "format": {"type": "arrow"}}
            known = kinds.described(self._previewed(bare, stop, 0)["datasets"][0]["columns"])
        with self._lock:
            self._remembered[key] = known
            if self._newest.is_newest(number) and self._columns["source"] != known:
                shaped = _shaped(dataset, known, None) or known
                self._columns = {"source": known, "shaped": shaped}
                self._publish({"columns": self._columns})
        return known

    def _counted(self, document: Document, stop: Stop) -> int | None:
        """Return how many rows a frame has after its conditions, where a group does not say it."""
        if not documents.is_short(document) or 0 not in documents.frame_names(document):
            return None
        if any(document.get(each) for each in ("group_by", "aggregates", "pivot", "distinct")):
            return None
        kept = kinds.before_columns(document)
        count = {**kept, "aggregates": [{"function": "count", "as": "n"}]}
        rows = int(self._previewed(count, stop)["datasets"][0]["rows"][0][0])
        limit = document.get("limit")
        return min(rows, limit) if isinstance(limit, int) else rows


def _key_of(source: Any) -> str:
    return json.dumps(source, sort_keys=True, default=str)


def _shaped(
    document: Document, source: list[Column], shown: list[Column] | None
) -> list[Column] | None:
    spec: ExportSpec = documents.checked(document) if shown is not None else _lenient(document)
    return kinds.shaped(spec.datasets[0], source, shown)


def _lenient(document: Document) -> ExportSpec:
    """Return the spec of a document, or, while it is wrong, that of its source alone."""
    try:
        return documents.checked(document)
    except ExportError:
        return documents.checked({"source": {"type": "file", "path": "any"}})


def warm() -> None:
    """Load what the first condition needs, so that it is answered as soon as later ones."""
    where = {"column": "a", "op": "=", "value": 1}
    _line({**documents.of_frame("df"), "where": where})


def _line(document: Mapping[str, Any]) -> str | None:
    try:
        return export_line(document)
    except ExportError:
        return None  # A template's parameter without a value, say: the problems tell.
