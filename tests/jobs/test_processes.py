"""Parents that die, scripts of every kind, and several services over one state folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

import jupyter_export
from jupyter_export.jobs import saving
from jupyter_export.jobs.database import StoreDatabase
from jupyter_export.jobs.model import Job
from jupyter_export.jobs.service import ExportService
from jupyter_export.jobs.settings import Settings
from jupyter_export.jobs.store_sqlalchemy import SqlAlchemyStore

from .conftest import ME, PLUGIN, Clock, MakeService, document, eventually, send, worker_processes

REPOSITORY = Path(jupyter_export.__file__).parent.parent
SECONDS = 60.0

SCRIPT = """
import json, sys, time
sys.path.append({repository!r})
from pathlib import Path
import pyarrow as pa
from jupyter_export.jobs.model import Caller
from jupyter_export.jobs.service import ExportService
from jupyter_export.jobs.settings import Settings

me = Caller("me")
service = ExportService(Settings(root=Path({root!r}), state_dir=Path({state!r}), max_workers=1))
service.start()
table = pa.table({{"n": range(1000)}})
sink = pa.BufferOutputStream()
with pa.ipc.new_stream(sink, table.schema) as stream:
    stream.write_table(table)
with service.open_upload(me) as writer:
    writer.write(sink.getvalue())
    upload = writer.finish()
job = service.submit({{"source": {{"type": "upload", "id": upload.id}},
                       "output": {{"path": {path!r}}}}}, me)
"""
WAIT = """
job = service.wait(job.id, me, 60)
print(json.dumps(job.to_json()), flush=True)
service.stop()
"""
LINGER = """
while service.get(job.id, me).progress.rows < 2:
    time.sleep(0.05)
print(job.id, flush=True)
time.sleep(600)
"""


def script(folder: Path, folders: dict[str, Path], path: str, ending: str) -> Path:
    file = folder / "script.py"
    file.write_text(
        SCRIPT.format(
            repository=str(REPOSITORY),
            root=str(folders["root"]),
            state=str(folders["state_dir"]),
            path=path,
        )
        + ending
    )
    return file


def environ(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, "PYTHONWARNINGS": "", **more}


def test_a_script_without_a_main_guard_in_a_folder_of_hostile_names(
    tmp_path: Path, folders: dict[str, Path]
) -> None:
    """Its folder is the working folder; the package is found by ``sys.path`` only."""
    file = script(tmp_path, folders, "a.csv", WAIT)
    # The script itself would stumble over them too, so it is run from another folder.
    here = tmp_path / "here"
    here.mkdir()
    (here / "copy.py").write_text("raise RuntimeError('shadowed')")
    (here / "jupyter_export.py").write_text("raise RuntimeError('shadowed')")
    done = subprocess.run(
        [sys.executable, str(file)],
        cwd=here,
        env=environ(),
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    job = json.loads(done.stdout)
    assert (job["status"], job["result"]["rows"]) == ("completed", 1000)


def gone(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
@pytest.mark.usefixtures("misbehaving")
def test_a_parent_that_is_killed_leaves_no_worker_and_an_honest_record(
    tmp_path: Path, folders: dict[str, Path], make_service: MakeService
) -> None:
    file = script(tmp_path, folders, "a.slow", LINGER)
    alive = make_service()
    mine = alive.submit(document(send(alive), "mine.slow"), ME)
    eventually(alive, lambda: alive.get(mine.id, ME).progress.rows > 0)
    with subprocess.Popen(
        [sys.executable, str(file)],
        cwd=tmp_path,
        env=environ(PYTHONPATH=str(PLUGIN)),
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        job_id = parent.stdout.readline().decode().strip()
        workers = [process.pid for process in worker_processes(parent.pid)]
        assert workers
        assert alive.get(job_id, ME).status == "running"
        part = next(folders["root"].glob(".a.slow.*.part"))
        parent.send_signal(signal.SIGKILL)
        parent.wait(10)
    assert all(gone(pid, 5.0) for pid in workers)
    # Another service that starts, or the next sweep of one that lives, tells the truth.
    told: list[Job] = []
    other = make_service()
    other.subscribe(told.append)
    # a spare worker that was just starting may still have held the dead one's lock
    eventually(other, lambda: other.get(job_id, ME).status == "failed", 60)
    job = other.get(job_id, ME)
    assert job.error is not None
    assert job.error["code"] == "interrupted"
    assert not part.exists()
    assert other.get(mine.id, ME).status == "running"
    assert alive.get(mine.id, ME).status == "running"
    assert len(list((folders["state_dir"] / "instances").iterdir())) == 2


@pytest.mark.usefixtures("misbehaving")
def test_services_of_several_kernels_see_and_cancel_each_others_jobs(
    make_service: MakeService,
) -> None:
    one, two = make_service(), make_service()
    running_job = one.submit(document(send(one), "a.slow"), ME)
    eventually(one, lambda: one.get(running_job.id, ME).progress.rows > 0)
    assert [job.id for job in two.list(ME).jobs] == [running_job.id]
    assert two.get(running_job.id, ME).status == "running"
    assert two.cancel(running_job.id, ME).status == "cancelled"
    ended = one.wait(running_job.id, ME, SECONDS)
    assert ended.status == "cancelled"
    eventually(one, lambda: list(one.settings.root.iterdir()) == [])
    assert two.wait(running_job.id, ME, 1).status == "cancelled"


def test_a_wait_for_another_services_job(make_service: MakeService) -> None:
    one, two = make_service(), make_service()
    job = one.submit(document(send(one), "a.csv"), ME)
    assert two.wait(job.id, ME, SECONDS).status == "completed"


@pytest.mark.usefixtures("misbehaving")
def test_a_job_that_another_service_deletes_ends(make_service: MakeService) -> None:
    one, two = make_service(max_workers=1), make_service(max_workers=1)
    job = one.submit(document(send(one), "a.slow"), ME)
    eventually(one, lambda: one.get(job.id, ME).progress.rows > 0)
    two.delete(job.id, ME)
    eventually(one, lambda: list(one.settings.root.iterdir()) == [])
    eventually(one, lambda: one.list(ME).jobs == ())


def test_a_retry_from_another_kernel_keeps_the_folder_of_the_first(
    folders: dict[str, Path], make_service: MakeService, tmp_path: Path
) -> None:
    (tmp_path / "second").mkdir()
    one = make_service(confined=False)
    two = make_service(confined=False, root=tmp_path / "second")
    upload = send(one)
    job = one.submit(document(upload, "a.csv", columns={"include": ["m"]}), ME)
    assert one.wait(job.id, ME, SECONDS).status == "failed"
    with one._database.transaction() as connection:
        spec = json.dumps(document(upload, "a.csv"))
        connection.exec_driver_sql("UPDATE jupyter_export_jobs SET spec = ?", (spec,))
    again = two.wait(two.retry(job.id, ME).id, ME, SECONDS)
    assert again.status == "completed"
    assert (folders["root"] / "a.csv").exists()
    two.delete(job.id, ME, delete_file=True)
    assert not (folders["root"] / "a.csv").exists()


class Forgetful(SqlAlchemyStore):
    """Cannot take final states until told, as on a disk that is full."""

    full = False

    def update(self, job: Job, *, expected: int) -> None:
        if self.full and job.final:
            raise OSError(28, "No space left on device")
        super().update(job, expected=expected)


def test_a_result_survives_a_store_that_is_full(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(saving, "SAVE_AGAIN_SECONDS", 0.05)
    settings.state_dir.mkdir()
    store = Forgetful(StoreDatabase(settings.state_dir))
    service = ExportService(settings, store=store, now=clock)
    service.start()
    try:
        store.full = True
        job = service.submit(document(send(service), "a.csv"), ME)
        assert service.wait(job.id, ME, SECONDS).status == "completed"
        stored = store.get(job.id)
        assert stored is not None
        assert stored.status == "running"
        told: list[Any] = []
        service.subscribe(told.append)
        store.full = False
        eventually(service, lambda: bool((now := store.get(job.id)) and now.final))
        assert service.get(job.id, ME).status == "completed"
        assert told == []
    finally:
        service.stop()


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_the_state_is_for_its_owner_only(service: ExportService) -> None:
    assert service.settings.state_dir.stat().st_mode & 0o777 == 0o700
