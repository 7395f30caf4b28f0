"""Homes of servers that are about to be killed.

``JUPYTER_EXPORT_CHAOS`` is the number of random moments of each kind (a handful by default), and
``JUPYTER_EXPORT_CHAOS_SEED`` the seed of the first: the next rounds count on from it.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import pyarrow.parquet as pq
import pytest

from .harness import Home, Server
from .invariants import Ledger
from .kinds import BIG, SMALL, Sources, made
from .observer import Observer
from .postgres import new_database

if sys.platform != "linux":
    collect_ignore_glob = ["test_*.py"]

ROUNDS = "JUPYTER_EXPORT_CHAOS"
SEED = "JUPYTER_EXPORT_CHAOS_SEED"
LONG = ROUNDS in os.environ
STORES = ("sqlite", "postgresql")
SECONDS_A_ROUND = 120
LONG_ONLY = {
    "test_two_servers_share_the_work",
    "test_an_upload_that_is_cut_off_leaves_nothing",
    "test_a_server_that_stood_still_while_its_workers_went_on",
    "test_workers_that_stood_still_when_their_server_was_killed",
    "test_a_server_killed_while_it_reads_a_database",
    "test_a_server_killed_while_its_store_is_away",
    "test_a_server_killed_while_its_disk_is_full",
    "test_a_folder_that_turns_read_only_while_a_job_runs",
    "test_kills_in_each_phase",
    "test_a_disk_of_the_target_that_stays_full",
}
"""What the short form leaves to the long one: it waits for long, and has a quicker sister there."""

T = TypeVar("T")


def some(values: Sequence[T], short: int) -> Sequence[T]:
    """Return all values in the long form, the first ``short`` of them in the short one."""
    return values if LONG else values[:short]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """They wait for processes, which may be slow; the long form is long."""
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.timeout(SECONDS_A_ROUND * int(os.environ.get(ROUNDS, 5))))
    if not LONG:
        slow = [item for item in ours if item.name.partition("[")[0] in LONG_ONLY]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


@dataclass
class Stage:
    """A home, its first server, and what is asked of it."""

    home: Home
    server: Server
    ledger: Ledger


MakeStage: TypeAlias = "Callable[..., Stage]"


@pytest.fixture
def make_home(tmp_path: Path) -> Iterator[Callable[..., Home]]:
    with ExitStack() as stack:

        def make(name: str = "home", **how: Any) -> Home:
            home = Home(tmp_path / name, **how)
            stack.callback(home.close)
            return home

        yield make


@pytest.fixture
def make_stage(make_home: Callable[..., Home]) -> MakeStage:
    def make(
        *,
        faults: tuple[str, ...] = (),
        launch: tuple[str, ...] = (),
        rows: int = BIG,
        few: int = SMALL,
        **how: Any,
    ) -> Stage:
        home = make_home(**how)
        big, small = made(rows, 1), made(few, 2)
        (home.root / "data").mkdir()
        pq.write_table(big, home.root / "data" / "big.parquet")
        server = home.serve(faults=faults, launch=launch)
        sources = Sources(
            big, small, server.upload(big), server.upload(small), "data/big.parquet"
        )  # fmt: skip
        return Stage(home, server, Ledger(home, sources))

    return make


class Rounds:
    """The rounds of one test: each has a seed of its own, which repeats it alone."""

    def __init__(self, test: str, short: int, share: float) -> None:
        count = int(os.environ.get(ROUNDS, short))
        self._count = max(int(count * share), 1) if LONG else count
        self._first = int(os.environ.get(SEED, random.SystemRandom().randrange(10**6)))
        self._test = test

    def __iter__(self) -> Iterator[tuple[int, random.Random]]:
        for number in range(self._count):
            seed = self._first + number
            yield seed, random.Random(seed)

    @contextmanager
    def one(self, seed: int, stage: Stage) -> Iterator[None]:
        """Say how a round is repeated when it fails; fail when a job was run twice at once."""
        with Observer(stage.home) as seen:
            try:
                yield
                assert not seen.overlaps, f"run twice at once: {seen.overlaps[:5]}"
            except BaseException:
                print(
                    f"\nRepeat it: {ROUNDS}=1 {SEED}={seed} python -m pytest -n 0 {self._test}\n"
                    f"{stage.home.log()[-8000:]}"
                )
                raise

    def summary(self, capsys: pytest.CaptureFixture[str], stage: Stage, what: str) -> None:
        told = stage.ledger.told
        line = (
            f"{what}: {self._count} moments, seeds {self._first} to "
            f"{self._first + self._count - 1}; {sum(told.values()) - told['again']} jobs, "
            f"{told['completed']} completed, {told['failed']} failed, {told['cancelled']} "
            f"cancelled, {told['again']} of them in a later attempt"
        )
        if LONG:
            with capsys.disabled():
                print(f"\n{line}", flush=True)
        else:
            print(line)


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> Callable[..., Rounds]:
    def make(short: int, share: float = 1.0) -> Rounds:
        return Rounds(request.node.nodeid, short, share)

    return make


@pytest.fixture
def new_store(request: pytest.FixtureRequest) -> Callable[[str], str | None]:
    """Return the ``db_url`` of an empty store of that kind."""

    def make(kind: str) -> str | None:
        if kind == "sqlite":
            return None
        url = request.getfixturevalue("postgres_url")
        return new_database(url, f"chaos_{os.getpid()}_{abs(hash(request.node.nodeid))}")

    return make
