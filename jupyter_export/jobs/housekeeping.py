"""What is cleaned up as time passes: expired files, old uploads, what killed processes left.

All of it goes on in one thread, in small steps: a history of any length does not hold up the rest.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from . import uploads
from .files import remove_finished
from .model import Job
from .orphans import Orphans
from .settings import Settings
from .store import JobQuery, JobStore, StaleVersion, microseconds

log = logging.getLogger(__name__)

SWEEP_SECONDS = 30.0
BATCH = 200
"""Jobs that are read from the store at once."""
PAUSE = 0.05
"""Seconds between two batches, for others."""
JUMP_SECONDS = 60.0
"""How far the wall clock may part from the monotonic one between two sweeps."""


class Housekeeping:
    """A thread that sweeps now and then. ``sweep`` may also be called by itself.

    ``also`` is called with the time at each sweep: what else ages.
    """

    def __init__(
        self,
        settings: Settings,
        store: JobStore,
        *,
        now: Callable[[], datetime],
        show: Callable[[Job], None],
        also: Sequence[Callable[[datetime], None]] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._store = store
        self._now = now
        self._show = show
        self._also = tuple(also)
        self._monotonic = monotonic
        self._orphans = Orphans(settings, store)
        self._clocks: tuple[datetime, float] | None = None
        self._after: tuple[int, str] | None = None
        self._parts_seen: set[Path] | None = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="export sweep", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> None:
        self._stopped.set()
        self._thread.join(timeout)

    def _loop(self) -> None:
        while True:
            self.tick()
            if self._stopped.wait(SWEEP_SECONDS):
                return

    def tick(self) -> None:
        """Sweep, unless the wall clock has just jumped.

        A clock that was set wrong and is put right again at once must not cost a file; one that
        stays as it is after the jump is believed at the next tick.
        """
        if self._clock_jumped():
            log.warning("the clock has jumped; exports expire when it goes on steadily")
        else:
            self.sweep()

    def sweep(self) -> None:
        now = self._now()
        steps: list[Callable[[], object]] = [
            self.expire,
            lambda: uploads.sweep(self._settings.uploads, self._store, now),
            lambda: self._orphans.remove_scratch(now),
            lambda: self._orphans.forget_uploads(now),
            self._go_round,
            *(partial(age, now) for age in self._also),
        ]
        for step in steps:
            if self._stopped.is_set():
                return
            try:
                step()
            except Exception:
                # One that fails must not keep the others from their work.
                log.exception("sweeping the exports failed; it is tried again")

    def expire(self) -> None:
        """Remove the files whose time is over."""
        now, stuck = self._now(), 0
        while not self._stopped.is_set():
            batch = self._store.expiring(now, limit=BATCH, skip=stuck)
            for job in batch:
                if self._stopped.is_set():
                    return
                if not (remove_finished(job) and self._end(job)):
                    stuck += 1
            if len(batch) < BATCH:
                return
            self._stopped.wait(PAUSE)

    def look_at(self, job: Job) -> None:
        """Let a job expire whose temporary file somebody has removed by hand."""
        if job.status != "completed" or not job.temporary or job.result is None:
            return
        # Where the whole root is away, a disk is not mounted at the moment.
        if Path(job.root).is_dir() and not os.path.lexists(job.target):
            self._end(job)

    def _go_round(self) -> None:
        """Look at one batch of all jobs, at the start at all: at temporary files that are gone, and
        then also for parts beside the targets."""
        while not self._stopped.is_set():
            now, first_round = self._now(), self._parts_seen is not None
            page = self._store.page(JobQuery(None, limit=BATCH, after=self._after))
            if self._after is None:
                output_dir = self._settings.root / self._settings.output_dir
                self._remove_parts(output_dir, now)
            for job in page.jobs:
                self._remove_parts(Path(job.target).parent, now)
                self.look_at(job)
            if page.next_cursor is None:
                self._after = self._parts_seen = None
                return
            last = page.jobs[-1]
            self._after = (microseconds(last.created_at), last.id)
            if not first_round:
                return
            self._stopped.wait(PAUSE)

    def _remove_parts(self, folder: Path, now: datetime) -> None:
        if self._parts_seen is not None and folder not in self._parts_seen:
            self._parts_seen.add(folder)
            self._orphans.remove_parts(folder, now)

    def _clock_jumped(self) -> bool:
        before, self._clocks = self._clocks, (self._now(), self._monotonic())
        if before is None:
            return False
        wall = (self._clocks[0] - before[0]).total_seconds()
        return abs(wall - (self._clocks[1] - before[1])) > JUMP_SECONDS

    def _end(self, job: Job) -> bool:
        """Write that the file of ``job`` is gone; return whether it is written."""
        ended = job.changed(status="expired")
        try:
            self._store.update(ended, expected=job.version)
        except StaleVersion:
            return False  # Somebody else was quicker, and has told.
        self._show(ended)
        return True
