"""Watches which worker processes hold a job's files open: two at once is the same job run twice."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import psutil

from .harness import Home

_FILE_OF_JOB = re.compile(
    r"\.([0-9a-f]{16})(?:\.\d+)?\.part(?:/|$)|/scratch/([0-9a-f]{16})(?:\.\d+)?/"
)
INTERVAL = 0.05
STOPPED = (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


class Observer:
    """``with Observer(home) as seen``: ``seen.overlaps`` are the jobs that two processes wrote."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._known: dict[int, psutil.Process] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.overlaps: list[str] = []
        self.looks = 0

    def __enter__(self) -> Observer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(INTERVAL):
            for server in self._home.living:
                for worker in server.workers():
                    self._known.setdefault(worker.pid, worker)
            self._look()
            self.looks += 1

    def _look(self) -> None:
        holders: dict[str, int] = {}
        for pid, worker in list(self._known.items()):
            for job in self._jobs_of(worker):
                other = holders.setdefault(job, pid)
                # One may have ended while we looked at the other: both must still hold it now.
                if other != pid and all(
                    job in self._jobs_of(self._known[each]) for each in (other, pid)
                ):
                    self.overlaps.append(f"{job} by {other} and {pid}")

    def _jobs_of(self, worker: psutil.Process) -> set[str]:
        try:
            if worker.status() in STOPPED:
                return set()
            folder = Path(f"/proc/{worker.pid}/fd")
            found = set()
            for handle in folder.iterdir():
                match = _FILE_OF_JOB.search(os.readlink(handle))
                if match:
                    found.add(match[1] or match[2])
            return found
        except psutil.NoSuchProcess:
            self._known.pop(worker.pid, None)
        except OSError:
            pass  # It ended meanwhile, or closed that file.
        return set()
