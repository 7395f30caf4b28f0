"""Work of which only the newest counts: what is asked while somebody types."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..client.stopping import Stop

PAUSE = 0.1
"""Seconds without another question after which one is worked on."""
AT_ONCE = 3
"""Questions that are worked on at the same time: a slow one that nobody waits for any more does
not hold up the newest."""


class Newest:
    """Calls ``work(number, question, stop)`` in a thread, a pause after the last question.

    There is no thread while nothing is asked. ``work`` sees by ``is_newest`` that its answer is not
    wanted any more; ``stop`` is asked then.
    """

    def __init__(self, work: Callable[[int, Any, Stop], None], *, pause: float = PAUSE) -> None:
        self._work = work
        self._pause = pause
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._number = 0
        self._timer: threading.Timer | None = None
        self._stop = Stop()
        self._closed = False

    def ask(self, question: Any, *, at_once: bool = False) -> int:
        """Ask, in the place of everything asked before; return the question's number."""
        with self._lock:
            self._drop()
            if not self._closed:
                pause = 0.0 if at_once else self._pause
                timer = threading.Timer(pause, self._run, (self._number, question, self._stop))
                timer.daemon = True
                timer.name = "jupyter-export-panel-preview"
                timer.start()
                self._timer = timer
            return self._number

    def forget(self) -> int:
        """Want no answer to what was asked; return the number of a question that nobody asks."""
        with self._lock:
            self._drop()
            return self._number

    def is_newest(self, number: int) -> bool:
        with self._lock:
            return number == self._number and not self._closed

    def close(self) -> None:
        """Start nothing any more, and want no answer."""
        with self._lock:
            self._closed = True
            self._drop()

    def _drop(self) -> None:
        """Want no answer to what was asked before."""
        self._number += 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        stop, self._stop = self._stop, Stop()
        stop.ask()

    def _run(self, number: int, question: Any, stop: Stop) -> None:
        with self._places:
            if self.is_newest(number):
                self._work(number, question, stop)
