"""Who on the event loop waits for a job: each gets the newest state, nobody builds a queue.

Everything here runs on the loop's thread.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

from ..jobs.model import Job


class Watch:
    """One watcher of one job. It holds the newest state only, however slow its reader is."""

    def __init__(self, feed: JobFeed, job_id: str) -> None:
        self.job_id = job_id
        self._feed = feed
        self._newest: Job | None = None
        self._changed = asyncio.Event()
        self.closed = False

    def __enter__(self) -> Watch:
        self._feed._watches.setdefault(self.job_id, set()).add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        watches = self._feed._watches.get(self.job_id)
        if watches is not None:
            watches.discard(self)
            if not watches:
                del self._feed._watches[self.job_id]

    def offer(self, job: Job) -> None:
        self._newest = job
        self._changed.set()

    def close(self) -> None:
        """End the wait: the reader went away, or the server stops."""
        self.closed = True
        self._changed.set()

    async def change(self, timeout: float) -> Job | None:
        """Return the newest state once it changed; None after ``timeout`` seconds or a close."""
        try:
            await asyncio.wait_for(self._changed.wait(), timeout)
        except (asyncio.TimeoutError, TimeoutError):
            return None
        job, self._newest = self._newest, None
        if not self.closed:
            self._changed.clear()
        return job


class JobFeed:
    """Hands each change of a job to its watchers, and knows which jobs are active."""

    def __init__(self) -> None:
        self._watches: dict[str, set[Watch]] = {}
        self._active: set[str] = set()
        self._closed = False

    @property
    def active(self) -> int:
        """Jobs that wait or run."""
        return len(self._active)

    @property
    def jobs(self) -> frozenset[str]:
        """The ids of the jobs that wait or run."""
        return frozenset(self._active)

    def forget(self, job_id: str) -> None:
        """Count a job as active no longer: its end will not be told here."""
        self._active.discard(job_id)

    @property
    def watching(self) -> int:
        """Open watches."""
        return sum(len(watches) for watches in self._watches.values())

    def watch(self, job_id: str) -> Watch:
        """Return a watch to enter: ``with feed.watch(id) as watch``."""
        watch = Watch(self, job_id)
        if self._closed:
            watch.close()
        return watch

    def tell(self, job: Job) -> None:
        if job.final:
            self._active.discard(job.id)
        else:
            self._active.add(job.id)
        for watch in self._watches.get(job.id, ()):
            watch.offer(job)

    def close(self) -> None:
        """End every wait, and each that comes later at once."""
        self._closed = True
        self._active.clear()
        for watches in self._watches.values():
            for watch in watches:
                watch.close()
