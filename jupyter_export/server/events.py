"""A job's change as a Jupyter Event."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..jobs.model import Job

SCHEMA_ID = "https://jupyter-export.readthedocs.io/events/job/v1"
SCHEMA_FILE = Path(__file__).with_name("job_event.v1.yaml")


def job_event(job: Job) -> dict[str, Any]:
    """Return ``{id, status, progress, owner}``: all that every subscriber of a server may see."""
    return {
        "id": job.id,
        "status": job.status,
        "progress": job.progress.to_json(),
        "owner": job.created_by,
    }
