"""The record of a job whose files are there."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from ..progress import Progress, Result
from ..spec import parse, seconds
from .model import Job
from .naming import shown
from .settings import Settings


def completed(job: Job, result: Result, settings: Settings, now: datetime) -> Job:
    """Return ``job`` as completed with ``result``, and when its file may be removed."""
    root = Path(job.root)
    target = root / result.path
    keep = parse(job.spec).retention.expires_after
    if keep is None and job.temporary:
        keep = settings.retention
    return job.changed(
        status="completed",
        finished_at=now,
        expires_at=now + timedelta(seconds=seconds(keep)) if keep is not None else None,
        path=shown(target, root),
        target=str(target),
        result=result,
        prepared=None,
        progress=Progress(
            phase="done",
            rows=result.rows,
            total_rows=result.rows,
            percent=100.0,
            bytes=result.bytes,
            rows_per_second=job.progress.rows_per_second,
            eta_seconds=0.0,
        ),
    )
