"""Who is next: fair between users, small before large, and nobody waits for ever."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from jupyter_export.jobs.line import (
    EXPRESS_SECONDS,
    KEEP_COMING_SECONDS,
    LARGE,
    PATIENCE,
    SMALL,
    Line,
    RunningJob,
    estimate_wait,
)
from jupyter_export.jobs.model import Job

START = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
MEDIUM = (SMALL + LARGE) // 2
UNKNOWN = 0
WEIGHTS = (SMALL, MEDIUM, LARGE, UNKNOWN)


def job(name: str, owner: str = "ada", weight: int = SMALL, retry_in: float | None = None) -> Job:
    return Job(
        id=name,
        name=name,
        status="pending",
        format="csv",
        created_by=owner,
        created_at=START,
        spec={},
        path="a.csv",
        temporary=False,
        weight=weight,
        retry_at=None if retry_in is None else START + timedelta(seconds=retry_in),
    )


def line_of(*jobs: Job) -> Line:
    line = Line()
    for each in jobs:
        line.add(each)
    return line


def take(
    line: Line,
    running: Iterable[RunningJob] = (),
    *,
    seconds: float = 0,
    size: int = 1,
    most_of_one: int | None = None,
) -> str | None:
    now = START + timedelta(seconds=seconds)
    found = line.next([*running], now=now, size=size, most_of_one=most_of_one)
    return found.id if found else None


def running(owner: str = "ada", weight: int = UNKNOWN, seconds: float = 0) -> RunningJob:
    return RunningJob(owner, weight, seconds)


# ------------------------------------------------------------------ a collection


def test_a_line_is_a_collection_of_jobs() -> None:
    line = line_of(job("a"), job("b"))
    assert len(line) == 2
    assert "a" in line
    assert line.get("b") == job("b")
    assert [each.id for each in line.jobs()] == ["a", "b"]
    assert line.remove("a") == job("a")
    assert line.remove("a") is None
    assert line.get("a") is None
    assert "a" not in line
    assert take(line) == "b"
    assert len(line) == 0
    assert take(line) is None


def test_a_newer_version_keeps_its_place() -> None:
    line = line_of(job("a"), job("b"))
    line.add(job("a").changed(name="renamed"))
    assert [each.name for each in line.jobs()] == ["renamed", "b"]


def test_one_that_could_not_begin_goes_before_all_others() -> None:
    line = line_of(job("a"), job("b"), job("c"))
    taken = line.next([], now=START, size=1, most_of_one=None)
    assert taken is not None
    line.give_back(taken)
    assert [take(line) for _ in range(3)] == ["a", "b", "c"]


def test_a_cancelled_one_leaves_nothing_and_may_come_back() -> None:
    line = line_of(job("a"), job("later", retry_in=10), job("b", weight=LARGE))
    for name in ("a", "later"):
        line.remove(name)
    assert line.next_retry(START) is None
    line.add(job("a"))
    line.add(job("a").changed(name="newer"))
    assert [each.name for each in line.jobs()] == ["b", "newer"]
    assert [take(line, seconds=60) for _ in range(3)] == ["a", "b", None]
    assert len(line) == 0


# ------------------------------------------------------------------ between users


def test_users_take_turns() -> None:
    names = ("ada", "bob", "eve")
    line = line_of(*(job(f"{who}{n}", who) for who in names for n in range(3)))
    order = [take(line) for _ in range(9)]
    assert order == [f"{who}{n}" for n in range(3) for who in names]


def test_the_user_with_the_fewest_running_is_next() -> None:
    line = line_of(job("a"), job("b", "bob"), job("e", "eve"))
    busy = [running("ada"), running("ada"), running("bob"), running("eve"), running("eve")]
    assert take(line, busy, size=9) == "b"


def test_most_of_one_user_run_and_no_more() -> None:
    line = line_of(job("a1"), job("a2"), job("b1", "bob"))
    assert take(line, [running()], size=4, most_of_one=1) == "b1"
    assert take(line, [running(), running("bob")], size=4, most_of_one=1) is None
    assert take(line, [running(), running("bob")], size=4, most_of_one=2) == "a1"


def test_the_express_place_does_not_lift_the_limit_of_a_user() -> None:
    line = line_of(job("a"))
    assert take(line, [running(seconds=60)], most_of_one=1) is None
    assert take(line, [running(seconds=60)], most_of_one=2) == "a"


# ------------------------------------------------------------------ tried again


def test_a_job_that_waits_for_its_next_try_holds_nobody_up() -> None:
    line = line_of(job("later", retry_in=10), job("a"))
    assert line.next_retry(START) == 10
    assert take(line) == "a"
    assert line.next_change([], now=START, size=1) == 10
    assert take(line, seconds=9.9) is None
    assert take(line, seconds=10) == "later"
    assert line.next_retry(START) is None


def test_one_that_is_due_is_due_now() -> None:
    line = line_of(job("a", retry_in=-5))
    assert line.next_retry(START) is None
    assert take(line) == "a"


def test_a_clock_that_is_set_back_makes_nobody_wait_longer() -> None:
    line = line_of(job("a", retry_in=10))
    assert take(line, seconds=1) is None
    assert take(line, seconds=-3600) is None
    assert line.next_retry(START - timedelta(hours=1)) == 9
    assert take(line, seconds=-3591) == "a"


# ------------------------------------------------------------------ small and large


def test_of_one_user_the_small_go_first() -> None:
    line = line_of(
        job("large", weight=LARGE),
        job("unknown", weight=UNKNOWN),
        job("medium", weight=MEDIUM),
        job("small", weight=SMALL),
    )
    order = [take(line, seconds=60 * n) for n in range(4)]
    assert order == ["small", "unknown", "medium", "large"]


def test_the_oldest_has_its_turn_after_some_younger_ones() -> None:
    line = line_of(job("large", weight=LARGE), *(job(f"small{n}") for n in range(20)))
    order = [take(line, size=1) for _ in range(8)]
    assert order.index("large") == PATIENCE


def test_large_ones_leave_a_place_while_smaller_ones_keep_coming() -> None:
    line = line_of(job("large", weight=LARGE), job("s", "bob"))
    one_large = [running("eve", LARGE)]
    assert take(line, one_large, size=2) == "s"
    assert take(line, one_large, size=2, seconds=1) is None
    rest = line.next_change(one_large, now=START + timedelta(seconds=1), size=2)
    assert rest == KEEP_COMING_SECONDS - 1
    assert take(line, one_large, size=2, seconds=1 + rest) == "large"


def test_large_ones_take_every_place_that_nobody_else_wants() -> None:
    line = line_of(job("large", weight=LARGE))
    assert take(line, [running("eve", LARGE)], size=2) == "large"


def test_a_small_one_runs_beside_those_that_hold_every_place() -> None:
    line = line_of(job("medium", weight=MEDIUM), job("s1"), job("s2"))
    held = [running(weight=LARGE, seconds=9), running(weight=LARGE, seconds=1)]
    assert take(line, held, size=2) is None
    assert line.next_change(held, now=START, size=2) == EXPRESS_SECONDS - 1
    held[1] = running(weight=LARGE, seconds=EXPRESS_SECONDS)
    assert take(line, held, size=2) == "s1"
    # One at a time.
    assert take(line, [*held, running(seconds=99)], size=2) is None


@pytest.mark.parametrize("weight", [UNKNOWN, MEDIUM, LARGE])
def test_only_small_ones_run_beside(weight: int) -> None:
    line = line_of(job("a", weight=weight))
    held = [running(seconds=60)]
    assert take(line, held) is None
    assert line.next_change(held, now=START, size=1) is None


# ------------------------------------------------------------------ a simulation


@dataclass
class Work:
    job: Job
    comes: float
    lasts: float


@dataclass
class Simulation:
    """Runs ``works`` through a line, from event to event, without any clock but its own."""

    works: list[Work]
    size: int
    most_of_one: int | None = None
    time: float = 0.0
    began: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)

    def run(self) -> Simulation:
        line = Line()
        coming = sorted(self.works, key=lambda work: work.comes)
        by_id = {work.job.id: work for work in self.works}
        active: dict[str, Job] = {}
        while coming or active or len(line):
            for job_id in [j for j in active if self._end_of(by_id[j]) <= self.time]:
                self.ended[job_id] = self.time
                del active[job_id]
            while coming and coming[0].comes <= self.time:
                line.add(coming.pop(0).job)
            now = START + timedelta(seconds=self.time)
            while (begins := self._next(line, active, now)) is not None:
                active[begins.id] = begins
                self.began[begins.id] = self.time
                self._check(active.values())
            change = line.next_change(self._running(active), now=now, size=self.size)
            times = [self._end_of(by_id[each]) for each in active]
            times += [coming[0].comes] if coming else []
            # datetime knows microseconds: look behind the moment, not just before it.
            times += [self.time + change + 1e-5] if change is not None else []
            assert times or not len(line), "somebody waits, and nothing will ever happen"
            self.time = min(times, default=self.time)
        return self

    def _next(self, line: Line, active: dict[str, Job], now: datetime) -> Job | None:
        most = self.most_of_one
        return line.next(self._running(active), now=now, size=self.size, most_of_one=most)

    def _running(self, active: dict[str, Job]) -> list[RunningJob]:
        return [
            RunningJob(each.created_by, each.weight, self.time - self.began[each.id])
            for each in active.values()
        ]

    def _end_of(self, work: Work) -> float:
        return self.began[work.job.id] + work.lasts

    def _check(self, active: Iterable[Job]) -> None:
        owners = Counter(each.created_by for each in active)
        assert owners.total() <= self.size + 1
        if self.most_of_one is not None:
            assert max(owners.values()) <= self.most_of_one


@st.composite
def workloads(draw: st.DrawFn) -> list[Work]:
    one = st.tuples(
        st.sampled_from(["ada", "bob", "eve"]),
        st.sampled_from(WEIGHTS),
        st.integers(0, 60),
        st.integers(1, 30),
        st.none() | st.integers(0, 90),
    )
    return [
        Work(job(f"{owner}{n}", owner, weight, retry_in), comes, lasts)
        for n, (owner, weight, comes, lasts, retry_in) in enumerate(
            draw(st.lists(one, min_size=1, max_size=25))
        )
    ]


@given(workloads(), st.integers(1, 4), st.none() | st.integers(1, 3))
@hypothesis_settings(max_examples=150, deadline=None)
def test_everybody_has_a_turn_and_the_order_is_always_the_same(
    works: list[Work], size: int, most_of_one: int | None
) -> None:
    done = Simulation(works, size, most_of_one).run()
    assert done.ended.keys() == {work.job.id for work in works}
    for work in works:
        due = work.job.retry_at
        assert due is None or START + timedelta(seconds=done.began[work.job.id]) >= due
    assert done.began == Simulation(works, size, most_of_one).run().began


@given(
    st.lists(st.sampled_from(WEIGHTS), min_size=1, max_size=10),
    st.integers(1, 4),
    st.integers(1, 3),
)
@hypothesis_settings(max_examples=50, deadline=None)
def test_nobody_starves_though_small_ones_never_cease(
    weights: list[int], size: int, owners: int
) -> None:
    """All is bounded by the number of turns, however many small jobs come."""
    olds = [job(f"old{n}", f"user{n % owners}", w) for n, w in enumerate(weights)]
    turns = len(olds) * owners * (PATIENCE + 1) + size
    crowd: Iterator[Work] = (
        Work(job(f"small{n}", f"user{n % owners}"), float(n), 1.0 * size) for n in itertools.count()
    )
    works = [Work(each, 0.0, 1.0 * size) for each in olds] + [next(crowd) for _ in range(3 * turns)]
    done = Simulation(works, size).run()
    order = sorted(done.began, key=lambda each: done.began[each])
    assert max(order.index(each.id) for each in olds) <= turns + len(olds)


@given(st.lists(st.integers(1, 50), min_size=5, max_size=40), st.integers(1, 4), st.data())
@hypothesis_settings(max_examples=100, deadline=None)
def test_a_long_line_of_one_delays_another_by_one_end_at_most(
    lengths: list[int], size: int, data: st.DataObject
) -> None:
    many = [Work(job(f"a{n}", "ada", UNKNOWN), 0.0, float(s)) for n, s in enumerate(lengths)]
    comes = data.draw(st.integers(0, sum(lengths) // size))
    weight = data.draw(st.sampled_from([SMALL, UNKNOWN, MEDIUM]))
    done = Simulation([*many, Work(job("b", "bob", weight), float(comes), 1.0)], size).run()
    ends = {done.ended[each.job.id] for each in many}
    waited = {end for end in ends if comes < end < done.began["b"]}
    assert not waited, "somebody ended while bob was waiting, and another of ada's jobs began"


def test_a_thousand_jobs_of_one_do_not_delay_another() -> None:
    many = [Work(job(f"a{n}", "ada", UNKNOWN), 0.0, 10.0) for n in range(1000)]
    single = Work(job("b", "bob", UNKNOWN), 101.0, 1.0)
    done = Simulation([*many, single], size=2).run()
    assert done.began["b"] - 101.0 <= 10.0


@given(st.lists(st.integers(60, 600), min_size=1, max_size=8), st.integers(1, 4))
@hypothesis_settings(max_examples=50, deadline=None)
def test_a_small_one_begins_before_the_large_ones_end(lengths: list[int], size: int) -> None:
    large = [Work(job(f"l{n}", "ada", LARGE), 0.0, float(s)) for n, s in enumerate(lengths)]
    small = Work(job("s", "ada", SMALL), 1.0, 1.0)
    done = Simulation([*large, small], size).run()
    assert done.began["s"] <= EXPRESS_SECONDS + 0.001
    assert done.began["s"] < min(done.ended[each.job.id] for each in large)


# ------------------------------------------------------------------ how long


@pytest.mark.parametrize(
    ("recent", "size", "owners", "expected"),
    [
        ([], 2, 1, 5),
        ([0.01], 8, 1, 1),
        ([10, 20, 3000], 2, 1, 10),
        ([10, 20, 30], 2, 4, 40),
        ([1e6], 1, 1, 600),
        ([5], 0, 0, 5),
    ],
)
def test_how_long_a_full_line_stays_full(
    recent: list[float], size: int, owners: int, expected: int
) -> None:
    assert estimate_wait(recent, size=size, owners=owners) == expected
