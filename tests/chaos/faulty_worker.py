"""Runs of a worker that takes its server, and itself, down at one exact point of publishing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

from jupyter_export import pipeline
from jupyter_export.progress import Progress, Result
from jupyter_export.registry import Surroundings
from jupyter_export.sinks.folder import FolderSink
from jupyter_export.sinks.local import LocalSink
from jupyter_export.spec import ExportSpec

from .faulty_server import WORKER_POINTS, is_first, point_of

BEFORE, AFTER, BETWEEN = WORKER_POINTS
_name = [""]
"""Of the job that runs."""


def machine_dies(point: str) -> None:
    """Kill the server and this process, if the job is named so and has not killed before."""
    if point_of(_name[0]) != point or not is_first(_name[0]):
        return
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def run(spec: ExportSpec, here: Surroundings) -> Iterator[Progress | Result]:
    _name[0] = spec.name
    return pipeline.run(spec, here)


def _wrap(kind: Any) -> None:
    inner = kind._name_it

    def name_it(self: Any) -> Any:
        machine_dies(BEFORE)
        published = inner(self)
        machine_dies(AFTER)
        return published

    kind._name_it = name_it


_rename = os.rename


def _renamed(source: Any, target: Any, **how: Any) -> None:
    _rename(source, target, **how)
    if str(target).endswith(".old"):
        machine_dies(BETWEEN)


for _kind in (LocalSink, FolderSink):
    _wrap(_kind)
os.rename = _renamed
