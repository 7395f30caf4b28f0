"""What a panel does when a button is pressed: each in a thread, its outcome in one line."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ..client import ExportClient
from ..client.own import names_own_connection, rows_of_source
from ..errors import ExportError, InvalidRequest, OutputExists
from ..spec.template import check_name
from . import catalog, distinct, service
from . import document as documents
from .document import Document
from .frames import Holdings, Resolved, frozen_document, rows
from .jobs import NotebookJobs
from .sending import Sent

log = logging.getLogger(__name__)
_NUMBERS = itertools.count(1)


class Panel(Protocol):
    """What actions need of the panel they belong to."""

    holdings: Holdings
    sent: Sent
    recent: NotebookJobs

    @property
    def document(self) -> Document: ...

    @property
    def dataset(self) -> Document:
        """The dataset of the document that is looked at."""

    @property
    def client(self) -> ExportClient: ...

    def hold(self, document: Document) -> None:
        """Show another document."""

    def say(self, kind: str, text: str) -> None:
        """Show one line of feedback."""

    def mark(self, error: ExportError, field: str | None = None) -> None:
        """Mark the choice that was refused."""

    def answer(self, content: Mapping[str, Any]) -> None:
        """Send a message to the page."""

    def kind_of(self, column: str) -> str:
        """Return the kind of a column of the source."""

    def offer(self, **parts: Any) -> None:
        """Publish new values of parts of the catalog."""


class Actions:
    """The actions of one panel. Every method returns at once, and raises nothing."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._lock = threading.Lock()
        self._unwanted: set[str] = set()
        self._made: dict[str, str] = {}
        """What stood for an export while it was sent -> its job."""

    def later(self, work: Callable[..., None], *given: Any) -> None:
        """Call ``work`` in a thread; what it raises is said in the panel."""

        def run() -> None:
            try:
                work(*given)
            except ExportError as error:
                self._panel.say("error", str(error))
            except Exception as error:  # The user reads a sentence; the log has the rest.
                log.warning("the panel failed", exc_info=True)
                self._panel.say("error", f"That failed: {type(error).__name__}: {error}")

        threading.Thread(target=run, name="jupyter-export-panel", daemon=True).start()

    # ------------------------------------------------------------- export

    def export(self) -> None:
        """Freeze the frames as they are now, then send them and start the job."""
        document = self._panel.document
        try:
            documents.checked(document)
            resolved = frozen_document(document, self._panel.holdings)
        except ExportError as error:
            self._refused(error)
            return
        key = f"sending-{next(_NUMBERS)}"
        name = documents.path_of(document) or str(document.get("name") or "export")
        counts = [rows(each.source) for each in resolved]
        total = sum(filter(None, counts)) if None not in counts else None
        self._panel.recent.sending(key, name, total)
        if any(map(_is_of_this_thread, resolved)):
            self._export(key, document, resolved)
        else:
            self.later(self._export, key, document, resolved)

    def _export(self, key: str, document: Document, resolved: Sequence[Resolved]) -> None:
        try:
            job = service.export(document, resolved)
        except ExportError as error:
            self._refused(error)
            return
        finally:
            self._panel.recent.sent(key)
        with self._lock:
            self._made[key] = job.id
            unwanted = key in self._unwanted
        self._panel.recent.add(job)
        if unwanted:
            self._panel.recent.cancel(job.id)
        for note in job.notes:
            self._panel.say("ok", note)

    def _refused(self, error: ExportError) -> None:
        if isinstance(error, OutputExists):
            error.hint = "Choose another name, or what is to happen to the file that is there."
            self._panel.mark(error, error.field or "output.path")
        elif error.field:
            self._panel.mark(error)
        self._panel.say("error", str(error))

    def cancel(self, job_id: str) -> None:
        with self._lock:
            job_id = self._made.get(job_id, job_id)
            if job_id.startswith("sending-"):
                self._unwanted.add(job_id)  # It is cancelled as soon as it is a job.
                return
        self.later(self._panel.recent.cancel, job_id)

    # ------------------------------------------------------------- what there is

    def distinct(self, number: Any, column: str, q: str) -> None:
        self.later(self._distinct, self._panel.dataset, number, column, q)

    def _distinct(self, dataset: Document, number: Any, column: str, q: str) -> None:
        try:
            kind = self._panel.kind_of(column)
            found = distinct.values(
                dataset, column, kind, q, self._panel.holdings, self._panel.sent
            )
        except ExportError as error:
            self._panel.answer({"n": number, "values": [], "more": False, "error": str(error)})
        except Exception as error:  # The picker waits for an answer, whatever a frame raises.
            log.debug("distinct values failed", exc_info=True)
            said = f"{type(error).__name__}: {error}"
            self._panel.answer({"n": number, "values": [], "more": False, "error": said})
        else:
            self._panel.answer({"n": number, "error": None, **found})

    def tables(self, connection: str) -> None:
        self.later(self._tables, connection)

    def _tables(self, connection: str) -> None:
        found: list[dict[str, Any]] = []
        try:
            found = catalog.tables(connection, self._panel.holdings, lambda: self._panel.client)
        finally:  # An empty list, where they could not be listed: nobody waits for them.
            self._panel.offer(tables={connection: found})

    # ------------------------------------------------------------- templates

    def save_template(self, name: str, *, replace: bool) -> None:
        self.later(self._save_template, self._panel.document, name, replace)

    def _save_template(self, document: Document, name: str, replace: bool) -> None:
        name = check_name(name.strip())
        client = self._panel.client
        there = name in catalog.template_names(client)
        if there and not replace:
            raise InvalidRequest(
                f"There is a template “{name}” already.", hint="Replace it, or choose another name."
            )
        client.save_template(name, document)
        self._panel.offer(templates=catalog.template_names(client))
        self._panel.say("ok", f"The template “{name}” was {'replaced' if there else 'saved'}.")

    def load_template(self, name: str) -> None:
        self.later(self._load_template, name)

    def _load_template(self, name: str) -> None:
        document = documents.held(self._panel.client.template(name)["spec"])
        said = f"The template “{name}” is shown."
        mine = documents.frame_names(self._panel.document).get(0)
        theirs = documents.frame_names(document)
        known = {each for each, _ in self._panel.holdings.frames()}
        if documents.is_short(document) and mine in known and theirs and theirs[0] not in known:
            document["source"] = self._panel.document["source"]
            said = f"The template “{name}” is shown, with the frame {mine} for {theirs[0]}."
        self._panel.hold(document)
        self._panel.say("ok", said)


def _is_of_this_thread(resolved: Resolved) -> bool:
    """Tell a query that only the thread of its connection may read: it is read here, and waited
    for."""
    source = resolved.source
    if not isinstance(source, Mapping) or not names_own_connection(source):
        return False
    return rows_of_source(source).here
