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


def order_for(
    job: Job, settings: Settings, *, busy: int, disk_left: int | None, now: datetime
) -> Message:
    """Return the message that makes a worker run ``job``.

    ``busy`` other jobs share the machine, ``disk_left`` bytes are left of ``max_disk``.

    Only now are connections looked up, and the worker gets none that the spec does not name.
    Raises ``SourceFailed`` when the environment lacks one.
    """
    spec = parse(job.spec)
    here = _surroundings(
        settings,
        job.id,
        names=connections.named(spec),
        seconds=settings.job_timeout,
        root=Path(job.root),
        target=Path(job.target),
        busy=busy,
        attempt=job.attempt,
        now=now,
    )
    here |= {"disk_left": disk_left, "temporary": job.temporary}
    return {"run": {"job": job.id, "spec": _decided(spec, job.format), "here": here}}


def preview_order(
    preview_id: str,
    spec: ExportSpec,
    settings: Settings,
    *,
    seconds: int,
    file_name: str,
    format: str,
    rows: int,
    now: datetime,
) -> Message:
    """Return the message that makes a worker preview ``spec``, of which nothing is written.

    ``file_name`` is what the file would be called; after ``seconds`` nobody waits for the answer.
    Raises as ``order_for``.
    """
    root = settings.root.resolve()
    here = _surroundings(
        settings,
        preview_id,
        names=connections.named(spec),
        seconds=seconds,
        root=root,
        target=root / file_name,
        now=now,
    )
    decided = _decided(spec, format)
    return {"preview": {"job": preview_id, "spec": decided, "here": here, "rows": rows}}


def stream_order(
    stream_id: str,
    spec: ExportSpec,
    settings: Settings,
    *,
    file_name: str,
    format: str,
    now: datetime,
) -> Message:
    """Return the message that makes a worker send the bytes of ``spec`` as it makes them.

    ``file_name`` is what the file would be called. Raises as ``order_for``.
    """
    root = settings.root.resolve()
    here = _surroundings(
        settings,
        stream_id,
        names=connections.named(spec),
        seconds=settings.job_timeout,
        root=root,
        target=root / file_name,
        now=now,
    )
    decided = _decided(spec, format)
    return {"stream": {"job": stream_id, "spec": decided, "here": here, "name": file_name}}


def tables_order(
    question_id: str,
    name: str,
    settings: Settings,
    *,
    seconds: int,
    schema: str | None,
    q: str | None,
    now: datetime,
) -> Message:
    """Return the message that makes a worker list the tables of the connection ``name``.

    After ``seconds`` nobody waits for the answer. Raises as ``order_for``.
    """
    root = settings.root.resolve()
    here = _surroundings(
        settings,
        question_id,
        names=[name],
        seconds=seconds,
        root=root,
        target=root / "tables",
        now=now,
    )
    asked = {"connection": name, "schema": schema, "q": q}
    return {"tables": {"job": question_id, "here": here, **asked}}


def _surroundings(
    settings: Settings,
    job_id: str,
    *,
    names: list[str],
    seconds: int | None,
    root: Path,
    target: Path,
    now: datetime,
    busy: int = 0,
    attempt: int = 1,
) -> dict[str, Any]:
    resolved = connections.resolve(names, settings.connections, os.environ, seconds)
    scratch = scratch_of(job_id, settings, attempt)
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    return here_to_json(
        Surroundings(
            root=root,
            target=target,
            part=part_of(target, job_id, attempt),
            uploads=settings.uploads,
            scratch=scratch,
            confined=settings.confined,
            allow_hidden=settings.allow_hidden,
            connections=resolved,
            memory_limit=settings.memory_limit_per_job,
            threads=max(_cores() // (busy + 1), 1),
            max_rows=settings.max_rows,
            max_bytes=settings.max_bytes,
            min_free_disk=settings.min_free_disk,
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
