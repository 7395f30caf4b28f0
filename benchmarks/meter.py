"""Wall time, CPU time and peak anonymous memory of one call."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

INTERVAL = 0.005
"""Seconds between two looks at the memory."""


def anonymous_memory(pid: int) -> int | None:
    """Return the bytes of a process that no file backs (``RssAnon``); None off Linux.

    Pages of mapped files and of the page cache are left out: the system drops those at will.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
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
    with _watched() as peak:
        cpu, wall = time.process_time(), time.perf_counter()
        call()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall": wall, "cpu": cpu, "anon": peak[0] if peak else None}


@contextmanager
def _watched() -> Iterator[list[int]]:
    """Have another process watch this one's memory: a thread would take the interpreter from
    those that are measured, and from some of them more than from others."""
    peak: list[int] = []
    if anonymous_memory(os.getpid()) is None:
        yield peak
        return
    watcher = subprocess.Popen(
        [sys.executable, str(Path(__file__)), str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watcher.stdout is not None
    watcher.stdout.readline()
    try:
        yield peak
    finally:
        said, _ = watcher.communicate()
        peak.append(int(said))


def watch(pid: int) -> None:
    """Look at ``pid`` until standard input ends, then print the highest value in bytes."""
    highest = anonymous_memory(pid) or 0
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], INTERVAL)[0]:
        highest = max(highest, anonymous_memory(pid) or 0)
    print(max(highest, anonymous_memory(pid) or 0))


if __name__ == "__main__":
    watch(int(sys.argv[1]))
