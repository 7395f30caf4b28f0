"""The files that belong to a job: what it makes, and what it leaves when it does not finish."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Container
from datetime import datetime
from pathlib import Path

from .model import Job
from .naming import part_of
from .settings import Settings

log = logging.getLogger(__name__)


def scratch_of(job: Job, settings: Settings) -> Path:
    """Return the folder that the job's engine spills into."""
    return settings.scratch / job.id


def clean(job: Job, settings: Settings) -> None:
    """Remove what a job that did not finish may have left: its part file and its spill folder."""
    _remove(part_of(Path(job.target), job.id), job)
    shutil.rmtree(scratch_of(job, settings), ignore_errors=True)


def sweep_scratch(settings: Settings, active: Container[str], before: datetime) -> None:
    """Remove what processes that were killed left in the scratch folder before that time."""
    for path in settings.scratch.iterdir():
        if path.name not in active and _changed_at(path) < before.timestamp():
            shutil.rmtree(path, ignore_errors=True)


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return math.inf


def remove_finished(job: Job) -> bool:
    """Remove the files that ``job`` made, if it made any; return whether they are gone.

    What has another size by now was written by somebody else under the same name, and stays.
    """
    if job.result is None:
        return True
    files = {Path(job.root) / str(f["path"]): int(f["bytes"]) for f in job.result.files}
    files.setdefault(Path(job.target), job.result.bytes)
    outcomes = [_remove(path, job) for path in sorted(files) if _has_size(path, files[path])]
    return all(outcomes)


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.lstat().st_size == size
    except FileNotFoundError:
        return False
    except OSError:
        return True  # It cannot be looked at; removing it says why.


def _remove(path: Path, job: Job) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        log.warning("a file of job %s could not be removed", job.id, exc_info=True)
        return False
    return True
