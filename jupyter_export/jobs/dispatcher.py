"""Hands pending jobs and previews to workers and follows each to its end, in one thread.

Everything that happens (a job came, a cancel, a worker's line, a worker's end) is put into one
inbox, and only the dispatcher's thread reads it: the state of a running job needs no lock.
"""

from __future__ import annotations

import logging
import os
import queue
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ..errors import Cancelled, ExportError, InternalError, WorkerCrashed
from ..progress import Progress, Result
from ..spec import parse, seconds
from .board import Board
from .endings import cancelled, crashed, interrupted, timed_out
from .files import clean, scratch_of
from .model import Job
from .naming import shown
from .orders import order_for
from .previews import PendingPreview, Previews
from .running import (
    CANCEL_GRACE,
    CHECK_SECONDS,
    PUBLISH_SECONDS,
    STORE_SECONDS,
    Running,
)
from .saving import FinalStates
from .settings import Settings
from .store import JobStore, StaleVersion
from .workers import Making, Message, WorkerPool, WorkerProcess

log = logging.getLogger(__name__)


class Dispatcher:
    """``start``, then ``submit``, ``preview`` and ``cancel`` from any thread, then ``stop``."""

    def __init__(
        self,
        settings: Settings,
        store: JobStore,
        board: Board,
        *,
        now: Callable[[], datetime],
        run: str,
    ) -> None:
        self._settings = settings
        self._store = store
        self._board = board
        self._now = now
        self._inbox: queue.SimpleQueue[tuple[str, Any, Any]] = queue.SimpleQueue()
        self._waiting: OrderedDict[str, Job] = OrderedDict()
        self._running: dict[str, Running] = {}
        self._final = FinalStates(store, board)
        self._cancelled_early: set[str] = set()
        self._stopping = False
        self._pool = WorkerPool(
            settings.max_workers,
            lambda worker, message: self._inbox.put(("worker", worker, message)),
            Making(settings.scratch, run, settings.dialects, settings.withheld),
        )
        self._previews = Previews(self._pool)
        self._thread = threading.Thread(target=self._loop, name="export dispatcher", daemon=True)

    # -------------------------------------------------------------- from any thread

    def start(self) -> None:
        self._thread.start()
        if self._settings.dialects:
            # Somebody who looks at a database waits for it: its drivers shall be there by then.
            self._inbox.put(("time", None, None))

    def submit(self, job: Job) -> None:
        """Run ``job``, whose pending version is in the store, when its turn comes."""
        self._inbox.put(("submit", job, None))

    def cancel(self, job_id: str) -> None:
        self._inbox.put(("cancel", job_id, None))

    def preview(self, asked: PendingPreview) -> None:
        """Answer ``asked``, whatever jobs wait."""
        self._inbox.put(("preview", asked, None))

    def cancel_preview(self, preview_id: str) -> None:
        self._inbox.put(("cancel preview", preview_id, None))

    def stop(self, timeout: float) -> None:
        """End every job as ``interrupted`` and every worker; return when all are gone. Seconds."""
        self._inbox.put(("stop", None, None))
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._pool.kill()
            self._thread.join(1.0)

    # -------------------------------------------------------------- the thread

    def _loop(self) -> None:
        stop_by: float | None = None
        while True:
            event = self._next_event(stop_by)
            self._guarded(self._handle, event)
            while not self._inbox.empty():
                self._guarded(self._handle, self._inbox.get())
            self._guarded(self._look_at_clock)
            if self._stopping:
                stop_by = stop_by or time.monotonic() + CANCEL_GRACE
                if not self._running or time.monotonic() >= stop_by:
                    break
            else:
                self._guarded(self._previews.hand_out)
                self._guarded(self._hand_out)
                self._guarded(self._pool.tend)
        self._guarded(self._previews.stop, interrupted())
        self._guarded(self._pool.stop, 2.0)
        self._guarded(self._answer_late_previews)
        for running in list(self._running.values()):
            self._guarded(self._fail, running, running.ends or interrupted())
        for unsaved in self._final:
            self._guarded(self._final.save, unsaved.job, unsaved.expected)

    def _next_event(self, stop_by: float | None) -> tuple[str, Any, Any]:
        due = [running.next_due for running in self._running.values()]
        due += [unsaved.retry_at for unsaved in self._final]
        due += self._previews.next_due
        if stop_by is not None:
            due.append(stop_by)
        if self._pool.resting:
            due.append(time.monotonic() + 5.0)
        try:
            timeout = max(min(due) - time.monotonic(), 0.0) if due else None
            return self._inbox.get(timeout=timeout)
        except queue.Empty:
            return ("time", None, None)

    def _guarded(self, step: Callable[..., None], *arguments: Any) -> None:
        """One job's trouble (the store's disk is full, say) must not end the thread for all."""
        try:
            step(*arguments)
        except Exception:
            log.exception("the dispatcher of exports met an unexpected error")

    def _handle(self, event: tuple[str, Any, Any]) -> None:
        kind, subject, message = event
        if kind == "submit":
            self._waiting[subject.id] = subject
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
            self._stopping = True
            for job in list(self._waiting.values()):
                self._fail_waiting(job, interrupted())
            for running in list(self._running.values()):
                self._tell_to_stop(running, interrupted())

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
        for running in list(self._running.values()):
            if running.kill_at is not None and now >= running.kill_at:
                running.kill_at = None
                running.worker.kill()
            if running.deadline is not None and now >= running.deadline:
                running.deadline = None
                self._tell_to_stop(running, timed_out(self._settings.job_timeout or 0))
            if running.unpublished and now >= running.published_at + PUBLISH_SECONDS:
                self._publish(running, now)
            if now >= running.checked_at + CHECK_SECONDS:
                running.checked_at = now
                self._check_record(running)
        for unsaved in self._final:
            if now >= unsaved.retry_at:
                self._final.save(unsaved.job, unsaved.expected)

    # -------------------------------------------------------------- beginning

    def _hand_out(self) -> None:
        while self._waiting and self._pool.has_room():
            _, job = self._waiting.popitem(last=False)
            try:
                self._begin(job)
            except StaleVersion:
                self._final.forget(job)
            except ExportError as error:
                self._fail_waiting(job, error)
            except OSError as error:
                log.warning("no worker could be started", exc_info=True)
                reason = os.strerror(error.errno) if error.errno else type(error).__name__
                self._fail_waiting(
                    job, WorkerCrashed(f"No worker process could be started: {reason}.")
                )
            except Exception:
                log.exception("job %s could not be started", job.id)
                self._fail_waiting(job, InternalError("The export could not be started."))

    def _begin(self, job: Job) -> None:
        order = order_for(job, self._settings, busy=len(self._running), now=self._now())
        started = job.changed(
            status="running", started_at=self._now(), progress=Progress(phase="reading")
        )
        worker = self._pool.take()
        # Before the worker hears of it: a job that another process has cancelled must not run.
        self._store.update(started, expected=job.version)
        now = time.monotonic()
        running = Running(started, started.version, worker, order, now)
        running.stored_at = running.published_at = now
        if self._settings.job_timeout is not None:
            running.deadline = now + self._settings.job_timeout
        self._running[job.id] = running
        self._hand_over(running, worker)
        self._board.show(started)

    def _hand_over(self, running: Running, worker: WorkerProcess) -> None:
        running.worker = worker
        worker.job = running.job.id
        worker.send(running.order)

    # -------------------------------------------------------------- running

    def _hear(self, worker: WorkerProcess, message: Message) -> None:
        if "ready" in message:
            worker.ready = True
            return
        worker.broken = worker.broken or bool(message.get("broken"))
        if self._previews.hear(worker, message):
            return
        running = self._running.get(worker.job) if worker.job is not None else None
        if "exited" in message:
            self._pool.gone(worker)
            if running is not None:
                self._lost(running, message["exited"])
            return
        if running is None or message.get("job") != worker.job:
            return
        if "begun" in message:
            running.begun = True
            return
        if "progress" in message:
            running.job = running.job.changed(progress=Progress.from_json(message["progress"]))
            self._progressed(running)
            return
        try:
            if "result" in message:
                self._complete(running, Result.from_json(message["result"]))
            else:
                self._fail(running, running.ends or ExportError.from_json(message["error"]))
        finally:
            self._pool.give_back(worker, message.get("memory"))

    def _lost(self, running: Running, code: int) -> None:
        """The worker ended. One that was dead before it began has done nothing: try another."""
        if running.ends is None and not running.begun and running.other_workers:
            running.other_workers -= 1
            try:
                self._hand_over(running, self._pool.take())
            except OSError:
                log.warning("no other worker could be started", exc_info=True)
            else:
                return
        self._fail(running, running.ends or crashed(code))

    def _progressed(self, running: Running) -> None:
        now = time.monotonic()
        running.unpublished = True
        if now >= running.published_at + PUBLISH_SECONDS:
            self._publish(running, now)
        else:
            self._board.note(running.job)

    def _publish(self, running: Running, now: float) -> None:
        running.published_at = now
        running.unpublished = False
        self._board.show(running.job)
        if now >= running.stored_at + STORE_SECONDS:
            running.stored_at = now
            try:
                self._store.update(running.job, expected=running.stored)
                running.stored = running.job.version
            except StaleVersion:
                self._check_record(running)

    def _check_record(self, running: Running) -> None:
        """Stop a job that another process has cancelled or deleted."""
        stored = self._store.get(running.job.id)
        if (stored is None or stored.final) and running.ends is None:
            self._tell_to_stop(running, cancelled())

    # -------------------------------------------------------------- ending

    def _cancel(self, job_id: str) -> None:
        job = self._waiting.get(job_id)
        if job is not None:
            self._fail_waiting(job, cancelled())
        elif job_id in self._running:
            self._tell_to_stop(self._running[job_id], cancelled())
        elif job_id not in self._final and self._board.get(job_id) is not None:
            # It was put up this moment, and its submission is still on its way to the inbox.
            self._cancelled_early.add(job_id)

    def _tell_to_stop(self, running: Running, why: ExportError) -> None:
        if running.ends is None:
            running.ends = why
            running.kill_at = time.monotonic() + CANCEL_GRACE
            running.worker.send({"cancel": running.job.id})

    def _complete(self, running: Running, result: Result) -> None:
        job, now = running.job, self._now()
        root = Path(job.root)
        target = root / result.path
        keep = parse(job.spec).retention.expires_after
        if keep is None and job.temporary:
            keep = self._settings.retention
        done = job.changed(
            status="completed",
            finished_at=now,
            expires_at=now + timedelta(seconds=seconds(keep)) if keep is not None else None,
            path=shown(target, root),
            target=str(target),
            result=result,
            progress=Progress(
                phase="done",
                rows=result.rows,
                total_rows=result.rows,
                percent=100.0,
                bytes=result.bytes,
                rows_per_second=job.progress.rows_per_second,
                eta_seconds=0.0,
            ),
        )
        self._finish(running, done)

    def _fail(self, running: Running, error: ExportError) -> None:
        clean(running.job, self._settings)
        self._finish(running, self._failed(running.job, error))

    def _fail_waiting(self, job: Job, error: ExportError) -> None:
        self._waiting.pop(job.id, None)
        clean(job, self._settings)
        self._final.save(self._failed(job, error), job.version)

    def _failed(self, job: Job, error: ExportError) -> Job:
        was_cancelled = isinstance(error, Cancelled)
        return job.changed(
            status="cancelled" if was_cancelled else "failed",
            finished_at=self._now(),
            error=None if was_cancelled else error.to_json(),
        )

    def _finish(self, running: Running, final: Job) -> None:
        self._running.pop(final.id, None)
        shutil.rmtree(scratch_of(final.id, self._settings), ignore_errors=True)
        self._final.save(final, running.stored)
