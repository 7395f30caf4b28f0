"""The ends of jobs on their way into the store, which may not take them at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from .board import Board
from .files import remove_finished
from .model import Job
from .store import JobStore, StaleVersion

SAVE_AGAIN_SECONDS = 1.0

log = logging.getLogger(__name__)


@dataclass
class Unsaved:
    """A final state that the store could not take yet (a full disk); tried again."""

    job: Job
    expected: int
    retry_at: float = field(default_factory=lambda: time.monotonic() + SAVE_AGAIN_SECONDS)


class FinalStates:
    """Stores final states; what the store cannot take now is on the board until it can."""

    def __init__(self, store: JobStore, board: Board) -> None:
        self._store = store
        self._board = board
        self._unsaved: dict[str, Unsaved] = {}

    def __contains__(self, job_id: object) -> bool:
        """Tell whether the job has ended and the store does not know it yet."""
        return job_id in self._unsaved

    def __iter__(self) -> Iterator[Unsaved]:
        """Return what the store could not take yet."""
        return iter(list(self._unsaved.values()))

    def save(self, final: Job, expected: int) -> None:
        """Store a final state over the version ``expected``, then take the job off the board."""
        try:
            self._store.update(final, expected=expected)
        except StaleVersion:
            self._unsaved.pop(final.id, None)
            if final.status == "completed" and final.temporary:
                remove_finished(final)
            self.forget(final)
            return
        except Exception:
            log.warning("the end of job %s could not be stored yet", final.id, exc_info=True)
            if final.id not in self._unsaved:
                self._board.show(final, keep=True)
            self._unsaved[final.id] = Unsaved(final, expected)
            return
        if self._unsaved.pop(final.id, None) is None:
            self._board.show(final)
        else:
            self._board.drop(final.id)

    def forget(self, job: Job) -> None:
        """Another process ended or deleted the job: what it wrote is the truth."""
        stored = self._store.get(job.id)
        if stored is not None and stored.final:
            self._board.show(stored)
        else:
            self._board.drop(job.id)
