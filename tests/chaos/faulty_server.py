"""A Jupyter server that dies at exact points, or whose leases are short.

    python faulty_server.py FAULT… -- ARGUMENTS OF JUPYTER SERVER

A fault is ``lease=SECONDS`` (it beats six times in that), or ``points``: a job that has the name of
one of ``POINTS`` (“POINT #1”) takes the server down (SIGKILL, as from outside) when it is
there, once.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

DEATHS = "CHAOS_DEATHS"
"""The variable with the folder in which each job that has killed its server is noted."""


def is_first(job_name: str) -> bool:
    """Tell whether the job kills for the first time, and note that it does."""
    try:
        Path(os.environ[DEATHS], job_name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def point_of(name: str) -> str:
    """Return the point in the name of a job: ``POINT #1``."""
    return name.partition(" #")[0]


def begins(job: Any) -> bool:
    return bool(job.status == "running" and job.prepared is None)


def is_prepared(job: Any) -> bool:
    return bool(job.status == "running" and job.prepared is not None)


def is_completed(job: Any) -> bool:
    return bool(job.status == "completed")


def is_new(job: Any) -> bool:
    return bool(job.status == "pending")


STORE_POINTS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "before a job is stored": ("add", is_new),
    "after a job is stored": ("add", is_new),
    "before a job begins": ("update", begins),
    "after a job begins": ("update", begins),
    "before it is noted as prepared": ("update", is_prepared),
    "after it is noted as prepared": ("update", is_prepared),
    "before its end is stored": ("update", is_completed),
    "after its end is stored": ("update", is_completed),
}
"""The store's method, and for which job the process dies before or after it."""
WORKER_POINTS = (
    "the worker before it publishes",
    "the worker after it published",
    "the worker between two folders",
)
"""There the worker kills its server and itself: see ``faulty_worker``."""
POINTS = (*STORE_POINTS, *WORKER_POINTS)


def arm() -> None:
    from jupyter_export.jobs.service import ExportService
    from jupyter_export.jobs.store_sqlalchemy import SqlAlchemyStore

    for method in ("add", "update"):
        points = {name: test for name, (of, test) in STORE_POINTS.items() if of == method}
        setattr(SqlAlchemyStore, method, deadly(getattr(SqlAlchemyStore, method), points))
    defaults = ExportService.__init__.__kwdefaults__
    assert defaults is not None
    defaults["run"] = "tests.chaos.faulty_worker:run"


def deadly(
    inner: Callable[..., Any], points: dict[str, Callable[[Any], bool]]
) -> Callable[..., Any]:
    def call(self: Any, job: Any, *arguments: Any, **named: Any) -> Any:
        test = points.get(point_of(job.name))
        due = test is not None and test(job) and is_first(job.name)
        if due and job.name.startswith("before"):
            die()
        answer = inner(self, job, *arguments, **named)
        if due:
            die()
        return answer

    return call


def apply(fault: str) -> None:
    name, _, value = fault.partition("=")
    if name == "lease":
        from jupyter_export.jobs import leases

        leases.LEASE_SECONDS = float(value)
        leases.BEAT_SECONDS = float(value) / 6
    elif name == "points":
        arm()
    else:
        raise SystemExit(f"{fault} is no fault")


def main() -> None:
    place = sys.argv.index("--")
    for fault in sys.argv[1:place]:
        apply(fault)
    sys.argv[1:] = sys.argv[place + 1 :]
    from jupyter_server.serverapp import main as serve

    serve()


if __name__ == "__main__":
    main()
