"""Services that seem dead and are not: whoever took their jobs over is the only one who writes."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing

from .conftest import MakeStage, Stage
from .harness import eventually
from .kinds import KINDS

LEASE = ("lease=3",)
CSV = next(kind for kind in KINDS if kind.name == "csv")
SORTED = next(kind for kind in KINDS if kind.name == "sorted")


def freeze(stage: Stage) -> None:
    """Stop the server (SIGSTOP), but not in the middle of a write: SQLite has one writer at a time,
    and one that stands still in it would keep everybody out, by SQLite's design."""

    def frozen_between_writes() -> bool:
        stage.server.freeze()
        store = sqlite3.connect(stage.home.state / "jobs.sqlite", timeout=0.2, isolation_level=None)
        with closing(store):
            try:
                store.execute("BEGIN IMMEDIATE")
                store.execute("ROLLBACK")
            except sqlite3.OperationalError:
                stage.server.thaw()
                return False
            return True

    eventually(frozen_between_writes, "the server stands still between two writes")


def begun(stage: Stage) -> list[str]:
    """Ask for exports until two run and one waits; return their ids."""
    ids = [stage.ledger.ask(stage.server, kind).id for kind in (CSV, SORTED, CSV)]
    assert all(ids)
    eventually(
        lambda: any(stage.server.job(str(each))["status"] != "pending" for each in ids),
        "a job runs",
    )
    return [str(each) for each in ids]


def test_a_server_that_stood_still_for_longer_than_its_lease(make_stage: MakeStage) -> None:
    stage = make_stage(faults=LEASE)
    first, second = stage.server, stage.home.serve(faults=LEASE)
    begun(stage)
    workers = first.workers()
    freeze(stage)
    for worker in workers:
        worker.send_signal(signal.SIGSTOP)
    second.settle()
    stage.ledger.check_jobs(second)
    # It wakes up, and believes for a moment that the jobs are still its own.
    for worker in workers:
        worker.send_signal(signal.SIGCONT)
    first.thaw()
    for server in (first, second):
        again = stage.ledger.ask(server, CSV)
        server.final(str(again.id))
    eventually(lambda: not [job for job in first.jobs() if is_active(job)], "the first has settled")
    stage.ledger.check(second)
    assert first.jobs() == second.jobs()


def test_a_server_that_stood_still_while_its_workers_went_on(make_stage: MakeStage) -> None:
    stage = make_stage(faults=LEASE)
    first, second = stage.server, stage.home.serve(faults=LEASE)
    begun(stage)
    # Its workers come as far as their question whether they may publish, and hear no answer.
    freeze(stage)
    second.settle()
    stage.ledger.check_jobs(second)
    first.thaw()
    first.final(str(stage.ledger.ask(first, CSV).id))
    stage.ledger.check(second)


def test_workers_that_stood_still_when_their_server_was_killed(make_stage: MakeStage) -> None:
    stage = make_stage(faults=LEASE)
    begun(stage)
    workers = stage.server.workers()
    for worker in workers:
        worker.send_signal(signal.SIGSTOP)
    stage.server.kill()
    # They hold the dead server's lock; only its lease tells that nobody leads them any more.
    stage.server = stage.home.serve(faults=LEASE)
    stage.server.settle()
    stage.ledger.check_jobs(stage.server)
    for worker in workers:
        worker.send_signal(signal.SIGCONT)
    stage.ledger.check(stage.server)


def test_cancelling_jobs_whose_workers_stand_still(make_stage: MakeStage) -> None:
    stage = make_stage()
    ids = begun(stage)
    for worker in stage.server.workers():
        worker.send_signal(signal.SIGSTOP)
    for job in ids:
        stage.server.ask("POST", f"jobs/{job}/cancel")
    stage.server.settle()
    stage.ledger.check(stage.server, allowed=("completed", "cancelled"))
    assert any(stage.server.job(job)["status"] == "cancelled" for job in ids)


def is_active(job: dict[str, object]) -> bool:
    return job["status"] in ("pending", "running")
