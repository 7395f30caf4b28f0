"""A store that took what was written, and whose answer was lost: nothing is lost or done twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_export.errors import ServerUnavailable
from jupyter_export.jobs import dispatcher, leases, runs, saving
from jupyter_export.jobs.leases import Lease
from jupyter_export.jobs.model import Job
from jupyter_export.jobs.saving import Outbox
from jupyter_export.jobs.service import ExportService
from jupyter_export.jobs.store import StaleVersion

from .conftest import ME, Clock, MakeService, document, eventually, send
from .test_durable import SECONDS, code, files, stored

Choice = Callable[[Job], bool]


def unanswered(
    service: ExportService, patch: pytest.MonkeyPatch, choose: Choice, times: int = 1
) -> list[Job]:
    """Have the store take what ``choose`` says, so many times, and then break the connection."""
    for module in (runs, dispatcher):
        patch.setattr(module, "STORE_PAUSE", 0.05)
    patch.setattr(saving, "SAVE_AGAIN_SECONDS", 0.05)
    update = service._store.update
    lost: list[Job] = []

    def broken(job: Job, *, expected: int) -> None:
        update(job, expected=expected)
        if choose(job) and len(lost) < times:
            lost.append(job)
            raise ServerUnavailable("The job store cannot be used.")

    patch.setattr(service._store, "update", broken)
    return lost


CHOICES: dict[str, Choice] = {
    "begun": lambda job: job.status == "running" and job.prepared is None,
    "prepared": lambda job: job.prepared is not None,
    "completed": lambda job: job.status == "completed",
}


@pytest.mark.parametrize("step", CHOICES)
@pytest.mark.parametrize("path", ["a.csv", None])
def test_a_job_is_run_once(
    step: str, path: str | None, make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service()
    lost = unanswered(service, monkeypatch, CHOICES[step])
    job = service.submit(document(send(service), path, format={"type": "csv"}), ME)
    eventually(service, lambda: stored(service, job.id).final, SECONDS)
    eventually(service, lambda: service._board.get(job.id) is None, SECONDS)
    ended = service.get(job.id, ME)
    assert (ended.status, ended.attempt, len(lost)) == ("completed", 1, 1)
    assert files(service) == [Path(ended.target).name]


@pytest.mark.usefixtures("misbehaving")
def test_progress(make_service: MakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "STORE_SECONDS", 0.0)
    service = make_service(max_workers=1)
    lost = unanswered(service, monkeypatch, lambda job: job.progress.rows > 0, times=2)
    job = service.submit(document(send(service), "a.slow", limit=30), ME)
    ended = service.wait(job.id, ME, SECONDS)
    assert (ended.status, ended.attempt, len(lost)) == ("completed", 1, 2)


@pytest.mark.usefixtures("misbehaving")
def test_a_job_that_waits_for_its_next_try(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service(max_attempts=2, retry_delay=0.0)
    lost = unanswered(service, monkeypatch, lambda job: job.status == "pending")
    job = service.submit(document(send(service), "a.suicidal"), ME)
    ended = service.wait(job.id, ME, SECONDS)
    assert (ended.status, ended.attempt, len(lost)) == ("failed", 2, 1)


def test_a_submission_that_is_refused_leaves_no_job(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service()
    add = service._store.add

    def broken(job: Job, uploads: Any) -> None:
        add(job, uploads)
        raise ServerUnavailable("The job store cannot be used.")

    upload = send(service)
    with monkeypatch.context() as patch:
        patch.setattr(service._store, "add", broken)
        with pytest.raises(ServerUnavailable):
            service.submit(document(upload, "a.csv"), ME)
    assert service.list(ME).jobs == ()
    again = service.submit(document(upload, "a.csv"), ME)
    assert service.wait(again.id, ME, SECONDS).status == "completed"


# ------------------------------------------------------------------ jobs of our own


def test_jobs_of_ours_that_we_do_not_know_are_run(make_service: MakeService) -> None:
    """A server over another state folder took us for dead: it ended our lease, and cannot run
    what needs ours."""
    service = make_service(max_attempts=3)
    service._dispatcher._store_back_at = float("inf")  # Nothing begins.
    job = service.submit(document(send(service), "a.csv"), ME)
    eventually(service, lambda: job.id in service._dispatcher._line)
    service._lease._due = float("inf")
    service._store.end_service(service._instance.name)
    service._lease._due = 0.0
    service._dispatcher.cancel("wake up")
    eventually(service, lambda: service._board.get(job.id) is None)
    assert stored(service, job.id).status == "pending"
    service._recovery.look()
    service._dispatcher._store_back_at = 0.0
    assert service._board.get(job.id) is None  # It might be about to be submitted.
    service._recovery.look()
    ended = service.wait(job.id, ME, SECONDS)
    assert (ended.status, ended.attempt) == ("completed", 1)


def test_one_job_that_cannot_be_settled_does_not_keep_the_others(make_service: MakeService) -> None:
    service = make_service()
    done = service.wait(service.submit(document(send(service), "a.csv"), ME).id, ME, SECONDS)
    for number, prepared in enumerate(({"nonsense": 1}, None)):
        orphan = replace(
            done,
            id=f"{number}" * 16,
            status="running",
            instance="gone",
            prepared=prepared,
            result=None,
            target=str(service.settings.root / f"{number}.csv"),
            tries=9,
        )
        service._store.add(orphan, [])
    service._recovery.look()
    ended = service.get("1" * 16, ME)
    assert (ended.status, code(ended)) == ("failed", "interrupted")


# ------------------------------------------------------------------ states that came too late


class Store:
    """One job, whose record another process has changed."""

    def __init__(self, job: Job | None) -> None:
        self.job = job

    def get(self, job_id: str) -> Job | None:
        return self.job

    def update(self, job: Job, *, expected: int) -> None:
        raise StaleVersion(job.id)


@pytest.mark.parametrize("status", ["completed", "running", "cancelled", None])
def test_the_file_of_a_job_that_was_taken_over(
    status: Any, make_service: MakeService, clock: Clock
) -> None:
    """A service stood still right after publishing; another one has completed the job."""
    service = make_service()
    done = service.wait(
        service.submit(document(send(service), format={"type": "csv"}), ME).id, ME, SECONDS
    )
    other = replace(done, status=status, instance="other", version=done.version + 1)
    store: Any = Store(None if status is None else other)
    Outbox(store, service._board, lambda job: None).save(done, done.version - 1)
    assert Path(done.target).exists() == (status in ("completed", "running"))


def test_a_lease_asks_a_store_that_is_away_now_and_then(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    asked = []

    class Away:
        def beat(self, record: Any, *, first: bool) -> bool:
            asked.append(first)
            raise ServerUnavailable("The job store cannot be used.")

    store: Any = Away()
    lease = Lease(store, "me", lambda: "here", clock)
    monkeypatch.setattr(leases, "AGAIN_SECONDS", 1000.0)
    with pytest.raises(ServerUnavailable):
        lease.keep()
    assert lease.keep()
    assert asked == [True]
    with pytest.raises(ServerUnavailable):
        lease.hold()  # Who submits is told, each time.


def test_unexpected_errors_of_the_store_are_kept_from_the_rest(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "STORE_PAUSE", 0.05)
    service = make_service()
    update = service._store.update
    raised: list[str] = []

    def odd(job: Job, *, expected: int) -> None:
        if job.prepared is not None and not raised:
            raised.append(job.id)
            raise RuntimeError("odd")
        update(job, expected=expected)

    monkeypatch.setattr(service._store, "update", odd)
    job = service.wait(service.submit(document(send(service), "a.csv"), ME).id, ME, SECONDS)
    assert (job.status, len(raised)) == ("completed", 1)
