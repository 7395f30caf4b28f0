"""A job as everybody sees it: frozen values that know their JSON form."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Literal, TypeAlias

from ..progress import Progress, Result

Status: TypeAlias = Literal["pending", "running", "completed", "failed", "cancelled", "expired"]
ACTIVE: frozenset[str] = frozenset({"pending", "running"})
MAX_HISTORY = 50
"""Attempts that a job remembers."""
FINAL: frozenset[str] = frozenset({"completed", "failed", "cancelled", "expired"})


@dataclass(frozen=True)
class Caller:
    """Who asks: the owner's name, and whether they may see everybody's jobs."""

    name: str
    admin: bool = False
    address: str = ""
    """Where the request came from, for the audit trail; empty for a caller in this process."""
    sole: bool = field(default=False, compare=False)
    """The one owner of a server that knows nobody else."""


@dataclass(frozen=True)
class Job:
    """One export job. Times are aware UTC datetimes; ``error`` is ``ExportError.to_json()``."""

    id: str
    name: str
    status: Status
    format: str
    created_by: str
    created_at: datetime
    spec: dict[str, Any]
    path: str
    """Where the file goes: relative to the root, or absolute outside it."""
    temporary: bool
    """True for a file that we named: it expires, and goes with its job."""
    progress: Progress = field(default_factory=Progress)
    started_at: datetime | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    attempt: int = 1
    download_count: int = 0
    result: Result | None = None
    error: dict[str, str | None] | None = None
    version: int = 0
    """Grows by one with each change; the id of the server-sent event that tells of it."""
    target: str = ""
    """The absolute path of the file."""
    root: str = ""
    """Where its relative paths start; several kernels with several roots share one store."""
    instance: str = ""
    """The service that runs it; when that service is dead, its active jobs are interrupted."""
    made: tuple[str, ...] = ()
    """Absolute paths of the folders that were made for it, the innermost first; a job that does
    not finish takes them away again."""
    place: str = ""
    """The state folder that holds what it reads and spills (``Place.id``): only a service over the
    same one can run it again."""
    confined: bool = True
    """What ``Settings.confined`` was of the service that took it."""
    tries: int = 1
    """Attempts since somebody last asked for it; ``attempt`` counts them all."""
    retry_at: datetime | None = None
    """When a pending job may be tried again, after an error that may pass."""
    weight: int = 0
    """Bytes of its sources as far as they were known when it was asked for; 0: not known."""
    history: tuple[dict[str, Any], ...] = ()
    """The attempts that are over: ``{"attempt", "status", "started_at", "finished_at", "error"}``,
    the oldest first."""
    prepared: dict[str, Any] | None = None
    """The result of a run whose file is about to get its name, and how that file is known: what
    tells a later start whether it got it. See ``recovery``."""

    @property
    def final(self) -> bool:
        return self.status in FINAL

    @property
    def is_folder(self) -> bool:
        """True when ``target`` is a folder of finished files, False when it is the one file."""
        if self.result is None:
            return False
        return [file["path"] for file in self.result.files] != [self.result.path]

    def to_json(self) -> dict[str, Any]:
        """Return the job as the REST contract shows it."""
        return {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "progress": self.progress.to_json(),
            "format": self.format,
            "created_by": self.created_by,
            "created_at": rfc3339(self.created_at),
            "started_at": rfc3339(self.started_at),
            "finished_at": rfc3339(self.finished_at),
            "expires_at": rfc3339(self.expires_at),
            "attempt": self.attempt,
            "download_count": self.download_count,
            "result": self.result.to_json() if self.result else None,
            "error": self.error,
            "retry_at": rfc3339(self.retry_at),
            "history": list(self.history),
            "spec": self.spec,
        }

    def changed(self, **fields: Any) -> Job:
        """Return the next version of this job."""
        return replace(self, version=self.version + 1, **fields)

    def again(
        self,
        error: dict[str, str | None] | None,
        *,
        finished_at: datetime | None,
        status: Status = "failed",
        **fields: Any,
    ) -> Job:
        """Return the job as pending again, with nothing of the attempt that is over but its place
        in the history."""
        over = {
            "attempt": self.attempt,
            "status": status,
            "started_at": rfc3339(self.started_at),
            "finished_at": rfc3339(finished_at),
            "error": error,
        }
        kept = (*self.history, over)[-MAX_HISTORY:]
        cleared: dict[str, Any] = {
            "status": "pending",
            "attempt": self.attempt + 1,
            "history": kept,
            "progress": Progress(),
            "started_at": None,
            "finished_at": None,
            "expires_at": None,
            "result": None,
            "error": None,
            "retry_at": None,
            "prepared": None,
        }
        return self.changed(**{**cleared, **fields})


@dataclass(frozen=True)
class ServiceRecord:
    """The lease of a service: its active jobs are nobody else's as long as its heart beats."""

    id: str
    place: str
    beat: int
    seen_at: datetime


@dataclass(frozen=True)
class JobPage:
    """Jobs, newest first, and the cursor of the next page (None: this was the last)."""

    jobs: tuple[Job, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class Upload:
    """An Arrow IPC stream on disk that a spec may name as its source."""

    id: str
    owner: str
    rows: int
    bytes: int
    columns: tuple[dict[str, str], ...]
    """``{"name", "type"}`` for each column."""
    created_at: datetime

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "rows": self.rows,
            "bytes": self.bytes,
            "columns": list(self.columns),
        }


def rfc3339(moment: datetime | None) -> str | None:
    """Return ``2013-01-01T05:00:00.123456Z`` (RFC 3339, UTC)."""
    if moment is None:
        return None
    return moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
