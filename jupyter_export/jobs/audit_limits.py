"""What keeps the audit trail from being filled by somebody who asks again and again."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

REFUSALS = 100
"""Refused attempts of one kind that get an entry of their own in one ``PERIOD``."""
PERIOD = 3600.0
SAME_SECONDS = 60.0
"""For so long the same again (a preview while somebody types, a part of one file) is one entry."""
MOST_KEYS = 5000


class RefusalBudget:
    """Lets the first ``REFUSALS`` of a kind through in each hour, and counts the others."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._periods: dict[str, tuple[float, int]] = {}

    def allows(self, kind: str) -> bool:
        with self._lock:
            began, count = self._periods.get(kind, (self._clock(), 0))
            self._periods[kind] = (began, count + 1)
            return count < REFUSALS

    def over(self, *, all_kinds: bool = False) -> dict[str, int]:
        """End the periods whose time is over; return what they did not let through, by kind."""
        with self._lock:
            now = self._clock()
            ended = {
                kind: count
                for kind, (began, count) in self._periods.items()
                if all_kinds or now - began >= PERIOD
            }
            for kind in ended:
                del self._periods[kind]
        return {kind: count - REFUSALS for kind, count in ended.items() if count > REFUSALS}


class Recent:
    """Remembers for a minute what there was."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: OrderedDict[Hashable, float] = OrderedDict()

    def is_new(self, key: Hashable) -> bool:
        """Note ``key``; return whether it has not been noted in the last ``SAME_SECONDS``."""
        now = self._clock()
        with self._lock:
            while self._seen and now - next(iter(self._seen.values())) >= SAME_SECONDS:
                self._seen.popitem(last=False)
            if key in self._seen:
                return False
            self._seen[key] = now
            if len(self._seen) > MOST_KEYS:
                self._seen.popitem(last=False)
            return True
