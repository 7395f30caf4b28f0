"""How long the last jobs took: what a caller is told who has to wait for a place."""

from __future__ import annotations

import threading
from collections import deque

from .model import Job

REMEMBERED = 50


class Pace:
    """Hears the changes of jobs. Safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: deque[float] = deque(maxlen=REMEMBERED)

    def hear(self, job: Job) -> None:
        if job.final and job.started_at is not None and job.finished_at is not None:
            with self._lock:
                self._seconds.append((job.finished_at - job.started_at).total_seconds())

    def seconds(self) -> list[float]:
        """Return the times that the last jobs ran, in seconds."""
        with self._lock:
            return list(self._seconds)
