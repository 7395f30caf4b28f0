"""What the notebook, the panel and the command line ask of a job service, wherever it runs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import pyarrow as pa

    from .stopping import Stop

JobJson: TypeAlias = dict[str, Any]
"""A job as REST shows it."""

FINAL = frozenset({"completed", "failed", "cancelled", "expired"})
"""Statuses that a job does not leave by itself."""


class ExportClient(Protocol):
    """All methods raise ``ExportError``; ids of somebody else's jobs are ``NotFound``."""

    where: str
    """Who runs the jobs, for sentences: a server's address or ``this kernel``."""
    root: Path | None
    """The folder that paths of results start from; None when this machine cannot see it."""
    base_path: str | None
    """The server's address as a browser's path (``/user/x/``), for links; None without one."""

    def check(self) -> None:
        """Return when the service answers; raise ``ServerUnavailable`` when it does not."""

    def submit(self, document: Mapping[str, Any], *, wait: float = 0.0) -> JobJson:
        """Start a job; its state after at most ``wait`` seconds (30 at most), or when final."""

    def preview(
        self, document: Mapping[str, Any], rows: int = 20, *, stop: Stop | None = None
    ) -> dict[str, Any]:
        """Return the first rows of a spec, its columns and its losses; nothing is written.

        ``{"datasets": [{"name", "columns", "rows", "total_rows", "estimated"}], "losses",
        "format", "bytes_estimate"}``; ``rows`` from 0 to 1000. Raises ``TimedOut`` after 30 s, and
        some ``ExportError`` once ``stop`` is asked to end it.
        """

    def show(self, job_id: str) -> JobJson: ...

    def list(
        self,
        *,
        status: str | None = None,
        format: str | None = None,
        q: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> dict[str, Any]:
        """Return ``{"jobs": […], "next_cursor"}``, newest first."""

    def cancel(self, job_id: str) -> JobJson: ...

    def retry(self, job_id: str) -> JobJson: ...

    def delete(self, job_id: str, *, delete_file: bool = False) -> None: ...

    def upload(
        self, reader: pa.RecordBatchReader, *, interrupt: Callable[[], None] | None = None
    ) -> dict[str, Any]:
        """Send all rows as one Arrow IPC stream; return ``{id, rows, bytes, columns}``.

        ``interrupt`` ends a read of ``reader`` that waits; it is called when the caller is
        interrupted, so that nothing goes on reading.
        """

    def download(self, job_id: str, to: Path) -> Path:
        """Copy the finished file to ``to`` (a file, or a folder that keeps its name); a folder's
        files come as one zip."""

    def stream(self, document: Mapping[str, Any]) -> Generator[bytes]:
        """Yield the bytes of a spec as they are made: no job, no file.

        What was yielded before an error is only a part. Close the iterator to end the export.
        """

    def watch(self, job_id: str) -> Iterator[JobJson]:
        """Yield the job now and after each change; the final state is the last one."""

    def formats(self) -> tuple[dict[str, Any], ...]: ...

    def connections(self) -> tuple[dict[str, Any], ...]:
        """Return the connections that a spec may name, by name: ``{"name", "dialect", "kind":
        "database" | "files", "read_only", "statement_timeout", "error"}``; never a URL."""

    def tables(
        self, name: str, *, schema: str | None = None, q: str | None = None
    ) -> tuple[dict[str, Any], ...]:
        """Return the tables and views of a database: ``{"schema", "name", "kind": "table" |
        "view", "columns": [{"name", "type"}], "rows"}``, rows estimated or None.

        ``schema``: only its tables; ``q``: only those whose name holds it. Raises ``NotFound`` for
        an unknown name, and ``TimedOut`` after 30 s.
        """

    def templates(self) -> tuple[dict[str, Any], ...]:
        """Return the user's templates, by name: ``{"name", "description", "parameters": [{"name",
        "default", "required"}], "frames": [names], "format", "created_at", "updated_at"}``."""

    def template(self, name: str) -> dict[str, Any]:
        """Return one template with its ``spec``, whose slots ``spec.template.filled`` fills.
        Raises ``NotFound`` with the nearest name."""

    def save_template(self, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a document with slots under a name, in the place of the user's of that name;
        return it as ``template`` does.

        Raises ``InvalidRequest`` for a name that is none, ``InvalidSpec``, ``TooLarge``.
        """

    def delete_template(self, name: str) -> None:
        """Raises ``NotFound``."""

    def close(self) -> None: ...
