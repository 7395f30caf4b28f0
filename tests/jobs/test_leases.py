"""The heartbeat of services, and who notices that it has stopped."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_export.jobs import leases
from jupyter_export.jobs.leases import LEASE_SECONDS, Lease, Watch
from jupyter_export.jobs.model import ServiceRecord
from jupyter_export.jobs.place import place_of

from .conftest import Clock


class Rows:
    """The part of a store that keeps the rows of services."""

    def __init__(self) -> None:
        self.rows: dict[str, ServiceRecord] = {}

    def beat(self, record: ServiceRecord, *, first: bool) -> bool:
        if record.id not in self.rows and not first:
            return False
        self.rows[record.id] = record
        return True

    def end_service(self, service_id: str, *, beat: int | None = None) -> bool:
        return self.rows.pop(service_id, None) is not None


def test_a_lease_beats_while_it_is_kept(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(leases, "BEAT_SECONDS", 0.0)
    rows: Any = Rows()
    lease = Lease(rows, "me", lambda: "here", clock)
    lease.hold()
    lease.hold()
    assert rows.rows["me"].beat == 1
    assert lease.keep()
    assert lease.keep()
    assert rows.rows["me"].beat == 3
    rows.end_service("me")
    assert not lease.keep()
    assert rows.rows == {}
    assert lease.keep()  # A new lease.
    rows.end_service("me")
    lease.rest()
    lease.hold()
    assert list(rows.rows) == ["me"]
    lease.end()
    assert rows.rows == {}


def test_silence_is_measured_by_ones_own_clock(clock: Clock) -> None:
    seconds = [0.0]
    watch = Watch(lambda: seconds[0])
    silent, alive = (ServiceRecord(name, "p", 1, clock()) for name in ("silent", "alive"))
    assert watch.silent([silent, alive]) == []
    while seconds[0] < LEASE_SECONDS - 5:
        seconds[0] += 5
        clock.advance(days=365)  # No jump of the wall clock matters.
        assert watch.silent([silent, replace(alive, beat=2)]) == []
    seconds[0] = LEASE_SECONDS
    assert watch.silent([silent, replace(alive, beat=2)]) == [silent]
    # One that was gone and comes back begins anew.
    assert watch.silent([]) == []
    assert watch.silent([silent]) == []


def test_who_could_not_look_takes_nobody_for_dead(clock: Clock) -> None:
    seconds = [0.0]
    watch = Watch(lambda: seconds[0])
    record = ServiceRecord("alive", "p", 1, clock())
    assert watch.silent([record]) == []
    seconds[0] = 10 * LEASE_SECONDS  # The store was away, for everybody.
    assert watch.silent([record]) == []
    seconds[0] += 5
    assert watch.silent([record]) == []


def test_a_place_has_one_name(tmp_path: Path) -> None:
    names = {place_of(tmp_path) for _ in range(3)}
    assert len(names) == 1
    assert len(names.pop()) == 32
    assert [path.name for path in tmp_path.iterdir()] == ["place"]
    assert os.path.getsize(tmp_path / "place") == 32
