"""Asking for an export that is sent as it is made: what is checked, what it is called, who notes
it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import ExportError
from ..progress import Result
from ..registry import ZIP_ENDING, Choice
from .audit_trail import AuditTrail
from .dispatcher import Dispatcher
from .downloads import COMPRESSED, ZIP_MEDIA_TYPE
from .files import scratch_of
from .model import Caller
from .naming import inside, plain_name
from .orders import stream_order
from .settings import Settings
from .store import JobStore
from .streaming import PendingStream
from .submission import check


class StreamDesk:
    """Checks specs as a submission does, and has workers send their bytes. Safe from several
    threads.

    ``check_open`` raises ``ShuttingDown`` when it is too late, which ``submitting`` keeps true.
    """

    def __init__(
        self,
        settings: Settings,
        store: JobStore,
        dispatcher: Dispatcher,
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        submitting: threading.Lock,
        check_open: Callable[[], None],
        audit: AuditTrail | None = None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._dispatcher = dispatcher
        self._now = now
        self._new_id = new_id
        self._submitting = submitting
        self._check_open = check_open
        self._audit = audit

    def begin(self, document: Any, caller: Caller) -> PendingStream:
        """Ask for the bytes of a spec. ``output.path`` names them; nothing is written there.

        Raises what ``ExportService.submit`` raises of a spec, and ``ServerUnavailable`` when the
        audit trail takes no entry; through the stream come ``QueueFull`` and what the run raises.
        """
        self._check_open()
        checked = check(document, self._settings, self._store, caller)
        spec, choice, settings = checked.spec, checked.choice, self._settings
        given = spec.output.path
        if given is not None:
            inside(given, settings)
        file_name = Path(given).name if given else f"{plain_name(spec.name)}{choice.ending}"
        stream_id = f"stream-{self._new_id()}"
        order = stream_order(
            stream_id,
            spec,
            settings,
            file_name=file_name,
            format=choice.format.type,
            now=self._now(),
        )
        asked = PendingStream(
            id=stream_id,
            owner=caller.name,
            name=f"{file_name}{ZIP_ENDING}" if choice.layout == "folder" else file_name,
            media_type=media_type_of(choice),
            order=order,
            scratch=scratch_of(stream_id, settings),
            stop=self._dispatcher.cancel_preview,
            timeout=settings.job_timeout,
            most_of_one=settings.max_running_per_user,
            on_end=lambda stream, found: self._note_end(stream, found, caller),
        )
        try:
            if self._audit is not None:
                self._audit.require("stream", caller, stream_id, outcome="begun", name=asked.name)
            with self._submitting:
                self._check_open()
                self._dispatcher.preview(asked)
        except BaseException:
            asked.discard()
            raise
        return asked

    def _note_end(self, stream: PendingStream, found: Result | ExportError, caller: Caller) -> None:
        if self._audit is None:
            return
        if isinstance(found, ExportError):
            self._audit.note("stream", caller, stream.id, outcome="failed", error=found.code)
            return
        self._audit.note(
            "stream",
            caller,
            stream.id,
            outcome="completed",
            rows=found.rows,
            bytes=found.bytes,
            sha256=found.sha256,
        )


def media_type_of(choice: Choice) -> str:
    """Return what the bytes of an export are called: a compressed CSV is no text."""
    if choice.layout != "file":
        return ZIP_MEDIA_TYPE
    return COMPRESSED.get(choice.compression, choice.format.media_type)
