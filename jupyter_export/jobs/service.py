"""The one door to export jobs: thread-safe, synchronous, knows neither tornado nor asyncio."""

from __future__ import annotations

import builtins
import os
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from functools import cached_property
from typing import Any

from .. import registry
from ..errors import Expired, NotReady, ServerUnavailable, ShuttingDown
from ..spec import ExportSpec
from . import connections, uploads
from .admission import Admission
from .audit_trail import AuditTrail
from .board import Board
from .database import StoreDatabase
from .disk import DiskBudget
from .dispatcher import Dispatcher
from .downloads import Download
from .files import make_folders, remove_finished
from .handing_out import HandingOut
from .housekeeping import Housekeeping
from .instances import Instance, instances_folder
from .leases import Lease
from .links import Links
from .model import Caller, Job, JobPage
from .pace import Pace
from .place import place_of
from .previews import DEFAULT_ROWS, PendingPreview
from .questions import Questions, answer_to
from .records import Records
from .recovery import Recovery
from .settings import Settings
from .store import JobStore
from .store_sqlalchemy import SqlAlchemyStore
from .streams import StreamDesk
from .templates import Templates
from .uploads import OpenUploads, UploadWriter
from .worker import DEFAULT_RUN
from .workers import Making

__all__ = ["Download", "ExportService", "UploadWriter"]

CANCEL_ANSWER = 0.25
"""Seconds that ``cancel`` waits, so that most answers show the job cancelled."""
DELETE_SECONDS = 5.0
STOP_SECONDS = 5.0
ELSEWHERE_SECONDS = 0.5
"""How often the store is read for a job that another process runs."""
ATTEMPTS = 20
"""Tries to change a job that somebody else changes at the same time."""


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


def new_id() -> str:
    """Return 16 hexadecimal digits that nobody can guess."""
    return secrets.token_hex(8)


class ExportService:
    """Takes specs, runs them in worker processes, keeps the jobs.

    ``run`` is the dotted name (``module:function``) of what a worker runs; only tests name another.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        store: JobStore | None = None,
        now: Callable[[], datetime] = utc_now,
        new_id: Callable[[], str] = new_id,
        run: str = DEFAULT_RUN,
    ) -> None:
        self.settings = settings
        self._now = now
        self._new_id = new_id
        self._database = StoreDatabase(settings.state_dir, settings.db_url)
        self._store = store or SqlAlchemyStore(self._database)
        self._board = Board()
        self._instance = Instance(instances_folder(settings.state_dir), secrets.token_hex(16))
        self._lease = Lease(self._store, self._instance.name, lambda: self._place, now)
        making = Making(
            settings.scratch, run, settings.dialects, settings.withheld, self._held_by_workers
        )
        self._disk = DiskBudget(settings)
        self._uploads = OpenUploads()
        self._dispatcher = Dispatcher(
            settings, self._store, self._board, self._lease, making, self._disk, now=now
        )
        self._submitting = threading.Lock()
        self._recovery = Recovery(
            settings,
            self._store,
            instance=self._instance.name,
            place=lambda: self._place,
            now=now,
            adopt=self._adopt,
            show=self._board.show,
            hold=self._lease.hold,
            knows=lambda job_id: self._board.get(job_id) is not None,
            submitting=self._submitting,
        )
        self._housekeeping = Housekeeping(settings, self._store, now=now, show=self._board.show)
        self.audit = AuditTrail(self._database, settings, now=now, open_upload=self.open_upload)
        self._board.subscribe(self.audit.hear)
        self._pace = Pace()
        self._board.subscribe(self._pace.hear)
        self._records = Records(self._store, self._board, self.audit)
        self._handing_out = HandingOut(settings, self.audit, self._records.change)
        self.links = Links(
            self._database,
            settings,
            self._handing_out,
            self.audit,
            get=self._records.get,
            find=self._records.find,
            now=now,
            new_id=new_id,
        )
        self.templates = Templates(self._database, self.audit, now=now)
        self._admission = Admission(
            settings,
            self._store,
            self._lease,
            self._disk,
            self.audit,
            self._pace,
            instance=self._instance.name,
            place=lambda: self._place,
            now=now,
            new_id=new_id,
            submitting=self._submitting,
            check_open=self._check_open,
            enqueue=self._enqueue,
        )
        self._questions = Questions(
            settings,
            self._store,
            self._dispatcher,
            self.audit,
            now=now,
            new_id=new_id,
            submitting=self._submitting,
            check_open=self._check_open,
        )
        self.streams = StreamDesk(
            settings,
            self._store,
            self._dispatcher,
            now=now,
            new_id=new_id,
            submitting=self._submitting,
            check_open=self._check_open,
            audit=self.audit,
        )
        """``streams.begin``: an export that is sent as it is made, and no job."""
        self._started = False
        self._stopped = False

    # -------------------------------------------------------------- life

    def start(self) -> None:
        """Open the store, take over the jobs of dead services, warm a worker for databases. Once.

        Raises ``StoreTooNew`` for a store of a newer version, ``ServerUnavailable`` when it cannot
        be opened, ``InvalidSpec`` when ``state_dir`` cannot be made.
        """
        if self._started:
            return
        make_folders(self.settings)
        try:
            self._store.start()
            self.audit.start()
            self._instance.register()
            self._recovery.look()
        except BaseException:
            # Nothing runs yet; what was taken over is found again by the next who starts.
            self.audit.stop(STOP_SECONDS)
            self._instance.release()
            self._store.close()
            raise
        self._started = True
        self._dispatcher.start()
        self._recovery.start()
        self._housekeeping.start()

    def stop(self) -> None:
        """Let what runs finish within ``stop_timeout``, leave the rest to the next start, and end
        every process and every thread. A kernel's jobs end as ``interrupted``. Idempotent."""
        with self._submitting:
            if self._stopped:
                return
            self._stopped = True
        if not self._started:
            return
        self._recovery.stop(STOP_SECONDS)
        self._dispatcher.stop(self.settings.stop_timeout)
        self._housekeeping.stop(STOP_SECONDS)
        with suppress(ServerUnavailable):  # The lock's end tells the same.
            self._lease.end()
        self.audit.stop(STOP_SECONDS)
        self._store.close()
        self._instance.release()

    # -------------------------------------------------------------- jobs

    def submit(self, document: Any, caller: Caller) -> Job:
        """Check a spec, name its file, keep it as a job and put it in the queue.

        Raises ``InvalidSpec``, ``Forbidden``, ``NotFound`` (an upload), ``OutputExists``,
        ``QueueFull``, ``DiskFull``, ``ShuttingDown``. Nothing is kept of what is refused.
        """
        return self._admission.submit(document, caller)

    def preview(self, document: Any, caller: Caller, rows: int = DEFAULT_ROWS) -> dict[str, Any]:
        """Return the first ``rows`` rows (0 to 1000) of each dataset of a spec, with columns,
        types, counts and losses, estimated: ``pipeline.Preview`` as JSON. Nothing is written.

        Raises what ``submit`` raises of a spec, what its run would raise, and ``TimedOut`` after
        30 seconds.
        """
        return answer_to(self.begin_preview(document, caller, rows))

    def begin_preview(
        self, document: Any, caller: Caller, rows: int = DEFAULT_ROWS
    ) -> PendingPreview:
        """Ask for a preview; ``future`` gets the answer, ``cancel`` ends it when nobody waits."""
        return self._questions.preview(document, caller, rows)

    def wait(self, job_id: str, caller: Caller, timeout: float | None = None) -> Job:
        """Return the job when it is final, or as it is after ``timeout`` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            job = self.get(job_id, caller)
            left = None if deadline is None else deadline - time.monotonic()
            if job.final or (left is not None and left <= 0):
                return job
            if self._board.get(job_id) is not None:
                self._board.wait_while_active(job_id, left)
            else:
                # Another process runs it and tells the store only.
                self._board.pause(min(left or ELSEWHERE_SECONDS, ELSEWHERE_SECONDS))

    def get(self, job_id: str, caller: Caller) -> Job:
        """Return the job. Raises ``NotFound``, also for somebody else's."""
        return self._records.get(job_id, caller)

    def list(
        self,
        caller: Caller,
        *,
        status: str | None = None,
        format: str | None = None,
        q: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> JobPage:
        """Return the caller's jobs, newest first; an administrator's list is everybody's.

        ``status``: one or several with commas; ``q``: part of the name or path; ``limit``: 1 to
        500; ``cursor``: of the page before. Raises ``InvalidRequest``.
        """
        return self._records.page(
            caller, status=status, format=format, q=q, limit=limit, cursor=cursor
        )

    def cancel(self, job_id: str, caller: Caller) -> Job:
        """Ask for the end of a job; it comes within a second. A final job is returned as it is."""
        job = self._records.get(job_id, caller, "cancel")
        if job.final:
            return job
        self.audit.note("cancel", caller, job_id, owner=job.created_by)
        if self._board.get(job_id) is not None:
            self._dispatcher.cancel(job_id)
            self._board.wait_while_active(job_id, CANCEL_ANSWER)
            return self.get(job_id, caller)
        # Its own process sees the record change, and ends the worker.
        return self._records.change(
            job_id,
            caller,
            lambda job: (
                job
                if job.final
                else job.changed(status="cancelled", finished_at=self._now(), error=None)
            ),
        )

    def retry(self, job_id: str, caller: Caller) -> Job:
        """Queue a job that failed, was cancelled or has expired again, as its next attempt.

        Raises ``InvalidRequest`` for one that is active or completed, and what ``submit`` raises.
        """
        return self._admission.retry(self._records.get(job_id, caller, "retry"), caller)

    def delete(self, job_id: str, caller: Caller, *, delete_file: bool = False) -> None:
        """Cancel the job if it is active, then remove its record, its uploads that no other job
        reads, and its temporary file; a named file only with ``delete_file``.

        Raises ``NotFound``, and ``NotReady`` when the job does not end within 5 seconds.
        """
        self._records.get(job_id, caller, "delete")
        job = self.cancel(job_id, caller)
        if not job.final:
            job = self.wait(job_id, caller, DELETE_SECONDS)
            if not job.final:
                raise NotReady(f"The export {job_id} is still being stopped.", hint="Try again.")
        read = self._store.uploads_of(job_id)
        self.audit.require("delete", caller, job_id, owner=job.created_by, file=delete_file)
        if job.temporary or delete_file:
            remove_finished(job)
        self._store.delete(job_id)
        for upload_id in read:
            if not self._store.readers(upload_id):
                uploads.remove(self.settings.uploads, self._store, upload_id)

    @property
    def active(self) -> frozenset[str]:
        """The ids of the jobs of this service that are not finished."""
        return self._board.active()

    def subscribe(self, callback: Callable[[Job], None]) -> Callable[[], None]:
        """Have ``callback`` called with every change of every job, from threads of the service.

        Progress comes at most 5 times a second a job, a change of status always. ``callback`` must
        return at once. Returns what ends the subscription.
        """
        return self._board.subscribe(callback)

    # -------------------------------------------------------------- files

    def open_upload(self, caller: Caller, declared: int | None = None) -> UploadWriter:
        """Return a writer that takes the bytes of one Arrow IPC stream, ``declared`` many as far
        as is known. Raises ``DiskFull`` when there is no room for them."""
        self._check_open()
        with self._uploads.begun(caller.name) as ended:
            return UploadWriter(
                self.settings.uploads,
                self._store,
                caller,
                upload_id=self._new_id(),
                now=self._now,
                grow=self._disk.upload(declared).grow,
                on_kept=lambda kept: self.audit.note("upload", caller, kept.id, owner=kept.owner),
                on_end=ended,
            )

    def download(self, job_id: str, caller: Caller) -> Download:
        """Return the finished file of a job, or its folder as a zip.

        Raises ``NotFound``, ``NotReady``, ``Expired``.
        """
        job = self._records.get(job_id, caller, "download")
        try:
            return self._handing_out.to(caller, job, self._handing_out.ready(job))
        except Expired:
            with suppress(ServerUnavailable):  # The sweep finds it, too.
                self._housekeeping.look_at(job)
            raise

    # -------------------------------------------------------------- what there is

    def formats(self) -> builtins.list[dict[str, Any]]:
        """Return each format as ``GET formats`` shows it."""
        return [each.to_json() for each in registry.formats().values()]

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the spec."""
        return ExportSpec.model_json_schema(by_alias=True)

    def connections(self, caller: Caller) -> builtins.list[dict[str, Any]]:
        """Return the connections that ``caller`` may use, by name: ``{"name", "dialect", "kind":
        "database" | "files", "read_only", "statement_timeout", "error"}``, and no URL.

        ``error`` says what is missing in the environment; dialect and kind are None then.
        """
        mine = connections.visible(self.settings.connections, caller)
        return [each.to_json(os.environ) for each in mine.values()]

    def tables(
        self, name: str, caller: Caller, *, schema: str | None = None, q: str | None = None
    ) -> dict[str, Any]:
        """Return ``{"tables": […]}``: ``seams.Database.tables`` of a connection, only those of
        ``schema``, and those whose name holds ``q``.

        Raises ``NotFound`` (a connection that ``caller`` may not use), ``InvalidRequest`` (a place
        with files), what opening the database raises, and ``TimedOut`` after 30 seconds.
        """
        return answer_to(self.begin_tables(name, caller, schema=schema, q=q))

    def begin_tables(
        self, name: str, caller: Caller, *, schema: str | None = None, q: str | None = None
    ) -> PendingPreview:
        """Ask for tables, as ``begin_preview`` asks for rows."""
        return self._questions.tables(name, caller, schema, q)

    # -------------------------------------------------------------- inner

    @cached_property
    def _place(self) -> str:
        return place_of(self.settings.state_dir)

    def _held_by_workers(self) -> int | None:
        return self._instance.handle

    def _check_open(self) -> None:
        if self._stopped or not self._started:
            raise ShuttingDown(
                "The export service is shutting down.", hint="Try again in a minute."
            )

    def _enqueue(self, job: Job) -> None:
        self._board.show(job)
        self._dispatcher.submit(job)

    def _adopt(self, job: Job) -> None:
        self._board.show(job)
        self._dispatcher.submit(job, adopted=True)
