"""Work that Ctrl-C must be able to end, whatever it is doing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

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
