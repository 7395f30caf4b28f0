"""The job service inside this process, for kernels and scripts without a server."""

from __future__ import annotations

import os
import queue
import shutil
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ExportError, WriteFailed
from .protocol import FINAL, JobJson

if TYPE_CHECKING:
    import pyarrow as pa

    from ..jobs.model import Job
    from ..jobs.service import ExportService
    from .stopping import Stop


class LocalClient:
    """An ``ExportService`` that was started, for the one user of this process."""

    where = "this kernel"
    base_path: str | None = None

    def __init__(self, service: ExportService, root: Path, *, owner: str) -> None:
        from ..jobs.model import Caller

        self.root: Path | None = root
        self._service = service
        self._caller = Caller(owner)
        self._mine: set[str] = set()
        self._made_in = os.getpid()

    def check(self) -> None:
        """It is here."""

    def submit(self, document: Mapping[str, Any], *, wait: float = 0.0) -> JobJson:
        job = self._service.submit(dict(document), self._caller)
        self._mine.add(job.id)
        if wait > 0 and not job.final:
            job = self._service.wait(job.id, self._caller, wait)
        return job.to_json()

    def preview(
        self, document: Mapping[str, Any], rows: int = 20, *, stop: Stop | None = None
    ) -> dict[str, Any]:
        if stop is None:
            return self._service.preview(dict(document), self._caller, rows)
        asked = self._service.begin_preview(dict(document), self._caller, rows)
        stop.ended_by(asked.cancel)
        return asked.future.result()

    def show(self, job_id: str) -> JobJson:
        return self._service.get(job_id, self._caller).to_json()

    def cancel(self, job_id: str) -> JobJson:
        return self._service.cancel(job_id, self._caller).to_json()

    def retry(self, job_id: str) -> JobJson:
        job = self._service.retry(job_id, self._caller)
        self._mine.add(job.id)
        return job.to_json()

    def delete(self, job_id: str, *, delete_file: bool = False) -> None:
        self._service.delete(job_id, self._caller, delete_file=delete_file)

    def list(
        self,
        *,
        status: str | None = None,
        format: str | None = None,
        q: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> dict[str, Any]:
        page = self._service.list(
            self._caller,
            status=status,
            format=format,
            q=q,
            limit=limit,
            cursor=cursor,
        )
        return {"jobs": [job.to_json() for job in page.jobs], "next_cursor": page.next_cursor}

    def formats(self) -> tuple[dict[str, Any], ...]:
        return tuple(self._service.formats())

    def connections(self) -> tuple[dict[str, Any], ...]:
        return tuple(self._service.connections(self._caller))

    def tables(
        self, name: str, *, schema: str | None = None, q: str | None = None
    ) -> tuple[dict[str, Any], ...]:
        return tuple(self._service.tables(name, self._caller, schema=schema, q=q)["tables"])

    def templates(self) -> tuple[dict[str, Any], ...]:
        return tuple(each.to_json() for each in self._service.templates.list(self._caller))

    def template(self, name: str) -> dict[str, Any]:
        return self._service.templates.get(name, self._caller).with_spec()

    def save_template(self, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
        kept, _ = self._service.templates.save(name, document, self._caller)
        return kept.with_spec()

    def delete_template(self, name: str) -> None:
        self._service.templates.delete(name, self._caller)

    def upload(
        self, reader: pa.RecordBatchReader, *, interrupt: Callable[[], None] | None = None
    ) -> dict[str, Any]:
        from .arrow import ipc_pieces

        with self._service.open_upload(self._caller) as writer:
            pieces = ipc_pieces(reader, interrupt=interrupt)
            try:
                for piece in pieces:
                    writer.write(piece)
            finally:
                pieces.close()  # type: ignore[attr-defined]
            return writer.finish().to_json()

    def download(self, job_id: str, to: Path) -> Path:
        file = self._service.download(job_id, self._caller)
        target = to / file.name if to.is_dir() else to
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        file.begin()
        try:
            if file.size is None:
                with part.open("wb") as zipped:
                    zipped.writelines(file.pieces())
            else:
                shutil.copyfile(file.path, part)
            os.replace(part, target)
        except BaseException as error:
            file.broken_off()
            if not isinstance(error, OSError):
                raise
            raise WriteFailed(
                f"“{target}” cannot be written: {error.strerror or error}."
            ) from error
        finally:
            part.unlink(missing_ok=True)
        file.done()
        return target

    def stream(self, document: Mapping[str, Any]) -> Generator[bytes]:
        yield from self._service.streams.begin(dict(document), self._caller)

    def watch(self, job_id: str) -> Iterator[JobJson]:
        changes: queue.Queue[Job] = queue.Queue()

        def tell(job: Job) -> None:
            if job.id == job_id:
                changes.put(job)

        unsubscribe = self._service.subscribe(tell)
        try:
            job = self._service.get(job_id, self._caller)
            seen = job.version
            yield job.to_json()
            while job.status not in FINAL:
                try:
                    job = changes.get(timeout=0.5)
                except queue.Empty:
                    # Ctrl-C is seen here, and so is a change that another process made.
                    job = self._service.get(job_id, self._caller)
                while not changes.empty() and job.status not in FINAL:
                    job = changes.get()
                if job.version > seen:
                    seen = job.version
                    yield job.to_json()
        finally:
            unsubscribe()

    def close(self) -> None:
        """Stop the service. A script's exports are finished first; a kernel is not held up."""
        if os.getpid() != self._made_in:
            return  # A fork: the service and its threads belong to the parent.
        if "ipykernel" not in sys.modules:
            with suppress(KeyboardInterrupt, ExportError):
                for job_id in self._mine:
                    self._service.wait(job_id, self._caller, None)
        self._service.stop()


def start_local(root: Path, state_dir: Path) -> LocalClient:
    """Start a job service in this process. ``root`` is where relative paths begin.

    It knows the connections that ``configured`` finds; raises ``InvalidRequest`` for wrong ones.
    """
    import getpass

    from ..jobs.connectable import parse
    from ..jobs.service import ExportService
    from ..jobs.settings import Settings
    from .configured import connections

    settings = Settings(
        root=root, state_dir=state_dir, confined=False, connections=parse(connections())
    )
    service = ExportService(settings)
    service.start()
    try:
        owner = getpass.getuser()
    except (KeyError, OSError, ImportError):
        owner = "local"  # A container's user may have no name.
    return LocalClient(service, root, owner=owner)
