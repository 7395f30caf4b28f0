"""What becomes of jobs whose worker, service or lease ends before they do."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_export.jobs import leases
from jupyter_export.jobs.model import Job
from jupyter_export.jobs.service import ExportService, utc_now

from .conftest import (
    ME,
    Clock,
    MakeService,
    document,
    eventually,
    send,
    worker_processes,
)

SECONDS = 60.0
AT_ONCE = {"max_attempts": 3, "retry_delay": 0.0}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def stored(service: ExportService, job_id: str) -> Job:
    job = service._store.get(job_id)
    assert job is not None
    return job


def code(job: Job) -> str | None:
    return job.error["code"] if job.error else None


def files(service: ExportService) -> list[str]:
    return sorted(path.name for path in service.settings.root.rglob("*") if path.is_file())


def running(service: ExportService, path: str, **fields: Any) -> Job:
    """Submit a slow job; return when it has written a row."""
    job = service.submit(document(send(service), path, **fields), ME)
    eventually(service, lambda: service.get(job.id, ME).progress.rows > 0)
    return service.get(job.id, ME)


# ------------------------------------------------------------------ workers


@pytest.mark.usefixtures("misbehaving")
def test_a_job_whose_worker_is_killed_is_run_again(make_service: MakeService) -> None:
    service = make_service(max_workers=1, **AT_ONCE)
    job = running(service, "a.slow", limit=30)
    for process in worker_processes():
        process.send_signal(signal.SIGKILL)
    ended = service.wait(job.id, ME, SECONDS)
    assert (ended.status, ended.attempt, ended.tries) == ("completed", 2, 2)
    assert [(each["attempt"], each["status"]) for each in ended.history] == [(1, "failed")]
    assert ended.history[0]["error"]["code"] == "worker_crashed"
    assert ended.result is not None
    assert ended.result.rows == 30
    assert files(service) == ["a.slow"]


@pytest.mark.usefixtures("misbehaving")
def test_not_for_ever(make_service: MakeService) -> None:
    service = make_service(**AT_ONCE)
    job = service.wait(service.submit(document(send(service), "a.suicidal"), ME).id, ME, SECONDS)
    assert (job.status, job.attempt, code(job)) == ("failed", 3, "worker_crashed")
    assert [each["attempt"] for each in job.history] == [1, 2]
    assert files(service) == []
    # Who asks for it again gives it all its tries again, and its past stays.
    again = service.wait(service.retry(job.id, ME).id, ME, SECONDS)
    assert (again.attempt, again.tries) == (6, 3)
    assert [each["attempt"] for each in again.history] == [1, 2, 3, 4, 5]


@pytest.mark.usefixtures("misbehaving")
def test_what_will_not_pass_is_not_tried_again(make_service: MakeService) -> None:
    service = make_service(**AT_ONCE)
    spec = document(send(service), "a.csv", where="nope > 1")
    job = service.wait(service.submit(spec, ME).id, ME, SECONDS)
    assert (job.status, job.attempt, job.history) == ("failed", 1, ())


@pytest.mark.usefixtures("misbehaving")
def test_a_job_waits_for_its_next_try_and_can_be_cancelled_meanwhile(
    make_service: MakeService, clock: Clock
) -> None:
    service = make_service(max_attempts=3, retry_delay=60.0)
    upload = send(service)
    job = service.submit(document(upload, "a.suicidal"), ME)
    eventually(service, lambda: service.get(job.id, ME).attempt == 2)
    waits = service.get(job.id, ME)
    assert waits.status == "pending"
    assert waits.retry_at is not None
    assert 30 <= (waits.retry_at - clock()).total_seconds() <= 60
    assert waits.to_json()["retry_at"].endswith("Z")
    # It holds nobody up.
    other = service.wait(service.submit(document(upload, "b.csv"), ME).id, ME, SECONDS)
    assert other.status == "completed"
    assert service.cancel(job.id, ME).status == "cancelled"
    clock.advance(seconds=120)
    another = service.submit(document(upload, "c.suicidal"), ME)
    eventually(service, lambda: service.get(another.id, ME).attempt == 2)
    clock.advance(seconds=61)
    eventually(service, lambda: service.get(another.id, ME).attempt == 3)
    service.cancel(another.id, ME)


@pytest.mark.usefixtures("misbehaving")
def test_a_query_that_may_have_written_is_not_run_again(
    make_service: MakeService, tmp_path: Path
) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "shop.db") as made:
        made.execute("CREATE TABLE t AS SELECT 1 AS n UNION ALL SELECT 2")
    made.close()
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    service = make_service(connections={"shop": {"url": url, "read_only": False}}, **AT_ONCE)
    source = {"type": "sql", "connection": "shop", "query": "SELECT n FROM t"}
    spec = {"source": source, "output": {"path": "a.suicidal"}}
    job = service.wait(service.submit(spec, ME).id, ME, SECONDS)
    assert (job.status, job.attempt) == ("failed", 1)
    reader = make_service(connections={"shop": url}, **AT_ONCE)
    job = reader.wait(reader.submit({**spec, "source": source}, ME).id, ME, SECONDS)
    assert (job.status, job.attempt) == ("failed", 3)


# ------------------------------------------------------------------ services


SERVICE = """
import sys, time, warnings
warnings.simplefilter("ignore")
from pathlib import Path
from jupyter_export.jobs.model import Caller
from jupyter_export.jobs.service import ExportService, utc_now
from jupyter_export.jobs.settings import Settings
import json

settings = json.loads(sys.argv[1])
for name in ("root", "state_dir"):
    settings[name] = Path(settings[name])
service = ExportService(Settings(**settings))
service.start()
print("started", flush=True)
for line in sys.stdin:
    job = service.submit(json.loads(line), Caller("me"))
    print(job.id, flush=True)
"""


class Process:
    """A service in a process of its own, that can be killed."""

    def __init__(self, settings: dict[str, Any]) -> None:
        plain = {name: str(v) if isinstance(v, Path) else v for name, v in settings.items()}
        self.popen = subprocess.Popen(
            [sys.executable, "-c", SERVICE, json.dumps(plain)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._line()

    def _line(self) -> str:
        assert self.popen.stdout is not None
        return self.popen.stdout.readline().strip()

    def submit(self, spec: dict[str, Any]) -> str:
        assert self.popen.stdin is not None
        self.popen.stdin.write(json.dumps(spec) + "\n")
        self.popen.stdin.flush()
        return self._line()

    def signal(self, number: int) -> None:
        self.popen.send_signal(number)

    def end(self) -> None:
        self.popen.kill()
        self.popen.wait(SECONDS)
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe is not None:
                pipe.close()


@contextmanager
def another(folders: dict[str, Path], **settings: Any) -> Iterator[Process]:
    process = Process({**folders, **settings})
    try:
        yield process
    finally:
        process.end()


@pytest.mark.usefixtures("misbehaving")
def test_the_next_start_runs_the_jobs_of_a_service_that_was_killed(
    folders: dict[str, Path], make_service: MakeService, clock: Clock
) -> None:
    clock.moment = utc_now()  # That of the other process.
    here = make_service(**AT_ONCE)
    upload = send(here)
    with another(folders, max_workers=1) as process:
        first = process.submit(document(upload, "first.slow", limit=30))
        second = process.submit(document(upload, "second.csv"))
        eventually(here, lambda: stored(here, first).progress.rows > 0)
        process.signal(signal.SIGKILL)
        process.popen.wait(SECONDS)
        # Its worker has to end before anybody may run the job again.
        eventually(here, lambda: here._recovery.look() or here.get(first, ME).attempt == 2)
        jobs = [here.wait(each, ME, SECONDS) for each in (first, second)]
    assert [job.status for job in jobs] == ["completed", "completed"]
    assert jobs[0].attempt == 2
    assert jobs[0].history[0]["error"]["code"] == "interrupted"
    assert files(here) == ["first.slow", "second.csv"]
    assert len(here._store.services()) == 1


@pytest.mark.usefixtures("misbehaving")
def test_nobody_runs_a_job_again_while_its_worker_lives(
    folders: dict[str, Path], make_service: MakeService, clock: Clock
) -> None:
    """A worker holds the lock of its service, also when it stands still and the service is dead."""
    clock.moment = utc_now()  # That of the other process.
    here = make_service(**AT_ONCE)
    upload = send(here)
    with another(folders, max_workers=1) as process:
        job_id = process.submit(document(upload, "a.slow", limit=30))
        eventually(here, lambda: stored(here, job_id).progress.rows > 0)
        workers = worker_processes(process.popen.pid)
        try:
            for worker in workers:
                worker.suspend()
            process.signal(signal.SIGKILL)
            process.popen.wait(SECONDS)
            here._recovery.look()
            left = stored(here, job_id)
            assert (left.status, left.attempt) == ("running", 1)
        finally:
            for worker in workers:
                worker.kill()
        eventually(here, lambda: here._recovery.look() or here.get(job_id, ME).attempt == 2)
        assert here.wait(job_id, ME, SECONDS).status == "completed"


@pytest.mark.usefixtures("misbehaving")
def test_a_service_that_sleeps_through_its_lease_loses_its_jobs_and_writes_nothing(
    folders: dict[str, Path],
    make_service: MakeService,
    clock: Clock,
) -> None:
    clock.moment = utc_now()  # That of the other process.
    here = make_service(**AT_ONCE)
    upload = send(here)
    with another(folders, max_workers=1) as process:
        job_id = process.submit(document(upload, "a.slow", limit=30))
        eventually(here, lambda: stored(here, job_id).progress.rows > 0)
        process.signal(signal.SIGSTOP)  # Its worker, which is not stopped, goes on.
        here._recovery.look()
        assert here.get(job_id, ME).instance != here._instance.name
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(leases, "LEASE_SECONDS", 0.0)
            here._recovery.look()
        job = here.wait(job_id, ME, SECONDS)
        assert (job.status, job.attempt) == ("completed", 2)
        proof = (folders["root"] / "a.slow").stat().st_ino
        process.signal(signal.SIGCONT)
        beat = {record.id: record.beat for record in here._store.services()}
        assert list(beat) == [here._instance.name]
        # Awake again, it ends its worker, and takes new jobs under a new lease.
        other = process.submit(document(upload, "b.csv"))
        assert here.wait(other, ME, SECONDS).status == "completed"
    assert (folders["root"] / "a.slow").stat().st_ino == proof
    assert files(here) == ["a.slow", "b.csv"]
    assert here.get(job_id, ME).version == job.version


@pytest.mark.usefixtures("misbehaving")
def test_a_job_that_was_taken_over_is_not_published_twice(make_service: MakeService) -> None:
    service = make_service(**AT_ONCE)
    job = running(service, "a.slow", limit=30)
    taken = stored(service, job.id)
    # What another service writes that takes it over.
    service._store.update(taken.changed(instance="another"), expected=taken.version)
    eventually(service, lambda: service._board.get(job.id) is None)
    assert files(service) == []
    assert stored(service, job.id).status == "running"


def test_a_stop_leaves_jobs_to_the_next_start(make_service: MakeService) -> None:
    first = make_service(max_workers=1)
    upload = send(first)
    first._dispatcher._store_back_at = float("inf")  # Nothing begins.
    jobs = [first.submit(document(upload, f"{n}.csv"), ME) for n in range(2)]
    first.stop()
    assert [stored(first, job.id).status for job in jobs] == ["pending"] * 2
    second = make_service()
    ended = [second.wait(job.id, ME, SECONDS) for job in jobs]
    assert [(job.status, job.attempt) for job in ended] == [("completed", 1)] * 2


def test_a_command_that_ends_leaves_the_jobs_it_has_found(make_service: MakeService) -> None:
    kernel = make_service(confined=False)
    upload = send(kernel)
    kernel._dispatcher._store_back_at = float("inf")  # Nothing begins.
    asked = kernel.submit(document(upload, "asked.csv"), ME)
    found = replace(asked, id="found", instance="gone", target=f"{asked.target}.2", path="2.csv")
    kernel._store.add(found, [])
    kernel._recovery.look()
    eventually(kernel, lambda: "found" in kernel._dispatcher._line)
    kernel.stop()
    assert (stored(kernel, asked.id).status, code(stored(kernel, asked.id))) == (
        "failed",
        "interrupted",
    )
    assert stored(kernel, "found").status == "pending"


@pytest.mark.usefixtures("misbehaving")
def test_a_worker_that_is_ended_with_its_service_leaves_its_job(make_service: MakeService) -> None:
    """As a service manager does that has lost its patience: with a SIGKILL to all processes."""
    service = make_service(max_workers=1, stop_timeout=60.0, max_attempts=3)
    job = running(service, "a.slow", limit=30)
    service._dispatcher._inbox.put(("stop", 60.0, None))
    for process in worker_processes():
        process.send_signal(signal.SIGKILL)
    service.stop()
    left = stored(service, job.id)
    assert (left.status, left.attempt, files(service)) == ("pending", 2, [])


@pytest.mark.usefixtures("misbehaving")
def test_a_stop_lets_finish_what_can(make_service: MakeService) -> None:
    service = make_service(max_workers=1, stop_timeout=60.0)
    job = running(service, "a.slow", limit=20)
    service.stop()
    assert stored(service, job.id).status == "completed"


def test_a_job_of_a_state_folder_that_is_gone_is_given_up_after_a_day(
    make_service: MakeService, clock: Clock
) -> None:
    service = make_service()
    job = service.wait(service.submit(document(send(service), "a.csv"), ME).id, ME, SECONDS)
    lost = replace(
        job, id="lost", status="running", place="elsewhere", instance="gone", version=1, result=None
    )
    service._store.add(lost, [])
    service._recovery.look()
    assert service.get("lost", ME).status == "running"
    clock.advance(hours=25)
    service._recovery.look()
    ended = service.get("lost", ME)
    assert (ended.status, code(ended)) == ("failed", "interrupted")
    assert files(service) == ["a.csv"]
