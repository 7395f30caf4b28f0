"""A statement that is read ahead: a thread reads and converts while others write."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass

import pyarrow as pa

from ...errors import ConnectionLost, QueryCancelled
from ...registry import Retyped
from .columns import ColumnMisfit, Columns
from .failures import Failures
from .misfit import IntervalOverflow
from .readers import Reader

_AHEAD = 2
"""Batches that wait to be taken; another one is being made."""
_ROWS = 65_536
_PATIENCE = 3.0
"""Seconds that a cancelled statement is given to end, before nobody waits for it any more."""


@dataclass(frozen=True)
class Hooks:
    """What a reading asks its database for. Called from the reading's own thread."""

    decide: Callable[[pa.RecordBatch], Columns]
    """The first rows as they came -> what the columns become."""
    misfit: Callable[[ColumnMisfit], Exception]
    """What is raised for rows that do not fit; the database may be asked for it."""
    cancel_misfit: Callable[[], None]
    """Ends that asking, from another thread."""
    finished: Callable[[Reader], None]
    """Takes the reader over once all rows were read."""


class Reading:
    """One statement on its way. Its thread begins with the first batch that is asked for."""

    def __init__(
        self, reader: Reader, sql: str, columns: Columns, failures: Failures, hooks: Hooks
    ) -> None:
        self._reader = reader
        self._sql = sql
        self._columns = columns
        self._failures = failures
        self._hooks = hooks
        self._queue: queue.Queue[pa.RecordBatch | BaseException | None] = queue.Queue(_AHEAD)
        self._stopped = threading.Event()
        self._cancelled_at: float | None = None
        self._thread: threading.Thread | None = None
        self._kept: list[pa.RecordBatch | None] = []
        self._asks = False
        self.consumed = False
        """All rows were taken."""
        self.abandoned = False
        """What it read, and wrote, does not count any more."""

    def settle(self) -> Columns:
        """Return the columns once the first rows have decided what they become."""
        self._kept = [self._next()]
        return self._columns

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, at most 65,536 at once."""
        batch = self._kept.pop() if self._kept else self._next()
        while batch is not None:
            for start in range(0, batch.num_rows, _ROWS):
                yield batch.slice(start, _ROWS)
            batch = self._next()
        self.consumed = True

    def interrupt(self) -> None:
        """End the statement on the server. From any thread; whoever waits for rows is told."""
        if self._cancelled_at is None:
            self._cancelled_at = time.monotonic()
            threading.Thread(target=self._cancel, name="jupyter-export-cancel", daemon=True).start()

    def abandon(self) -> None:
        """Let the thread end and close its connection, without waiting for it: the whole run begins
        again, and whoever takes these rows is told so."""
        self.abandoned = True
        if self._thread is not threading.current_thread():
            self._stopped.set()

    def close(self) -> None:
        """End the thread and its connection. Idempotent."""
        self._stopped.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            with suppress(queue.Empty):
                # a thread that waits for room need not wait
                while True:
                    self._queue.get_nowait()
            self.interrupt()
            self._thread.join(_PATIENCE)

    # -------------------------------------------------------------- the taker's side

    def _next(self) -> pa.RecordBatch | None:
        if self._thread is None:
            self._check()
            self._thread = threading.Thread(
                target=self._run, name="jupyter-export-postgres", daemon=True
            )
            self._thread.start()
        while True:
            try:
                found = self._queue.get(timeout=0.2)
            except queue.Empty:
                self._check()
                continue
            if isinstance(found, BaseException):
                raise found
            return found

    def _check(self) -> None:
        """Wait no longer for a thread that cannot answer."""
        if self.abandoned:
            raise Retyped
        cancelled = self._cancelled_at
        patience = _PATIENCE if self._thread is not None else 0
        if self._stopped.is_set() or (cancelled and time.monotonic() - cancelled > patience):
            raise QueryCancelled("The query was cancelled.")
        if self._thread is not None and not self._thread.is_alive() and self._queue.empty():
            raise ConnectionLost("The database is not read any more.")

    # -------------------------------------------------------------- the thread's side

    def _run(self) -> None:
        last: BaseException | None = None
        try:
            with self._failures.explained():
                complete = self._read()
            if complete and not self._stopped.is_set():
                self._hooks.finished(self._reader)
            else:
                self._reader.close()
        except BaseException as error:  # it belongs to whoever waits for the rows
            self._reader.close()
            last = error
        self._put(last)

    def _read(self) -> bool:
        """Read to the end; False when nobody wants the rest."""
        columns = self._columns
        began = False
        try:
            # closed before its connection is, whatever happens
            with closing(self._reader.read(self._sql, columns.wire)) as batches:
                for batch in batches:
                    if not began and columns.undecided:
                        columns = self._columns = self._hooks.decide(batch)
                    began = True
                    if not self._put(columns.finished(batch)):
                        return False
        except IntervalOverflow:
            raise self._begin_again(columns.overflow()) from None
        except ColumnMisfit as misfit:
            raise self._begin_again(misfit) from None
        return True

    def _begin_again(self, misfit: ColumnMisfit) -> Exception:
        self._reader.close()
        self._asks = True
        return self._hooks.misfit(misfit)

    def _put(self, found: pa.RecordBatch | BaseException | None) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(found, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    # -------------------------------------------------------------- from any thread

    def _cancel(self) -> None:
        """Cancel until the thread has ended: a statement may begin just after it was told to."""
        thread = self._thread
        until = time.monotonic() + _PATIENCE
        while thread is not None and thread.is_alive() and time.monotonic() < until:
            self._reader.cancel()
            if self._asks:
                self._hooks.cancel_misfit()
            thread.join(0.1)
