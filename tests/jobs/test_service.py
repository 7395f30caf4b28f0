"""The service with real workers: jobs from their spec to their file."""

from __future__ import annotations

import hashlib
import threading
from datetime import timedelta
from typing import Any

import pytest

from jupyter_export.errors import (
    Expired,
    ExportError,
    Forbidden,
    InvalidRequest,
    InvalidSpec,
    NotFound,
    NotReady,
    OutputExists,
    QueueFull,
    ShuttingDown,
)
from jupyter_export.jobs.model import Caller, Job
from jupyter_export.jobs.service import ExportService
from jupyter_export.jobs.settings import Settings

from .conftest import ME, Clock, MakeService, document, eventually, send

SECONDS = 60.0
"""More than any job of these tests takes, however busy the machine is."""


def finished(service: ExportService, spec: dict[str, Any]) -> Job:
    job = service.wait(service.submit(spec, ME).id, ME, SECONDS)
    assert job.final
    return job


def test_from_spec_to_file(service: ExportService) -> None:
    job = service.submit(document(send(service), "out/numbers.csv"), ME)
    assert (job.status, job.version, job.format, job.path) == (
        "pending",
        1,
        "csv",
        "out/numbers.csv",
    )
    done = service.wait(job.id, ME, SECONDS)
    assert (done.status, done.error) == ("completed", None)
    data = (service.settings.root / "out/numbers.csv").read_bytes()
    assert data.count(b"\n") == 1001
    assert done.result is not None
    assert (done.result.rows, done.result.bytes) == (1000, len(data))
    assert done.result.sha256 == hashlib.sha256(data).hexdigest()
    assert (done.progress.phase, done.progress.rows, done.progress.percent) == ("done", 1000, 100)
    assert done.started_at is not None
    assert done.expires_at is None
    assert service.get(job.id, ME) == done
    assert list(service.settings.scratch.glob(job.id)) == []


def test_every_change_is_told_in_order(service: ExportService) -> None:
    told: list[Job] = []
    ended = threading.Event()

    def hear(job: Job) -> None:
        told.append(job)
        if job.final:
            ended.set()

    def stumble(job: Job) -> None:
        raise ZeroDivisionError("a bad subscriber hurts nobody")

    unsubscribe = service.subscribe(hear)
    service.subscribe(stumble)
    job = service.submit(document(send(service)), ME)
    assert ended.wait(SECONDS)
    assert {each.id for each in told} == {job.id}
    assert [each.status for each in told][:2] == ["pending", "running"]
    assert told[-1].status == "completed"
    versions = [each.version for each in told]
    assert versions == sorted(set(versions))
    unsubscribe()
    unsubscribe()
    count = len(told)
    finished(service, document(send(service)))
    assert len(told) == count


def test_the_environment_and_the_specs_of_others_stay_out_of_sight(service: ExportService) -> None:
    job = finished(service, document(send(service)))
    you = Caller("you")
    for ask in (service.get, service.cancel, service.retry, service.delete, service.download):
        with pytest.raises(NotFound):
            ask(job.id, you)
    with pytest.raises(NotFound):
        service.wait(job.id, you, 0)
    assert service.list(you).jobs == ()
    boss = Caller("boss", admin=True)
    assert service.get(job.id, boss) == job
    assert [each.id for each in service.list(boss).jobs] == [job.id]


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"format": "parqet"}, InvalidSpec, "parquet"),
        ({"name": "a\0b"}, InvalidSpec, "NUL"),
        ({"format": {"type": "csv", "delimeter": ";"}}, InvalidSpec, "delimiter"),
        ({"output": {"path": "../out.csv"}}, Forbidden, "outside"),
        ({"output": {"path": "taken.csv"}}, OutputExists, "exists already"),
        ({"output": {"path": "a.cvs"}}, InvalidSpec, "csv"),
        ({"source": {"type": "upload", "id": "nothere"}}, NotFound, "Send the data again"),
        ({"source": {"type": "file", "path": "../secret.csv"}}, Forbidden, "outside"),
        (
            {"source": {"type": "table", "connection": "warehuose", "table": "t"}},
            InvalidSpec,
            "warehouse",
        ),
    ],
)
def test_a_bad_spec_is_refused_and_leaves_nothing(
    change: dict[str, Any], error: type[ExportError], said: str, make_service: MakeService
) -> None:
    service = make_service(max_workers=1, connections={"warehouse": "sqlite://"})
    (service.settings.root / "taken.csv").write_text("mine")
    with pytest.raises(error, match=said):
        service.submit(document(send(service)) | change, ME)
    assert service.list(ME).jobs == ()
    assert (service.settings.root / "taken.csv").read_text() == "mine"


def test_what_only_the_run_can_know_fails_the_job(service: ExportService) -> None:
    job = finished(service, document(send(service), "a.csv", columns={"include": ["m"]}))
    assert job.status == "failed"
    assert job.error is not None
    assert job.error["code"] == "invalid_spec"
    assert "“m”" in str(job.error["message"])
    assert list(service.settings.root.iterdir()) == []


def test_a_connection_from_the_environment_is_looked_up_at_run_time(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service(connections={"warehouse": "env:WAREHOUSE_URL"})
    source = {"type": "sql", "connection": "warehouse", "query": "SELECT 1 AS one"}
    spec = {"name": "one", "source": source}
    job = finished(service, spec)
    assert job.error is not None
    assert job.error["code"] == "source_failed"
    assert "WAREHOUSE_URL" in str(job.error["message"])
    monkeypatch.setenv("WAREHOUSE_URL", "sqlite://")
    assert service.wait(service.retry(job.id, ME).id, ME, SECONDS).status == "completed"


def test_names_and_if_exists(service: ExportService) -> None:
    first = document(send(service), "a.csv", limit=1)
    assert finished(service, first).path == "a.csv"
    with pytest.raises(OutputExists):
        service.submit(first, ME)
    renamed = first | {"output": {"path": "a.csv", "if_exists": "rename"}}
    assert finished(service, renamed).path == "a (1).csv"
    replaced = document(send(service), limit=2) | {
        "output": {"path": "a.csv", "if_exists": "replace"}
    }
    assert finished(service, replaced).path == "a.csv"
    assert (service.settings.root / "a.csv").read_text().count("\n") == 3
    assert (service.settings.root / "a (1).csv").read_text().count("\n") == 2


@pytest.mark.usefixtures("misbehaving")
def test_two_active_jobs_never_write_one_file(service: ExportService) -> None:
    upload = send(service)
    spec = document(upload, "a.slow") | {"output": {"path": "a.slow", "if_exists": "replace"}}
    first = service.submit(spec, ME)
    with pytest.raises(OutputExists, match=first.id):
        service.submit(spec, ME)
    other = service.submit(spec | {"output": {"path": "./a.slow", "if_exists": "rename"}}, ME)
    assert other.path == "a (1).slow"
    for job in (first, other):
        service.cancel(job.id, ME)


def test_list_pages_and_overlays(service: ExportService) -> None:
    jobs = [finished(service, document(send(service), f"{n}.csv")) for n in range(3)]
    page = service.list(ME, limit=2)
    # One moment of the test's clock: the ids decide.
    expected = sorted((job.id for job in jobs), reverse=True)
    assert [job.id for job in page.jobs] == expected[:2]
    rest = service.list(ME, limit=2, cursor=page.next_cursor)
    assert [job.id for job in rest.jobs] == expected[2:]
    assert rest.next_cursor is None
    assert service.list(ME, status="failed,cancelled").jobs == ()
    assert len(service.list(ME, q="1.CSV").jobs) == 1
    with pytest.raises(InvalidRequest):
        service.list(ME, limit=501)


@pytest.mark.usefixtures("misbehaving")
def test_the_queue_has_an_end(make_service: MakeService) -> None:
    service = make_service(max_workers=1, max_pending_per_user=2)
    upload = send(service)
    running = service.submit(document(upload, "0.slow"), ME)
    eventually(service, lambda: service.get(running.id, ME).status == "running")
    waiting = [service.submit(document(upload, f"{n}.slow"), ME) for n in (1, 2)]
    with pytest.raises(QueueFull) as caught:
        service.submit(document(upload, "3.slow"), ME)
    assert caught.value.retry_after > 0
    assert [service.get(job.id, ME).status for job in waiting] == ["pending", "pending"]
    you = Caller("you")
    assert service.submit(document(send(service, caller=you), "y.csv"), you).status == "pending"
    assert service.cancel(waiting[1].id, ME).status == "cancelled"
    assert service.submit(document(upload, "3.slow"), ME).status == "pending"


# ------------------------------------------------------------------ again, and away


def test_retry(service: ExportService) -> None:
    upload = send(service)
    blocked = finished(service, document(upload, "a.csv", columns={"include": ["m"]}))
    with pytest.raises(InvalidRequest, match="completed"):
        service.retry(finished(service, document(upload, "b.csv")).id, ME)
    again = service.retry(blocked.id, ME)
    assert (again.id, again.status, again.attempt) == (blocked.id, "pending", 2)
    assert (again.error, again.finished_at, again.started_at) == (None, None, None)
    assert again.version > blocked.version
    assert service.wait(again.id, ME, SECONDS).status == "failed"
    (service.settings.root / "a.csv").touch()
    with pytest.raises(OutputExists):
        service.retry(blocked.id, ME)


def test_cancelling_what_is_over_changes_nothing(service: ExportService) -> None:
    job = finished(service, document(send(service)))
    assert service.cancel(job.id, ME) == job


def test_a_temporary_file_expires_and_a_named_one_does_not(
    make_service: MakeService, clock: Clock
) -> None:
    service = make_service(retention="2h")
    upload = send(service)
    (service.settings.root / "source.csv").write_text("a\n1\n")
    from_file = {"source": {"type": "file", "path": "source.csv"}}
    temporary = finished(service, document(upload) | from_file)
    named = finished(service, document(upload, "named.csv"))
    asked = finished(service, document(upload, "asked.csv", retention={"expires_after": "1h"}))
    assert temporary.expires_at == clock() + timedelta(hours=2)
    assert (named.expires_at, asked.expires_at) == (None, clock() + timedelta(hours=1))
    root = service.settings.root
    clock.advance(hours=1)
    service._housekeeping.sweep()
    assert service.get(asked.id, ME).status == "expired"
    assert not (root / "asked.csv").exists()
    assert (root / temporary.path).exists()
    clock.advance(hours=1)
    told: list[Job] = []
    service.subscribe(told.append)
    service._housekeeping.sweep()
    assert [(job.id, job.status) for job in told] == [(temporary.id, "expired")]
    assert not (root / temporary.path).exists()
    assert (root / "named.csv").exists()
    with pytest.raises(Expired):
        service.download(temporary.id, ME)
    assert service.wait(service.retry(temporary.id, ME).id, ME, SECONDS).status == "completed"
    with pytest.raises(NotFound, match="Send the data again"):
        service.retry(asked.id, ME)


def test_delete_takes_a_temporary_file_and_leaves_a_named_one(service: ExportService) -> None:
    upload = send(service)
    root = service.settings.root
    temporary, kept, named = (
        finished(service, document(upload, path)) for path in (None, "kept.csv", "named.csv")
    )
    service.delete(temporary.id, ME)
    service.delete(kept.id, ME)
    service.delete(named.id, ME, delete_file=True)
    assert not (root / temporary.path).exists()
    assert (root / "kept.csv").exists()
    assert not (root / "named.csv").exists()
    assert service.list(ME).jobs == ()
    with pytest.raises(NotFound):
        service.delete(kept.id, ME)


def test_a_job_that_failed_never_takes_a_file_with_it(service: ExportService) -> None:
    mine = service.settings.root / "mine.csv"
    spec = document(send(service), columns={"include": ["m"]})
    job = finished(service, spec | {"output": {"path": "mine.csv", "if_exists": "replace"}})
    mine.write_text("made meanwhile")
    service.delete(job.id, ME, delete_file=True)
    assert mine.read_text() == "made meanwhile"


def test_a_file_that_somebody_else_wrote_since_stays(service: ExportService) -> None:
    asked = {"expires_after": "1h"}
    job = finished(service, document(send(service), "mine.csv", retention=asked))
    mine = service.settings.root / "mine.csv"
    mine.write_text("written by hand since")
    service.delete(job.id, ME, delete_file=True)
    assert mine.read_text() == "written by hand since"


@pytest.mark.usefixtures("misbehaving")
def test_delete_ends_an_active_job(service: ExportService) -> None:
    job = service.submit(document(send(service), "a.slow"), ME)
    eventually(service, lambda: service.get(job.id, ME).progress.rows > 0)
    service.delete(job.id, ME)
    with pytest.raises(NotFound):
        service.get(job.id, ME)
    assert list(service.settings.root.iterdir()) == []


# ------------------------------------------------------------------ downloads


def test_download(service: ExportService) -> None:
    job = finished(service, document(send(service), "out/numbers.csv"))
    download = service.download(job.id, ME)
    assert job.result is not None
    assert (download.name, download.media_type) == ("numbers.csv", "text/csv")
    assert (download.size, download.sha256) == (job.result.bytes, job.result.sha256)
    assert download.path.stat().st_size == download.size
    download.done()
    download.done()
    assert service.get(job.id, ME).download_count == 2
    (service.settings.root / "out/numbers.csv").write_text("other")
    with pytest.raises(Expired, match="changed"):
        service.download(job.id, ME)
    (service.settings.root / "out/numbers.csv").unlink()
    with pytest.raises(Expired, match="no longer there"):
        service.download(job.id, ME)


def test_delete_after_download(service: ExportService) -> None:
    spec = document(send(service), "once.csv", retention={"delete_after_download": True})
    job = finished(service, spec)
    service.download(job.id, ME).done()
    after = service.get(job.id, ME)
    assert (after.status, after.download_count) == ("expired", 1)
    assert not (service.settings.root / "once.csv").exists()


@pytest.mark.usefixtures("misbehaving")
def test_what_is_not_finished_cannot_be_downloaded(service: ExportService) -> None:
    job = service.submit(document(send(service), "a.slow"), ME)
    with pytest.raises(NotReady, match="not finished"):
        service.download(job.id, ME)
    service.cancel(job.id, ME)
    service.wait(job.id, ME, SECONDS)
    with pytest.raises(NotReady, match="cancelled"):
        service.download(job.id, ME)


def test_a_link_put_in_the_files_place_is_not_followed_out(
    service: ExportService, settings: Settings
) -> None:
    job = finished(service, document(send(service), "a.csv"))
    file = settings.root / "a.csv"
    outside = settings.root.parent / "outside.csv"
    file.rename(outside)
    file.symlink_to(outside)
    with pytest.raises(Expired):
        service.download(job.id, ME)


# ------------------------------------------------------------------ the rest


def test_what_there_is(service: ExportService) -> None:
    assert {"csv", "json", "jsonl", "parquet", "arrow"} <= {f["type"] for f in service.formats()}
    assert service.schema()["type"] == "object"


def test_a_service_that_is_stopped_says_so(make_service: MakeService) -> None:
    service = make_service()
    upload = send(service)
    service.stop()
    service.stop()
    for call in (
        lambda: service.submit(document(upload), ME),
        lambda: service.open_upload(ME),
    ):
        with pytest.raises(ShuttingDown):
            call()


def test_a_state_folder_that_cannot_be_made(settings: Settings) -> None:
    settings.state_dir.write_text("a file")
    service = ExportService(settings)
    with pytest.raises(InvalidSpec, match="state_dir"):
        service.start()
    service.stop()


@pytest.mark.parametrize(
    "wrong",
    [
        {"retention": "soon"},
        {"max_workers": 0},
        {"memory_limit_per_job": 1000},
        {"job_timeout": 0},
        {"max_pending_per_user": 0},
    ],
)
def test_a_wrong_setting_is_refused(wrong: dict[str, Any], settings: Settings) -> None:
    with pytest.raises(InvalidSpec):
        Settings(root=settings.root, state_dir=settings.state_dir, **wrong)
