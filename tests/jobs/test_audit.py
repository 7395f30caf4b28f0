"""What the service enters in its audit trail, and what it does when the trail cannot be written."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from jupyter_export.client.local import LocalClient
from jupyter_export.errors import Forbidden, NotFound, ServerUnavailable, WriteFailed
from jupyter_export.jobs import audit_limits
from jupyter_export.jobs.audit_chain import Entry
from jupyter_export.jobs.audit_limits import PERIOD, REFUSALS, Recent, RefusalBudget
from jupyter_export.jobs.audit_trail import AuditTrail
from jupyter_export.jobs.database import StoreDatabase
from jupyter_export.jobs.model import Caller, Job
from jupyter_export.jobs.service import ExportService
from jupyter_export.jobs.settings import Settings
from jupyter_export.jobs.store_audit import AuditQuery

from .conftest import ME, Clock, MakeService, document, send
from .stores import a_job

SECONDS = 60.0
HERE = replace(ME, address="192.0.2.7")
ADMIN = Caller("root", admin=True)


def entries(trail: AuditTrail, **filters: str) -> list[Entry]:
    return list(trail.entries(AuditQuery.parse(filters)))


def acts(trail: AuditTrail, **filters: str) -> list[tuple[str, str]]:
    return [(entry.action, entry.outcome) for entry in entries(trail, **filters)]


def run(service: ExportService, caller: Caller = HERE, **fields: Any) -> Job:
    spec = document(send(service, caller=caller), **fields)
    return service.wait(service.submit(spec, caller).id, caller, SECONDS)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_life_of_a_job(service: ExportService) -> None:
    job = run(service, path="out/a.csv")
    assert job.result is not None
    copy = service.download(job.id, HERE)
    copy.begin()
    copy.done()
    broken = service.download(job.id, HERE)
    broken.begin()
    broken.broken_off()
    service.delete(job.id, replace(ME, address="192.0.2.8"), delete_file=True)
    assert acts(service.audit, subject=job.id) == [
        ("submit", "ok"),
        ("run", "started"),
        ("run", "completed"),
        ("download", "begun"),
        ("download", "completed"),
        ("download", "begun"),
        ("download", "broken_off"),
        ("delete", "ok"),
    ]
    found = entries(service.audit, subject=job.id)
    assert {(entry.actor, entry.owner) for entry in found} == {("me", "me")}
    assert [entry.address for entry in found] == [
        "192.0.2.7",
        "",
        "",
        *["192.0.2.7"] * 4,
        "192.0.2.8",
    ]
    asked, completed, begun = (found[n].to_json()["details"] for n in (0, 2, 3))
    assert (asked["path"], asked["format"], asked["sources"]) == ("out/a.csv", "csv", ["upload"])
    assert len(asked["spec"]) == 64
    assert (completed["rows"], completed["sha256"]) == (1000, job.result.sha256)
    assert begun["sha256"] == job.result.sha256
    assert entries(service.audit, action="upload")[0].owner == "me"
    assert service.audit.verify().whole


def test_a_copy_for_the_kernel_is_a_download(service: ExportService, tmp_path: Path) -> None:
    job = run(service)
    client = LocalClient(service, tmp_path, owner="me")
    assert client.download(job.id, tmp_path / "copy.csv").exists()
    with pytest.raises(WriteFailed):
        client.download(job.id, tmp_path / "no folder" / "copy.csv")
    told = acts(service.audit, action="download")
    assert told == [
        ("download", "begun"), ("download", "completed"),
        ("download", "begun"), ("download", "broken_off"),
    ]  # fmt: skip


def test_failed_retried_and_cancelled(service: ExportService) -> None:
    bad = run(service, columns={"include": ["none such"]})
    assert bad.status == "failed"
    again = service.wait(service.retry(bad.id, HERE).id, HERE, SECONDS)
    assert again.attempt == 2
    told = acts(service.audit, subject=bad.id)
    assert told == [
        ("submit", "ok"), ("run", "started"), ("run", "failed"),
        ("retry", "ok"), ("run", "started"), ("run", "failed"),
    ]  # fmt: skip
    assert entries(service.audit, subject=bad.id)[2].to_json()["details"]["error"]
    job = service.submit(document(send(service)), ME)
    service.cancel(job.id, HERE)
    service.wait(job.id, ME, SECONDS)
    assert ("cancel", "ok") in acts(service.audit, subject=job.id) or job.final


def test_expired_and_looked_at(make_service: MakeService, clock: Clock) -> None:
    service = make_service(max_workers=1)
    job = run(service)
    clock.advance(days=2)
    service._housekeeping.expire()
    last = entries(service.audit, subject=job.id)[-1]
    assert (last.action, last.outcome, last.actor, last.owner) == ("run", "expired", "", "me")
    spec = document(send(service))
    for _ in range(3):
        service.preview(spec, HERE, 2)
    # While somebody types, one is enough.
    assert acts(service.audit, action="preview") == [("preview", "ok")]
    assert entries(service.audit, action="preview")[0].address == "192.0.2.7"


def test_no_secret_no_data_and_no_query(make_service: MakeService, tmp_path: Path) -> None:
    given = {"shop": f"sqlite:///{tmp_path / 'shop-with-a-password'}"}
    service = make_service(max_workers=1, connections=given)
    source = {"type": "sql", "connection": "shop", "query": "SELECT 'hush' AS secret_column"}
    job = service.submit({"source": source, "output": {"path": "x.csv"}}, HERE)
    service.wait(job.id, HERE, SECONDS)
    told = json.dumps([entry.to_json() for entry in entries(service.audit)])
    for hidden in ("hush", "secret_column", "SELECT", "password", "sqlite"):
        assert hidden not in told
    asked = entries(service.audit, action="submit")[0].to_json()["details"]
    assert (asked["connections"], asked["sources"]) == (["shop"], ["sql"])


def test_attempts_on_what_is_not_theirs(service: ExportService) -> None:
    job = run(service)
    bob = Caller("bob", address="192.0.2.66")
    for attempt in (
        lambda: service.get(job.id, bob),
        lambda: service.download(job.id, bob),
        lambda: service.cancel(job.id, bob),
        lambda: service.retry(job.id, bob),
        lambda: service.delete(job.id, bob),
        lambda: service.links.create(job.id, bob),
        lambda: service.links.list(job.id, bob),
    ):
        with pytest.raises(NotFound):
            attempt()
    found = entries(service.audit, actor="bob")
    assert [entry.action for entry in found] == [
        "read", "download", "cancel", "retry", "delete", "share", "read",
    ]  # fmt: skip
    assert {(e.outcome, e.owner, e.address) for e in found} == {("refused", "me", "192.0.2.66")}
    with pytest.raises(NotFound):
        service.get("nothing", bob)
    assert len(entries(service.audit, actor="bob")) == 7


def test_a_flood_of_refusals_is_counted(service: ExportService) -> None:
    for number in range(REFUSALS + 50):
        with pytest.raises(NotFound):
            service.links.open(f"forged{number}", "192.0.2.66")
    assert len(entries(service.audit, action="link")) == REFUSALS
    service.stop()
    database = StoreDatabase(service.settings.state_dir)
    trail = AuditTrail(database, service.settings, now=Clock())
    [rest] = entries(trail, action="refused")
    assert rest.to_json()["details"] == {"kind": "link", "count": 50}
    database.close()


def test_the_budget_begins_anew_each_hour() -> None:
    now = 0.0
    budget = RefusalBudget(lambda: now)
    assert [budget.allows("link") for _ in range(REFUSALS + 1)] == [True] * REFUSALS + [False]
    assert budget.allows("job")
    assert budget.over() == {}
    now = PERIOD
    assert budget.over() == {"link": 1}
    assert budget.allows("link")


def test_the_same_again_is_new_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_limits, "MOST_KEYS", 3)
    now = 0.0
    recent = Recent(lambda: now)
    assert [recent.is_new(key) for key in "aab"] == [True, False, True]
    now = 60.0
    assert recent.is_new("a")
    assert all(recent.is_new(number) for number in range(100))
    assert len(recent._seen) == 3


class TestWithoutTheStore:
    @pytest.fixture
    def break_it(
        self, service: ExportService, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[], None]:
        def broken(*_: object) -> None:
            raise ServerUnavailable("The job store cannot be used.")

        return lambda: monkeypatch.setattr(service.audit._table, "append", broken)

    def test_nobody_gets_a_file_without_an_entry(
        self, service: ExportService, break_it: Callable[[], None]
    ) -> None:
        job = run(service, output={"path": "kept.csv"})
        link, token = service.links.create(job.id, ME, max_downloads=1)
        break_it()
        for attempt in (
            lambda: service.download(job.id, ME).begin(),
            lambda: service.download(job.id, ME).begin("0-9"),
            lambda: service.links.open(token, "")[0].begin(),
            lambda: service.links.create(job.id, ME),
            lambda: service.links.revoke(link.id, ME),
            lambda: service.delete(job.id, ME, delete_file=True),
            lambda: service.audit.upload(ADMIN, AuditQuery()),
        ):
            with pytest.raises(ServerUnavailable) as error:
                attempt()
            assert "audit trail" in error.value.message
        assert service.get(job.id, ME).status == "completed"
        assert (service.settings.root / "kept.csv").exists()
        [kept] = service.links.list(job.id, ME)
        assert (kept.downloads, kept.revoked_at) == (0, None)

    def test_the_end_of_a_job_is_entered_when_it_can_be(
        self, service: ExportService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        append = service.audit._table.append
        asked = 0

        def unwilling(*given: Any) -> Any:
            nonlocal asked
            asked += 1
            raise ServerUnavailable("The job store cannot be used.")

        monkeypatch.setattr(service.audit._table, "append", unwilling)
        job = run(service)
        assert job.status == "completed"
        until(lambda: asked > 0)
        monkeypatch.setattr(service.audit._table, "append", append)
        assert acts(service.audit, subject=job.id)[-1] == ("run", "completed")
        assert list(service.settings.state_dir.glob("audit-waiting-*")) == []

    def test_what_a_service_could_not_write_the_next_one_does(
        self, make_service: MakeService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = make_service(max_workers=1)

        def broken(*_: object) -> None:
            raise OSError("no such disk")

        monkeypatch.setattr(first.audit._table, "append", broken)
        job = run(first)
        first.stop()
        [waiting] = first.settings.state_dir.glob("audit-waiting-*")
        assert waiting.stat().st_mode & 0o077 == 0
        second = make_service(max_workers=1)
        until(lambda: ("run", "completed") in acts(second.audit, subject=job.id))
        assert acts(second.audit, subject=job.id)[0] == ("submit", "ok")
        until(lambda: not list(first.settings.state_dir.glob("audit-waiting-*")))
        assert second.audit.verify().whole

    def test_what_waits_is_bounded(
        self, folders: dict[str, Path], clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("jupyter_export.jobs.audit_trail.MOST_WAITING", 10)
        folders["state_dir"].mkdir()
        database = StoreDatabase(folders["state_dir"])
        database.start()
        trail = AuditTrail(database, Settings(**folders), now=clock)
        for number in range(25):
            trail.note("upload", ME, f"u{number}")
        assert entries(trail, action="upload")[0].subject == "u15"
        [lost] = entries(trail, action="lost")
        assert lost.to_json()["details"] == {"count": 15}
        assert acts(trail)[0] == ("lost", "failed")
        database.close()


class TestHearing:
    """What the board shows is told once for each change of status."""

    @pytest.fixture
    def trail(self, folders: dict[str, Path], clock: Clock) -> Any:
        folders["state_dir"].mkdir()
        database = StoreDatabase(folders["state_dir"])
        database.start()
        yield AuditTrail(database, Settings(**folders), now=clock)
        database.close()

    def test_progress_is_not_told(self, trail: AuditTrail, clock: Clock) -> None:
        job = a_job(clock())
        for status in ("pending", "running", "running", "running", "completed", "completed"):
            trail.hear(replace(job, status=status, finished_at=clock()))  # type: ignore[arg-type]
        # A download counts on a job that is completed.
        trail.hear(replace(job, status="completed", download_count=1))
        assert acts(trail) == [("run", "started"), ("run", "completed")]

    def test_a_job_that_goes_back_to_the_queue(self, trail: AuditTrail, clock: Clock) -> None:
        job = a_job(clock())
        lost = {"attempt": 1, "error": {"code": "connection_lost"}}
        trail.hear(replace(job, status="running"))
        trail.hear(replace(job, status="pending", attempt=2, history=(lost,)))
        trail.hear(replace(job, status="running", attempt=2))
        assert acts(trail) == [("run", "started"), ("run", "requeued"), ("run", "started")]
        assert entries(trail)[1].to_json()["details"] == {"attempt": 2, "error": "connection_lost"}

    def test_an_old_job_that_is_downloaded(self, trail: AuditTrail, clock: Clock) -> None:
        trail.hear(replace(a_job(clock()), status="completed", download_count=3))
        assert acts(trail) == []
        trail.hear(replace(a_job(clock(), 1), status="failed", error={"code": "interrupted"}))
        assert acts(trail) == [("run", "failed")]


class TestReaders:
    def test_administrators_and_a_sole_owner(self, service: ExportService) -> None:
        run(service)
        for reader in (ADMIN, Caller("me", sole=True)):
            page, cursor = service.audit.page(reader, AuditQuery(), limit=2)
            assert (len(page), cursor) == (2, page[-1].seq)
            rest, last = service.audit.page(reader, AuditQuery(), limit=500, before=cursor)
            assert rest[-1].seq == 1
            assert last is None
        for other in (ME, Caller("bob")):
            with pytest.raises(Forbidden):
                service.audit.page(other, AuditQuery())
            with pytest.raises(Forbidden):
                service.audit.upload(other, AuditQuery())

    def test_the_owner_of_one_of_several_servers_is_not_sole(
        self, folders: dict[str, Path], clock: Clock
    ) -> None:
        shared = Settings(**folders, db_url=f"sqlite:///{folders['root']}/shared.sqlite")
        trail = AuditTrail(StoreDatabase(shared.state_dir, shared.db_url), shared, now=clock)
        with pytest.raises(Forbidden):
            trail.check_reader(Caller("me", sole=True))

    def test_it_is_exported_as_any_other_data(self, service: ExportService) -> None:
        run(service)
        upload = service.audit.upload(ADMIN, AuditQuery(action="run"))
        spec = {
            "source": {"type": "upload", "id": upload.id},
            "output": {"path": "audit.parquet"},
            "sort": [{"column": "seq"}],
        }
        job = service.wait(service.submit(spec, ADMIN).id, ADMIN, SECONDS)
        assert job.status == "completed", job.error
        table = pa.parquet.read_table(service.settings.root / "audit.parquet")
        assert table.column("outcome").to_pylist() == ["started", "completed"]
        assert table.schema.field("at").type == pa.timestamp("us", tz="UTC")
        exported = entries(service.audit, action="export")
        assert [(entry.actor, entry.subject) for entry in exported] == [("root", upload.id)]
