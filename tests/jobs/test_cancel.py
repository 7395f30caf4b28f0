"""A cancel ends a job in whatever phase it is, and leaves nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jupyter_export.errors import ServerUnavailable
from jupyter_export.jobs.model import Job
from jupyter_export.jobs.service import ExportService

from .conftest import ME, MakeService, arrow_stream, document, eventually, send, worker_processes

SECONDS = 60.0
ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT {} AS n FROM c"
Spec = Callable[[ExportService], dict[str, Any]]


def query(columns: str) -> Spec:
    sql = ENDLESS.format(columns)
    return lambda service: {
        "source": {"type": "sql", "connection": "shop", "query": sql},
        "output": {"path": "a.csv"},
    }


def sorting(service: ExportService) -> dict[str, Any]:
    """What the engine needs a long time for before it gives the first row."""
    table = pa.table({"n": pa.array(range(1_000_000), pa.int64())})
    with service.open_upload(ME) as writer:
        writer.write(arrow_stream(table))
        upload = writer.finish().id
    hashed = {"name": "hash", "expression": "md5(repeat(cast(n as varchar), 2000))"}
    columns = {"computed": [hashed]}
    return document(upload, "a.csv", columns=columns, sort=[{"column": "hash"}])


PHASES: dict[str, Spec] = {
    "reading, before the first row": query("count(*)"),
    "reading and writing": query("n"),
    "transforming": sorting,
    "writing": lambda service: document(send(service), "a.slow"),
    "writing, deaf": lambda service: document(send(service), "a.deaf"),
}


@pytest.fixture
def shop(tmp_path: Path) -> str:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE t (n)")
    return f"sqlite:///{path}"


def nothing_left(service: ExportService) -> bool:
    folders = (service.settings.root, service.settings.scratch)
    return not any(path.is_file() for folder in folders for path in folder.rglob("*"))


@pytest.mark.usefixtures("misbehaving")
@pytest.mark.parametrize("phase", PHASES)
def test_a_running_job(phase: str, shop: str, make_service: MakeService) -> None:
    service = make_service(connections={"shop": shop}, max_workers=1)
    job = service.submit(PHASES[phase](service), ME)
    eventually(service, lambda: service.get(job.id, ME).status == "running")
    if phase == "reading and writing":
        eventually(service, lambda: service.get(job.id, ME).progress.rows > 0)
    service.cancel(job.id, ME)
    ended = service.wait(job.id, ME, SECONDS)
    assert (ended.status, ended.error, ended.result) == ("cancelled", None, None)
    eventually(service, lambda: nothing_left(service))


def test_one_that_is_about_to_publish(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is whole, and the store that must know of it first does not answer."""
    service = make_service()
    update = service._store.update
    asked: list[Job] = []

    def away(job: Job, *, expected: int) -> None:
        if job.prepared is not None and not job.final:
            asked.append(job)
            raise ServerUnavailable("The job store cannot be used.")
        update(job, expected=expected)

    monkeypatch.setattr(service._store, "update", away)
    job = service.submit(document(send(service), "a.csv"), ME)
    eventually(service, lambda: bool(asked))
    assert service.get(job.id, ME).progress.phase == "publishing"
    service.cancel(job.id, ME)
    assert service.wait(job.id, ME, SECONDS).status == "cancelled"
    eventually(service, lambda: nothing_left(service))


@pytest.mark.usefixtures("misbehaving")
def test_the_workers_of_cancelled_jobs_work_on(make_service: MakeService) -> None:
    service = make_service(max_workers=1)
    upload = send(service)
    for number in range(3):
        job = service.submit(document(upload, f"{number}.slow"), ME)
        eventually(service, lambda job=job: service.get(job.id, ME).progress.rows > 0)  # type: ignore[misc]
        service.cancel(job.id, ME)
        assert service.wait(job.id, ME, SECONDS).status == "cancelled"
    assert len(worker_processes()) <= 2
    done = service.wait(service.submit(document(upload, "a.csv"), ME).id, ME, SECONDS)
    assert done.status == "completed"
