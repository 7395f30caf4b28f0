"""What may still be taken of a disk, asked for before it is full."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_export.errors import DiskFull
from jupyter_export.jobs import disk
from jupyter_export.jobs.disk import CHECK_BYTES, MEASURE_SECONDS, DiskBudget
from jupyter_export.jobs.files import make_folders, scratch_of
from jupyter_export.jobs.naming import part_of
from jupyter_export.jobs.service import ExportService
from jupyter_export.jobs.settings import Settings

from .conftest import ME, Clock, MakeService, document, send

MB = 1000**2
GB = 1000**3
JOB = "0123456789abcdef"


class Disk:
    """So many free bytes below each folder, and a clock."""

    def __init__(self, free: int | None) -> None:
        self.free = free
        self.below: dict[Path, int] = {}
        self.seconds = 0.0

    def __call__(self, folder: Path) -> int | None:
        for each in (folder, *folder.parents):
            if each in self.below:
                return self.below[each]
        return self.free

    def clock(self) -> float:
        return self.seconds


Make = Callable[..., DiskBudget]


@pytest.fixture
def machine() -> Disk:
    return Disk(free=10 * GB)


@pytest.fixture
def make(settings: Settings, machine: Disk) -> Make:
    make_folders(settings)

    def budget(**changes: int | None) -> DiskBudget:
        return DiskBudget(
            replace(settings, **changes),  # type: ignore[arg-type]
            free=machine,
            clock=machine.clock,
        )

    return budget


def fill(path: Path, count: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(count)
    return path


# ------------------------------------------------------------------ what is used


def test_what_is_ours_counts(make: Make, settings: Settings) -> None:
    exports = settings.root / settings.output_dir
    ours = [
        fill(settings.uploads / "u.arrows", 1),
        fill(settings.uploads / "v.arrows.part", 10),
        fill(scratch_of(JOB, settings) / "deep" / "spilled", 100),
        fill(exports / "numbers_20260301T120000Z_01234567.csv", 1000),
        fill(exports / "folder_20260301T120000Z_01234567" / "a.csv", 10_000),
        fill(part_of(exports / "numbers_20260301T120000Z_01234567.csv", JOB, 2), 100_000),
    ]
    fill(exports / "named.csv", 2)
    fill(settings.root / "numbers_20260301T120000Z_01234567.csv", 2)
    fill(settings.state_dir / "jobs.db", 2)
    (settings.uploads / "link").symlink_to(settings.root)
    found = make().used()
    link = (settings.uploads / "link").lstat().st_size
    assert found - link == sum(path.stat().st_size for path in ours) == 111_111


def test_folders_that_are_not_there_hold_nothing(make: Make, settings: Settings) -> None:
    shutil.rmtree(settings.state_dir)
    assert make().used() == 0


def test_folders_are_measured_now_and_then(make: Make, settings: Settings, machine: Disk) -> None:
    budget = make(max_disk=100)
    assert budget.left() == 100
    fill(settings.uploads / "u.arrows", 60)
    assert budget.left() == 100
    budget.grew(60)
    assert budget.left() == 40
    machine.seconds += MEASURE_SECONDS
    assert budget.left() == 40, "what is measured is not added once more"
    fill(settings.uploads / "v.arrows", 60)
    machine.seconds += MEASURE_SECONDS
    assert budget.left() == 0
    (settings.uploads / "u.arrows").unlink()
    machine.seconds += MEASURE_SECONDS
    assert budget.left() == 40


def test_many_files_are_measured_less_often(
    make: Make, machine: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[float] = []

    def slow(folder: Path) -> list[object]:
        measured.append(machine.seconds)
        machine.seconds += 1
        return []

    monkeypatch.setattr(disk, "_entries", slow)
    budget = make()
    budget.used()
    first = len(measured)
    machine.seconds += 100
    budget.used()
    assert len(measured) == first
    machine.seconds += 100
    budget.used()
    assert len(measured) == 2 * first


def test_without_a_limit_nothing_is_measured(
    make: Make, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_entries", lambda folder: pytest.fail("it was measured"))
    budget = make(max_disk=None)
    budget.upload(GB).grow(GB)
    budget.check_job(settings.root / "a.csv", temporary=True)
    assert budget.left() is None


# ------------------------------------------------------------------ what is refused


def test_an_upload_that_does_not_fit_is_refused_at_once(make: Make, machine: Disk) -> None:
    budget = make(min_free_disk=200 * MB)
    machine.free = 1200 * MB
    budget.check_upload(1000 * MB)
    budget.check_upload(None)
    with pytest.raises(DiskFull) as caught:
        budget.upload(1001 * MB)
    assert caught.value.message == (
        "The disk is nearly full where uploads are kept: 1.2 GB are free, 1.0 GB are needed, and "
        "200 MB must stay free."
    )
    assert caught.value.hint == "Free some space, then send it again."


def test_one_of_unknown_size_ends_before_the_disk_is_full(make: Make, machine: Disk) -> None:
    room = make(min_free_disk=200 * MB).upload(None)
    machine.free = 250 * MB
    room.grow(CHECK_BYTES)
    machine.free = 199 * MB
    room.grow(CHECK_BYTES - 1)
    with pytest.raises(DiskFull, match="199 MB are free"):
        room.grow(1)


def test_uploads_together_stay_within_the_budget(make: Make) -> None:
    budget = make(max_disk=3 * CHECK_BYTES)
    one, other = budget.upload(), budget.upload()
    one.grow(CHECK_BYTES)
    other.grow(CHECK_BYTES)
    with pytest.raises(DiskFull) as caught:
        one.grow(CHECK_BYTES)
    assert caught.value.message == (
        "Uploads, spilled data and temporary exports hold 48 MB; 48 MB are allowed (max_disk)."
    )
    assert "wait until they expire" in (caught.value.hint or "")
    with pytest.raises(DiskFull):
        budget.upload()


def test_a_declared_size_counts_towards_the_budget(make: Make) -> None:
    budget = make(max_disk=GB)
    budget.check_upload(GB - 1)
    with pytest.raises(DiskFull):
        budget.check_upload(GB + 1)


def test_a_job_is_refused_where_a_disk_is_nearly_full(
    make: Make, settings: Settings, machine: Disk
) -> None:
    budget = make(min_free_disk=200 * MB)
    target = settings.root / "new" / "a.csv"
    budget.check_job(target, temporary=False)
    machine.below[settings.root] = 199 * MB
    with pytest.raises(DiskFull) as caught:
        budget.check_job(target, temporary=False)
    assert caught.value.message == (
        "The disk is nearly full where “a.csv” is to be written: 199 MB are free, and 200 MB must "
        "stay free."
    )
    assert str(settings.root) not in str(caught.value)
    del machine.below[settings.root]
    machine.below[settings.state_dir] = 10
    with pytest.raises(DiskFull, match="spill their data: 10 bytes are free"):
        budget.check_job(target, temporary=False)


def test_a_full_budget_refuses_only_what_counts(make: Make, settings: Settings) -> None:
    fill(settings.uploads / "u.arrows", 100)
    budget = make(max_disk=100)
    budget.check_job(settings.root / "a.csv", temporary=False)
    with pytest.raises(DiskFull, match="max_disk"):
        budget.check_job(settings.root / "exports" / "a.csv", temporary=True)


def test_zero_keeps_nothing_free(make: Make, settings: Settings, machine: Disk) -> None:
    budget = make(min_free_disk=0)
    machine.free = 5
    budget.check_job(settings.root / "a.csv", temporary=True)
    budget.check_upload(5)
    with pytest.raises(DiskFull) as caught:
        budget.check_upload(6)
    assert caught.value.message.endswith(": 5 bytes are free, 6 bytes are needed.")


def test_a_disk_that_tells_nothing_refuses_nothing(
    make: Make, settings: Settings, machine: Disk
) -> None:
    machine.free = None
    budget = make()
    budget.check_upload(10**15)
    budget.check_job(settings.root / "a.csv", temporary=True)


# ------------------------------------------------------------------ in a service

AS_MUCH_AS_ANY_DISK = 10**18


def test_a_service_refuses_uploads_and_jobs_and_keeps_nothing(
    settings: Settings, clock: Clock
) -> None:
    """No worker is needed: both are refused before anything begins."""
    service = ExportService(replace(settings, min_free_disk=AS_MUCH_AS_ANY_DISK), now=clock)
    service.start()
    try:
        with pytest.raises(DiskFull):
            service.open_upload(ME, 10)
        (settings.root / "a.csv").write_text("a\n1\n")
        spec = {
            "source": {"type": "file", "path": "a.csv"},
            "output": {"path": "new/b.csv"},
        }
        with pytest.raises(DiskFull, match="must stay free"):
            service.submit(spec, ME)
        assert service.list(ME).jobs == ()
    finally:
        service.stop()
    assert not list(settings.uploads.iterdir())
    assert [path.name for path in settings.root.iterdir()] == ["a.csv"]


def test_an_upload_that_outgrows_the_budget_leaves_nothing(
    settings: Settings, clock: Clock
) -> None:
    service = ExportService(replace(settings, max_disk=2 * CHECK_BYTES), now=clock)
    service.start()
    try:
        with pytest.raises(DiskFull):
            service.open_upload(ME, 3 * CHECK_BYTES)
        with pytest.raises(DiskFull), service.open_upload(ME) as writer:  # noqa: PT012
            for _ in range(3):
                writer.write(bytes(CHECK_BYTES))
        assert not list(settings.uploads.iterdir())
    finally:
        service.stop()


def test_a_temporary_export_that_outgrows_the_budget_leaves_nothing(
    make_service: MakeService,
) -> None:
    service = make_service(max_disk=1_000_000)
    upload = send(service, rows=40_000)  # About 0.9 MB, and as CSV 0.4.
    named = service.submit(document(upload, "named.csv"), ME)
    assert service.wait(named.id, ME, 60).status == "completed"
    job = service.wait(service.submit(document(upload), ME).id, ME, 60)
    assert job.error is not None
    assert (job.status, job.error["code"]) == ("failed", "disk_full")
    assert "max_disk" in str(job.error["message"])
    assert [path.name for path in service.settings.root.rglob("*") if path.is_file()] == [
        "named.csv"
    ]
