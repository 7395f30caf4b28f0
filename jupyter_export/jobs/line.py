"""The waiting jobs, and who may begin next: fair between users, and small before large.

The rules, in the order in which they decide:

1. A job that is to be tried again later waits for its time, and holds nobody up.
2. Nobody has more than ``most_of_one`` jobs running.
3. Large jobs leave one place to others as long as smaller ones keep coming.
4. The user with the fewest running jobs is next, then the one whose last turn was longest ago: a
   single job waits for one end of a job at most, however many somebody else has put in line.
5. Of one user's jobs the smallest kind goes first, and within it the oldest; but after
   ``PATIENCE`` turns of younger jobs the oldest has its turn, so that it never starves.
6. When every place has been held for ``EXPRESS_SECONDS``, one small job may run beside them: also
   with a single worker a small job does not wait for the end of a large one.

Nothing here knows threads, processes or the store: time and what runs are arguments.
"""

from __future__ import annotations

import heapq
import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from .model import Job

SMALL = 32 * 1000**2
"""Bytes of sources up to which a job is small."""
LARGE = 256 * 1000**2
"""Bytes of sources from which on a job is large."""
PATIENCE = 4
"""How often in a row younger jobs of the same user may go before the oldest."""
EXPRESS_SECONDS = 3.0
"""How long every place must have been held before one small job may run beside them."""
KEEP_COMING_SECONDS = 5.0
"""How long after the last smaller job its place is kept from large ones."""
UNKNOWN_WAIT = 5
LONGEST_WAIT = 600


_Heap: TypeAlias = "list[tuple[int, str]]"
"""(place, id of the job)."""


@dataclass(frozen=True)
class RunningJob:
    """What the line must know of a job that runs."""

    owner: str
    weight: int
    """Bytes, as ``Job.weight``."""
    seconds: float
    """Since it began."""


@dataclass
class _Waiting:
    job: Job
    due: datetime | None
    place: int
    """The smaller, the earlier it came."""


class Line:
    """Not for several threads at once. What it costs to ask grows with the users, not the jobs."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}
        # Of each owner and kind those that may begin, by their place in line: heaps, whose
        # entries count only while the job waits there.
        self._ready: dict[str, tuple[_Heap, _Heap, _Heap]] = {}
        self._kinds: Counter[int] = Counter()
        self._later: list[tuple[datetime, int, str]] = []
        self._came = 0
        self._given_back = 0
        self._turns = 0
        self._last_turn: dict[str, int] = {}
        self._overtaken: Counter[str] = Counter()
        self._smaller_seen: datetime | None = None
        self._clock: datetime | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, job_id: object) -> bool:
        return job_id in self._waiting

    def add(self, job: Job) -> None:
        """Put ``job`` at the end; a newer version of one that waits takes its place."""
        held = self._waiting.get(job.id)
        if held is None:
            self._came += 1
            self._put(_Waiting(job, job.retry_at, self._came))
        else:
            self.remove(job.id)
            due = held.due if held.job.retry_at == job.retry_at else job.retry_at
            self._put(_Waiting(job, due, held.place))

    def give_back(self, job: Job) -> None:
        """Put a job that ``next`` has returned before all others: it could not begin after all."""
        self.remove(job.id)
        self._given_back -= 1
        self._put(_Waiting(job, job.retry_at, self._given_back))

    def remove(self, job_id: str) -> Job | None:
        held = self._waiting.pop(job_id, None)
        if held is None:
            return None
        self._kinds[_kind(held.job.weight)] -= 1
        return held.job

    def get(self, job_id: str) -> Job | None:
        held = self._waiting.get(job_id)
        return held.job if held else None

    def jobs(self) -> list[Job]:
        """Return those that wait, in the order in which they came."""
        return [held.job for held in sorted(self._waiting.values(), key=lambda h: h.place)]

    def next(
        self,
        running: Sequence[RunningJob],
        *,
        now: datetime,
        size: int,
        most_of_one: int | None,
    ) -> Job | None:
        """Take the job that may begin now out of the line; None when there is none.

        ``size``: places for running jobs; ``most_of_one``: running jobs of one user (None: any).
        """
        self._follow(now)
        counts = Counter(each.owner for each in running)
        due = {
            owner: first
            for owner in list(self._ready)
            if most_of_one is None or counts[owner] < most_of_one
            if any(first := self._first_of(owner))
        }
        if any(small or medium for small, medium, _ in due.values()):
            self._smaller_seen = now
        if len(running) < size:
            most = 2 if self._large_may_begin(running, now, size) else 1
        elif len(running) == size and _express_in(running) <= 0:
            most = 0
        else:
            return None
        return self._turn_of_next(due, most, counts)

    def next_retry(self, now: datetime) -> float | None:
        """Return the seconds until the first job that is to be tried again is due; None when none
        has to wait."""
        self._follow(now)
        return (self._later[0][0] - now).total_seconds() if self._later else None

    def next_change(
        self, running: Sequence[RunningJob], *, now: datetime, size: int
    ) -> float | None:
        """Return the seconds after which ``next``, which has just said None, may say something
        else though no job has come or ended; None: never."""
        times = [self.next_retry(now)]
        if self._kinds[0] and len(running) == size:
            times.append(_express_in(running))
        if self._kinds[2] and len(running) < size and self._smaller_seen is not None:
            passed = (now - self._smaller_seen).total_seconds()
            times.append(KEEP_COMING_SECONDS - passed)
        later = [seconds for seconds in times if seconds is not None and seconds > 0]
        return min(later, default=None)

    def _put(self, held: _Waiting) -> None:
        job = held.job
        self._waiting[job.id] = held
        self._kinds[_kind(job.weight)] += 1
        if held.due is None:
            self._may_begin(held)
        else:
            heapq.heappush(self._later, (held.due, held.place, job.id))

    def _may_begin(self, held: _Waiting) -> None:
        heaps = self._ready.setdefault(held.job.created_by, ([], [], []))
        heapq.heappush(heaps[_kind(held.job.weight)], (held.place, held.job.id))

    def _first_of(self, owner: str) -> tuple[_Waiting | None, ...]:
        """Return the first of each kind that may begin."""
        found = tuple(self._first(heap) for heap in self._ready[owner])
        if not any(found):
            del self._ready[owner]
        return found

    def _first(self, heap: _Heap) -> _Waiting | None:
        while heap:
            place, job_id = heap[0]
            held = self._waiting.get(job_id)
            if held is not None and held.place == place and held.due is None:
                return held
            heapq.heappop(heap)
        return None

    def _turn_of_next(
        self, due: Mapping[str, Sequence[_Waiting | None]], most: int, counts: Counter[str]
    ) -> Job | None:
        """Take the next of those that are no larger than the kind ``most``."""
        may_begin = {
            owner: mine
            for owner, first in due.items()
            if (mine := [held for held in first[: most + 1] if held is not None])
        }
        if not may_begin:
            return None

        def rank(owner: str) -> tuple[int, int, int]:
            came = min(held.place for held in may_begin[owner])
            return (counts[owner], self._last_turn.get(owner, 0), came)

        owner = min(may_begin, key=rank)
        # The smallest kind is the first of them.
        chosen = may_begin[owner][0]
        if self._overtaken[owner] >= PATIENCE:
            chosen = min(may_begin[owner], key=lambda held: held.place)
        oldest = min(held.place for held in due[owner] if held is not None)
        self._overtaken[owner] = 0 if chosen.place == oldest else self._overtaken[owner] + 1
        self._turns += 1
        self._last_turn[owner] = self._turns
        return self.remove(chosen.job.id)

    def _large_may_begin(self, running: Sequence[RunningJob], now: datetime, size: int) -> bool:
        if size < 2 or sum(_kind(each.weight) == 2 for each in running) < size - 1:
            return True
        seen = self._smaller_seen
        return seen is None or now - seen >= timedelta(seconds=KEEP_COMING_SECONDS)

    def _follow(self, now: datetime) -> None:
        """Let those begin whose time has come. A clock that is set back must not make anybody wait
        longer."""
        if self._clock is not None and now < self._clock:
            jump = self._clock - now
            for held in self._waiting.values():
                if held.due is not None:
                    held.due -= jump
            self._later = [(due - jump, place, job_id) for due, place, job_id in self._later]
            if self._smaller_seen is not None:
                self._smaller_seen -= jump
        self._clock = now
        while self._later:
            due, place, job_id = self._later[0]
            waits = self._waiting.get(job_id)
            if waits is not None and (waits.place, waits.due) == (place, due):
                if due > now:
                    return
                waits.due = None
                self._may_begin(waits)
            heapq.heappop(self._later)


def _kind(weight: int) -> int:
    """Return 0 for a small job, 2 for a large one, 1 for those between and the unknown."""
    if 0 < weight <= SMALL:
        return 0
    return 2 if weight >= LARGE else 1


def _express_in(running: Sequence[RunningJob]) -> float:
    """Return the seconds until every place has been held for long enough."""
    return EXPRESS_SECONDS - min((each.seconds for each in running), default=0.0)


def estimate_wait(recent: Sequence[float], *, size: int, owners: int = 1) -> int:
    """Return the whole seconds after which a place in a full line may be free: 1 to 600.

    ``recent``: how long the last jobs ran, in seconds; ``size``: places for running jobs;
    ``owners``: users who have jobs in line, and take turns.
    """
    if not recent:
        return UNKNOWN_WAIT
    seconds = statistics.median(recent) * max(owners, 1) / max(size, 1)
    return min(max(math.ceil(seconds), 1), LONGEST_WAIT)
