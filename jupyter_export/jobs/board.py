"""The jobs that are active in this process, as they are this moment, and who is told of changes.

The store is written twice a second at most; the board knows every change. A job leaves the board
when its final state is in the store, so whoever looks at the board first and at the store second
always finds it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from .model import Job

log = logging.getLogger(__name__)

Callback = Callable[[Job], None]


class Board:
    """Safe from several threads; callbacks are called outside its lock."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._jobs: dict[str, Job] = {}
        self._callbacks: list[Callback] = []

    def show(self, job: Job, *, keep: bool = False) -> None:
        """Put up this version of ``job`` and tell everybody; take a final one down, unless ``keep``
        says that the store does not have it."""
        with self._changed:
            if job.final and not keep:
                self._jobs.pop(job.id, None)
            else:
                self._jobs[job.id] = job
            callbacks = list(self._callbacks)
            self._changed.notify_all()
        for callback in callbacks:
            try:
                callback(job)
            except Exception:
                log.exception("a subscriber of job changes failed")

    def note(self, job: Job) -> None:
        """Put up a newer state without telling: the next ``show`` does."""
        with self._changed:
            self._jobs[job.id] = job

    def drop(self, job_id: str) -> None:
        """Forget a job that was deleted."""
        with self._changed:
            self._jobs.pop(job_id, None)
            self._changed.notify_all()

    def get(self, job_id: str) -> Job | None:
        with self._changed:
            return self._jobs.get(job_id)

    def active(self) -> frozenset[str]:
        """Return the ids of the jobs that are up and not final."""
        with self._changed:
            return frozenset(job.id for job in self._jobs.values() if not job.final)

    def overlay(self, jobs: Iterable[Job]) -> tuple[Job, ...]:
        """Return ``jobs`` of the store, each in its newest version."""
        with self._changed:
            newest = ((job, self._jobs.get(job.id)) for job in jobs)
            return tuple(
                here if here is not None and here.version > job.version else job
                for job, here in newest
            )

    def wait_while_active(self, job_id: str, timeout: float | None) -> None:
        """Return when the job is not on the board any more or final, or after ``timeout`` s."""

        def ended() -> bool:
            job = self._jobs.get(job_id)
            return job is None or job.final

        with self._changed:
            self._changed.wait_for(ended, timeout)

    def pause(self, seconds: float) -> None:
        """Wait for any change of any job, or ``seconds``."""
        with self._changed:
            self._changed.wait(seconds)

    def subscribe(self, callback: Callback) -> Callable[[], None]:
        """Have ``callback`` called with every change; return what ends that."""
        with self._changed:
            self._callbacks.append(callback)

        def unsubscribe() -> None:
            with self._changed:
                if callback in self._callbacks:
                    self._callbacks.remove(callback)

        return unsubscribe
