"""The one door to export jobs: thread-safe, synchronous, knows neither tornado nor asyncio."""

from __future__ import annotations

import builtins
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .. import registry
from ..errors import InvalidRequest, NotFound, NotReady, ShuttingDown
from ..spec import ExportSpec
from . import connections, uploads
from .board import Board
from .dispatcher import Dispatcher
from .downloads import Download, ready
from .files import make_folders, remove_empty, remove_finished
from .housekeeping import Housekeeping, instances_folder
from .instances import Instance
from .model import Caller, Job, JobPage
from .ownership import author_of
from .previews import DEFAULT_ROWS, PendingPreview
from .questions import Questions, answer_to
from .settings import Settings
from .store import JobQuery, JobStore, StaleVersion
from .store_sqlalchemy import SqlAlchemyStore
from .submission import check, check_queue, choose_target, first_attempt, next_attempt
from .uploads import UploadWriter
from .worker import DEFAULT_RUN

__all__ = ["Download", "ExportService", "UploadWriter"]

CANCEL_ANSWER = 0.25
"""Seconds that ``cancel`` waits, so that most answers show the job cancelled."""
DELETE_SECONDS = 5.0
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
        self._store = store or SqlAlchemyStore(settings.state_dir, settings.db_url)
        self._board = Board()
        self._instance = Instance(instances_folder(settings), secrets.token_hex(16))
        self._dispatcher = Dispatcher(settings, self._store, self._board, now=now, run=run)
        self._housekeeping = Housekeeping(settings, self._store, now=now, show=self._board.show)
        self._submitting = threading.Lock()
        self._questions = Questions(
            settings,
            self._store,
            self._dispatcher,
            now=now,
            new_id=new_id,
            submitting=self._submitting,
            check_open=self._check_open,
        )
        self._started = False
        self._stopped = False

    # -------------------------------------------------------------- life

    def start(self) -> None:
        """Open the store, end the jobs of dead services, warm a worker for databases. Once.

        Raises ``StoreTooNew`` for a store of a newer version, ``ServerUnavailable`` when it cannot
        be opened, ``InvalidSpec`` when ``state_dir`` cannot be made.
        """
        if self._started:
            return
        make_folders(self.settings)
        self._store.start()
        self._instance.register()
        self._housekeeping.interrupt_orphans()
        self._started = True
        self._dispatcher.start()
        self._housekeeping.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End every active job as ``interrupted``, every process and every thread. Idempotent."""
        with self._submitting:
            if self._stopped:
                return
            self._stopped = True
        if not self._started:
            return
        deadline = time.monotonic() + timeout
        self._dispatcher.stop(timeout)
        self._housekeeping.stop(max(deadline - time.monotonic(), 0.5))
        self._store.close()
        self._instance.release()

    # -------------------------------------------------------------- jobs

    def submit(self, document: Any, caller: Caller) -> Job:
        """Check a spec, name its file, keep it as a job and put it in the queue.

        Raises ``InvalidSpec``, ``Forbidden``, ``NotFound`` (an upload), ``OutputExists``,
        ``QueueFull``, ``ShuttingDown``. Nothing is kept of what is refused.
        """
        self._check_open()
        checked = check(document, self.settings, self._store, caller)
        job_id, now = self._new_id(), self._now()
        with self._submitting:
            self._check_open()
            check_queue(caller.name, self.settings, self._store)
            target = choose_target(checked, self.settings, self._store, job_id=job_id, moment=now)
            job = first_attempt(
                checked,
                target,
                self.settings,
                job_id=job_id,
                owner=caller.name,
                moment=now,
                instance=self._instance.name,
            )
            try:
                self._store.add(job, checked.uploads)
            except BaseException:
                remove_empty(job.made)  # Nothing is kept of it, whatever went wrong.
                raise
            self._enqueue(job)
        return job

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
        job = self._board.get(job_id) or self._store.get(job_id)
        if job is None or not (caller.admin or job.created_by == caller.name):
            raise NotFound(f"There is no export {job_id[:64]}.", hint="It may have been deleted.")
        return job

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
        query = JobQuery.parse(
            None if caller.admin else caller.name,
            status=status,
            format=format,
            q=q,
            limit=limit,
            cursor=cursor,
        )
        page = self._store.page(query)
        return replace(page, jobs=self._board.overlay(page.jobs))

    def cancel(self, job_id: str, caller: Caller) -> Job:
        """Ask for the end of a job; it comes within a second. A final job is returned as it is."""
        job = self.get(job_id, caller)
        if job.final:
            return job
        if self._board.get(job_id) is not None:
            self._dispatcher.cancel(job_id)
            self._board.wait_while_active(job_id, CANCEL_ANSWER)
            return self.get(job_id, caller)
        # Its own process sees the record change, and ends the worker.
        return self._change(
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
        self._check_open()
        job = self.get(job_id, caller)
        if job.status not in ("failed", "cancelled", "expired"):
            how = "is completed already" if job.status == "completed" else f"is {job.status}"
            raise InvalidRequest(
                f"The export {job.id} {how}, so it cannot be retried.",
                hint="Submit its spec again to export once more.",
            )
        # Another kernel's job keeps that kernel's folder; a server's is under its root, always.
        root = self.settings.root.resolve() if self.settings.confined else Path(job.root)
        settings = replace(self.settings, root=root)
        author = author_of(job, caller, self.settings.admin_users)
        checked = check(job.spec, settings, self._store, author)
        with self._submitting:
            self._check_open()
            check_queue(job.created_by, self.settings, self._store)
            target = choose_target(
                checked, settings, self._store, job_id=job.id, moment=self._now()
            )
            again = next_attempt(job, target, settings, instance=self._instance.name)
            try:
                self._store.update(again, expected=job.version)
            except BaseException as error:
                remove_empty(target.made)  # As of a submission that the store does not take.
                if not isinstance(error, StaleVersion):
                    raise
                raise InvalidRequest(f"The export {job.id} is being retried already.") from None
            self._enqueue(again)
        return again

    def delete(self, job_id: str, caller: Caller, *, delete_file: bool = False) -> None:
        """Cancel the job if it is active, then remove its record, its uploads that no other job
        reads, and its temporary file; a named file only with ``delete_file``.

        Raises ``NotFound``, and ``NotReady`` when the job does not end within 5 seconds.
        """
        job = self.cancel(job_id, caller)
        if not job.final:
            job = self.wait(job_id, caller, DELETE_SECONDS)
            if not job.final:
                raise NotReady(f"The export {job_id} is still being stopped.", hint="Try again.")
        of_job = self._store.uploads_of(job_id)
        if job.temporary or delete_file:
            remove_finished(job)
        self._store.delete(job_id)
        for upload_id in of_job:
            if not self._store.readers(upload_id):
                uploads.remove(self.settings.uploads, self._store, upload_id)

    def subscribe(self, callback: Callable[[Job], None]) -> Callable[[], None]:
        """Have ``callback`` called with every change of every job, from threads of the service.

        Progress comes at most 5 times a second a job, a change of status always. ``callback`` must
        return at once. Returns what ends the subscription.
        """
        return self._board.subscribe(callback)

    # -------------------------------------------------------------- files

    def open_upload(self, caller: Caller) -> UploadWriter:
        """Return a writer that takes the bytes of one Arrow IPC stream."""
        self._check_open()
        return UploadWriter(
            self.settings.uploads, self._store, caller, upload_id=self._new_id(), now=self._now
        )

    def download(self, job_id: str, caller: Caller) -> Download:
        """Return the finished file of a job, or its folder as a zip.

        Raises ``NotFound``, ``NotReady``, ``Expired``.
        """
        job = self.get(job_id, caller)
        return ready(
            job,
            root=self.settings.root if self.settings.confined else None,
            media_type=registry.format_named(job.format).media_type,
            on_done=lambda: self._downloaded(job_id, caller),
        )

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

    def _check_open(self) -> None:
        if self._stopped or not self._started:
            raise ShuttingDown(
                "The export service is shutting down.", hint="Try again in a minute."
            )

    def _enqueue(self, job: Job) -> None:
        self._board.show(job)
        self._dispatcher.submit(job)

    def _downloaded(self, job_id: str, caller: Caller) -> None:
        def counted(job: Job) -> Job:
            once = job.spec.get("retention", {}).get("delete_after_download", False)
            count = job.download_count + 1
            if once and job.status == "completed" and remove_finished(job):
                return job.changed(download_count=count, status="expired")
            return job.changed(download_count=count)

        self._change(job_id, caller, counted)

    def _change(self, job_id: str, caller: Caller, change: Callable[[Job], Job]) -> Job:
        """Store what ``change`` makes of the job's newest version; ``change`` may be called again
        when somebody else was quicker."""
        for _ in range(ATTEMPTS):
            job = self.get(job_id, caller)
            changed = change(job)
            if changed is job:
                return job
            try:
                self._store.update(changed, expected=job.version)
            except StaleVersion:
                continue
            self._board.show(changed)
            return changed
        raise NotReady(f"The export {job_id} is changing too fast.", hint="Try again.")
