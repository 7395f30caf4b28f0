"""What is answered while the caller waits: the first rows of a spec, the tables of a connection."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent import futures
from datetime import datetime
from typing import Any

from . import connections
from .audit_trail import AuditTrail, of_spec
from .dispatcher import Dispatcher
from .files import scratch_of
from .model import Caller
from .orders import tables_order
from .previews import PendingPreview, last_second
from .settings import Settings
from .store import JobStore
from .submission import check, order_preview
from .workers import Message


class Questions:
    """Checks what is asked and has a worker answer it. Safe from several threads.

    ``check_open`` raises ``ShuttingDown`` when it is too late, which ``submitting`` keeps true.
    """

    def __init__(
        self,
        settings: Settings,
        store: JobStore,
        dispatcher: Dispatcher,
        audit: AuditTrail,
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        submitting: threading.Lock,
        check_open: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._dispatcher = dispatcher
        self._now = now
        self._new_id = new_id
        self._submitting = submitting
        self._check_open = check_open
        self._audit = audit

    def preview(self, document: Any, caller: Caller, rows: Any) -> PendingPreview:
        """Ask for the first ``rows`` rows of a spec. Raises what its submission would."""
        self._check_open()
        checked = check(document, self._settings, self._store, caller)
        question_id, now = f"preview-{self._new_id()}", self._now()
        order = order_preview(
            checked, self._settings, preview_id=question_id, rows=rows, moment=now
        )
        # While somebody types, the same question comes again and again.
        said = of_spec(checked.spec.to_json())
        self._audit.note("preview", caller, "", owner=caller.name, once_a_minute=True, **said)
        return self._ask(question_id, order, caller)

    def tables(
        self, name: str, caller: Caller, schema: str | None, q: str | None
    ) -> PendingPreview:
        """Ask for the tables of the connection ``name``.

        Raises ``NotFound`` for one that the caller may not use, ``InvalidRequest`` for a place with
        files, ``SourceFailed`` when the environment lacks its URL.
        """
        self._check_open()
        connections.database(name, self._settings.connections, caller, os.environ)
        self._audit.note("tables", caller, name, once_a_minute=True)
        question_id = f"preview-{self._new_id()}"
        order = tables_order(
            question_id,
            name,
            self._settings,
            seconds=last_second(),
            schema=schema,
            q=q,
            now=self._now(),
        )
        return self._ask(question_id, order, caller)

    def _ask(self, question_id: str, order: Message, caller: Caller) -> PendingPreview:
        scratch = scratch_of(question_id, self._settings)
        asked = PendingPreview(
            question_id, caller.name, order, scratch, self._dispatcher.cancel_preview
        )
        with self._submitting:
            self._check_open()
            self._dispatcher.preview(asked)
        return asked


def answer_to(asked: PendingPreview) -> dict[str, Any]:
    """Wait for the answer and return it, or raise it; whoever is interrupted asks no more."""
    try:
        # With a timeout, so that Ctrl-C is felt on every platform.
        while not futures.wait([asked.future], timeout=0.5).done:
            pass
    finally:
        asked.cancel()
    return asked.future.result()
