"""Work that Ctrl-C must be able to end, whatever it is doing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


def attended(work: Callable[[], T], interrupt: Callable[[], None] | None) -> T:
    """Return ``work()``, which runs in another thread while this one listens for Ctrl-C.

    An engine that waits for a query sees no signal, or turns it into an error of its own; so the
    caller's thread takes it, and ``interrupt`` ends the work.
    """
    if interrupt is None:
        return work()
    done = threading.Event()
    values: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            values.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name="jupyter-export-query", daemon=True).start()
    try:
        while not done.wait(0.5):
            pass
    except KeyboardInterrupt:
        interrupt()
        done.wait(5)
        raise
    if errors:
        raise errors[0]
    return values[0]


class Pressed:
    """Whether Ctrl-C was pressed."""

    seen = False

    def check(self) -> None:
        """Raise ``KeyboardInterrupt`` if it was."""
        if self.seen:
            raise KeyboardInterrupt


@contextmanager
def listening(interrupt: Callable[[], None] | None) -> Iterator[Pressed]:
    """Note Ctrl-C while rows are read in this thread, and call ``interrupt``, before it is raised.

    Raised alone it may be lost: Python prints and forgets what is raised in a finalizer or a weak
    reference's callback (``sys.unraisablehook``), and the query would go on.
    """
    pressed = Pressed()
    before: Any = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield pressed
        return

    def heard(number: int, frame: Any) -> None:
        pressed.seen = True
        if interrupt is not None:
            interrupt()
        before(number, frame)

    signal.signal(signal.SIGINT, heard)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
