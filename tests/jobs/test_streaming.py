"""Streams: an export on its way from a worker to one reader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_export.errors import (
    Cancelled,
    Forbidden,
    InvalidSpec,
    NotFound,
    WorkerCrashed,
)
from jupyter_export.jobs import streaming
from jupyter_export.jobs.model import Caller
from jupyter_export.jobs.service import ExportService
from jupyter_export.jobs.settings import Settings
from jupyter_export.jobs.store_audit import AuditQuery

from .conftest import ME, document, send
from .streams import LARGE, busy, stream, until


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExportService]:
    home = tmp_path_factory.mktemp("streams")
    (home / "root").mkdir()
    settings = Settings(root=home / "root", state_dir=home / "state", max_workers=2)
    service = ExportService(settings)
    service.start()
    yield service
    service.stop()


def test_the_bytes_and_no_file(shared: ExportService) -> None:
    exported = stream(shared, path="folder/Größe.csv")
    assert (exported.name, exported.media_type) == ("Größe.csv", "text/csv")
    lines = b"".join(exported).splitlines()
    assert (len(lines), lines[0]) == (1001, b"n,t")
    assert list(shared.settings.root.iterdir()) == []
    until(lambda: list(shared.settings.scratch.iterdir()) == [])
    assert shared.list(ME).jobs == ()


@pytest.mark.parametrize(
    ("spec", "name", "media_type"),
    [
        ({"format": "json"}, "numbers.json", "application/json"),
        ({"compression": "gzip"}, "numbers.csv.gz", "application/gzip"),
        ({"format": {"type": "csv", "rows_per_file": 9}}, "numbers.csv.zip", "application/zip"),
        (
            {"format": {"type": "csv", "rows_per_file": 9}, "path": "out"},
            "out.zip",
            "application/zip",
        ),
    ],
)
def test_what_it_is_called(
    shared: ExportService, spec: dict[str, Any], name: str, media_type: str
) -> None:
    exported = stream(shared, 20, **spec)
    assert (exported.name, exported.media_type) == (name, media_type)
    assert b"".join(exported)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"format": "nope"}, InvalidSpec),
        ({"source": {"type": "upload", "id": "gone"}}, NotFound),
        ({"output": {"path": "../out.csv"}}, Forbidden),
        ({"source": {"type": "table", "connection": "shop", "table": "t"}}, InvalidSpec),
    ],
)
def test_a_wrong_spec_is_refused_as_a_job_is(
    shared: ExportService, change: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        shared.streams.begin({**document(send(shared)), **change}, ME)
    assert list(shared.settings.scratch.iterdir()) == []


def test_somebody_elses_upload_is_not_there(shared: ExportService) -> None:
    with pytest.raises(NotFound):
        shared.streams.begin(document(send(shared)), Caller("somebody"))


def test_a_failure_before_the_first_byte_is_an_error(shared: ExportService) -> None:
    with pytest.raises(InvalidSpec, match="nope"):
        stream(shared, columns={"include": ["nope"]}).next().result(30)


def test_a_reader_that_leaves_ends_the_run(shared: ExportService) -> None:
    exported = stream(shared, LARGE)
    pieces = iter(exported)
    assert next(pieces)
    assert busy(shared) == 1
    pieces.close()  # type: ignore[attr-defined]
    until(lambda: busy(shared) == 0)
    with pytest.raises(Cancelled):
        exported.next().result(30)


def test_a_slow_reader_stops_the_worker(shared: ExportService) -> None:
    exported = stream(shared, LARGE)
    first = exported.next().result(30)
    # a whole other export fits in meanwhile
    assert len(b"".join(stream(shared, 100_000))) > 1_000_000
    most = len(first) + streaming.HELD * 2**20 + 2**20
    assert exported._received < most
    rest = b"".join(exported)
    assert (first + rest).count(b"\n") == LARGE + 1
    until(lambda: busy(shared) == 0)
    # the worker's pipe is clean for the next one
    assert b"".join(stream(shared)).count(b"\n") == 1001


def test_a_lost_worker_breaks_it_off(shared: ExportService) -> None:
    exported = stream(shared, LARGE)
    exported.next().result(30)
    worker = exported.worker
    assert worker is not None
    psutil.Process(worker.pid).kill()
    with pytest.raises(WorkerCrashed):
        for _ in exported:
            pass
    until(lambda: busy(shared) == 0)


def test_every_end_is_in_the_audit_trail(shared: ExportService) -> None:
    caller = Caller("auditor", address="192.0.2.7")
    upload = send(shared, 10, caller)
    b"".join(shared.streams.begin(document(upload), caller))
    bad = shared.streams.begin(document(upload, columns={"include": ["nope"]}), caller)
    with pytest.raises(InvalidSpec):
        b"".join(bad)
    gone = shared.streams.begin(document(send(shared, LARGE, caller)), caller)
    gone.next().result(30)
    gone.cancel()

    def told() -> list[tuple[str, str]]:
        query = AuditQuery(actor="auditor", action="stream")
        entries = [each.to_json() for each in shared.audit.entries(query)]
        assert {each["address"] for each in entries} <= {"192.0.2.7"}
        return sorted((e["outcome"], e["details"].get("error", "")) for e in entries)

    expected = [*[("begun", "")] * 3, ("completed", ""), ("failed", "cancelled")]
    until(lambda: told() == sorted([*expected, ("failed", "invalid_spec")]))


def test_paths_of_a_stream_make_no_folder(shared: ExportService, tmp_path: Path) -> None:
    b"".join(stream(shared, 10, path="deep/er/a.csv"))
    assert list(shared.settings.root.iterdir()) == []
