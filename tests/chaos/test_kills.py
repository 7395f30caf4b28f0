"""Workers, servers and whole machines that are killed at random moments and in each phase."""

from __future__ import annotations

import functools
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from .conftest import MakeStage, Rounds, Stage
from .harness import Server, eventually
from .invariants import choice
from .kinds import KINDS

MakeRounds = Callable[..., Rounds]


def ask_for(stage: Stage, server: Server, chance: random.Random, count: int) -> threading.Thread:
    """Ask for so many exports, one after the other, until the server is gone."""
    kinds = choice(chance, KINDS, count)

    def ask() -> None:
        # What the server had no time to answer may be there or not, but not in part.
        with suppress(httpx.TransportError):
            for kind in kinds:
                stage.ledger.ask(server, kind)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    return thread


def survives(stage: Stage, server: Server) -> None:
    server.settle()
    stage.ledger.check(server)


def test_workers_killed_at_random_moments(
    make_stage: MakeStage, rounds: MakeRounds, capsys: pytest.CaptureFixture[str]
) -> None:
    # More attempts than kills, so that luck does not decide which job is run again.
    stage, moments = make_stage(options={"max_attempts": 20}), rounds(3)
    for seed, chance in moments:
        with moments.one(seed, stage):
            asking = ask_for(stage, stage.server, chance, 3)
            for _ in range(chance.randint(1, 3)):
                time.sleep(chance.uniform(0, 1.2))
                workers = stage.server.workers()
                if workers:
                    with suppress(psutil.Error):
                        chance.choice(workers).send_signal(signal.SIGKILL)
            asking.join()
            survives(stage, stage.server)
    moments.summary(capsys, stage, "workers killed")


@pytest.mark.parametrize("how", ["server", "machine"])
def test_servers_killed_at_random_moments(
    make_stage: MakeStage, rounds: MakeRounds, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    stage, moments = make_stage(), rounds(2)
    for seed, chance in moments:
        with moments.one(seed, stage):
            asking = ask_for(stage, stage.server, chance, 4)
            time.sleep(chance.uniform(0, 3.0))
            strike(stage, how)
            asking.join()
            survives(stage, stage.server)
    moments.summary(capsys, stage, f"{how} killed")


Seen = Callable[[str], object]
HOW = ("worker", "server", "machine")


def phases(stage: Stage) -> dict[str, Seen]:
    """Return what tells that a job is in a phase; a job that is over is past them all."""

    def job_is(test: Callable[[dict[str, Any]], object]) -> Seen:
        def seen(job_id: str) -> bool:
            job = stage.server.job(job_id)
            return job["status"] not in ("pending", "running") or bool(test(job))

        return seen

    def in_phase(phase: str) -> Seen:
        return job_is(lambda job: job["progress"]["phase"] == phase)

    def visible(path: Path) -> bool:
        return not any(part.startswith(".") for part in path.parts)

    out = stage.home.root / "out"
    before = set(out.rglob("*"))
    return {
        "waiting": lambda job_id: True,
        "begun": job_is(lambda job: job["status"] == "running"),
        "reading": in_phase("reading"),
        "with a part file": job_is(lambda job: any(out.rglob(f".*{job['id']}*"))),
        "writing": in_phase("writing"),
        "publishing": in_phase("publishing"),
        "published": lambda _: any(
            visible(path.relative_to(out)) for path in set(out.rglob("*")) - before
        ),
    }


PHASES = ("waiting", "begun", "reading", "with a part file", "writing", "publishing", "published")
AIMED = [kind for kind in KINDS if kind.ending is not None and kind.before is None]


def test_kills_in_each_phase(
    make_stage: MakeStage, rounds: MakeRounds, capsys: pytest.CaptureFixture[str]
) -> None:
    stage, moments = make_stage(options={"max_attempts": 20}), rounds(2)
    (stage.home.root / "out").mkdir()
    for seed, chance in moments:
        # The seed decides, so that it repeats its round; 21 in a row are all pairs.
        phase, how = PHASES[seed % len(PHASES)], HOW[seed % len(HOW)]
        with moments.one(seed, stage):
            seen = phases(stage)[phase]
            if phase == "waiting":
                for kind in choice(chance, AIMED, stage.home.options["max_workers"] + 1):
                    stage.ledger.ask(stage.server, kind)
            job = stage.ledger.ask(stage.server, chance.choice(AIMED)).id
            assert job is not None
            eventually(functools.partial(seen, job), f"the job is {phase}")
            strike(stage, how)
            survives(stage, stage.server)
    moments.summary(capsys, stage, "killed in each phase")


def strike(stage: Stage, how: str) -> None:
    """Kill all workers, the server, or both; there is a server again afterwards."""
    if how == "worker":
        for worker in stage.server.workers():
            with suppress(psutil.Error):
                worker.kill()
        return
    if how == "machine":
        stage.server.kill_all()
    else:
        stage.server.kill()
    stage.server = stage.home.serve()
