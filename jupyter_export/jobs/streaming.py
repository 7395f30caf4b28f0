"""Exports that are sent as they are made: no job, no file, their reader waits for each piece.

They take the places that jobs have, and are never put behind those who wait: who streams is there.
A thread of each stream carries pieces from its worker's pipe to its reader, two at most; a reader
that is slow stops the worker. ``Streams`` belongs to the dispatcher's thread.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from concurrent import futures
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import Cancelled, ExportError, Incomplete, QueueFull, TimedOut, WorkerCrashed
from ..progress import Result
from .endings import crashed, timed_out
from .running import CANCEL_GRACE
from .workers import Message, WorkerPool, WorkerProcess

log = logging.getLogger(__name__)

HELD = 2
"""Pieces that wait for the reader."""
WAIT_SECONDS = 30.0
"""Longest time that a stream waits for a worker."""
STALL_SECONDS = 600.0
"""A reader that takes nothing for so long is let go, and its worker with it."""
MAX_WAITING = 32
MAX_WAITING_OF_ONE = 8

Ended = Callable[["PendingStream", "Result | ExportError"], None]


@dataclass(eq=False)
class PendingStream:
    """An export on its way to one reader, who calls ``next`` again and again, or iterates.

    ``name`` and ``media_type`` are those of its bytes.
    """

    id: str
    owner: str
    name: str
    media_type: str
    order: Message = field(repr=False)
    """May hold the password of a database."""
    scratch: Path
    stop: Callable[[str], None] = field(repr=False)
    """Called with the id, from any thread: something has changed that the dispatcher must see."""
    timeout: int | None = None
    """Seconds that it may run."""
    most_of_one: int | None = None
    """Streams of its owner that may run at the same time."""
    on_end: Ended = field(default=lambda stream, outcome: None, repr=False)
    """Called once, with how it ended."""

    # what the dispatcher's thread knows
    worker: WorkerProcess | None = None
    begun: bool = False
    other_workers: int = 2
    deadline: float = field(default_factory=lambda: time.monotonic() + WAIT_SECONDS)
    kill_at: float | None = None
    memory: int | None = None
    told: bool = False
    """True when the worker has told how it went."""

    # what its threads share, under ``_changed``
    _changed: threading.Condition = field(default_factory=threading.Condition, repr=False)
    _pieces: deque[bytes] = field(default_factory=deque, repr=False)
    _asked: Future[bytes] | None = field(default=None, repr=False)
    _outcome: Result | ExportError | None = None
    _received: int = 0
    _taken_at: float = field(default_factory=time.monotonic)
    _carriers: int = 0
    """Threads that take its bytes; without one, nothing of it is in a pipe any more."""
    _finished: bool = False
    """True when the reader was told that this is all."""
    _left: bool = False

    # -------------------------------------------------------------- the reader's

    def next(self) -> Future[bytes]:
        """Ask for the next piece; empty at the end, when everything was proved to be there.

        Raises (through the future) what ended the export; what came before is only a part then.
        One piece is asked for at a time; whoever asks calls ``cancel`` when done, whatever came.
        """
        asked: Future[bytes] = Future()
        # Whoever waits may go away; only the stream answers.
        asked.set_running_or_notify_cancel()
        with self._changed:
            assert self._asked is None, "the piece before is still on its way"
            self._asked = asked
            self._taken_at = time.monotonic()
            self._changed.notify_all()
            give = self._next_answer()
        give()
        return asked

    def __iter__(self) -> Iterator[bytes]:
        """Yield the pieces; raise what ended the export. Leaving early ends it."""
        try:
            while True:
                asked = self.next()
                # With a timeout, so that Ctrl-C is felt on every platform.
                while not futures.wait([asked], timeout=0.5).done:
                    pass
                piece = asked.result()
                if not piece:
                    return
                yield piece
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Say that nobody reads any more, which ends what runs. Safe from any thread."""
        with self._changed:
            self._left = True
            self._pieces.clear()
            self._changed.notify_all()
        self.stop(self.id)

    # -------------------------------------------------------------- the carrier's

    def carry(self, worker: WorkerProcess) -> None:
        """Begin to take the bytes that ``worker`` sends."""
        with self._changed:
            self._carriers += 1
        threading.Thread(
            target=self._carry, args=(worker,), name=f"export stream {self.id}", daemon=True
        ).start()

    def _carry(self, worker: WorkerProcess) -> None:
        try:
            while piece := worker.pieces.recv_bytes():
                with self._changed:
                    self._changed.wait_for(lambda: len(self._pieces) < HELD or self._over)
                    self._received += len(piece)
                    if not self._over:
                        self._pieces.append(piece)
                    give = self._next_answer()
                give()
        except (EOFError, OSError):
            pass  # The worker is gone, and the dispatcher hears it.
        with self._changed:
            self._carriers -= 1
            give = self._next_answer()
        give()
        self.stop(self.id)

    @property
    def _over(self) -> bool:
        return self._left or isinstance(self._outcome, ExportError)

    def _next_answer(self) -> Callable[[], None]:
        """Return what answers the reader, if there is an answer; to be called without the lock."""
        asked, found = self._asked, self._outcome
        if asked is None:
            return _nothing
        if isinstance(found, ExportError):
            self._asked = None
            return lambda: asked.set_exception(found)
        if self._pieces:
            piece = self._pieces.popleft()
            self._asked = None
            self._changed.notify_all()
            return lambda: asked.set_result(piece)
        if found is None or self._carriers:
            return _nothing
        self._asked = None
        if self._received != found.bytes:
            wrong = self._outcome = _incomplete(self._received, found.bytes)
            return lambda: asked.set_exception(wrong)
        self._finished = True
        return lambda: asked.set_result(b"")

    # -------------------------------------------------------------- the dispatcher's

    @property
    def drained(self) -> bool:
        with self._changed:
            return not self._carriers

    @property
    def left(self) -> bool:
        """Whether its reader has gone, with or without all of it."""
        with self._changed:
            return self._left

    @property
    def failed(self) -> bool:
        with self._changed:
            return isinstance(self._outcome, ExportError)

    @property
    def untouched(self) -> bool:
        """Whether not a byte has come."""
        with self._changed:
            return self._received == 0

    @property
    def stalled_at(self) -> float:
        """When its reader will have stood still for too long."""
        with self._changed:
            return math.inf if self._asked is not None else self._taken_at + STALL_SECONDS

    def end(self, found: Result | ExportError) -> None:
        """Say how it ended; the first word counts."""
        with self._changed:
            if self._outcome is not None:
                return
            self._outcome = found
            if isinstance(found, ExportError):
                self._pieces.clear()
            self._changed.notify_all()
            give = self._next_answer()
        give()

    def discard(self) -> None:
        """Remove what was made for one that is not asked for after all."""
        shutil.rmtree(self.scratch, ignore_errors=True)

    def conclude(self) -> None:
        """Tell ``on_end`` what the reader got."""
        with self._changed:
            found = self._outcome
            if not self._finished and not isinstance(found, ExportError):
                found = _left()
        assert found is not None
        try:
            self.on_end(self, found)
        except Exception:
            log.exception("the end of a stream could not be noted")


class Streams:
    """Hands streams to workers of ``pool``, never more than it has places."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool
        self._waiting: OrderedDict[str, PendingStream] = OrderedDict()
        self._running: dict[str, PendingStream] = {}

    def submit(self, asked: PendingStream) -> None:
        mine = sum(each.owner == asked.owner for each in self._waiting.values())
        if mine >= MAX_WAITING_OF_ONE or len(self._waiting) >= MAX_WAITING:
            asked.end(_full())
            self._forget(asked)
        else:
            self._waiting[asked.id] = asked

    @property
    def next_due(self) -> list[float]:
        """Times of the monotonic clock at which ``look_at_clock`` has something to do."""
        due = [asked.deadline for asked in self._waiting.values()]
        for asked in self._running.values():
            if asked.kill_at is not None:
                due.append(asked.kill_at)
            else:
                due += [asked.stalled_at, math.inf if asked.told else asked.deadline]
        return [moment for moment in due if moment < math.inf]

    def hand_out(self) -> None:
        for asked in list(self._waiting.values()):
            if not self._pool.has_room():
                return
            if not self._may_run(asked):
                continue
            del self._waiting[asked.id]
            try:
                self._hand_over(asked)
            except OSError as error:
                log.warning("no worker could be started", exc_info=True)
                reason = os.strerror(error.errno) if error.errno else type(error).__name__
                asked.end(WorkerCrashed(f"No worker process could be started: {reason}."))
                self._forget(asked)

    def look_at_clock(self) -> None:
        now = time.monotonic()
        for asked in list(self._waiting.values()):
            if now >= asked.deadline:
                asked.end(_full())
                self._forget(asked)
        for asked in list(self._running.values()):
            if asked.kill_at is not None:
                if now >= asked.kill_at and asked.worker is not None:
                    asked.kill_at = now + CANCEL_GRACE
                    asked.worker.kill()
            elif not asked.told and now >= asked.deadline:
                asked.end(timed_out(asked.timeout or 0))
                self._tell_to_stop(asked)
            elif now >= asked.stalled_at:
                asked.end(_stalled())
                asked.cancel()

    def look_at(self, stream_id: str) -> bool:
        """See whether its reader has gone, or its last byte has come; False: it is none of ours."""
        asked = self._waiting.get(stream_id) or self._running.get(stream_id)
        if asked is None:
            return False
        if asked.left and not asked.told:
            asked.end(_left())
            self._tell_to_stop(asked)
        self._settle(asked)
        return True

    def hear(self, worker: WorkerProcess, message: Message) -> bool:
        """Take a message of a worker; return whether it was about a stream."""
        asked = self._running.get(worker.job or "")
        if asked is None:
            return False
        if "exited" in message:
            self._pool.gone(worker)
            self._lost(asked, message["exited"])
        elif message.get("job") != asked.id or "progress" in message:
            return True
        elif "begun" in message:
            asked.begun = True
        else:
            asked.told = True
            asked.memory = message.get("memory")
            error = message.get("error")
            # its words first: whoever waits must not hear of a pipe that has ended
            asked.end(
                ExportError.from_json(error) if error else Result.from_json(message["answer"])
            )
            self._settle(asked)
        return True

    def stop(self, why: ExportError) -> None:
        """Break off everything; the workers are the pool's to end."""
        for asked in [*self._waiting.values(), *self._running.values()]:
            asked.end(why)
            self._forget(asked)

    def _may_run(self, asked: PendingStream) -> bool:
        running = [each for each in self._running.values() if each.worker is not None]
        same = sum(other.owner == asked.owner for other in running)
        return asked.most_of_one is None or same < asked.most_of_one

    def _hand_over(self, asked: PendingStream) -> None:
        worker = self._pool.take()
        worker.job = asked.id
        asked.worker = worker
        asked.deadline = time.monotonic() + (asked.timeout or math.inf)
        self._running[asked.id] = asked
        asked.carry(worker)
        worker.send(asked.order)

    def _lost(self, asked: PendingStream, code: int) -> None:
        """The worker ended. One that was dead before it began has sent nothing: try another."""
        again = not (asked.begun or asked.told or asked.left) and asked.kill_at is None
        if again and asked.other_workers and asked.untouched:
            asked.other_workers -= 1
            asked.worker = None
            del self._running[asked.id]
            self._waiting[asked.id] = asked
            self._waiting.move_to_end(asked.id, last=False)
            return
        asked.end(crashed(code))
        self._forget(asked)

    def _tell_to_stop(self, asked: PendingStream) -> None:
        if asked.worker is None:
            self._forget(asked)
        elif asked.kill_at is None and not asked.told:
            asked.kill_at = time.monotonic() + CANCEL_GRACE
            asked.worker.send({"cancel": asked.id})

    def _settle(self, asked: PendingStream) -> None:
        """Give the worker back once it has told how it went and its pipe is empty; forget the
        stream when its reader has all, or is gone."""
        if asked.told and asked.drained and asked.worker is not None:
            worker, asked.worker = asked.worker, None
            self._pool.give_back(worker, asked.memory)
        if asked.worker is None and asked.told and (asked.left or asked.failed):
            self._forget(asked)

    def _forget(self, asked: PendingStream) -> None:
        self._waiting.pop(asked.id, None)
        self._running.pop(asked.id, None)
        shutil.rmtree(asked.scratch, ignore_errors=True)
        asked.conclude()


def _nothing() -> None:
    pass


def _left() -> Cancelled:
    return Cancelled("The reader of the export went away.")


def _full() -> QueueFull:
    return QueueFull(
        "Every worker is busy, and too many streams wait already, or yours has waited too long.",
        hint="Try again in a moment, or run the export as a job, which waits.",
    )


def _stalled() -> TimedOut:
    return TimedOut(f"Nothing was read of the export for {STALL_SECONDS / 60:.0f} minutes.")


def _incomplete(received: int, made: int) -> Incomplete:
    return Incomplete(
        f"{made:,} bytes were made and {received:,} arrived.", hint="Please report this."
    )
