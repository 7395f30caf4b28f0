"""A wall clock that jumps hours forth and back, again and again, while jobs run."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from jupyter_export.jobs import leases
from jupyter_export.jobs.model import Caller, Job
from jupyter_export.jobs.service import ExportService
from jupyter_export.jobs.settings import Settings

from .harness import arrow_stream, eventually
from .kinds import made

ME = Caller("me")
ROWS = 200_000


class JumpingClock:
    """Tells the time, plus an offset that ``jump`` changes by up to so many hours."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._offset = timedelta()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._jump, daemon=True)

    def __call__(self) -> datetime:
        return datetime.now(timezone.utc) + self._offset

    def __enter__(self) -> JumpingClock:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _jump(self) -> None:
        while not self._end.wait(0.05):
            self._offset = timedelta(hours=self._chance.uniform(-12, 12))


@pytest.fixture
def clock() -> Iterator[JumpingClock]:
    with JumpingClock(seed=5) as jumping:
        yield jumping


@pytest.fixture
def make_service(tmp_path: Path, clock: JumpingClock) -> Iterator[Callable[[], ExportService]]:
    services = []
    (tmp_path / "root").mkdir()

    def make() -> ExportService:
        settings = Settings(
            root=tmp_path / "root", state_dir=tmp_path / "state", max_workers=2, min_free_disk=0,
            retention="30d",
        )  # fmt: skip
        service = ExportService(settings, now=clock)
        services.append(service)
        service.start()
        return service

    yield make
    for service in services:
        service.stop()


def test_no_jump_of_the_clock_ends_a_job_a_lease_or_an_upload(
    make_service: Callable[[], ExportService], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "BEAT_SECONDS", 0.5)
    one, two = make_service(), make_service()
    with one.open_upload(ME) as writer:
        writer.write(arrow_stream(made(ROWS, 7)))
        upload = writer.finish().id
    told: list[Job] = []
    one.subscribe(told.append)
    source = {"source": {"type": "upload", "id": upload}}
    ids = [
        service.submit({**source, "output": {"path": f"{number}.csv"}}, ME).id
        for number, service in enumerate([one, two] * 3)
    ]
    ids += [one.submit({**source, "format": "parquet"}, ME).id]
    for job_id in ids:
        job = one.wait(job_id, ME, 90)
        assert (job.status, job.attempt, job.history) == ("completed", 1, ()), job
        assert job.result is not None
        assert job.result.rows == ROWS
        for service in (one, two):
            eventually(
                lambda service=service, job_id=job_id: (
                    service.get(job_id, ME).status == "completed"
                ),
                "both see it",
            )
    # The sweeps went on meanwhile: what is young enough by any clock is there.
    for service in (one, two):
        service._housekeeping.sweep()
    assert all((one.settings.root / f"{number}.csv").exists() for number in range(6))
    for each in told:
        progress = each.progress
        assert progress.eta_seconds is None or progress.eta_seconds >= 0
        assert progress.rows_per_second is None or progress.rows_per_second >= 0


def test_a_cancel_and_a_retry_between_jumps(make_service: Callable[[], ExportService]) -> None:
    service = make_service()
    with service.open_upload(ME) as writer:
        writer.write(arrow_stream(made(ROWS, 7)))
        upload = writer.finish().id
    spec = {"source": {"type": "upload", "id": upload}, "output": {"path": "a.csv.gz"}}
    job = service.submit(spec, ME)
    service.cancel(job.id, ME)
    ended = service.wait(job.id, ME, 60)
    if ended.status == "cancelled":
        again = service.wait(service.retry(job.id, ME).id, ME, 60)
        assert (again.status, again.attempt) == ("completed", 2)
        assert [each["status"] for each in again.history] == ["cancelled"]
