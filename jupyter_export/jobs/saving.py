"""States of jobs on their way into the store, which may not take them at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ..errors import ServerUnavailable
from .board import Board
from .files import remove_finished
from .model import Job
from .store import JobStore, StaleVersion

SAVE_AGAIN_SECONDS = 1.0

log = logging.getLogger(__name__)


def is_same(stored: Job, written: Job) -> bool:
    """Tell whether ``stored`` is what we wrote, though the store's answer never came: when a
    connection breaks at that moment, nobody knows whether it was taken."""
    return (stored.version, stored.instance, stored.prepared, stored.to_json()) == (
        written.version,
        written.instance,
        written.prepared,
        written.to_json(),
    )


@dataclass
class Unsaved:
    """A state that the store could not take yet (a full disk); tried again."""

    job: Job
    expected: int
    retry_at: float = field(default_factory=lambda: time.monotonic() + SAVE_AGAIN_SECONDS)


class Outbox:
    """Stores how attempts ended; what the store cannot take now is on the board until it can.

    ``queued`` is called with each job that is stored as pending again.
    """

    def __init__(self, store: JobStore, board: Board, queued: Callable[[Job], None]) -> None:
        self._store = store
        self._board = board
        self._queued = queued
        self._unsaved: dict[str, Unsaved] = {}

    def __contains__(self, job_id: object) -> bool:
        """Tell whether an attempt of the job has ended and the store does not know it yet."""
        return job_id in self._unsaved

    def __iter__(self) -> Iterator[Unsaved]:
        """Return what the store could not take yet."""
        return iter(list(self._unsaved.values()))

    def __len__(self) -> int:
        return len(self._unsaved)

    def save(self, job: Job, expected: int) -> None:
        """Store a state over the version ``expected``; a final one takes the job off the board."""
        try:
            stale = not self._stored(job, expected)
        except Exception:
            log.warning("the end of job %s could not be stored yet", job.id, exc_info=True)
            if job.id not in self._unsaved:
                self._board.show(job, keep=True)
            self._unsaved[job.id] = Unsaved(job, expected)
            return
        if stale:
            self._unsaved.pop(job.id, None)
            self.forget(job)
            return
        shown = self._unsaved.pop(job.id, None) is not None
        if not job.final:
            self._board.show(job)
            self._queued(job)
        elif shown:
            self._board.drop(job.id)
        else:
            self._board.show(job)

    def _stored(self, job: Job, expected: int) -> bool:
        """Store it; return False when another process has written something else."""
        try:
            self._store.update(job, expected=expected)
        except StaleVersion:
            stored = self._store.get(job.id)
            if stored is not None and is_same(stored, job):
                return True  # It was taken, and only its answer was lost.
            # Who took the job over may have completed it with this very file.
            unwanted = stored is None or stored.status in ("cancelled", "failed")
            if unwanted and job.status == "completed" and job.temporary:
                remove_finished(job)
            return False
        return True

    def forget(self, job: Job) -> None:
        """Another process ended, deleted or took over the job: what it wrote is the truth."""
        try:
            stored = self._store.get(job.id)
        except ServerUnavailable:
            stored = None  # Whoever asks for the job asks the store, too.
        if stored is not None and stored.final:
            self._board.show(stored)
        else:
            self._board.drop(job.id)
