"""How a spec becomes a job in the queue, for the first time and again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import InvalidRequest, ServerUnavailable
from .audit_trail import AuditTrail, of_job
from .disk import DiskBudget
from .files import remove_empty
from .leases import Lease
from .model import Caller, Job
from .ownership import author_of
from .pace import Pace
from .settings import Settings
from .store import JobStore, StaleVersion
from .submission import check, check_queue, choose_target, first_attempt, next_attempt


class Admission:
    """Checks, names the file, stores the job, and puts it in the queue. Safe from several threads.

    ``check_open`` raises ``ShuttingDown`` when it is too late, which ``submitting`` keeps true.
    """

    def __init__(
        self,
        settings: Settings,
        store: JobStore,
        lease: Lease,
        disk: DiskBudget,
        audit: AuditTrail,
        pace: Pace,
        *,
        instance: str,
        place: Callable[[], str],
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        submitting: threading.Lock,
        check_open: Callable[[], None],
        enqueue: Callable[[Job], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._lease = lease
        self._disk = disk
        self._audit = audit
        self._pace = pace
        self._instance = instance
        self._place = place
        self._now = now
        self._new_id = new_id
        self._submitting = submitting
        self._check_open = check_open
        self._enqueue = enqueue

    def submit(self, document: Any, caller: Caller) -> Job:
        """Return the job of a spec, which waits for its turn. See ``ExportService.submit``."""
        self._check_open()
        checked = check(document, self._settings, self._store, caller)
        job_id, now = self._new_id(), self._now()
        with self._submitting:
            self._check_open()
            check_queue(caller.name, self._settings, self._store, self._pace)
            target = choose_target(checked, self._settings, self._store, job_id=job_id, moment=now)
            job = first_attempt(
                checked,
                target,
                self._settings,
                job_id=job_id,
                owner=caller.name,
                moment=now,
                instance=self._instance,
                place=self._place(),
            )
            try:
                self._disk.check_job(target.absolute, temporary=target.temporary)
                self._lease.hold()
                self._store.add(job, checked.uploads)
            except BaseException:
                remove_empty(job.made)  # Nothing is kept of it, whatever went wrong.
                with suppress(ServerUnavailable):  # Only the answer to ``add`` may have been lost.
                    self._store.delete(job.id)
                raise
            self._audit.note("submit", caller, job.id, owner=caller.name, **of_job(job))
            self._enqueue(job)
        return job

    def retry(self, job: Job, caller: Caller) -> Job:
        """Return a job that has ended as its next attempt. See ``ExportService.retry``."""
        self._check_open()
        if job.status not in ("failed", "cancelled", "expired"):
            how = "is completed already" if job.status == "completed" else f"is {job.status}"
            raise InvalidRequest(
                f"The export {job.id} {how}, so it cannot be retried.",
                hint="Submit its spec again to export once more.",
            )
        # Another kernel's job keeps that kernel's folder; a server's is under its root, always.
        root = self._settings.root.resolve() if self._settings.confined else Path(job.root)
        settings = replace(self._settings, root=root)
        author = author_of(job, caller, self._settings.admin_users)
        checked = check(job.spec, settings, self._store, author)
        with self._submitting:
            self._check_open()
            check_queue(job.created_by, self._settings, self._store, self._pace)
            target = choose_target(
                checked, settings, self._store, job_id=job.id, moment=self._now()
            )
            again = next_attempt(
                job, target, settings, instance=self._instance, place=self._place()
            )
            try:
                self._disk.check_job(target.absolute, temporary=target.temporary)
                self._lease.hold()
                self._store.update(again, expected=job.version)
            except BaseException as error:
                remove_empty(target.made)  # As of a submission that the store does not take.
                if not isinstance(error, StaleVersion):
                    raise
                raise InvalidRequest(f"The export {job.id} is being retried already.") from None
            self._audit.note("retry", caller, job.id, owner=job.created_by, **of_job(again))
            self._enqueue(again)
        return again
