"""Worker processes that crash, hang, swell and talk; none of it hurts the service."""

from __future__ import annotations

import logging
import os
import queue
import signal
import sys
import time
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_export.errors import ExportError
from jupyter_export.jobs import line, workers
from jupyter_export.jobs.model import Job
from jupyter_export.jobs.service import ExportService
from jupyter_export.jobs.settings import Settings
from jupyter_export.jobs.warming import SLOW_IMPORTS
from jupyter_export.jobs.worker import DEFAULT_RUN
from jupyter_export.jobs.workers import Making, Message, WorkerProcess, environment

from .conftest import ME, MakeService, document, eventually, send, worker_processes

SECONDS = 60.0
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def finished(service: ExportService, spec: dict[str, Any]) -> Job:
    return service.wait(service.submit(spec, ME).id, ME, SECONDS)


def started(service: ExportService, spec: dict[str, Any], rows: int = 1) -> Job:
    """Submit and return when the job has written so many rows."""
    job = service.submit(spec, ME)
    eventually(service, lambda: service.get(job.id, ME).progress.rows >= rows)
    return job


def files(service: ExportService) -> list[str]:
    return sorted(path.name for path in service.settings.root.rglob("*") if path.is_file())


def works(service: ExportService, path: str = "after.csv") -> None:
    assert finished(service, document(send(service), path)).status == "completed"


def code(job: Job) -> str | None:
    return job.error["code"] if job.error else None


@pytest.mark.usefixtures("misbehaving")
def test_progress_arrives_while_the_job_runs(service: ExportService) -> None:
    told: list[tuple[float, Job]] = []
    service.subscribe(lambda job: told.append((time.monotonic(), job)))
    job = finished(service, document(send(service, rows=30), "a.slow"))
    assert job.status == "completed"
    progress = [(at, each) for at, each in told if each.status == "running"]
    rows = [each.progress.rows for _, each in progress]
    assert len(set(rows)) > 3
    assert rows == sorted(rows)
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(progress)]
    # The change to "running" is told at once; from there on five a second at most.
    assert min(gaps[1:]) > 0.15


@pytest.mark.usefixtures("misbehaving")
def test_a_cancel_ends_a_job_at_once(service: ExportService) -> None:
    job = started(service, document(send(service), "a.slow"))
    assert ".a.slow." in "".join(files(service))
    before = {process.pid for process in worker_processes()}
    service.cancel(job.id, ME)
    ended = service.wait(job.id, ME, SECONDS)
    assert (ended.status, ended.error, ended.result) == ("cancelled", None, None)
    assert files(service) == []
    works(service)
    # it heard and stopped by itself: a worker that had to be killed would be gone
    assert before <= {process.pid for process in worker_processes()}


@pytest.mark.usefixtures("misbehaving")
def test_a_worker_that_does_not_hear_is_killed(service: ExportService) -> None:
    job = service.submit(document(send(service), "a.deaf"), ME)
    eventually(service, lambda: ".a.deaf." in "".join(files(service)))
    before = time.monotonic()
    service.cancel(job.id, ME)
    ended = service.wait(job.id, ME, SECONDS)
    assert 0.7 < time.monotonic() - before < 5
    assert ended.status == "cancelled"
    assert files(service) == []
    works(service)


@pytest.mark.usefixtures("misbehaving")
def test_a_waiting_job_is_cancelled_without_running(make_service: MakeService) -> None:
    service = make_service(max_workers=1)
    upload = send(service)
    first = started(service, document(upload, "a.slow"))
    second = service.submit(document(upload, "b.slow"), ME)
    ended = service.cancel(second.id, ME)
    assert (ended.status, ended.started_at) == ("cancelled", None)
    assert service.get(first.id, ME).status == "running"


@posix_only
@pytest.mark.usefixtures("misbehaving")
def test_a_worker_that_is_killed_fails_its_job_only(make_service: MakeService) -> None:
    service = make_service(max_workers=2)
    upload = send(service)
    neighbour = started(service, document(upload, "neighbour.slow"))
    job = finished(service, document(upload, "a.suicidal"))
    assert (job.status, code(job)) == ("failed", "worker_crashed")
    assert job.error is not None
    assert "signal 9" in str(job.error["message"])
    assert not any("suicidal" in name for name in files(service))
    works(service)
    assert service.get(neighbour.id, ME).status == "running"


@posix_only
@pytest.mark.usefixtures("misbehaving")
def test_a_worker_killed_from_outside(service: ExportService) -> None:
    job = started(service, document(send(service), "a.slow"))
    for process in worker_processes():
        process.send_signal(signal.SIGKILL)
    ended = service.wait(job.id, ME, SECONDS)
    assert code(ended) == "worker_crashed"
    works(service)
    again = service.retry(job.id, ME)
    eventually(service, lambda: service.get(again.id, ME).progress.rows > 0)


@posix_only
def test_the_death_of_an_idle_worker_costs_no_job(service: ExportService) -> None:
    works(service, "before.csv")
    for process in worker_processes():
        process.send_signal(signal.SIGKILL)
    works(service)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="RssAnon is Linux's")
@pytest.mark.usefixtures("misbehaving")
def test_a_worker_that_takes_too_much_memory_is_ended(make_service: MakeService) -> None:
    service = make_service(memory_limit_per_job=64 * 1000**2)
    job = finished(service, document(send(service), "a.greedy"))
    assert code(job) == "out_of_memory"
    assert job.error is not None
    assert "428 MB allowed" in str(job.error["message"])
    assert job.progress.rows < 20
    assert files(service) == []
    works(service)


@pytest.mark.usefixtures("misbehaving")
@pytest.mark.parametrize("kind", ["slow", "deaf"])
def test_a_job_that_takes_too_long_is_ended(kind: str, make_service: MakeService) -> None:
    service = make_service(job_timeout=1)
    job = finished(service, document(send(service), f"a.{kind}"))
    assert (job.status, code(job)) == ("failed", "timed_out")
    assert job.error is not None
    assert "1 seconds" in str(job.error["message"])
    assert files(service) == []


@pytest.mark.usefixtures("misbehaving")
def test_stray_output_does_not_disturb(service: ExportService) -> None:
    job = finished(service, document(send(service, rows=10), "a.chatty"))
    assert job.status == "completed"
    assert job.result is not None
    assert job.result.rows == 10


@pytest.mark.usefixtures("misbehaving")
def test_an_unexpected_error_is_told_without_its_words(
    service: ExportService, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "jupyter_export"):
        job = finished(service, document(send(service), "a.broken"))
    assert code(job) == "internal_error"
    assert "hunter2" not in str(job.to_json())
    told = [record for record in caplog.records if "hunter2" in record.getMessage()]
    assert {record.levelno for record in told} <= {logging.DEBUG}
    works(service)


# ------------------------------------------------------------------ the pool


def test_a_healthy_worker_is_used_again(service: ExportService) -> None:
    works(service, "1.csv")
    eventually(service, lambda: len(worker_processes()) == 2)
    before = {process.pid for process in worker_processes()}
    for number in range(2, 6):
        works(service, f"{number}.csv")
    assert {process.pid for process in worker_processes()} == before


@pytest.mark.parametrize(("limit", "value"), [("MAX_JOBS", 1), ("MAX_RESTING_MEMORY", 1)])
def test_a_worn_or_swollen_worker_is_replaced(
    limit: str, value: int, service: ExportService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, limit, value)
    seen = set()
    for number in range(3):
        works(service, f"{number}.csv")
        seen |= {process.pid for process in worker_processes()}
    assert len(seen) >= 3


@pytest.mark.usefixtures("misbehaving")
def test_at_most_max_workers_are_busy_and_one_more_is_warm(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "EXPRESS_SECONDS", 1e9)  # Nobody has waited for too long.
    service = make_service(max_workers=2)
    upload = send(service)
    jobs = [service.submit(document(upload, f"{n}.slow"), ME) for n in range(4)]
    eventually(service, lambda: service.get(jobs[1].id, ME).progress.rows > 0)
    assert [service.get(job.id, ME).status for job in jobs] == ["running"] * 2 + ["pending"] * 2
    eventually(service, lambda: len(worker_processes()) == 3)


@pytest.mark.usefixtures("misbehaving")
@pytest.mark.parametrize("confined", [True, False])
def test_stop_leaves_nothing(
    confined: bool, make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "EXPRESS_SECONDS", 1e9)  # Two run, and one waits.
    service = make_service(max_workers=2, confined=confined)
    upload = send(service)
    paths = ("a.slow", "b.deaf", "c.slow")
    jobs = [service.submit(document(upload, path), ME) for path in paths]
    eventually(service, lambda: len("".join(files(service)).split(".part")) == 3)
    service.stop()
    assert worker_processes() == []
    assert files(service) == []
    assert list(service.settings.scratch.iterdir()) == []
    ended = [service._store.get(job.id) for job in jobs]
    if confined:
        # A server's jobs are run by its next start.
        assert [(job.status, job.attempt) for job in ended if job] == [
            ("pending", 2),
            ("pending", 2),
            ("pending", 1),
        ]
    else:
        # A kernel that is ended ends what its cells waited for.
        assert [(job.status, code(job)) for job in ended if job] == [("failed", "interrupted")] * 3


def test_a_worker_gets_no_key_to_the_server() -> None:
    given = {
        "PATH": "/bin",
        "AWS_PROFILE": "x",
        "JUPYTER_EXPORT_TOKEN": "secret",
        "JUPYTER_EXPORT_SERVER": "http://…",
        "JUPYTER_TOKEN": "secret",
        "JUPYTERHUB_API_TOKEN": "secret",
        "JPY_API_TOKEN": "secret",
    }
    assert environment(given) == {"PATH": "/bin", "AWS_PROFILE": "x"}
    assert environment({**given, "SHOP_URL": "secret"}, {"SHOP_URL", "AWS_PROFILE"}) == {
        "PATH": "/bin"
    }


def test_what_a_worker_should_have_at_hand_can_be_imported() -> None:
    for modules in SLOW_IMPORTS.values():
        for module in modules:
            import_module(module)


def test_where_there_are_connections_a_worker_is_warm_before_the_first_question(
    make_service: MakeService,
) -> None:
    service = make_service(connections={"shop": "postgresql://me@127.0.0.1:9/db"})
    eventually(service, lambda: len(worker_processes()) == 1)
    (worker,) = worker_processes()
    command = worker.cmdline()
    assert command[command.index("--warm") + 1 :] == ["postgresql"]


# ------------------------------------------------------------------ one process, without a service


def talk(run: str, folder: Path) -> tuple[WorkerProcess, queue.Queue[Message]]:
    heard: queue.Queue[Message] = queue.Queue()
    return WorkerProcess(lambda _, message: heard.put(message), Making(folder, run)), heard


def test_a_worker_ends_when_it_is_let_go(tmp_path: Path) -> None:
    worker, heard = talk(DEFAULT_RUN, tmp_path)
    assert heard.get(timeout=SECONDS) == {"ready": worker.pid}
    worker.retire()
    assert heard.get(timeout=SECONDS) == {"exited": 0}
    assert worker.join(5)
    assert not psutil.pid_exists(worker.pid)
    worker.send({"cancel": "nobody"})
    worker.kill()


def test_a_worker_that_cannot_start_says_so_by_its_end(tmp_path: Path) -> None:
    worker, heard = talk("no_such_module:run", tmp_path)
    assert heard.get(timeout=SECONDS) == {"exited": 1}
    assert worker.join(5)


def test_a_service_whose_workers_cannot_start_fails_jobs_and_does_not_spin(
    settings: Settings,
) -> None:
    service = ExportService(settings, run="no_such_module:run")
    service.start()
    try:
        jobs = [finished(service, document(send(service), f"{n}.csv")) for n in range(2)]
        assert [code(job) for job in jobs] == ["worker_crashed"] * 2
        before = {process.pid for process in worker_processes()}
        time.sleep(0.5)
        assert {process.pid for process in worker_processes()} <= before
    finally:
        service.stop()


def test_the_users_files_do_not_shadow_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("copy.py", "json.py", "duckdb.py"):
        (tmp_path / name).write_text("raise RuntimeError('shadowed')")
    monkeypatch.chdir(tmp_path)
    worker, heard = talk(DEFAULT_RUN, tmp_path)
    assert heard.get(timeout=SECONDS) == {"ready": worker.pid}
    worker.kill()
    assert worker.join(5)


@posix_only
def test_interrupts_of_the_terminal_do_not_reach_workers(tmp_path: Path) -> None:
    worker, heard = talk(DEFAULT_RUN, tmp_path)
    assert heard.get(timeout=SECONDS) == {"ready": worker.pid}
    assert os.getpgid(worker.pid) != os.getpgid(0)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(worker.pid, number)
    with pytest.raises(queue.Empty):
        heard.get(timeout=0.2)
    worker.retire()
    assert heard.get(timeout=SECONDS) == {"exited": 0}


def test_errors_keep_their_class_on_the_way(service: ExportService) -> None:
    job = finished(service, document(send(service), "a.csv", where="nope > 1"))
    assert job.error is not None
    assert ExportError.from_json(job.error).code == job.error["code"]
    assert job.error["hint"]


@posix_only
def test_nobody_waits_for_a_worker_that_stands_still(tmp_path: Path) -> None:
    told: queue.SimpleQueue[Message] = queue.SimpleQueue()
    worker = WorkerProcess(lambda _, message: told.put(message), Making(tmp_path))
    try:
        assert "ready" in told.get(timeout=SECONDS)
        os.kill(worker.pid, signal.SIGSTOP)
        worker.send({"cancel": "x" * 4 * 1024**2})  # More than its pipe holds.
        worker.retire()
        assert worker.alive
        os.kill(worker.pid, signal.SIGCONT)
        assert told.get(timeout=SECONDS) == {"exited": 0}
        assert worker.join(SECONDS)
        stopped = WorkerProcess(lambda _, message: told.put(message), Making(tmp_path))
        os.kill(stopped.pid, signal.SIGSTOP)
        stopped.send({"cancel": "x" * 4 * 1024**2})
        stopped.kill()
        assert stopped.join(SECONDS)
    finally:
        worker.kill()
