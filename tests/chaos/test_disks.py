"""Disks that are full, and folders that may not be written to."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from .conftest import MakeStage
from .harness import Home, eventually
from .kinds import KINDS

MB = 1000**2
SHARED = Path("/dev/shm")
"""Containers without the right to mount have this small disk in memory (Docker: 64 MB)."""
BY_NAME = {kind.name: kind for kind in KINDS}
AGAIN = {"max_attempts": 20, "retry_max_delay": 2}


class Disk:
    """A small disk; ``fill`` leaves so many bytes of it free, ``clear`` gives them back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, left: int) -> None:
        """Leave ``left`` bytes at most, for root as well."""
        with self._ballast.open("ab", buffering=0) as file, suppress(OSError):
            while self._free() > left:
                file.write(bytes(min(self._free() - left, MB) or 1))

    def _free(self) -> int:
        state = os.statvfs(self.folder)
        return state.f_bavail * state.f_frsize

    def clear(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(at: Path, size: int) -> Iterator[Disk]:
    """Mount a disk of so many bytes at ``at``; where that is not allowed, lead there by a link to
    the disk in memory that every container has."""
    at.mkdir(parents=True)
    options = f"size={size},mode=700"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(at)], capture_output=True, check=False
    )
    if mounted.returncode == 0:
        try:
            yield Disk(at)
        finally:
            subprocess.run(["umount", "--lazy", str(at)], check=True)
        return
    at.rmdir()
    there = Path(tempfile.mkdtemp(prefix="jupyter-export-", dir=SHARED))
    disk = Disk(there)
    try:
        assert shutil.disk_usage(there).total < 1000 * MB, f"{mounted.stderr!r}, and no small disk"
        at.symlink_to(there)
        disk.fill(size)
        yield disk
    finally:
        shutil.rmtree(there)


for_target = pytest.mark.parametrize("disk", ["root/out"], indirect=True)
for_state = pytest.mark.parametrize("disk", ["state"], indirect=True)


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Disk]:
    with small_disk(tmp_path / "home" / request.param, 40 * MB) as found:
        yield found
        found.clear()


@for_target
def test_a_disk_of_the_target_that_is_full_for_a_while(make_stage: MakeStage, disk: Disk) -> None:
    stage = make_stage(options=AGAIN)
    disk.fill(MB)
    asked = [stage.ledger.ask(stage.server, BY_NAME[name]) for name in ("csv", "folder", "zip")]
    for each in asked:
        failed = stage.server.failed_once(str(each.id))
        assert failed["history"][0]["error"]["code"] == "disk_full", failed
    disk.clear()
    stage.server.settle()
    stage.ledger.check(stage.server)


@for_target
def test_a_disk_of_the_target_that_stays_full(make_stage: MakeStage, disk: Disk) -> None:
    stage = make_stage(options={"max_attempts": 2})
    disk.fill(MB)
    kinds = [BY_NAME[name] for name in ("csv", "replaced", "folder")]
    asked = [stage.ledger.ask(stage.server, kind) for kind in kinds]
    stage.server.settle()
    disk.clear()
    stage.ledger.check(stage.server, allowed=["failed"])
    for each in asked:
        job = stage.server.job(str(each.id))
        assert (job["error"]["code"], job["attempt"]) == ("disk_full", 2), job
        assert "full" in job["error"]["message"]


@for_state
def test_a_disk_of_the_state_that_is_full(make_stage: MakeStage, disk: Disk) -> None:
    """Uploads, spilled data and the store are on it."""
    stage = make_stage(options=AGAIN)
    server = stage.server
    ids = [str(stage.ledger.ask(server, BY_NAME[name]).id) for name in ("zip", "csv", "file")]
    disk.fill(0)
    answer = server.request("POST", "uploads", content=b"x" * 10 * MB)
    assert answer.status_code == 507, answer.text
    assert answer.json()["error"]["code"] == "disk_full"
    # Jobs can be looked at and cancelled, or the store says that it cannot.
    for _ in range(20):
        job = server.request("GET", f"jobs/{ids[0]}")
        assert job.status_code in (200, 503), job.text
        new = server.request("POST", "jobs", json=stage.ledger.asked[1].spec)
        assert new.status_code in (409, 503, 507), new.text
    disk.clear()
    server.settle()
    stage.ledger.check(server)
    server.final(str(stage.ledger.ask(server, BY_NAME["csv"]).id))
    stage.ledger.check(server)


@for_state
def test_a_server_killed_while_its_disk_is_full(make_stage: MakeStage, disk: Disk) -> None:
    stage = make_stage(options=AGAIN)
    for name in ("zip", "csv", "file"):
        stage.ledger.ask(stage.server, BY_NAME[name])
    disk.fill(0)
    stage.server.kill()
    stage.server = stage.home.serve()
    answer = stage.server.request("GET", "jobs")
    assert answer.status_code in (200, 503), answer.text
    disk.clear()
    eventually(lambda: stage.server.request("GET", "jobs").status_code == 200, "it has started")
    stage.server.settle()
    stage.ledger.check(stage.server)


@for_target
def test_little_room_is_refused_before_the_disk_is_full(make_stage: MakeStage, disk: Disk) -> None:
    stage = make_stage(options={"min_free_disk": "200MB", "max_attempts": 1})
    asked = stage.ledger.prepare(BY_NAME["csv"])
    answer = stage.server.request("POST", "jobs", json=asked.spec, params={"wait": 30})
    told: dict[str, Any] = answer.json()
    assert answer.status_code in (201, 507), told
    assert told["error"]["code"] == "disk_full", told
    stage.server.settle()
    stage.ledger.check(stage.server, allowed=["failed"])


# ------------------------------------------------------------- what may not be written to

UNPRIVILEGED = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner", "--")
"""Even for root a folder's mode holds then."""


def launch() -> tuple[str, ...]:
    return UNPRIVILEGED if os.geteuid() == 0 else ()


@pytest.fixture
def read_only() -> Iterator[Callable[[Path], None]]:
    changed: list[Path] = []

    def change(folder: Path) -> None:
        changed.append(folder)
        folder.chmod(0o555)

    yield change
    for folder in changed:
        folder.chmod(0o755)


def test_a_folder_that_may_not_be_written_to(
    make_stage: MakeStage, read_only: Callable[[Path], None]
) -> None:
    stage = make_stage(launch=launch())
    out = stage.home.root / "out"
    out.mkdir()
    (out / "folder-2").mkdir()
    read_only(out)
    for name in ("csv", "folder"):
        asked = stage.ledger.prepare(BY_NAME[name])
        answer = stage.server.request("POST", "jobs", json=asked.spec, params={"wait": 30})
        assert answer.status_code in (201, 403, 409, 507), answer.text
        said = answer.json()["error"]["message"]
        assert said.endswith("."), said
    stage.server.settle()
    stage.ledger.check(stage.server, allowed=["failed"])
    assert [path.name for path in out.iterdir()] == ["folder-2"]


def test_a_folder_that_turns_read_only_while_a_job_runs(
    make_stage: MakeStage, read_only: Callable[[Path], None]
) -> None:
    stage = make_stage(launch=launch(), options={"max_attempts": 2})
    out = stage.home.root / "out"
    asked = stage.ledger.ask(stage.server, BY_NAME["csv"])
    eventually(lambda: list(stage.home.root.rglob(".*.part")), "its part file is there")
    read_only(out)
    stage.server.settle()
    job = stage.server.job(str(asked.id))
    assert job["status"] in ("failed", "completed"), job
    if job["status"] == "failed":
        assert job["error"]["code"] in ("write_failed", "disk_full"), job
        assert not [path for path in out.iterdir() if not path.name.startswith(".")]


def test_a_state_folder_that_may_not_be_written_to(
    make_home: Callable[..., Home], read_only: Callable[[Path], None]
) -> None:
    home = make_home()
    home.serve().stop()
    for folder in (home.state, home.state / "uploads", home.state / "scratch"):
        read_only(folder)
    server = home.serve(launch=launch())
    answer = server.request("GET", "jobs")
    assert answer.status_code in (200, 503), answer.text
    answer = server.request("POST", "uploads", content=b"x")
    assert answer.status_code in (503, 507), answer.text
    assert answer.json()["error"]["message"].endswith(".")
