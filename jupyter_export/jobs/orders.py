"""What a worker is told of a job: its spec, and everything a run needs beside it."""

from __future__ import annotations

import os
from pathlib import Path

from ..registry import Surroundings
from ..spec import parse
from . import connections
from .files import scratch_of
from .model import Job
from .naming import part_of
from .settings import Settings
from .worker import here_to_json
from .workers import Message


def order_for(job: Job, settings: Settings, *, busy: int) -> Message:
    """Return the message that makes a worker run ``job``; ``busy`` other jobs share the machine.

    Only now are connections looked up, and the worker gets none that the spec does not name.
    Raises ``SourceFailed`` when the environment lacks one.
    """
    spec = parse(job.spec)
    target = Path(job.target)
    scratch = scratch_of(job, settings)
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    here = Surroundings(
        root=Path(job.root),
        target=target,
        part=part_of(target, job.id),
        uploads=settings.uploads,
        scratch=scratch,
        confined=settings.confined,
        connections=connections.resolve(spec, settings.connections, os.environ),
        memory_limit=settings.memory_limit_per_job,
        threads=max(_cores() // (busy + 1), 1),
        max_rows=settings.max_rows,
        max_bytes=settings.max_bytes,
    )
    return {"run": {"job": job.id, "spec": spec.to_json(), "here": here_to_json(here)}}


def _cores() -> int:
    """Return the processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
