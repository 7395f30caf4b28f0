"""The job service beside an event loop: work goes off the loop, changes come back onto it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import ExportError, ServerUnavailable, ShuttingDown
from ..jobs.model import Caller, Job
from ..jobs.settings import Settings
from .events import SCHEMA_ID, job_event
from .feed import JobFeed, Watch
from .metrics import AUDIT_FAILURES, JobMetrics

if TYPE_CHECKING:
    from jupyter_events import EventLogger

    from ..jobs.service import ExportService

T = TypeVar("T")

LAST_ACTIVITY = "jupyter_export_last_activity"
"""Jupyter counts each setting whose name ends so as activity of the server."""
BREATH = 30.0
"""Seconds between two signs of life while jobs are active."""
LOOK = 2.0
"""Seconds after which a silent job is looked up: one of another process changes in the store."""
START_AGAIN = 3.0
"""Seconds after which a start that failed is tried again."""
FAREWELL = 1.0
"""Seconds that readers have, when the server stops, to take the last state."""


class ServiceHost:
    """Owns the service of one server. Its methods run on the loop, what they call does not.

    ``web_settings`` are the web application's: the time of the last activity is noted there, so
    that nothing stops a server whose jobs are still running.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        events: EventLogger,
        web_settings: dict[str, Any],
        log: logging.Logger,
    ) -> None:
        self.settings = settings
        self.feed = JobFeed()
        self._metrics = JobMetrics()
        self._missing: frozenset[str] = frozenset()
        self._events = events
        self._web_settings = web_settings
        self._log = log
        self._threads = ThreadPoolExecutor(
            max_workers=8 + (os.cpu_count() or 1), thread_name_prefix="jupyter-export"
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting: asyncio.Task[ExportService] | None = None
        self._breath: asyncio.TimerHandle | None = None
        self._stopping = False
        self._closed = False
        self._said = ""
        self._ended = False

    # ------------------------------------------------------------- life

    def start(self) -> asyncio.Task[ExportService]:
        """Begin to start the service, once; call it on the loop.

        A start that fails (the store's database is not there yet, its disk is full) is tried again
        every ``START_AGAIN`` seconds.
        """
        if self._starting is None:
            self._loop = asyncio.get_running_loop()
            self._starting = self._loop.create_task(self.run(self._open))
            # Who asks for the service hears of a failure; with nobody asking it is logged.
            self._starting.add_done_callback(self._started)
        return self._starting

    def _start_again(self) -> None:
        if not self._stopping:
            self._starting = None
            self.start()

    async def stop(self) -> None:
        """Stop the service, tell every watcher, end every thread."""
        if self._stopping:
            return
        self._stopping = True
        if self._starting is not None:
            try:
                service = await self._starting
                if self.feed.active:
                    self._log.info(
                        "jupyter_export: %d exports are active; those that do not finish within "
                        "%g s are run by the next start.",
                        self.feed.active,
                        self.settings.stop_timeout,
                    )
                await self.run(service.stop)
            except ExportError:
                pass  # It never started, and that has been said.
            except Exception:
                self._log.exception("jupyter_export: the job service did not stop cleanly.")
        self._closed = True
        if self._breath is not None:
            self._breath.cancel()
        self.feed.close()
        self._metrics.close()
        await self._farewell()
        self._ended = True
        self._threads.shutdown(wait=False)

    async def _farewell(self) -> None:
        """Let the watchers tell their readers how the jobs ended."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + FAREWELL
        while self.feed.watching and loop.time() < deadline:
            await asyncio.sleep(0.01)

    def _open(self) -> ExportService:
        # Imported here, in a thread: it takes the engine's libraries with it.
        from ..jobs.service import ExportService

        service = ExportService(self.settings)
        service.subscribe(self._changed)
        service.audit.on_failure = AUDIT_FAILURES.inc
        service.start()
        return service

    def _started(self, task: asyncio.Task[ExportService]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        if str(error) != self._said:
            self._said = str(error)
            if isinstance(error, ExportError):
                self._log.critical("jupyter_export could not start: %s", error)
            else:
                self._log.critical("jupyter_export could not start.", exc_info=error)
        if not self._stopping:
            asyncio.get_running_loop().call_later(START_AGAIN, self._start_again)

    # ------------------------------------------------------------- work

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Call ``function`` in a thread of ours."""
        if self._ended:
            raise _shutting_down()
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)

    async def ask(self, question: Callable[[ExportService], T]) -> T:
        """Put ``question`` to the service, in a thread; its errors come back as they are.

        A service that is stopping still tells of its jobs, and refuses new ones by itself.
        """
        if self._closed or (self._stopping and self._starting is None):
            raise _shutting_down()
        try:
            # One caller that goes away must not cancel the start for all.
            service = await asyncio.shield(self.start())
        except ExportError as error:
            raise ServerUnavailable(
                f"Exports are not available: {error.message}", hint=error.hint
            ) from error
        except Exception as error:
            raise ServerUnavailable(
                "Exports are not available: the job service did not start.",
                hint="The server's log says why.",
            ) from error
        return await self.run(question, service)

    async def look(self, job_id: str, caller: Caller) -> Job:
        """Return the job. Raises ``NotFound``, also for somebody else's."""
        return await self.ask(lambda service: service.get(job_id, caller))

    async def next_state(self, job: Job, caller: Caller, watch: Watch, timeout: float) -> Job:
        """Return the newest state of ``job``, as soon as it changed; as it is after ``timeout`` s.

        No thread waits meanwhile.
        """
        changed = await watch.change(min(timeout, LOOK))
        if changed is None and not watch.closed:
            return await self.look(job.id, caller)
        return changed or job

    async def settle(self, job: Job, caller: Caller, watch: Watch, timeout: float) -> Job:
        """Return ``job`` when it is final, or as it is after ``timeout`` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        # It may have changed between the answer that brought it and the watch.
        job = await self.look(job.id, caller)
        while not job.final and not watch.closed and (left := deadline - loop.time()) > 0:
            job = await self.next_state(job, caller, watch, left)
        return job

    # ------------------------------------------------------------- changes

    def _changed(self, job: Job) -> None:
        """Bring a change onto the loop, from whichever thread of the service."""
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # The loop is closed: nobody is left to tell.
            self._loop.call_soon_threadsafe(self.publish, job)

    def publish(self, job: Job) -> None:
        """Tell watchers and Jupyter Events; on the loop's thread, the only one that may emit."""
        self.feed.tell(job)
        self._metrics.tell(job)
        self._note_activity()
        try:
            self._events.emit(schema_id=SCHEMA_ID, data=job_event(job))
        except Exception:
            self._log.exception("jupyter_export: the event of job %s was not sent.", job.id)

    def _note_activity(self) -> None:
        self._web_settings[LAST_ACTIVITY] = datetime.now(timezone.utc)
        if self._breath is not None:
            self._breath.cancel()
            self._breath = None
        if self.feed.active and not self._stopping:
            loop = asyncio.get_running_loop()
            self._breath = loop.call_later(BREATH, self._breathe)

    def _breathe(self) -> None:
        """Note that jobs are active; stop waiting for those that another server has taken over.

        A job counts as gone when it is missing twice: its end may be on its way here.
        """
        if self._starting is not None and self._starting.done() and not self._starting.cancelled():
            missing = self.feed.jobs - self._starting.result().active
            for job_id in missing & self._missing:
                self.feed.forget(job_id)
                self._metrics.forget(job_id)
            self._missing = missing
        self._note_activity()


def _shutting_down() -> ShuttingDown:
    return ShuttingDown("The server is shutting down.", hint="Try again in a minute.")
