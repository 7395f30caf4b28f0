"""Previews: answered by workers of their own, whatever jobs run; nothing is written."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jupyter_export.errors import (
    Cancelled,
    ExportError,
    Forbidden,
    Interrupted,
    InvalidRequest,
    InvalidSpec,
    NotFound,
    QueueFull,
    ShuttingDown,
    TimedOut,
    WorkerCrashed,
)
from jupyter_export.jobs import line, previews
from jupyter_export.jobs.model import Caller
from jupyter_export.jobs.previews import PREVIEWS_AT_ONCE
from jupyter_export.jobs.service import ExportService

from .conftest import ME, MakeService, arrow_stream, document, eventually, send, worker_processes

SECONDS = 60.0


def upload(service: ExportService, table: pa.Table) -> str:
    with service.open_upload(ME) as writer:
        writer.write(arrow_stream(table))
        return writer.finish().id


def everything(folder: Path) -> list[str]:
    return sorted(path.as_posix() for path in folder.rglob("*"))


def until(predicate: Callable[[], bool], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not predicate():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def test_first_rows_types_and_counts(service: ExportService) -> None:
    found = service.preview(document(send(service, rows=30_000)), ME, rows=2)
    (dataset,) = found["datasets"]
    assert dataset["columns"] == [{"name": "n", "type": "int64"}, {"name": "t", "type": "string"}]
    assert dataset["rows"] == [[0, "text"], [1, "text"]]
    assert dataset["total_rows"] == 30_000
    assert (found["format"], found["losses"]) == ("csv", [])
    assert found["bytes_estimate"] > 30_000
    assert everything(service.settings.root) == []
    assert list(service.settings.scratch.glob("preview-*")) == []
    assert service.list(ME).jobs == ()


def test_losses_before_the_run(service: ExportService) -> None:
    nested = upload(service, pa.table({"l": pa.array([[1, 2], None, [3]])}))
    assert service.preview(document(nested, "x.jsonl"), ME)["losses"] == []
    (loss,) = service.preview(document(nested, "x.csv"), ME)["losses"]
    assert (loss["kind"], loss["column"], loss["count"]) == ("nested", "l", 2)
    assert everything(service.settings.root) == []


def test_several_datasets_each_with_its_rows(service: ExportService) -> None:
    source = {"type": "upload", "id": send(service, rows=10)}
    datasets = [{"name": n, "source": source, "limit": k} for n, k in (("a", 1), ("b", 2))]
    found = service.preview({"datasets": datasets}, ME, rows=1000)
    assert [(d["name"], len(d["rows"]), d["total_rows"]) for d in found["datasets"]] == [
        ("a", 1, 1),
        ("b", 2, 2),
    ]
    assert service.preview({"datasets": datasets}, ME, rows=0)["datasets"][0]["rows"] == []


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"format": "parqet"}, InvalidSpec, "parquet"),
        ({"format": {"type": "csv", "delimeter": ";"}}, InvalidSpec, "delimiter"),
        ({"output": {"path": "../out.csv"}}, Forbidden, "outside"),
        ({"output": {"path": "a.cvs"}}, InvalidSpec, "csv"),
        ({"source": {"type": "upload", "id": "nothere"}}, NotFound, "Send the data again"),
        ({"source": {"type": "file", "path": "../secret.csv"}}, Forbidden, "outside"),
        ({"source": {"type": "table", "connection": "w", "table": "t"}}, InvalidSpec, "“w”"),
        ({"columns": {"include": ["m"]}}, InvalidSpec, "“m”"),
        ({"where": "nope > 1"}, ExportError, "nope"),
    ],
)
def test_it_is_checked_as_a_job_is(
    change: dict[str, Any], error: type[ExportError], said: str, service: ExportService
) -> None:
    with pytest.raises(error, match=said):
        service.preview(document(send(service)) | change, ME)
    assert everything(service.settings.root) == []


def test_somebody_elses_upload_is_not_there(service: ExportService) -> None:
    with pytest.raises(NotFound):
        service.preview(document(send(service)), Caller("you"))


@pytest.mark.parametrize("rows", [-1, 1001, True, "20", 2.0, None])
def test_a_wrong_number_of_rows(rows: Any, service: ExportService) -> None:
    with pytest.raises(InvalidRequest, match="from 0 to 1,000") as caught:
        service.preview(document(send(service)), ME, rows)
    assert caught.value.field == "rows"


def test_a_file_that_exists_is_no_obstacle(service: ExportService) -> None:
    (service.settings.root / "a.csv").write_text("mine")
    assert service.preview(document(send(service), "a.csv"), ME)["format"] == "csv"
    assert (service.settings.root / "a.csv").read_text() == "mine"


@pytest.mark.usefixtures("misbehaving")
def test_it_answers_while_jobs_take_every_place(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "EXPRESS_SECONDS", 1e9)  # Also not for the job that waits.
    service = make_service(max_workers=1, max_pending_per_user=1)
    sent = send(service)
    running = service.submit(document(sent, "a.slow"), ME)
    eventually(service, lambda: service.get(running.id, ME).progress.rows > 0)
    waiting = service.submit(document(sent, "b.slow"), ME)
    assert service.preview(document(sent), ME)["datasets"][0]["total_rows"] == 1000
    assert service.get(running.id, ME).status == "running"
    assert service.get(waiting.id, ME).status == "pending"


@pytest.mark.usefixtures("misbehaving")
def test_more_than_fit_wait_for_their_turn(
    service: ExportService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "SLOW_SECONDS", SECONDS)
    spec = document(send(service, rows=4), format="slow")
    with ThreadPoolExecutor(5) as threads:
        found = list(threads.map(lambda _: service.preview(spec, ME), range(5)))
    assert [each["datasets"][0]["total_rows"] for each in found] == [4] * 5
    assert len(worker_processes()) <= PREVIEWS_AT_ONCE + 1


@pytest.mark.usefixtures("misbehaving")
def test_too_many_are_refused(service: ExportService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "MAX_WAITING", 1)
    monkeypatch.setattr(previews, "SLOW_SECONDS", SECONDS)
    spec = document(send(service), format={"type": "deaf", "seconds": 30})
    asked = [service.begin_preview(spec, ME) for _ in range(PREVIEWS_AT_ONCE)]
    until(lambda: all(each.worker for each in asked))
    asked += [service.begin_preview(spec, ME) for _ in range(2)]
    with pytest.raises(QueueFull):
        asked[-1].future.result(SECONDS)
    for each in asked:
        each.cancel()
    for each in asked[:-1]:
        with pytest.raises(Cancelled):
            each.future.result(SECONDS)
    until(lambda: not list(service.settings.scratch.glob("preview-*")))


@pytest.mark.usefixtures("misbehaving")
def test_it_has_a_time_limit(service: ExportService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "PREVIEW_SECONDS", 1.0)
    spec = document(send(service), format={"type": "deaf", "seconds": 30})
    with pytest.raises(TimedOut, match="took longer than 1 seconds"):
        service.preview(spec, ME)
    monkeypatch.undo()
    # What did not hear is killed, and the next one is not held up.
    until(lambda: not list(service.settings.scratch.glob("preview-*")))


@pytest.mark.usefixtures("misbehaving")
def test_a_cancel_ends_it_and_leaves_its_worker_alive(service: ExportService) -> None:
    spec = {"name": "n", "source": {"type": "upload", "id": send(service)}, "format": "slow"}
    asked = service.begin_preview(spec, ME)
    until(lambda: asked.begun)
    asked.cancel()
    asked.cancel()
    with pytest.raises(Cancelled):
        asked.future.result(SECONDS)
    assert service.preview(document(send(service)), ME)["format"] == "csv"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.usefixtures("misbehaving")
def test_a_worker_that_dies_fails_its_preview_only(service: ExportService) -> None:
    spec = document(send(service))
    with pytest.raises(WorkerCrashed, match="signal 9"):
        service.preview(spec | {"format": "suicidal"}, ME)
    for process in worker_processes():
        process.send_signal(signal.SIGKILL)
    # One that was dead before it began has done nothing: another one answers.
    assert service.preview(spec, ME)["format"] == "csv"
    with pytest.raises(ExportError) as caught:
        service.preview(spec | {"format": "broken"}, ME)
    assert "hunter2" not in str(caught.value)


@pytest.mark.usefixtures("misbehaving")
def test_a_stop_answers_who_waits(make_service: MakeService) -> None:
    service = make_service()
    spec = document(send(service), format={"type": "deaf", "seconds": 30})
    asked = [service.begin_preview(spec, ME) for _ in range(PREVIEWS_AT_ONCE + 1)]
    stopper = threading.Thread(target=service.stop)
    stopper.start()
    for each in asked:
        with pytest.raises(Interrupted):
            each.future.result(SECONDS)
    stopper.join(SECONDS)
    assert list(service.settings.scratch.iterdir()) == []
    with pytest.raises(ShuttingDown):
        service.preview(spec, ME)


def test_a_connection_is_looked_up_in_the_environment(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service(connections={"warehouse": "env:WAREHOUSE_URL"})
    source = {"type": "sql", "connection": "warehouse", "query": "SELECT 1 AS one"}
    with pytest.raises(ExportError, match="WAREHOUSE_URL"):
        service.preview({"source": source}, ME)
    monkeypatch.setitem(os.environ, "WAREHOUSE_URL", "sqlite://")
    assert service.preview({"source": source}, ME)["datasets"][0]["rows"] == [[1]]
