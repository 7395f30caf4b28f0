"""What a job has made is sent and removed where it was made, and nowhere that a link leads to
which somebody puts into its path later."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_export.errors import Expired, NotFound
from jupyter_export.folders import HELD, open_checked
from jupyter_export.jobs import files
from jupyter_export.jobs.model import Job
from jupyter_export.jobs.naming import part_of
from jupyter_export.jobs.service import ExportService
from jupyter_export.pipeline import Surroundings

from .conftest import ME, MakeService, document, send, worker_processes

SECONDS = 60.0
pytestmark = pytest.mark.skipif(not HELD, reason="this system has no openat")
PARTS = {"type": "csv", "rows_per_file": 10}
KINDS: dict[str, dict[str, Any]] = {
    "file": {"format": "csv", "output": {"path": "a/b/x.csv"}},
    "folder": {"format": PARTS, "output": {"path": "a/b/x"}},
}


def finished(service: ExportService, kind: str) -> Job:
    spec = document(send(service, 20), **KINDS[kind])
    job = service.wait(service.submit(spec, ME).id, ME, SECONDS)
    assert job.status == "completed", job.error
    assert job.is_folder == (kind == "folder")
    return job


def swapped(job: Job, outside: Path) -> dict[Path, bytes]:
    """Move the folder “a” of the root out of it and put a link in its place; return what is there.

    The files are the very ones that were exported, so nothing but their place tells them apart.
    """
    shutil.move(Path(job.root) / "a", outside)
    (Path(job.root) / "a").symlink_to(outside)
    return {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_removed_through_a_link(
    kind: str, service: ExportService, tmp_path: Path
) -> None:
    job = finished(service, kind)
    before = swapped(job, tmp_path / "outside")
    assert files.remove_finished(job)
    service.delete(job.id, ME, delete_file=True)
    assert before
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_made_is_removed_where_it_is(kind: str, service: ExportService) -> None:
    job = finished(service, kind)
    assert files.remove_finished(job)
    assert not os.path.lexists(job.target)
    assert files.remove_finished(job), "what is gone already is gone"


@pytest.mark.parametrize("left", ["file", "folder", "replaced"])
@pytest.mark.parametrize("linked", [False, True])
def test_what_a_run_has_left_is_cleaned_in_its_own_folder_only(
    left: str, linked: bool, service: ExportService, tmp_path: Path
) -> None:
    job = replace(finished(service, "folder" if left == "replaced" else "file"), result=None)
    target = Path(job.target)
    part = part_of(target, job.id, job.attempt)
    if left == "file":
        part.write_bytes(b"begun")
    else:
        (part / "inner").mkdir(parents=True)
        (part / "inner" / "one.csv").write_bytes(b"begun")
        (part / "inner" / "out").symlink_to(tmp_path)
    if left == "replaced":
        target.rename(part.with_name(f"{part.name}.old"))
    before = swapped(job, tmp_path / "outside") if linked else {}
    files.clean(job, service.settings)
    if linked:
        assert before
        assert {path: path.read_bytes() for path in before} == before
    else:
        assert not os.path.lexists(part)
        assert target.is_dir() == (left == "replaced")
    assert tmp_path.is_dir()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_sent_through_a_link(kind: str, service: ExportService, tmp_path: Path) -> None:
    """Neither one that is there when a download is asked for, nor one that comes before its file
    is opened: the content alone would not tell."""
    job = finished(service, kind)
    asked = service.download(job.id, ME)
    assert swapped(job, tmp_path / "outside")
    with pytest.raises(Expired, match="no longer there"):
        service.download(job.id, ME)
    send_it: Callable[[], object] = asked.open if kind == "file" else lambda: list(asked.pieces())
    with pytest.raises(Expired, match="no longer there"):
        send_it()


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_that_was_moved_within_the_root_is_still_sent(
    kind: str, service: ExportService
) -> None:
    job = finished(service, kind)
    root = Path(job.root)
    (root / "a").rename(root / "moved")
    (root / "a").symlink_to(root / "moved")
    asked = service.download(job.id, ME)
    if kind == "file":
        file = asked.open()
        assert file.read(9)
        file.close()
    else:
        assert b"".join(asked.pieces())


def test_the_root_may_be_reached_by_links(make_service: MakeService, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    service = make_service(root=tmp_path / "link", max_workers=1)
    job = finished(service, "file")
    service.download(job.id, ME).open().close()
    service.delete(job.id, ME, delete_file=True)
    assert not (tmp_path / "real" / "a" / "b" / "x.csv").exists()


@pytest.fixture
def here(tmp_path: Path) -> Surroundings:
    (tmp_path / "root" / "a").mkdir(parents=True)
    root = tmp_path / "root"
    return Surroundings(
        root=root, target=root / "x", part=root / ".x", uploads=tmp_path, scratch=tmp_path
    )


def test_a_template_is_what_was_checked(
    here: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here.root / "a" / "logo.png").write_bytes(b"mine")
    with here.open_file("a/logo.png", "f") as file:
        assert file.read() == b"mine"
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "logo.png").write_bytes(b"precious")
    check: Callable[..., Path] = Surroundings.file

    def swap_after(self: Surroundings, given: str, field: str) -> Path:
        path = check(self, given, field)
        (here.root / "a").rename(here.root / "b")
        (here.root / "a").symlink_to(tmp_path / "outside")
        return path

    monkeypatch.setattr(Surroundings, "file", swap_after)
    with pytest.raises(NotFound, match=r"a/logo\.png"):
        here.open_file("a/logo.png", "f")


def test_no_pipe_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for name in ("pipe", "link", "nothing"):
        for root in (tmp_path, None):
            with pytest.raises(OSError, match=r"^"):
                open_checked(tmp_path / name, root)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of another process's limits")
def test_a_worker_that_crashes_leaves_no_memory_on_the_disk(
    service: ExportService,
) -> None:
    finished(service, "file")
    workers = worker_processes()
    assert workers
    assert {each.rlimit(psutil.RLIMIT_CORE) for each in workers} == {(0, 0)}
