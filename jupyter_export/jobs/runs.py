"""The jobs that workers run, each followed to its end. Used by one thread, the dispatcher's."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from ..errors import Cancelled, ExportError, Interrupted, ServerUnavailable
from ..progress import Progress, Result
from ..spec import parse
from .board import Board
from .completion import completed
from .endings import cancelled, crashed, interrupted, not_again, timed_out
from .files import clean
from .line import RunningJob
from .model import Job
from .recovery import published
from .replay import why_not
from .retrying import RetryPolicy
from .running import CANCEL_GRACE, PUBLISH_SECONDS, STORE_PAUSE, STORE_SECONDS, Running
from .saving import Outbox
from .settings import Settings
from .store import JobStore, StaleVersion
from .workers import Message, WorkerPool, WorkerProcess

log = logging.getLogger(__name__)


class Runs:
    """What the workers say of jobs, and what is done about it."""

    def __init__(
        self,
        settings: Settings,
        store: JobStore,
        board: Board,
        outbox: Outbox,
        pool: WorkerPool,
        *,
        now: Callable[[], datetime],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._store = store
        self._board = board
        self._outbox = outbox
        self._pool = pool
        self._now = now
        self._chance = chance
        self._policy = RetryPolicy.of(settings)
        self._running: dict[str, Running] = {}
        self.leaves: Callable[[Job], bool] | None = None
        """Set when the service stops: tells which jobs are left to the next one over the store."""

    def __len__(self) -> int:
        return len(self._running)

    def __contains__(self, job_id: object) -> bool:
        return job_id in self._running

    def __iter__(self) -> Iterator[Running]:
        return iter(list(self._running.values()))

    def described(self) -> list[RunningJob]:
        """Return what the line must know of them."""
        now = time.monotonic()
        return [
            RunningJob(each.job.created_by, each.job.weight, now - each.began_at) for each in self
        ]

    # -------------------------------------------------------------- beginning

    def begin(self, job: Job, order: Message) -> None:
        """Have a worker run ``job``.

        Raises ``StaleVersion`` when another process has changed it, ``ServerUnavailable`` when the
        store cannot be used, ``OSError`` when no worker can be started; then nothing has begun.
        """
        started = job.changed(
            status="running",
            started_at=self._now(),
            progress=Progress(phase="reading"),
            retry_at=None,
        )
        worker = self._pool.take()
        # Before the worker hears of it: a job that another process has cancelled must not run.
        self._store.update(started, expected=job.version)
        running = Running(started, started.version, worker, order, time.monotonic())
        if self._settings.job_timeout is not None:
            running.deadline = running.began_at + self._settings.job_timeout
        self._running[job.id] = running
        self._hand_over(running, worker)
        self._board.show(started)

    def changed_elsewhere(self, job: Job, *, give_back: Callable[[Job], None]) -> None:
        """Look at a job whose record is not what ``begin`` thought.

        What it is now is the truth of another process, or, when the store's answer to ``begin`` was
        lost, our own: then the job gets its place back.
        """
        stored = self._store.get(job.id)
        ours = (job.instance, job.attempt)
        if stored and not stored.final and (stored.instance, stored.attempt) == ours:
            give_back(stored)
        else:
            self._outbox.forget(job)

    def _hand_over(self, running: Running, worker: WorkerProcess) -> None:
        running.worker = worker
        worker.job = running.job.id
        worker.send(running.order)

    # -------------------------------------------------------------- while they run

    def hear(self, worker: WorkerProcess, message: Message) -> None:
        """Take a message of a worker that does not run a preview."""
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
        elif "progress" in message:
            running.job = running.job.changed(progress=Progress.from_json(message["progress"]))
            self._progressed(running)
        elif "prepared" in message:
            running.asks = message["prepared"]
            self._approve(running)
        else:
            try:
                if "result" in message:
                    self._complete(running, Result.from_json(message["result"]))
                else:
                    self._fail(running, running.ends or ExportError.from_json(message["error"]))
            finally:
                self._pool.give_back(worker, message.get("memory"))

    def look_at_clock(self) -> None:
        now = time.monotonic()
        for running in self:
            if running.kill_at is not None and now >= running.kill_at:
                running.kill_at = None
                running.worker.kill()
            if running.deadline is not None and now >= running.deadline:
                running.deadline = None
                self._tell_to_stop(running, timed_out(self._settings.job_timeout or 0))
            if running.unpublished and now >= running.published_at + PUBLISH_SECONDS:
                self._publish(running, now)
        # These ask the store, which may be away.
        for running in self:
            if running.ask_at is not None and now >= running.ask_at:
                self._approve(running)
            if now >= running.check_at:
                running.checked(now)
                self._check_record(running)

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
            except ServerUnavailable as error:
                log.warning("the progress of job %s was not stored: %s", running.job.id, error)

    def _approve(self, running: Running) -> None:
        """Keep what is about to be published, then let the worker publish it.

        A store that cannot be used is asked again until it can, or the job is ended.
        """
        running.ask_at = None
        if running.ends is not None or running.asks is None:
            return
        noted = running.job.changed(prepared=running.asks)
        try:
            self._store.update(noted, expected=running.stored)
        except StaleVersion:
            self._check_record(running)
            if running.ends is None:
                running.ask_at = time.monotonic()
        except Exception:
            log.warning("job %s waits with its publishing", running.job.id, exc_info=True)
            running.ask_at = time.monotonic() + STORE_PAUSE
        else:
            running.job, running.stored, running.asks = noted, noted.version, None
            running.worker.send({"go": noted.id})

    def _check_record(self, running: Running) -> None:
        """Stop a job that another process has cancelled, deleted or taken over."""
        if running.ends is not None:
            return
        stored = self._store.get(running.job.id)
        if stored is None or stored.final:
            self._tell_to_stop(running, cancelled())
        elif (stored.instance, stored.attempt) != (running.job.instance, running.job.attempt):
            self.lose(running)
        elif stored.version != running.stored:
            # We wrote that ourselves, and only the store's answer was lost.
            running.stored = stored.version
            running.job = replace(running.job, version=max(running.job.version, stored.version))

    # -------------------------------------------------------------- ending

    def cancel(self, job_id: str) -> None:
        self._tell_to_stop(self._running[job_id], cancelled())

    def interrupt(self) -> None:
        """Tell every job to stop, because the service does."""
        for running in self:
            self._tell_to_stop(running, interrupted())

    def lose(self, running: Running) -> None:
        """Another service has taken the job over: end its worker at once, and leave the record."""
        running.taken_over = True
        running.ends = running.ends or interrupted("was taken for dead")
        running.worker.kill()

    def give_up(self) -> None:
        """Settle what still counts as running; its workers are gone."""
        for running in self:
            self._fail(running, running.ends or interrupted())

    def _tell_to_stop(self, running: Running, why: ExportError) -> None:
        if running.ends is None:
            running.ends = why
            running.kill_at = time.monotonic() + CANCEL_GRACE
            running.worker.send({"cancel": running.job.id})

    def _complete(self, running: Running, result: Result) -> None:
        clean(running.job, self._settings)
        self._finish(running, completed(running.job, result, self._settings, self._now()))

    def _fail(self, running: Running, error: ExportError) -> None:
        job = running.job
        if running.taken_over:
            # Its part has the number of our attempt, so it is ours to remove.
            del self._running[job.id]
            clean(job, self._settings)
            self._outbox.forget(job)
            return
        # Without its part nobody can publish any more, so what is there now is what there will be.
        clean(job, self._settings)
        result = published(job)
        if result is not None:
            # The end came too late: the file has its name already, and is whole.
            self._complete(running, result)
        else:
            self._finish(running, self.after(job, error))

    def after(self, job: Job, error: ExportError) -> Job:
        """Return what becomes of a job whose attempt has failed: pending again, or failed."""
        now = self._now()
        stopping = self.leaves is not None
        is_left = self.leaves is not None and self.leaves(job)
        left = is_left and isinstance(error, Interrupted)
        # What stops a service may end its workers, too: systemd signals all of its processes.
        if left or ((is_left or not stopping) and self._policy.again(job, error)):
            reason = why_not(parse(job.spec), self._settings)
            if reason is not None:
                said = not_again("stopped", reason) if left else error
                return failed(job, said, now)
            if left:
                return job.again(error.to_json(), finished_at=now)
            pause = timedelta(seconds=self._policy.delay(job.tries, self._chance()))
            return job.again(
                error.to_json(), finished_at=now, tries=job.tries + 1, retry_at=now + pause
            )
        return failed(job, error, now)

    def _finish(self, running: Running, job: Job) -> None:
        del self._running[job.id]
        self._outbox.save(job, running.stored)


def failed(job: Job, error: ExportError, now: datetime) -> Job:
    """Return ``job`` as ended by ``error``."""
    was_cancelled = isinstance(error, Cancelled)
    return job.changed(
        status="cancelled" if was_cancelled else "failed",
        finished_at=now,
        error=None if was_cancelled else error.to_json(),
        retry_at=None,
        prepared=None,
    )
