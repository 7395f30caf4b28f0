"""A clock for databases that have none: ends a statement that takes longer than it may."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Watch:
    """Calls ``interrupt`` once the time that was spent inside ``watching`` is over."""

    def __init__(self, seconds: int | None, interrupt: Callable[[], None]) -> None:
        self._left = None if seconds is None else float(seconds)
        self._interrupt = interrupt
        self.expired = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count the time in here; what the reader does with the rows is not the database's."""
        if self._left is None:
            yield
            return
        timer = threading.Timer(max(self._left, 0), self._expire)
        timer.daemon = True
        began = time.monotonic()
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            self._left -= time.monotonic() - began

    def _expire(self) -> None:
        self.expired = True
        self._interrupt()
