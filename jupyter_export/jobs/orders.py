"""What a worker is told of a job or a preview: its spec, and everything a run needs beside it."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from ..registry import Surroundings
from ..spec import ExportSpec, parse
from . import connections
from .files import scratch_of
from .model import Job
from .naming import part_of
from .settings import Settings
from .worker import here_to_json
from .workers import Message


def order_for(job: Job, settings: Settings, *, busy: int, now: datetime) -> Message:
    """Return the message that makes a worker run ``job``; ``busy`` other jobs share the machine.

    Only now are connections looked up, and the worker gets none that the spec does not name.
    Raises ``SourceFailed`` when the environment lacks one.
    """
    spec = parse(job.spec)
    here = _surroundings(
        spec, settings, job.id, root=Path(job.root), target=Path(job.target), busy=busy, now=now
    )
    return {"run": {"job": job.id, "spec": _decided(spec, job.format), "here": here}}


def preview_order(
    preview_id: str,
    spec: ExportSpec,
    settings: Settings,
    *,
    file_name: str,
    format: str,
    rows: int,
    now: datetime,
) -> Message:
    """Return the message that makes a worker preview ``spec``, of which nothing is written.

    ``file_name`` is what the file would be called. Raises as ``order_for``.
    """
    root = settings.root.resolve()
    here = _surroundings(
        spec, settings, preview_id, root=root, target=root / file_name, busy=0, now=now
    )
    decided = _decided(spec, format)
    return {"preview": {"job": preview_id, "spec": decided, "here": here, "rows": rows}}


def _surroundings(
    spec: ExportSpec,
    settings: Settings,
    job_id: str,
    *,
    root: Path,
    target: Path,
    busy: int,
    now: datetime,
) -> dict[str, Any]:
    resolved = connections.resolve(spec, settings.connections, os.environ)
    scratch = scratch_of(job_id, settings)
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    return here_to_json(
        Surroundings(
            root=root,
            target=target,
            part=part_of(target, job_id),
            uploads=settings.uploads,
            scratch=scratch,
            confined=settings.confined,
            connections=resolved,
            memory_limit=settings.memory_limit_per_job,
            threads=max(_cores() // (busy + 1), 1),
            max_rows=settings.max_rows,
            max_bytes=settings.max_bytes,
            started=now,
        )
    )


def _decided(spec: ExportSpec, format: str) -> dict[str, Any]:
    """Return the spec with the format that its submission settled on: the name that we give to a
    zip does not tell what is in it."""
    document = spec.to_json()
    return {"format": {"type": format}, **document}


def _cores() -> int:
    """Return the processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
