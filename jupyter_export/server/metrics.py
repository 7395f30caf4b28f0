"""Prometheus metrics of exports, beside Jupyter's own: they are served by its ``/metrics``.

The collectors are of the process, as is the registry that Jupyter serves, however many servers it
holds. No label names a user, a job or a path: there are as many series as formats and statuses.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

from ..jobs.model import Job

SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
"""Limits of the classes of a duration: from a small frame to a night's export."""

FINISHED = Counter(
    "jupyter_export_jobs_finished",
    "Export jobs that have ended, by how; a completed one whose file expires counts for both.",
    ["status", "format"],
)
ACTIVE = Gauge(
    "jupyter_export_jobs_active",
    "Export jobs that are not finished: pending ones wait in the queue.",
    ["status"],
)
ROWS = Counter("jupyter_export_rows", "Rows in the files of completed exports.", ["format"])
BYTES = Counter("jupyter_export_bytes", "Bytes in the files of completed exports.", ["format"])
WAIT = Histogram(
    "jupyter_export_job_wait_seconds",
    "How long an export waited for a worker, before each attempt.",
    buckets=SECONDS,
)
RUN = Histogram(
    "jupyter_export_job_run_seconds",
    "How long an attempt of an export ran.",
    ["status"],
    buckets=SECONDS,
)
RETRIES = Counter(
    "jupyter_export_job_retries", "Attempts after the first, asked for or by themselves."
)
UPLOADS = Counter("jupyter_export_uploads", "Uploads that were kept.")
UPLOAD_BYTES = Counter("jupyter_export_upload_bytes", "Bytes of the uploads that were kept.")
DOWNLOADS = Counter(
    "jupyter_export_downloads",
    "Answers with an exported file, by what was sent: whole, part, or broken off.",
    ["sent"],
)
DOWNLOAD_BYTES = Counter("jupyter_export_download_bytes", "Bytes of exported files that were sent.")
STREAMS = Counter(
    "jupyter_export_streams",
    "Exports that were sent as they were made, by what was sent: whole, or broken off.",
    ["sent"],
)
STREAM_BYTES = Counter("jupyter_export_stream_bytes", "Bytes of such exports that were sent.")
AUDIT_FAILURES = Counter(
    "jupyter_export_audit_failures",
    "Times that the audit trail could not be written; what waits is written later.",
)

for _status in ("pending", "running"):
    ACTIVE.labels(_status)  # Shown as 0 before the first job.
for _sent in ("whole", "part", "broken"):
    DOWNLOADS.labels(_sent)
for _sent in ("whole", "broken"):
    STREAMS.labels(_sent)


@dataclass
class _Seen:
    """An active job as it was last told of, and since when it has that status."""

    status: str
    attempt: int
    since: float


class JobMetrics:
    """What one server tells of its jobs; for one thread at a time.

    ``clock`` counts seconds and never jumps.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._active: dict[str, _Seen] = {}

    def tell(self, job: Job) -> None:
        """Count a change of ``job``; each state once, however often it is told."""
        seen = self._active.get(job.id)
        if seen is None and job.final:
            # Told again after its end: somebody downloaded it, or its time is over.
            if job.status == "expired":
                FINISHED.labels(job.status, job.format).inc()
            return
        retried = job.attempt - (seen.attempt if seen else 1)
        if retried > 0:
            RETRIES.inc(retried)
        if seen is not None and seen.status == job.status and not retried:
            return
        now = self._clock()
        if seen is not None:
            self._left(seen, job, now)
        if job.final:
            del self._active[job.id]
            self._ended(job)
        else:
            self._active[job.id] = _Seen(job.status, job.attempt, now)
            ACTIVE.labels(job.status).inc()

    def forget(self, job_id: str) -> None:
        """Take a job out of the gauges whose end will not be told: another server has it."""
        seen = self._active.pop(job_id, None)
        if seen is not None:
            ACTIVE.labels(seen.status).dec()

    def close(self) -> None:
        """Take this server's jobs out of the gauges: it stops."""
        for seen in self._active.values():
            ACTIVE.labels(seen.status).dec()
        self._active.clear()

    def _left(self, seen: _Seen, job: Job, now: float) -> None:
        ACTIVE.labels(seen.status).dec()
        if seen.status == "running":
            RUN.labels(job.status if job.final else "retried").observe(now - seen.since)
        elif job.status != "cancelled":
            WAIT.observe(now - seen.since)

    def _ended(self, job: Job) -> None:
        FINISHED.labels(job.status, job.format).inc()
        if job.status == "completed" and job.result is not None:
            ROWS.labels(job.format).inc(job.result.rows)
            BYTES.labels(job.format).inc(job.result.bytes)


def uploaded(size: int) -> None:
    """Count an upload of ``size`` bytes that was kept."""
    UPLOADS.inc()
    UPLOAD_BYTES.inc(size)


def downloaded(size: int, *, whole: bool, finished: bool = True) -> None:
    """Count an answer that sent ``size`` bytes of a file: all of them, or those of a range."""
    DOWNLOADS.labels(("whole" if whole else "part") if finished else "broken").inc()
    DOWNLOAD_BYTES.inc(size)


def streamed(size: int, *, finished: bool) -> None:
    """Count an export that was sent as it was made; without a byte it was none."""
    if finished or size:
        STREAMS.labels("whole" if finished else "broken").inc()
        STREAM_BYTES.inc(size)
