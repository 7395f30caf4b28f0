"""The leases of services in a store, over every implementation."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_export.jobs.database import StoreDatabase
from jupyter_export.jobs.model import ServiceRecord
from jupyter_export.jobs.store import JobStore
from jupyter_export.jobs.store_sqlalchemy import SqlAlchemyStore

from .conftest import Clock
from .stores import in_processes


@pytest.fixture
def record(clock: Clock) -> Callable[..., ServiceRecord]:
    def make(beat: int = 1, service: str = "one") -> ServiceRecord:
        return ServiceRecord(service, "place", beat, clock())

    return make


Record = Callable[..., ServiceRecord]


def test_the_first_beat_adds_a_row_and_others_change_it(
    store: JobStore, clock: Clock, record: Record
) -> None:
    assert store.services() == []
    assert store.beat(record(), first=True)
    assert store.services() == [record()]
    clock.advance(seconds=5)
    assert store.beat(record(2), first=False)
    assert store.beat(record(7, "another"), first=True)
    assert store.services() == [record(7, "another"), record(2)]
    # A service that rested begins again: its row may be there, or not.
    assert store.beat(record(3), first=True)
    assert [each.beat for each in store.services()] == [7, 3]


def test_who_has_lost_its_row_is_told_and_writes_nothing(store: JobStore, record: Record) -> None:
    assert not store.beat(record(), first=False)
    assert store.services() == []
    store.beat(record(), first=True)
    assert store.end_service("one")
    assert not store.beat(record(2), first=False)
    assert store.services() == []


def test_a_service_is_ended_once(store: JobStore, record: Record) -> None:
    store.beat(record(4), first=True)
    store.beat(record(4, "another"), first=True)
    assert store.end_service("one", beat=4)
    assert not store.end_service("one", beat=4)
    assert not store.end_service("one")
    assert [each.id for each in store.services()] == ["another"]


def test_a_beat_between_look_and_end_keeps_the_lease(store: JobStore, record: Record) -> None:
    store.beat(record(4), first=True)
    (seen,) = store.services()
    store.beat(record(5), first=False)
    assert not store.end_service("one", beat=seen.beat)
    assert store.beat(record(6), first=False)


def test_of_many_that_end_a_service_one_does(store: JobStore, record: Record) -> None:
    store.beat(record(), first=True)
    ended: list[bool] = []
    threads = [
        threading.Thread(target=lambda: ended.append(store.end_service("one", beat=1)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == [False] * 7 + [True]


ROUNDS = 25


def fight(state_dir: str, db_url: str) -> None:
    """Beat and end the same services as others do; say what this process did."""
    store = SqlAlchemyStore(StoreDatabase(Path(state_dir), db_url or None))
    store.start()
    for number in range(ROUNDS):
        name = f"service{number}"
        (seen,) = [each for each in store.services() if each.id == name] or [None]
        if seen is None:
            continue
        beat = ServiceRecord(name, "place", seen.beat + 1, seen.seen_at)
        if store.end_service(name, beat=seen.beat):
            print(name, "ended", seen.beat)
        elif store.beat(beat, first=False):
            print(name, "beat", beat.beat)
    store.close()


def test_processes_that_beat_and_end_at_once_agree(
    store: JobStore, record: Record, tmp_path: Path, db_url: str | None
) -> None:
    for number in range(ROUNDS):
        store.beat(record(1, f"service{number}"), first=True)
    said = in_processes("tests.jobs.test_store_leases:fight", 3, str(tmp_path), db_url or "")
    ended = [line.split()[0] for text in said for line in text.splitlines() if "ended" in line]
    # Nobody else's row is ended, and none of them twice.
    assert len(ended) == len(set(ended))
    left = {each.id for each in store.services()}
    assert left | set(ended) == {f"service{number}" for number in range(ROUNDS)}
    assert not left & set(ended)
