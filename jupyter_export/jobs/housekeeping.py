"""What is cleaned up as time passes: expired files, old uploads, jobs of services that died."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from . import instances, uploads
from .endings import interrupted
from .files import clean, remove_finished, sweep_scratch
from .model import Job
from .settings import Settings
from .store import JobStore, StaleVersion

log = logging.getLogger(__name__)

SWEEP_SECONDS = 30.0


class Housekeeping:
    """A thread that sweeps now and then. ``sweep`` may also be called by itself."""

    def __init__(
        self,
        settings: Settings,
        store: JobStore,
        *,
        now: Callable[[], datetime],
        show: Callable[[Job], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._now = now
        self._show = show
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="export sweep", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> None:
        self._stopped.set()
        self._thread.join(timeout)

    def _loop(self) -> None:
        while True:
            try:
                self.sweep()
            except Exception:
                log.exception("sweeping the exports failed; it is tried again")
            if self._stopped.wait(SWEEP_SECONDS):
                return

    def sweep(self) -> None:
        self.interrupt_orphans()
        self.expire()
        now = self._now()
        uploads.sweep(self._settings.uploads, self._store, now)
        active = {job.id for job in self._store.active()}
        sweep_scratch(self._settings, active, now - uploads.KEEP)

    def interrupt_orphans(self) -> None:
        """Fail the active jobs of services that died, and remove what these have left."""
        with instances.dead(instances_folder(self._settings)) as names:
            if not names:
                return
            for job in self._store.active():
                if job.instance in names:
                    clean(job, self._settings)
                    self._end(
                        job,
                        status="failed",
                        finished_at=self._now(),
                        error=interrupted("ended unexpectedly").to_json(),
                    )

    def expire(self) -> None:
        """Remove the files whose time is over."""
        for job in self._store.expiring(self._now()):
            if remove_finished(job):
                self._end(job, status="expired")

    def _end(self, job: Job, **changes: object) -> None:
        ended = job.changed(**changes)
        try:
            self._store.update(ended, expected=job.version)
        except StaleVersion:
            return  # Somebody else was quicker, and has told.
        self._show(ended)


def instances_folder(settings: Settings) -> Path:
    return settings.state_dir / "instances"
