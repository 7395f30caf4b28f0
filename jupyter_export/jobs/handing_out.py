"""The file of a job on its way to somebody: in the audit trail before, counted behind its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .. import registry
from .audit_trail import AuditTrail, of_file
from .downloads import Download, ready
from .files import remove_finished
from .model import Caller, Job
from .settings import Settings

Change = Callable[[str, Caller, Callable[[Job], Job]], Job]


class HandingOut:
    """``change`` stores what its function makes of a job's newest version."""

    def __init__(self, settings: Settings, audit: AuditTrail, change: Change) -> None:
        self._settings = settings
        self._audit = audit
        self._change = change

    def ready(self, job: Job) -> Download:
        """Return the finished file of ``job``. Raises ``NotReady``, ``Expired``."""
        return ready(
            job,
            root=self._settings.root if self._settings.confined else None,
            media_type=registry.format_named(job.format).media_type,
            # In the name of its owner: whoever has a link may not change the job.
            on_done=lambda: self._count(job.id, Caller(job.created_by)),
        )

    def to(self, caller: Caller, job: Job, download: Download, **details: Any) -> Download:
        """Return ``download`` such that no byte is sent before its entry, and its end has one.

        ``details`` are those of the entries. The headers alone (HEAD, 304) have none: they say
        nothing of what is in the file.
        """
        audit, owner = self._audit, job.created_by

        def begin(part: str) -> None:
            download.begin(part)
            try:
                if part:
                    audit.require_part(caller, job, part, **details)
                else:
                    said = {**of_file(job), **details}
                    audit.require("download", caller, job.id, owner=owner, outcome="begun", **said)
            except BaseException:
                if not part:
                    download.broken_off()
                raise

        def done() -> None:
            audit.note("download", caller, job.id, owner=owner, outcome="completed", **details)
            download.done()

        def broken_off() -> None:
            audit.note("download", caller, job.id, owner=owner, outcome="broken_off", **details)
            download.broken_off()

        return replace(download, on_begin=begin, on_done=done, on_broken_off=broken_off)

    def _count(self, job_id: str, owner: Caller) -> None:
        def counted(job: Job) -> Job:
            once = job.spec.get("retention", {}).get("delete_after_download", False)
            count = job.download_count + 1
            if once and job.status == "completed":
                if remove_finished(job):
                    return job.changed(download_count=count, status="expired")
                # It could not be removed now; the next sweep tries again.
                return job.changed(download_count=count, expires_at=job.finished_at)
            return job.changed(download_count=count)

        self._change(job_id, owner, counted)
