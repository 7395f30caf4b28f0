"""The notebook's recent jobs, live: those that this process started, and those of its folder."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping
from copy import copy
from pathlib import Path
from typing import Any, ClassVar

from ..client import ExportClient
from ..client.job import Job
from ..errors import ExportError, NotFound

MOST = 8
LOOKED_AT = 50
"""Jobs of the user that are looked at for those of this notebook."""
OFTEN, SELDOM = 0.2, 1.0
"""Seconds between two looks at running jobs: soon after something changed, and later."""
TRIES = 5
"""Looks in a row that may fail before a running job is left as it was last seen."""


def described(job: Job) -> dict[str, Any]:
    """Return a job as the page draws it."""
    return {**job.state, "links": dict(job.links)}


def is_of_folder(state: Mapping[str, Any], client: ExportClient, folder: Path) -> bool:
    """Tell a job that writes into ``folder``, or below it."""
    result = state.get("result") or {}
    path = result.get("path") or (state["spec"].get("output") or {}).get("path")
    if not path or client.root is None:
        return False
    whole = os.path.normpath(client.root / path)
    return Path(whole).is_relative_to(folder)


class NotebookJobs:
    """Keeps a list of jobs and tells of each change. A thread looks at the running ones, and ends
    with them. Thread-safe."""

    _started: ClassVar[set[str]] = set()
    """Jobs of the panels of this process."""
    _open: ClassVar[weakref.WeakSet[NotebookJobs]] = weakref.WeakSet()
    """The lists of all panels of this process: each shows what another one starts."""

    def __init__(self, client: Callable[[], ExportClient], tell: Callable[[list[Any]], None]):
        self._client = client
        self._tell = tell
        self._lock = threading.Lock()
        self._telling = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._sending: dict[str, dict[str, Any]] = {}
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._open.add(self)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            thread = self._thread
        self._open.discard(self)
        self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(2)

    # ------------------------------------------------------------- what there is

    def load(self) -> None:
        """Ask for the list again. Raises ``ExportError``."""
        client = self._client()
        folder = Path.cwd()
        for state in reversed(client.list(limit=LOOKED_AT)["jobs"]):
            if state["id"] in self._started or is_of_folder(state, client, folder):
                self._keep(Job(client, state))
        self._changed()

    def add(self, job: Job) -> None:
        """Show a job that this panel started, and follow it."""
        self._started.add(job.id)
        self._keep(job)
        self._changed()
        for other in list(self._open):
            if other is not self:
                other._keep(copy(job))  # Each sees by its own one what moved.
                other._changed()

    def cancel(self, job_id: str) -> None:
        """Raises ``ExportError``."""
        with self._lock:
            job = self._jobs.get(job_id)
        if job is None:
            job = Job(self._client(), self._client().show(job_id))
            self._keep(job)
        job.cancel()
        self._changed()

    def sending(self, key: str, name: str, rows: int | None) -> None:
        """Show an export whose rows are on their way, until ``sent``."""
        state = _not_yet(key, name, rows)
        with self._lock:
            self._sending[key] = state
        self._changed()

    def sent(self, key: str) -> None:
        with self._lock:
            self._sending.pop(key, None)
        self._changed()

    # ------------------------------------------------------------- following

    def _keep(self, job: Job) -> None:
        with self._lock:
            known = self._jobs.get(job.id)
            if known is not None and known.state["status"] == job.state["status"] and known.final:
                return
            self._jobs[job.id] = job
            newest = sorted(self._jobs.values(), key=_created, reverse=True)
            # What runs is followed to its end, also when others are newer.
            kept = [each for at, each in enumerate(newest) if at < MOST or not each.final]
            self._jobs = {each.id: each for each in kept}

    def _shown(self) -> list[dict[str, Any]]:
        with self._lock:
            newest = sorted(self._jobs.values(), key=_created, reverse=True)
            waiting = list(self._sending.values())
        return [*reversed(waiting), *map(described, newest)][:MOST]

    def _changed(self) -> None:
        with self._lock:
            if self._closed:
                return
            active = any(not job.final for job in self._jobs.values())
            if active and self._thread is None:
                self._thread = threading.Thread(
                    target=self._follow, name="jupyter-export-panel-jobs", daemon=True
                )
                self._thread.start()
        self._wake.set()
        with self._telling:  # The later list is told later.
            self._tell(self._shown())

    def _follow(self) -> None:
        pause, failures = OFTEN, 0
        while True:
            self._wake.wait(pause)
            woken = self._wake.is_set()
            self._wake.clear()
            with self._lock:
                active = [job for job in self._jobs.values() if not job.final]
                if self._closed or not active or failures > TRIES:
                    self._thread = None
                    return
            before = [job.state for job in active]
            try:
                for job in active:
                    job.refresh()
                failures = 0
            except ExportError:
                failures += 1  # The server may be restarting: look again.
                self._drop_the_lost(active)
            moved = [job.state for job in active] != before
            pause = OFTEN if moved or woken else min(pause * 1.3, SELDOM)
            if moved:
                with self._lock:
                    closed = self._closed
                if not closed:
                    with self._telling:
                        self._tell(self._shown())

    def _drop_the_lost(self, active: list[Job]) -> None:
        """Forget running jobs whose record is gone: somebody deleted it."""
        for job in active:
            try:
                job.refresh()
            except NotFound:
                with self._lock:
                    self._jobs.pop(job.id, None)
            except ExportError:
                return


def _created(job: Job) -> str:
    return str(job.state["created_at"])


def _not_yet(key: str, name: str, rows: int | None) -> dict[str, Any]:
    """Return what stands for a job while its rows are sent."""
    return {
        "id": key,
        "name": name,
        "status": "pending",
        "format": "",
        "spec": {"output": {"path": name}},
        "result": None,
        "error": None,
        "links": {},
        "created_at": None,
        "progress": {
            "phase": "sending",
            "rows": 0,
            "total_rows": rows,
            "percent": None,
            "bytes": 0,
            "rows_per_second": None,
            "eta_seconds": None,
        },
    }
