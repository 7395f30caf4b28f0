"""A job as everybody sees it: frozen values that know their JSON form."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Literal, TypeAlias

from ..progress import Progress, Result

Status: TypeAlias = Literal["pending", "running", "completed", "failed", "cancelled", "expired"]
ACTIVE: frozenset[str] = frozenset({"pending", "running"})
FINAL: frozenset[str] = frozenset({"completed", "failed", "cancelled", "expired"})


@dataclass(frozen=True)
class Caller:
    """Who asks: the owner's name, and whether they may see everybody's jobs."""

    name: str
    admin: bool = False


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
            "spec": self.spec,
        }

    def changed(self, **fields: Any) -> Job:
        """Return the next version of this job."""
        return replace(self, version=self.version + 1, **fields)


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
