"""Calls that cannot be told to stop, and a run that does not wait for them once it is cancelled."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from ...errors import Cancelled
from ...registry import Surroundings

_Answer = TypeVar("_Answer")


def answer(call: Callable[[], _Answer], here: Surroundings) -> _Answer:
    """Return what ``call`` answers, or raise what it raises. Raises ``Cancelled`` within 0.1 s of a
    cancel; the thread of the call is then left to end by itself."""
    answers: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((True, call()))
        except BaseException as error:  # whatever it is, it is told to who waits
            answers.put((False, error))

    heard(here)
    threading.Thread(target=run, name="jupyter-export-waiting", daemon=True).start()
    while True:
        try:
            good, found = answers.get(timeout=0.1)
        except queue.Empty:
            heard(here)
            continue
        if not good:
            raise found
        told: _Answer = found
        return told


def heard(here: Surroundings) -> None:
    """Raise ``Cancelled`` when the run was."""
    if here.cancelled.is_set():
        raise Cancelled("The export was cancelled.")
