"""What tests of streams share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from jupyter_export.jobs.service import ExportService
from jupyter_export.jobs.streaming import PendingStream

from .conftest import ME, document, send

LARGE = 1_000_000
"""Rows that are more than pipe, pieces and reader hold together: 13 MB."""


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        threading.Event().wait(0.02)


def stream(service: ExportService, rows: int = 1000, **spec: Any) -> PendingStream:
    return service.streams.begin(document(send(service, rows), **spec), ME)


def busy(service: ExportService) -> int:
    return service._dispatcher._pool.busy
