"""What goes as time passes, and what must never go."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jupyter_export.jobs import housekeeping
from jupyter_export.jobs.database import StoreDatabase
from jupyter_export.jobs.files import make_folders, part_in, remove_finished, scratch_of
from jupyter_export.jobs.housekeeping import Housekeeping
from jupyter_export.jobs.model import Job, Upload
from jupyter_export.jobs.naming import part_of
from jupyter_export.jobs.settings import Settings
from jupyter_export.jobs.store_sqlalchemy import SqlAlchemyStore
from jupyter_export.pipeline import Result

from .conftest import Clock

UNKNOWN = "0123456789abcdef"


class House:
    """A store with jobs in it, files around it, and nobody else who touches them."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        make_folders(settings)
        self.settings = settings
        self.clock = clock
        self.steady = 0.0
        self.aged: list[datetime] = []
        self.told: list[Job] = []
        self.store = SqlAlchemyStore(StoreDatabase(settings.state_dir, settings.db_url))
        self.store.start()
        self.keeping = Housekeeping(
            settings,
            self.store,
            now=clock,
            show=self.told.append,
            also=[self.aged.append],
            monotonic=lambda: self.steady,
        )

    def job(self, name: str, status: str = "completed", **fields: Any) -> Job:
        """Keep a job whose file is there when it is completed."""
        target = self.settings.root / name
        made: dict[str, Any] = {}
        if status == "completed":
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(b"a\n1\n")
            files = ({"path": name, "rows": 1, "bytes": 4, "sha256": "ab"},)
            made = {"result": Result(name, 1, 4, "ab", files)}
        plain: dict[str, Any] = {
            "id": secrets.token_hex(8),
            "name": "numbers",
            "status": status,
            "format": "csv",
            "created_by": "me",
            "created_at": self.clock(),
            "spec": {},
            "path": name,
            "temporary": True,
            "version": 1,
            "target": str(target),
            "root": str(self.settings.root),
        }
        job = Job(**plain | made | fields)
        self.store.add(job, [])
        return job

    def status(self, job: Job) -> str:
        found = self.store.get(job.id)
        assert found is not None
        return found.status

    def touch(self, path: Path, *, folder: bool = False, **ago: float) -> Path:
        """Make a file (or a folder with one in it) that was changed so long ago."""
        if folder:
            path.mkdir(parents=True)
            (path / "inner").write_bytes(b"half")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"half")
        moment = (self.clock() - timedelta(**ago)).timestamp()
        os.utime(path, (moment, moment))
        return path


@pytest.fixture
def house(settings: Settings, clock: Clock) -> Iterator[House]:
    house = House(settings, clock)
    yield house
    house.store.close()


# ------------------------------------------------------------------ expiry


def test_files_go_when_their_time_is_over(house: House) -> None:
    due = house.job("a.csv", expires_at=house.clock())
    later = house.job("b.csv", expires_at=house.clock() + timedelta(seconds=1))
    named = house.job("c.csv", temporary=False)
    house.keeping.sweep()
    assert [house.status(job) for job in (due, later, named)] == [
        "expired",
        "completed",
        "completed",
    ]
    assert sorted(path.name for path in house.settings.root.iterdir()) == ["b.csv", "c.csv"]
    assert [job.id for job in house.told] == [due.id]
    assert house.told[0].error is None


def test_one_that_cannot_be_removed_does_not_hold_up_the_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "BATCH", 2)
    monkeypatch.setattr(housekeeping, "PAUSE", 0)
    jobs = [
        house.job(f"{n}.csv", expires_at=house.clock() - timedelta(seconds=10 - n))
        for n in range(7)
    ]
    stuck = {jobs[0].id, jobs[1].id, jobs[4].id}
    real = remove_finished
    monkeypatch.setattr(
        housekeeping, "remove_finished", lambda job: job.id not in stuck and real(job)
    )
    house.keeping.expire()
    assert {job.id for job in jobs if house.status(job) == "completed"} == stuck
    monkeypatch.setattr(housekeeping, "remove_finished", real)
    house.keeping.expire()
    assert {house.status(job) for job in jobs} == {"expired"}


def test_a_temporary_file_that_somebody_removed_is_expired(house: House) -> None:
    gone, named = house.job("a.csv"), house.job("b.csv", temporary=False)
    kept = house.job("c.csv")
    for job in (gone, named):
        Path(job.target).unlink()
    house.keeping.sweep()
    assert [house.status(job) for job in (gone, named, kept)] == [
        "expired",
        "completed",
        "completed",
    ]
    assert [job.error for job in house.told] == [None]
    # And again later, when all jobs have been looked at once.
    Path(kept.target).unlink()
    house.keeping.sweep()
    assert house.status(kept) == "expired"


def test_a_root_that_is_away_costs_nothing(house: House) -> None:
    job = house.job("a.csv")
    house.settings.root.rename(house.settings.root.with_name("away"))
    house.keeping.sweep()
    assert house.status(job) == "completed"


def test_a_long_history_is_gone_through_in_steps(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "BATCH", 3)
    monkeypatch.setattr(housekeeping, "PAUSE", 0)
    jobs = [house.job(f"{n}.csv") for n in range(10)]
    for job in jobs[::2]:
        Path(job.target).unlink()
    house.keeping.sweep()  # The first sweep looks at all.
    assert [house.status(job) for job in jobs] == ["expired", "completed"] * 5
    for job in jobs[1::2]:
        Path(job.target).unlink()
    seen = []
    for _ in range(4):
        house.keeping.sweep()
        seen.append(sum(house.status(job) == "expired" for job in jobs))
    assert seen[-1] == 10
    assert seen[0] < 10


# ------------------------------------------------------------------ clocks


def test_a_clock_that_jumps_is_believed_when_it_goes_on(house: House) -> None:
    job = house.job("a.csv", expires_at=house.clock() + timedelta(minutes=30))
    house.keeping.tick()
    house.clock.advance(hours=1)
    house.steady += 30
    house.keeping.tick()
    assert house.status(job) == "completed"
    house.clock.advance(seconds=30)
    house.steady += 30
    house.keeping.tick()
    assert house.status(job) == "expired"


def test_a_clock_that_is_put_right_at_once_costs_nothing(house: House) -> None:
    job = house.job("a.csv", expires_at=house.clock() + timedelta(minutes=30))
    for hours in (0, 1, -1, 0, 0):
        house.clock.advance(hours=hours, seconds=30)
        house.steady += 30
        house.keeping.tick()
    assert house.status(job) == "completed"


def test_time_that_passes_is_no_jump(house: House) -> None:
    job = house.job("a.csv", expires_at=house.clock() + timedelta(minutes=30))
    house.keeping.tick()
    house.clock.advance(hours=1)
    house.steady += 3600
    house.keeping.tick()
    assert house.status(job) == "expired"


# ------------------------------------------------------------------ what killed processes left


@pytest.mark.parametrize("name", ["a.csv", "sub.folder", "é" * 100, "x" * 255, ".a\nb"])
def test_a_part_is_known_by_its_name(name: str, tmp_path: Path) -> None:
    part = part_of(tmp_path / name, UNKNOWN, 12)
    assert part_in(part.name) == (UNKNOWN, 12)


@pytest.mark.parametrize(
    "name",
    [
        "a.csv",
        f"a.csv.{UNKNOWN}.1.part",  # It is not hidden.
        f".a.csv.{UNKNOWN}.1.part.old",
        f".a.csv.{UNKNOWN.upper()}.1.part",
        f".a.csv.{UNKNOWN}.0.part",
        f".a.csv.{UNKNOWN}.one.part",
        f".a.csv.{UNKNOWN}0.1.part",
        ".a.csv.1.part",
        ".part",
        f".{UNKNOWN}.part~",
    ],
)
def test_other_names_are_no_parts(name: str) -> None:
    assert part_in(name) is None


@pytest.mark.parametrize("folder", [False, True])
def test_parts_that_are_written_no_more_go(house: House, folder: bool) -> None:
    beside = "deep/a.csv"
    final = house.job(beside, "failed", attempt=2)
    active = house.job("deep/b.csv", "running", attempt=3)
    root = house.settings.root

    def part(job_id: str, attempt: int, **ago: float) -> Path:
        return house.touch(part_of(root / beside, job_id, attempt), folder=folder, **ago)

    gone = [part(final.id, 2), part(active.id, 2), part(UNKNOWN, 1, hours=25)]
    stay = [part(active.id, 3), part(UNKNOWN, 2, hours=23)]
    house.keeping.sweep()
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in stay)


def test_what_users_have_stays(house: House) -> None:
    root = house.settings.root
    job = house.job("a.csv", "failed")
    mine = [
        house.touch(root / name, days=100)
        for name in ("b.part", ".b.part", f"b.{job.id}.1.part", f".b.{job.id}.1.part.txt")
    ]
    kept = house.touch(root / "kept.txt", days=100)
    link = part_of(root / "linked.csv", UNKNOWN, 1)
    link.symlink_to(kept)
    moment = (house.clock() - timedelta(days=100)).timestamp()
    os.utime(link, (moment, moment), follow_symlinks=False)
    house.keeping.sweep()
    assert all(path.exists() for path in [*mine, kept, link])


def test_the_folder_of_temporary_exports_is_always_looked_at(house: House) -> None:
    folder = house.settings.root / house.settings.output_dir
    part = house.touch(part_of(folder / "a.csv", UNKNOWN, 1), days=2)
    house.keeping.sweep()
    assert not part.exists()


def test_a_replaced_folder_gets_its_name_back(house: House) -> None:
    root = house.settings.root
    cut_off, done = house.job("one", "failed"), house.job("two", "failed")
    old = {}
    for job in (cut_off, done):
        part = part_of(Path(job.target), job.id, 1)
        old[job.id] = house.touch(part.with_name(f"{part.name}.old"), folder=True)
    house.touch(root / "two", folder=True)
    unknown = house.touch(root / f".three.{UNKNOWN}.1.part.old", folder=True, days=9)
    house.keeping.sweep()
    assert (root / "one" / "inner").exists()
    assert not old[done.id].exists()
    assert (unknown / "inner").exists(), "it may be all that somebody has"


def test_spilled_data_of_nobody_goes(house: House) -> None:
    active, final = house.job("a.csv", "running", attempt=2), house.job("b.csv")
    settings = house.settings
    gone = [
        house.touch(scratch_of(UNKNOWN, settings, 1), folder=True, hours=25),
        house.touch(scratch_of(active.id, settings, 1), folder=True, minutes=2),
        house.touch(scratch_of(final.id, settings, 1), folder=True, minutes=2),
        house.touch(settings.scratch / "warm-4711", folder=True, minutes=11),
    ]
    stay = [
        house.touch(scratch_of(active.id, settings, 2), folder=True, days=9),
        house.touch(scratch_of(final.id, settings, 2), folder=True),
        house.touch(scratch_of("fedcba9876543210", settings, 1), folder=True, hours=1),
        house.touch(settings.scratch / "warm-4712", folder=True, minutes=1),
    ]
    house.keeping.sweep()
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in stay)


def test_uploads_whose_file_is_gone_are_forgotten(house: House) -> None:
    for name in ("here", "gone"):
        house.store.add_upload(Upload(name, "me", 1, 4, (), house.clock()))
    (house.settings.uploads / "here.arrows").write_bytes(b"data")
    house.keeping.sweep()
    assert len(house.store.uploads()) == 2  # A new one's file may still be coming.
    house.clock.advance(minutes=2)
    house.keeping.sweep()
    assert [upload.id for upload in house.store.uploads()] == ["here"]


def test_of_a_shared_store_another_server_may_have_them(
    settings: Settings, clock: Clock, tmp_path: Path
) -> None:
    house = House(replace(settings, db_url=f"sqlite:///{tmp_path}/shared.db"), clock)
    house.store.add_upload(Upload("theirs", "you", 1, 4, (), clock()))
    house.keeping.sweep()
    assert [upload.id for upload in house.store.uploads()] == ["theirs"]
    house.store.close()


# ------------------------------------------------------------------ the sweep


def test_what_else_ages_is_told_the_time(house: House) -> None:
    house.keeping.sweep()
    assert house.aged == [house.clock()]


def test_a_step_that_fails_does_not_keep_the_others(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("no such luck")

    monkeypatch.setattr(house.store, "expiring", broken)
    job = house.job("a.csv")
    Path(job.target).unlink()
    with caplog.at_level(logging.ERROR):
        house.keeping.sweep()
    assert house.status(job) == "expired"
    assert house.aged
    assert "it is tried again" in caplog.text
