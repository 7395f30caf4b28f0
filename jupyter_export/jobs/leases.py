"""The heartbeat of a service: as long as it beats, its jobs are nobody else's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from .model import ServiceRecord
from .store import JobStore

BEAT_SECONDS = 5.0
LEASE_SECONDS = 30.0
"""Seconds without a beat after which a service counts as dead."""
AGAIN_SECONDS = 1.0
"""Seconds after which a store is asked again that did not take a beat."""
MISSED_SECONDS = 15.0
"""Seconds between two looks after which the first tells nothing any more."""


class Lease:
    """The lease of one service. Safe from several threads.

    A service without active jobs has nothing to lose, and does not beat.
    """

    def __init__(
        self,
        store: JobStore,
        service_id: str,
        place: Callable[[], str],
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._id = service_id
        self._place = place
        self._now = now
        self._lock = threading.Lock()
        self._beat = 0
        self._held = False
        self._due = 0.0

    def hold(self) -> None:
        """Have a lease from now on, before a job is stored. Raises ``ServerUnavailable``."""
        with self._lock:
            if not self._held:
                self._write(first=True)
                self._held = True

    def keep(self) -> bool:
        """Beat if it is time to; return False when others have taken the jobs over.

        Raises ``ServerUnavailable``: then nobody knows, and the next beat may tell.
        """
        with self._lock:
            if time.monotonic() < self._due:
                return True
            self._held = self._write(first=not self._held)
            return self._held

    def rest(self) -> None:
        """Stop beating: no job is active. ``hold`` begins again."""
        with self._lock:
            self._held = False
            self._due = 0.0

    def end(self) -> None:
        """Remove the row. Raises ``ServerUnavailable``."""
        with self._lock:
            self._held = False
            self._store.end_service(self._id)

    @property
    def next_due(self) -> float:
        """The time of the monotonic clock at which ``keep`` beats."""
        return self._due

    def _write(self, *, first: bool) -> bool:
        self._beat += 1
        record = ServiceRecord(self._id, self._place(), self._beat, self._now())
        self._due = time.monotonic() + AGAIN_SECONDS
        written = self._store.beat(record, first=first)
        self._due = time.monotonic() + BEAT_SECONDS if written else 0.0
        return written


class Watch:
    """Tells which services have stopped beating, by this process's own monotonic clock: no jump
    of the wall clock, here or there, ends a lease."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[int, float]] = {}
        self._looked_at = clock()

    def silent(self, records: Iterable[ServiceRecord]) -> list[ServiceRecord]:
        """Return those of ``records`` whose beat has been the same for ``LEASE_SECONDS``.

        Who could not look for a while (the store was away, the machine slept) knows nothing of
        what was meanwhile, and begins anew.
        """
        now = self._clock()
        before, self._seen = self._seen, {}
        if now - self._looked_at > MISSED_SECONDS:
            before = {}
        self._looked_at = now
        found = []
        for record in records:
            beat, since = before.get(record.id, (None, now))
            if beat != record.beat:
                since = now
            self._seen[record.id] = (record.beat, since)
            if now - since >= LEASE_SECONDS:
                found.append(record)
        return found
