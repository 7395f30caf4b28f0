"""Wall time, CPU time and peak anonymous memory of one call, measured inside its process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

INTERVAL = 0.005
"""Seconds between two looks at the memory."""


def anonymous_memory() -> int | None:
    """Return the bytes of this process that no file backs (``RssAnon``); None off Linux.

    Pages of mapped files and of the page cache are left out: the system drops those at will.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    line = next((line for line in status.splitlines() if line.startswith("RssAnon:")), None)
    return int(line.split()[1]) * 1024 if line else None


def measure(call: Callable[[], Any]) -> dict[str, float | int | None]:
    """Run ``call`` once: ``{wall, cpu, anon}`` in seconds, seconds and bytes.

    ``anon`` is the highest value seen while the call ran. Nothing is subtracted: it holds the
    interpreter, the imported libraries and, for a library that works on a frame in memory,
    that frame.
    """
    peak = anonymous_memory()
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(INTERVAL):
            now = anonymous_memory()
            peak = max(peak, now) if peak is not None and now is not None else now

    watcher = threading.Thread(target=watch, daemon=True)
    if peak is not None:
        watcher.start()
    cpu, wall = time.process_time(), time.perf_counter()
    call()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    done.set()
    if peak is not None:
        watcher.join()
    return {"wall": wall, "cpu": cpu, "anon": peak}
