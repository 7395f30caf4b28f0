"""Previews, and lists of tables: answered while their caller waits, beside the queue of jobs.

They run in workers as jobs do, so that no engine and no driver is loaded into the server, and take
none of the places that jobs have; streams, which take them, come the same way and are handed on
to ``Streams``. Everything but ``PendingPreview`` belongs to the dispatcher's
thread.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import Cancelled, ExportError, QueueFull, TimedOut, WorkerCrashed
from .endings import crashed
from .running import CANCEL_GRACE
from .streaming import PendingStream, Streams
from .workers import Message, WorkerPool, WorkerProcess

log = logging.getLogger(__name__)

PREVIEWS_AT_ONCE = 2
SLOW_SECONDS = 2.0
"""One that runs for longer waits for a database, it seems: its place is given to the next."""
MOST_AT_ONCE = 6
"""Previews that run at most, slow ones included."""
MOST_OF_ONE = 4
"""Of these, those of one user: what hangs for him must not hang for the others."""
PREVIEW_SECONDS = 30.0
"""Longest time from the question to its answer, waiting included."""
MAX_WAITING = 32
"""Previews that may wait for a worker; more are refused."""
MAX_WAITING_OF_ONE = 8
"""Of these, those of one user."""
MAX_ROWS = 1000
DEFAULT_ROWS = 20


@dataclass(eq=False)
class PendingPreview:
    """A preview (or a list of tables) that was asked for. ``future`` gets its JSON form, or an
    ``ExportError``."""

    id: str
    owner: str
    order: Message = field(repr=False)
    """May hold the password of a database."""
    scratch: Path
    stop: Callable[[str], None]
    """Called with the id, from any thread: nobody waits for the answer any more."""
    future: Future[dict[str, Any]] = field(default_factory=Future)
    deadline: float = field(default_factory=lambda: time.monotonic() + PREVIEW_SECONDS)
    begun: bool = False
    worker: WorkerProcess | None = None
    slow_at: float = math.inf
    """When it gives up its place, once it has begun."""
    other_workers: int = 2
    """How many more workers may be tried as long as none has begun."""
    kill_at: float | None = None

    def __post_init__(self) -> None:
        # Whoever waits may go away; only the dispatcher ends a preview.
        self.future.set_running_or_notify_cancel()

    def cancel(self) -> None:
        """End it, now that nobody waits. Safe from any thread."""
        self.stop(self.id)

    def answer(self, found: dict[str, Any] | ExportError) -> None:
        if self.future.done():
            return
        if isinstance(found, ExportError):
            self.future.set_exception(found)
        else:
            self.future.set_result(found)


class Previews:
    """Hands previews to workers of ``pool``, at most ``PREVIEWS_AT_ONCE`` at a time that are not
    slow."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool
        self._streams = Streams(pool)
        self._waiting: OrderedDict[str, PendingPreview] = OrderedDict()
        self._running: dict[str, PendingPreview] = {}

    def submit(self, asked: PendingPreview | PendingStream) -> None:
        if isinstance(asked, PendingStream):
            self._streams.submit(asked)
            return
        others = [each for each in self._waiting.values() if each.owner == asked.owner]
        self._waiting[asked.id] = asked
        room = self._room()
        if len(others) >= MAX_WAITING_OF_ONE + min(room, MOST_OF_ONE):
            full = QueueFull(
                "Too many previews of yours wait already.", hint="Try again in a moment."
            )
            self._end(asked, full)
        elif len(self._waiting) > MAX_WAITING + room:
            full = QueueFull("Too many previews wait already.", hint="Try again in a moment.")
            self._end(asked, full)

    @property
    def next_due(self) -> list[float]:
        """Times of the monotonic clock at which ``look_at_clock`` has something to do."""
        due = [asked.deadline for asked in self._waiting.values()]
        now = time.monotonic()
        for asked in self._running.values():
            due.append(asked.deadline if asked.kill_at is None else asked.kill_at)
            if self._waiting and asked.slow_at > now:
                due.append(asked.slow_at)
        return due + self._streams.next_due

    def hand_out(self) -> None:
        self._streams.hand_out()
        while self._room():
            asked = next(filter(self._may_run, self._waiting.values()), None)
            if asked is None:
                return
            del self._waiting[asked.id]
            try:
                self._hand_over(asked)
            except OSError as error:
                log.warning("no worker could be started", exc_info=True)
                reason = os.strerror(error.errno) if error.errno else type(error).__name__
                self._end(asked, WorkerCrashed(f"No worker process could be started: {reason}."))

    def _room(self) -> int:
        """Return how many more may run now."""
        now = time.monotonic()
        quick = sum(asked.slow_at > now for asked in self._running.values())
        return max(min(PREVIEWS_AT_ONCE - quick, MOST_AT_ONCE - len(self._running)), 0)

    def _may_run(self, asked: PendingPreview) -> bool:
        same = sum(other.owner == asked.owner for other in self._running.values())
        return same < MOST_OF_ONE

    def look_at_clock(self) -> None:
        self._streams.look_at_clock()
        now = time.monotonic()
        for asked in [*self._waiting.values(), *self._running.values()]:
            if asked.kill_at is None and now >= asked.deadline:
                asked.answer(timed_out(asked))
                self._tell_to_stop(asked)
            elif asked.kill_at is not None and now >= asked.kill_at and asked.worker is not None:
                asked.kill_at = now + CANCEL_GRACE
                asked.worker.kill()

    def cancel(self, preview_id: str) -> None:
        if self._streams.look_at(preview_id):
            return
        asked = self._waiting.get(preview_id) or self._running.get(preview_id)
        if asked is not None:
            asked.answer(Cancelled("The preview was cancelled."))
            self._tell_to_stop(asked)

    def hear(self, worker: WorkerProcess, message: Message) -> bool:
        """Take a message of a worker; return whether it was about a preview or a stream."""
        if self._streams.hear(worker, message):
            return True
        asked = self._running.get(worker.job or "")
        if asked is None:
            return False
        if "exited" in message:
            self._pool.gone(worker)
            self._lost(asked, message["exited"])
        elif message.get("job") != asked.id:
            return True
        elif "begun" in message:
            asked.begun = True
            asked.slow_at = time.monotonic() + SLOW_SECONDS
        else:
            error = message.get("error")
            self._end(asked, ExportError.from_json(error) if error else message["answer"])
            self._pool.give_back(worker, message.get("memory"))
        return True

    def stop(self, why: ExportError) -> None:
        """Answer everybody; the workers are the pool's to end."""
        self._streams.stop(why)
        for asked in [*self._waiting.values(), *self._running.values()]:
            self._end(asked, why)

    def _hand_over(self, asked: PendingPreview) -> None:
        worker = self._pool.take()
        worker.job = asked.id
        worker.previewing = True
        asked.worker = worker
        asked.slow_at = math.inf
        self._running[asked.id] = asked
        worker.send(asked.order)

    def _lost(self, asked: PendingPreview, code: int) -> None:
        """The worker ended. One that was dead before it began has done nothing: try another."""
        del self._running[asked.id]
        if not asked.future.done() and not asked.begun and asked.other_workers:
            asked.other_workers -= 1
            asked.worker = None
            self._waiting[asked.id] = asked
            self._waiting.move_to_end(asked.id, last=False)
            return
        self._end(asked, crashed(code))

    def _tell_to_stop(self, asked: PendingPreview) -> None:
        if asked.worker is None:
            self._end(asked, Cancelled("The preview was cancelled."))
        elif asked.kill_at is None:
            asked.kill_at = time.monotonic() + CANCEL_GRACE
            asked.worker.send({"cancel": asked.id})

    def _end(self, asked: PendingPreview, found: dict[str, Any] | ExportError) -> None:
        self._waiting.pop(asked.id, None)
        self._running.pop(asked.id, None)
        shutil.rmtree(asked.scratch, ignore_errors=True)
        asked.answer(found)


def last_second() -> int:
    """Return the seconds after which nobody waits any more for what is asked now, rounded up."""
    return math.ceil(PREVIEW_SECONDS) + 1


def timed_out(asked: PendingPreview) -> TimedOut:
    if "tables" in asked.order:
        return TimedOut(
            f"The database did not list its tables within {PREVIEW_SECONDS:.0f} seconds.",
            hint="It may be busy or out of reach; try again.",
        )
    return TimedOut(
        f"The preview took longer than {PREVIEW_SECONDS:.0f} seconds and was stopped.",
        hint="Its source is slow: narrow the query, or run the export without a preview.",
    )
