"""Jobs as a caller may see and change them: the board's and the store's, and whose they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..errors import NotFound, NotReady
from .audit_trail import AuditTrail
from .board import Board
from .model import Caller, Job, JobPage
from .store import JobQuery, JobStore, StaleVersion

ATTEMPTS = 20
"""Tries to change a job that somebody else changes at the same time."""


class Records:
    """Safe from several threads."""

    def __init__(self, store: JobStore, board: Board, audit: AuditTrail) -> None:
        self._store = store
        self._board = board
        self._audit = audit

    def find(self, job_id: str) -> Job | None:
        """Return the newest state of the job, whoever asks."""
        return self._board.get(job_id) or self._store.get(job_id)

    def get(self, job_id: str, caller: Caller, to: str = "read") -> Job:
        """Return the job, which ``caller`` wants ``to`` do something with: an action of the audit
        trail. Raises ``NotFound``, also for somebody else's."""
        job = self.find(job_id)
        if job is None or not (caller.admin or job.created_by == caller.name):
            if job is not None:
                self._audit.refused(to, caller, job_id, owner=job.created_by)
            raise NotFound(f"There is no export {job_id[:64]}.", hint="It may have been deleted.")
        return job

    def page(
        self,
        caller: Caller,
        *,
        status: str | None,
        format: str | None,
        q: str | None,
        limit: int,
        cursor: str | None,
    ) -> JobPage:
        """Return the caller's jobs, an administrator's everybody's. Raises ``InvalidRequest``."""
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

    def change(self, job_id: str, caller: Caller, change: Callable[[Job], Job]) -> Job:
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
