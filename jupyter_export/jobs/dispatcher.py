"""Hands pending jobs and previews to workers, in one thread.

Everything that happens (a job came, a cancel, a worker's line, a worker's end) is put into one
inbox, and only the dispatcher's thread reads it: the state of a running job needs no lock.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ..errors import ExportError, InternalError, ServerUnavailable, WorkerCrashed
from .board import Board
from .disk import DiskBudget
from .endings import cancelled, interrupted
from .files import clean
from .leases import Lease
from .line import Line
from .model import Job
from .orders import order_for
from .previews import PendingPreview, Previews
from .running import CANCEL_GRACE, STORE_PAUSE
from .runs import Runs, failed
from .saving import Outbox
from .settings import Settings
from .store import JobStore, StaleVersion
from .streaming import PendingStream
from .workers import Making, WorkerPool

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""Longest time between two looks at jobs that wait to be tried again."""


class Dispatcher:
    """``start``, then ``submit``, ``preview`` and ``cancel`` from any thread, then ``stop``."""

    def __init__(
        self,
        settings: Settings,
        store: JobStore,
        board: Board,
        lease: Lease,
        making: Making,
        disk: DiskBudget,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._board = board
        self._lease = lease
        self._disk = disk
        self._now = now
        self._inbox: queue.SimpleQueue[tuple[str, Any, Any]] = queue.SimpleQueue()
        self._line = Line()
        self._outbox = Outbox(store, board, self._line.add)
        self._cancelled_early: set[str] = set()
        self._adopted: set[str] = set()
        self._stop_by: float | None = None
        self._store_back_at = 0.0
        self._pool = WorkerPool(
            settings.max_workers,
            lambda worker, message: self._inbox.put(("worker", worker, message)),
            making,
        )
        self._runs = Runs(settings, store, board, self._outbox, self._pool, now=now)
        self._previews = Previews(self._pool)
        self._thread = threading.Thread(target=self._loop, name="export dispatcher", daemon=True)

    # -------------------------------------------------------------- from any thread

    def start(self) -> None:
        self._thread.start()
        if self._settings.dialects:
            # Somebody who looks at a database waits for it: its drivers shall be there by then.
            self._inbox.put(("time", None, None))

    def submit(self, job: Job, *, adopted: bool = False) -> None:
        """Run ``job``, whose pending version is in the store, when its turn comes; ``adopted`` from
        a service that died."""
        self._inbox.put(("submit", job, adopted))

    def cancel(self, job_id: str) -> None:
        self._inbox.put(("cancel", job_id, None))

    def preview(self, asked: PendingPreview | PendingStream) -> None:
        """Answer ``asked``, whatever jobs wait."""
        self._inbox.put(("preview", asked, None))

    def cancel_preview(self, preview_id: str) -> None:
        self._inbox.put(("cancel preview", preview_id, None))

    def stop(self, seconds: float) -> None:
        """Begin nothing more, let what runs finish within ``seconds``, and return when every
        worker is gone.

        A server's jobs that are not finished by then are left as pending to the next start, and so
        are those that a kernel or a command has found; what was asked of it ends as ``interrupted``
        at once: who ends a kernel wants an end.
        """
        patience = seconds if self._settings.confined else 0.0
        self._inbox.put(("stop", patience, None))
        self._thread.join(patience + CANCEL_GRACE + 5.0)
        if self._thread.is_alive():
            self._pool.kill()
            self._thread.join(1.0)

    # -------------------------------------------------------------- the thread

    def _loop(self) -> None:
        while True:
            event = self._next_event()
            self._guarded(self._handle, event)
            while not self._inbox.empty():
                self._guarded(self._handle, self._inbox.get())
            self._guarded(self._look_at_clock)
            if self._stop_by is None:
                self._guarded(self._previews.hand_out)
                self._guarded(self._hand_out)
                self._guarded(self._pool.tend)
            elif not self._runs or time.monotonic() >= self._stop_by + CANCEL_GRACE:
                break
        self._guarded(self._previews.stop, interrupted())
        self._guarded(self._pool.stop, 2.0)
        self._guarded(self._answer_late_previews)
        self._guarded(self._runs.give_up)
        for unsaved in self._outbox:
            self._guarded(self._outbox.save, unsaved.job, unsaved.expected)

    def _next_event(self) -> tuple[str, Any, Any]:
        try:
            timeout = self._patience()
        except Exception:
            log.exception("the dispatcher of exports met an unexpected error")
            timeout = LOOK_SECONDS
        try:
            return self._inbox.get(timeout=timeout)
        except queue.Empty:
            return ("time", None, None)

    def _patience(self) -> float | None:
        """Return the seconds until something is due though nothing happens; None: nothing is."""
        now = time.monotonic()
        due = [running.next_due for running in self._runs]
        due += [unsaved.retry_at for unsaved in self._outbox]
        due += self._previews.next_due
        if self._is_active():
            due.append(self._lease.next_due)
        if self._stop_by is not None:
            due += [self._stop_by if now < self._stop_by else self._stop_by + CANCEL_GRACE]
        elif self._line:
            change = self._line.next_change(
                self._runs.described(), now=self._now(), size=self._settings.max_workers
            )
            if change is not None:
                due.append(now + min(change, LOOK_SECONDS))
            if now < self._store_back_at:
                due.append(self._store_back_at)
        if self._pool.resting:
            due.append(now + 5.0)
        return max(min(due) - now, 0.0) if due else None

    def _is_active(self) -> bool:
        """Tell whether there are jobs that nobody else may run."""
        return bool(self._runs or self._line or self._outbox)

    def _guarded(self, step: Callable[..., None], *arguments: Any) -> None:
        """One job's trouble (the store's disk is full, say) must not end the thread for all."""
        try:
            step(*arguments)
        except ServerUnavailable as error:
            log.warning("the store of exports cannot be used: %s", error)
        except Exception:
            log.exception("the dispatcher of exports met an unexpected error")

    def _handle(self, event: tuple[str, Any, Any]) -> None:
        kind, subject, message = event
        if kind == "submit":
            self._line.add(subject)
            if message:
                self._adopted.add(subject.id)
            if subject.id in self._cancelled_early:
                self._cancelled_early.discard(subject.id)
                self._cancel(subject.id)
        elif kind == "cancel":
            self._cancel(subject)
        elif kind == "worker":
            self._hear(subject, message)
        elif kind == "preview":
            self._previews.submit(subject)
        elif kind == "cancel preview":
            self._previews.cancel(subject)
        elif kind == "stop":
            self._begin_to_stop(subject)

    def _hear(self, worker: Any, message: dict[str, Any]) -> None:
        if "ready" in message:
            worker.ready = True
            return
        worker.broken = worker.broken or bool(message.get("broken"))
        if not self._previews.hear(worker, message):
            self._runs.hear(worker, message)

    def _begin_to_stop(self, patience: float) -> None:
        self._stop_by = time.monotonic() + patience
        self._runs.leaves = self._is_left
        for job in self._line.jobs():
            if not self._is_left(job):
                self._fail_waiting(job, interrupted())

    def _is_left(self, job: Job) -> bool:
        """Tell whether a job that is not finished is left to the next start."""
        return self._settings.confined or job.id in self._adopted

    def _answer_late_previews(self) -> None:
        """Answer those that came while the service was being stopped."""
        while not self._inbox.empty():
            kind, subject, _ = self._inbox.get()
            if kind == "preview":
                self._previews.submit(subject)
        self._previews.stop(interrupted())

    def _look_at_clock(self) -> None:
        now = time.monotonic()
        self._previews.look_at_clock()
        if self._stop_by is not None and now >= self._stop_by:
            self._runs.interrupt()
        self._guarded(self._runs.look_at_clock)
        for unsaved in self._outbox:
            if now >= unsaved.retry_at:
                self._outbox.save(unsaved.job, unsaved.expected)
        if not self._is_active():
            self._lease.rest()
        elif not self._lease.keep():
            log.warning("another service has taken the exports of this one over")
            self._forget_all()

    def _forget_all(self) -> None:
        for running in self._runs:
            self._runs.lose(running)
        for job in self._line.jobs():
            self._line.remove(job.id)
            self._outbox.forget(job)

    # -------------------------------------------------------------- beginning

    def _hand_out(self) -> None:
        while time.monotonic() >= self._store_back_at:
            job = self._line.next(
                self._runs.described(),
                now=self._now(),
                size=self._settings.max_workers,
                most_of_one=self._settings.max_running_per_user,
            )
            if job is None:
                return
            self._begin(job)

    def _begin(self, job: Job) -> None:
        try:
            order = order_for(
                job,
                self._settings,
                busy=len(self._runs),
                disk_left=self._disk.left(),
                now=self._now(),
            )
            self._runs.begin(job, order)
        except StaleVersion:
            self._runs.changed_elsewhere(job, give_back=self._line.give_back)
        except ServerUnavailable as error:
            log.warning("job %s waits, the store cannot be used: %s", job.id, error)
            self._line.give_back(job)
            self._store_back_at = time.monotonic() + STORE_PAUSE
        except ExportError as error:
            self._fail_waiting(job, error)
        except OSError as error:
            log.warning("no worker could be started", exc_info=True)
            reason = os.strerror(error.errno) if error.errno else type(error).__name__
            crash = WorkerCrashed(f"No worker process could be started: {reason}.")
            self._outbox.save(self._runs.after(job, crash), job.version)
        except Exception:
            log.exception("job %s could not be started", job.id)
            self._fail_waiting(job, InternalError("The export could not be started."))

    # -------------------------------------------------------------- ending

    def _cancel(self, job_id: str) -> None:
        job = self._line.get(job_id)
        if job is not None:
            self._fail_waiting(job, cancelled())
        elif job_id in self._runs:
            self._runs.cancel(job_id)
        elif job_id not in self._outbox and self._board.get(job_id) is not None:
            # It was put up this moment, and its submission is still on its way to the inbox.
            self._cancelled_early.add(job_id)

    def _fail_waiting(self, job: Job, error: ExportError) -> None:
        self._line.remove(job.id)
        clean(job, self._settings)
        self._outbox.save(failed(job, error, self._now()), job.version)
