"""Whether a file got its name before its service died, and what the next start makes of that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_export.errors import ServerUnavailable
from jupyter_export.jobs import recovery, runs, saving
from jupyter_export.jobs.model import Job
from jupyter_export.jobs.naming import part_of
from jupyter_export.jobs.recovery import published
from jupyter_export.jobs.worker import identity_of
from jupyter_export.progress import Result

from .conftest import ME, MakeService, document, send
from .test_durable import AT_ONCE, SECONDS, code, files


@pytest.mark.parametrize("if_exists", ["error", "rename", "replace"])
@pytest.mark.parametrize("path", ["a.csv", "a.zip", "folder/"])
def test_a_file_that_got_its_name_completes_its_job(
    if_exists: str, path: str, make_service: MakeService
) -> None:
    """The service died between the file's getting its name and the record's telling so."""
    service = make_service()
    upload = send(service)
    spec = document(upload, output={"path": path, "if_exists": if_exists})
    if path != "a.csv":
        del spec["source"]
        source = {"type": "upload", "id": upload}
        spec["datasets"] = [{"name": name, "source": source} for name in "ab"]
        spec["format"] = {"type": "csv"}
    if if_exists == "rename" and path == "a.csv":
        (service.settings.root / "a.csv").write_text("somebody else's")
    done = service.wait(service.submit(spec, ME).id, ME, SECONDS)
    assert done.status == "completed", done.error
    assert done.result is not None
    before = files(service)
    asked = Path(done.root) / path
    prepared = {"result": done.result.to_json(), "identity": identity_of(Path(done.target))}
    if if_exists == "rename" and path == "a.csv":
        assert done.path == "a (1).csv"
        first = replace(
            done.result, path="a.csv", files=({**done.result.files[0], "path": "a.csv"},)
        )
        prepared["result"] = first.to_json()
    service._store.update(
        replace(
            done,
            status="running",
            instance="gone",
            prepared=prepared,
            result=None,
            finished_at=None,
            target=str(asked),
            version=done.version + 1,
        ),
        expected=done.version,
    )
    service._recovery.look()
    again = service.wait(done.id, ME, SECONDS)
    assert (again.status, again.attempt) == ("completed", 1)
    assert again.result is not None
    assert (again.result.sha256, again.result.path) == (done.result.sha256, done.result.path)
    assert again.result.files == done.result.files
    assert (again.target, again.prepared) == (done.target, None)
    assert files(service) == before


def test_a_file_of_somebody_else_is_not_taken_for_ours(make_service: MakeService) -> None:
    service = make_service(**AT_ONCE)
    done = service.wait(service.submit(document(send(service), "a.csv"), ME).id, ME, SECONDS)
    assert done.result is not None
    target = Path(done.target)
    prepared = {"result": done.result.to_json(), "identity": identity_of(target)}
    kept = target.with_name("kept")
    target.rename(kept)
    target.write_bytes(kept.read_bytes())
    service._store.update(
        replace(
            done, status="running", instance="gone", prepared=prepared, version=done.version + 1
        ),
        expected=done.version,
    )
    service._recovery.look()
    again = service.wait(done.id, ME, SECONDS)
    assert (again.status, again.attempt, code(again)) == ("failed", 2, "output_exists")


def test_a_store_that_is_away_holds_the_publishing_up_and_loses_nothing(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "STORE_PAUSE", 0.05)
    monkeypatch.setattr(saving, "SAVE_AGAIN_SECONDS", 0.05)
    service = make_service()
    store, update = service._store, service._store.update
    refused: list[Job] = []

    def away(job: Job, *, expected: int) -> None:
        if job.prepared is not None and len(refused) < 3:
            refused.append(job)
            assert not (service.settings.root / "a.csv").exists()
            raise ServerUnavailable("The job store cannot be used.")
        update(job, expected=expected)

    monkeypatch.setattr(store, "update", away)
    job = service.wait(service.submit(document(send(service), "a.csv"), ME).id, ME, SECONDS)
    assert (job.status, job.attempt) == ("completed", 1)
    assert len(refused) == 3


def test_the_part_is_gone_before_one_looks_for_the_file(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was let publish, and is only slow, must not do so behind the look."""
    service = make_service(**AT_ONCE)
    done = service.wait(service.submit(document(send(service), "a.csv"), ME).id, ME, SECONDS)
    assert done.result is not None
    target = Path(done.target)
    part = part_of(target, done.id)
    target.rename(part)
    prepared = {"result": done.result.to_json(), "identity": identity_of(part)}
    looked: list[bool] = []

    def look(job: Job) -> Result | None:
        looked.append(part.exists())
        return published(job)

    monkeypatch.setattr(recovery, "published", look)
    service._store.update(
        replace(
            done, status="running", instance="gone", prepared=prepared, version=done.version + 1
        ),
        expected=done.version,
    )
    service._recovery.look()
    again = service.wait(done.id, ME, SECONDS)
    assert looked == [False]
    assert (again.status, again.attempt) == ("completed", 2)
    assert files(service) == ["a.csv"]
