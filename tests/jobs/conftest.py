"""Services with real workers, a clock that only tests move, and formats that misbehave."""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Protocol

import psutil
import pyarrow as pa
import pytest

from jupyter_export import registry
from jupyter_export.jobs.model import Caller
from jupyter_export.jobs.service import ExportService
from jupyter_export.jobs.settings import Settings

from .stores import db_url, empty_postgres, engine, store

__all__ = ["db_url", "empty_postgres", "engine", "store"]

PLUGIN = Path(__file__).parent / "plugin"
ME = Caller("me")


class Clock:
    """``now()`` that stands still until ``advance`` is called."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **duration: float) -> None:
        self.moment += timedelta(**duration)


class MakeService(Protocol):
    def __call__(self, **settings: Any) -> ExportService: ...


@pytest.fixture
def clock() -> Clock:
    return Clock()


AT_ONCE: dict[str, Any] = {"max_attempts": 1, "stop_timeout": 0.0}
"""Most tests are about one attempt, and about what is left at once."""


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "root").mkdir()
    return {"root": tmp_path / "root", "state_dir": tmp_path / "state"}


@pytest.fixture
def settings(folders: dict[str, Path]) -> Settings:
    return Settings(**folders, **AT_ONCE)


@pytest.fixture
def make_service(folders: dict[str, Path], clock: Clock) -> Iterator[MakeService]:
    """Start services; at the end they are stopped, and nothing of them may be left."""
    services: list[ExportService] = []
    threads_before = set(threading.enumerate())

    def make(**settings: Any) -> ExportService:
        service = ExportService(Settings(**{**AT_ONCE, **folders, **settings}), now=clock)
        service.start()
        services.append(service)
        return service

    yield make
    for service in services:
        service.stop()
    assert worker_processes() == []
    ours = [t.name for t in set(threading.enumerate()) - threads_before if "export" in t.name]
    assert ours == []
    assert sorted(folders["root"].rglob(".*.part")) == []


@pytest.fixture
def service(make_service: MakeService) -> ExportService:
    return make_service(max_workers=2)


@pytest.fixture
def misbehaving(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the plug-in: for this process, and for the workers it starts."""
    monkeypatch.setenv("PYTHONPATH", str(PLUGIN))
    monkeypatch.syspath_prepend(str(PLUGIN))
    registry.formats.cache_clear()
    yield
    registry.formats.cache_clear()
    sys.modules.pop("misbehaving_formats", None)


def worker_processes(parent: int | None = None) -> list[psutil.Process]:
    """Return the workers among the children of a process (this one), dead but unreaped too.

    Children only: a server that another test keeps running has workers of its own.
    """
    try:
        children = psutil.Process(parent).children()
    except psutil.NoSuchProcess:
        return []
    return [child for child in children if is_worker(child)]


def is_worker(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE or any(
            "jupyter_export.jobs.worker" in part for part in process.cmdline()
        )
    except psutil.NoSuchProcess:
        return False


def arrow_stream(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def send(service: ExportService, rows: int = 1000, caller: Caller = ME) -> str:
    """Upload a table of so many rows; return the upload's id."""
    table = pa.table({"n": pa.array(range(rows), pa.int64()), "t": ["text"] * rows})
    with service.open_upload(caller) as writer:
        writer.write(arrow_stream(table))
        return writer.finish().id


def document(upload: str, path: str | None = None, **fields: Any) -> dict[str, Any]:
    output = {} if path is None else {"path": path}
    return {
        "name": "numbers",
        "source": {"type": "upload", "id": upload},
        "output": output,
    } | fields


Predicate = Callable[[], bool]


def eventually(service: ExportService, predicate: Predicate, seconds: float = 15.0) -> None:
    """Wait for something that a change of a job announces; fail after ``seconds``."""
    changed = threading.Event()
    unsubscribe = service.subscribe(lambda _: changed.set())
    deadline = time.monotonic() + seconds
    try:
        while not predicate():
            assert time.monotonic() < deadline, f"not within {seconds} s"
            # Files change without a word, so look now and then all the same.
            changed.wait(0.1)
            changed.clear()
    finally:
        unsubscribe()
