"""How long a cancel takes, from the call to the final state, in every phase of a job."""

from __future__ import annotations

import io
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa

from jupyter_export.jobs.model import Caller, Job
from jupyter_export.jobs.service import ExportService
from jupyter_export.jobs.settings import Settings

from .report import Target, at_most, table

TITLE = "Cancelling a job"
SECONDS = 1.0
ROWS = 3_000_000
ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT {} AS n FROM c"
ME = Caller("me")
When = Callable[[Job], bool]


def cancelling(runs: int) -> tuple[str, list[Target]]:
    """Cancel each kind of job ``runs`` times."""
    with tempfile.TemporaryDirectory(prefix="cancelling-") as folder:
        root = Path(folder, "root")
        root.mkdir()
        with closing(sqlite3.connect(Path(folder, "shop.db"))) as made:
            made.execute("CREATE TABLE t (n)")
        settings = Settings(
            root=root,
            state_dir=Path(folder, "state"),
            connections={
                "shop": f"sqlite:///{folder}/shop.db",
                # Nobody listens there: it may pass, so the job is tried again.
                "away": "postgresql://me@127.0.0.1:1/db",
            },
            max_workers=1,
        )
        service = ExportService(settings)
        service.start()
        try:
            measured = {
                phase: [_once(service, spec, when) for _ in range(runs)]
                for phase, (spec, when) in _phases(service).items()
            }
        finally:
            service.stop()
    lines = [
        (phase, f"{statistics.median(times):.2f}", f"{max(times):.2f}")
        for phase, times in measured.items()
    ]
    longest = max(max(times) for times in measured.values())
    return table(("phase", "median s", "longest s"), lines), [
        at_most("the longest cancel", longest, SECONDS, "s")
    ]


def _phases(service: ExportService) -> dict[str, tuple[dict[str, Any], When]]:
    """Return the spec of each, and when it is in its phase."""
    upload = {"type": "upload", "id": _upload(service)}
    hashed = {"name": "hash", "expression": "md5(" * 20 + "cast(n as varchar)" + ")" * 20}
    sort = {"columns": {"computed": [hashed]}, "sort": [{"column": "hash"}]}

    gone = {"type": "table", "connection": "away", "table": "t"}

    def query(columns: str) -> dict[str, Any]:
        return {"type": "sql", "connection": "shop", "query": ENDLESS.format(columns)}

    def running(job: Job) -> bool:
        return job.status == "running"

    def writing(job: Job) -> bool:
        return job.progress.rows > 0

    return {
        "waiting for its next try": ({"source": gone}, _is_to_be_tried_again),
        "reading, no row yet": ({"source": query("count(*)")}, running),
        "reading and writing": ({"source": query("n")}, writing),
        "transforming": ({"source": upload, **sort}, running),
        "writing Excel": ({"source": upload, "format": {"type": "excel"}, "limit": 10**6}, writing),
        "writing PDF": ({"source": upload, "format": {"type": "pdf"}}, writing),
    }


def _once(service: ExportService, spec: dict[str, Any], when: When) -> float:
    job = service.submit({"format": {"type": "csv"}, **spec}, ME)
    while not when(job):
        if job.final:
            raise RuntimeError(f"the job ended before it could be cancelled: {job.error}")
        time.sleep(0.01)
        job = service.get(job.id, ME)
    began = time.perf_counter()
    service.cancel(job.id, ME)
    ended = service.wait(job.id, ME, 60)
    took = time.perf_counter() - began
    if ended.status != "cancelled":
        raise RuntimeError(f"the job is {ended.status}: {ended.error}")
    return took


def _upload(service: ExportService) -> str:
    sink = io.BytesIO()
    numbers = pa.table({"n": pa.array(range(ROWS), pa.int64())})
    with pa.ipc.new_stream(sink, numbers.schema) as stream:
        stream.write_table(numbers)
    with service.open_upload(ME) as writer:
        writer.write(sink.getbuffer())
        return writer.finish().id


def _is_to_be_tried_again(job: Job) -> bool:
    return job.retry_at is not None
