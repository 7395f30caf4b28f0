"""Download links: what opens them, how they end, and that they open one file and nothing else."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jupyter_export.errors import (
    Expired,
    InvalidRequest,
    NotFound,
    NotReady,
    ServerUnavailable,
)
from jupyter_export.jobs.database import StoreDatabase
from jupyter_export.jobs.downloads import Download
from jupyter_export.jobs.link_tokens import LinkTokens, Signed
from jupyter_export.jobs.model import Caller, Job
from jupyter_export.jobs.service import ExportService
from jupyter_export.jobs.settings import Settings
from jupyter_export.jobs.store_audit import AuditQuery
from jupyter_export.jobs.store_links import MOST_KEPT, MOST_LINKS, Link, LinkTable
from jupyter_export.jobs.store_sqlalchemy import SqlAlchemyStore

from .conftest import ME, Clock, MakeService, document, send
from .stores import a_job, in_processes

SECONDS = 60.0
ADMIN = Caller("root", admin=True)
SIGNED = Signed("0123456789abcdef", "a" * 32, 1_800_000_000)


def run(service: ExportService, **fields: Any) -> Job:
    job = service.submit(document(send(service), **fields), ME)
    job = service.wait(job.id, ME, SECONDS)
    assert job.status == "completed", job.error
    return job


def opened(service: ExportService, token: str) -> Download:
    return service.links.open(token, "192.0.2.9")[0]


def reason(service: ExportService, token: str) -> str:
    with pytest.raises(Expired) as error:
        opened(service, token)
    return error.value.message


def fetch(service: ExportService, token: str) -> bytes:
    download = opened(service, token)
    download.begin()
    content = download.path.read_bytes()
    download.done()
    return content


class TestTokens:
    def test_what_was_signed_is_read(self, settings: Settings) -> None:
        settings.state_dir.mkdir()
        tokens = LinkTokens(settings)
        token = tokens.sign(SIGNED)
        assert tokens.read(token) == SIGNED
        assert LinkTokens(settings).read(token) == SIGNED
        assert len(token) < 200
        assert set(token) <= set("-_.") | {chr(c) for c in range(128) if chr(c).isalnum()}

    def test_forged_ones_are_not(self, settings: Settings) -> None:
        settings.state_dir.mkdir()
        tokens = LinkTokens(settings)
        token = tokens.sign(SIGNED)
        payload, _, signature = token.rpartition(".")
        other = tokens.sign(replace(SIGNED, link="fedcba9876543210"))
        forged = [
            "", ".", "a", "é" * 20, "a.b", "\0", token[:-2], token + "A", f"{payload}.",
            f".{signature}", payload, f"{other.rpartition('.')[0]}.{signature}", token.swapcase(),
            f"{payload}.{signature[1:]}{signature[0]}", "x" * 100_000,
        ]  # fmt: skip
        for text in forged:
            assert tokens.read(text) is None, text
        elsewhere = replace(settings, link_secret="another secret of the same length!")
        assert LinkTokens(elsewhere).read(token) is None
        assert LinkTokens(elsewhere).sign(SIGNED) != token

    def test_the_configured_secret_leaves_no_file(self, settings: Settings) -> None:
        settings.state_dir.mkdir()
        given = replace(settings, link_secret="s" * 32)
        assert LinkTokens(given).read(LinkTokens(given).sign(SIGNED)) == SIGNED
        assert list(settings.state_dir.iterdir()) == []
        assert "s" * 32 not in repr(given)

    @pytest.mark.skipif(os.name == "nt", reason="Windows knows no such modes")
    def test_the_key_is_its_owners(self, settings: Settings) -> None:
        settings.state_dir.mkdir()
        LinkTokens(settings).sign(SIGNED)
        key = settings.state_dir / "link-secret"
        assert key.stat().st_mode & 0o777 == 0o600
        assert len(key.read_text()) == 64

    def test_a_key_that_was_damaged_is_not_used(self, settings: Settings) -> None:
        settings.state_dir.mkdir()
        for damaged in (b"", b"short", b"\xff" * 64):
            (settings.state_dir / "link-secret").write_bytes(damaged)
            with pytest.raises(ServerUnavailable) as error:
                LinkTokens(settings).sign(SIGNED)
            assert "link-secret" in error.value.message

    def test_two_that_start_at_once_have_one_key(self, tmp_path: Path) -> None:
        said = in_processes("tests.jobs.test_links:print_token", 4, str(tmp_path))
        assert len(set(said)) == 1
        assert said[0].strip()


def print_token(folder: str) -> None:
    """Run by ``in_processes``."""
    print(LinkTokens(Settings(Path(folder), Path(folder))).sign(SIGNED))


class TestTheTable:
    @pytest.fixture
    def database(self, tmp_path: Path, db_url: str | None) -> Iterator[StoreDatabase]:
        database = StoreDatabase(tmp_path, db_url)
        database.start()
        yield database
        database.close()

    @pytest.fixture
    def table(self, database: StoreDatabase, clock: Clock) -> LinkTable:
        SqlAlchemyStore(database).add(a_job(clock()), [])
        return LinkTable(database)

    def a_link(self, clock: Clock, number: int = 0, **fields: Any) -> Link:
        end = clock() + timedelta(hours=1)
        link = Link(f"link{number:04}", "job0000", "a" * 64, "me", clock(), end)
        return replace(link, **fields)

    def test_a_link_comes_back_as_it_went_in(self, table: LinkTable, clock: Clock) -> None:
        first, second = self.a_link(clock), self.a_link(clock, 1, max_downloads=3)
        for link in (first, second):
            table.add(link, clock())
            assert table.get(link.id) == link
        assert table.of_job("job0000") == (first, second)
        for nobody in ("none", "", "\0", "ä\ud800"):
            assert table.get(nobody) is None

    def test_it_goes_with_its_job(
        self, table: LinkTable, database: StoreDatabase, clock: Clock
    ) -> None:
        table.add(self.a_link(clock), clock())
        SqlAlchemyStore(database).delete("job0000")
        assert table.get("link0000") is None

    def test_several_at_once_never_exceed_the_count(self, table: LinkTable, clock: Clock) -> None:
        table.add(self.a_link(clock, max_downloads=5), clock())
        got: list[bool] = []

        def reserve() -> None:
            for _ in range(5):
                got.append(table.reserve("link0000", clock()))

        threads = [threading.Thread(target=reserve) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (got.count(True), len(got)) == (5, 20)
        table.give_back("link0000")
        assert table.reserve("link0000", clock())
        assert not table.reserve("link0000", clock())

    def test_what_has_ended_is_not_reserved(self, table: LinkTable, clock: Clock) -> None:
        table.add(self.a_link(clock), clock())
        table.add(self.a_link(clock, 1), clock())
        table.revoke("link0000", clock())
        assert not table.reserve("link0000", clock())
        assert not table.reserve("none", clock())
        revoked = table.get("link0000")
        clock.advance(minutes=5)
        table.revoke("link0000", clock())
        assert table.get("link0000") == revoked
        clock.advance(minutes=55)
        assert not table.reserve("link0001", clock())
        table.give_back("link0001")
        assert table.get("link0001").downloads == 0  # type: ignore[union-attr]

    def test_a_job_has_so_many_links(self, table: LinkTable, clock: Clock) -> None:
        for number in range(MOST_LINKS):
            table.add(self.a_link(clock, number), clock())
        with pytest.raises(InvalidRequest) as error:
            table.add(self.a_link(clock, 999), clock())
        assert "100 links" in error.value.message
        table.revoke("link0000", clock())
        table.add(self.a_link(clock, 100), clock())
        clock.advance(hours=2)
        for number in range(101, 101 + MOST_LINKS):
            clock.advance(seconds=1)
            table.add(self.a_link(clock, number), clock())
        kept = table.of_job("job0000")
        assert len(kept) == MOST_KEPT
        assert sum(link.opens(clock()) for link in kept) == MOST_LINKS


def test_whoever_has_it_gets_the_file(service: ExportService) -> None:
    job = run(service)
    assert job.result is not None
    link, token = service.links.create(job.id, ME, expires_after="2h", max_downloads=3)
    assert token not in str(link.to_json()) + repr(link)
    assert set(link.to_json()) == {
        "id", "expires_at", "max_downloads", "downloads", "created_by", "created_at", "revoked",
    }  # fmt: skip
    assert link.expires_at - link.created_at == timedelta(hours=2)
    assert fetch(service, token) == Path(job.target).read_bytes()
    [listed] = service.links.list(job.id, ADMIN)
    assert (listed.downloads, listed.max_downloads) == (1, 3)
    assert service.get(job.id, ME).download_count == 1
    told = [
        (entry.action, entry.outcome, entry.actor, entry.address)
        for entry in service.audit.entries(AuditQuery())
        if entry.to_json()["details"].get("link") == link.id or entry.action == "share"
    ]
    assert told == [
        ("share", "ok", "me", ""),
        ("download", "begun", "", "192.0.2.9"),
        ("download", "completed", "", "192.0.2.9"),
    ]
    everything = str([entry.to_json() for entry in service.audit.entries(AuditQuery())])
    assert token not in everything


def test_it_is_used_up(service: ExportService) -> None:
    job = run(service)
    _, token = service.links.create(job.id, ME, max_downloads=2)
    first, second, third = (opened(service, token) for _ in range(3))
    assert not first.parts
    first.begin()
    second.begin()
    # The third found it open, and comes too late.
    with pytest.raises(Expired):
        third.begin()
    assert reason(service, token) == "This link was used as often as it may be."
    first.broken_off()
    assert fetch(service, token)
    second.done()
    assert reason(service, token) == "This link was used as often as it may be."


def test_parts_are_no_downloads(service: ExportService) -> None:
    job = run(service)
    link, token = service.links.create(job.id, ME)
    download = opened(service, token)
    assert download.parts
    for first in range(10):
        download.begin(f"{first}-{first + 1}")
    [listed] = service.links.list(job.id, ME)
    assert listed.downloads == 0
    # Those of a minute are one entry.
    told = list(service.audit.entries(AuditQuery(action="download")))
    assert [entry.to_json()["details"]["part"] for entry in told] == ["0-1"]
    service.links.revoke(link.id, ME)
    with pytest.raises(Expired):
        download.begin("10-11")


def test_it_ends_with_its_time_and_when_it_is_revoked(
    make_service: MakeService, clock: Clock
) -> None:
    service = make_service(max_workers=1, retention="30d")
    job = run(service)
    (_, short), (link, long), (_, other) = (
        service.links.create(job.id, ME, expires_after=each) for each in ("1m", "7d", "7d")
    )
    clock.advance(seconds=60)
    assert reason(service, short) == "The time of this link is over."
    under_way = opened(service, long)
    service.links.revoke(link.id, ADMIN)
    service.links.revoke(link.id, ME)
    assert reason(service, long) == "This link was revoked."
    with pytest.raises(Expired):
        under_way.begin()
    assert fetch(service, other)
    refused = service.audit.entries(AuditQuery(action="link"))
    assert {(e.outcome, e.owner, e.actor) for e in refused} == {("refused", "me", "")}
    revoked = list(service.audit.entries(AuditQuery(action="revoke")))
    assert [entry.actor for entry in revoked] == ["root"]


def test_it_never_outlives_its_file_nor_opens_another(service: ExportService, clock: Clock) -> None:
    job = run(service)
    link, token = service.links.create(job.id, ME, expires_after="30d")
    assert link.expires_at == job.expires_at
    Path(job.target).write_bytes(b"something else")
    assert reason(service, token) == "The file of this link is no longer there."
    clock.advance(days=2)
    service._housekeeping.expire()
    again = service.retry(job.id, ME)
    again = service.wait(again.id, ME, SECONDS)
    assert again.status == "completed"
    assert reason(service, token) == "The time of this link is over."


def test_another_file_under_the_same_job_is_not_opened(service: ExportService) -> None:
    job = run(service, path="a.csv")
    _, token = service.links.create(job.id, ME)
    assert job.result is not None
    other = replace(job.result, sha256="b" * 64)
    service._handing_out._change(job.id, ME, lambda job: job.changed(result=other))
    assert reason(service, token) == "The file of this link is no longer there."
    service._handing_out._change(job.id, ME, lambda job: job.changed(status="expired"))
    assert reason(service, token) == "The file of this link is no longer there."


def test_it_goes_with_its_job(service: ExportService) -> None:
    job = run(service)
    _, token = service.links.create(job.id, ME)
    service.delete(job.id, ME)
    with pytest.raises(NotFound) as gone:
        opened(service, token)
    with pytest.raises(NotFound) as forged:
        opened(service, token[:-3])
    assert str(gone.value) == str(forged.value)


def test_a_file_that_goes_after_its_download(service: ExportService) -> None:
    job = run(service, retention={"delete_after_download": True})
    _, token = service.links.create(job.id, ME)
    assert fetch(service, token)
    assert service.get(job.id, ME).status == "expired"
    assert reason(service, token) == "The file of this link is no longer there."


def test_only_a_completed_job_is_shared(service: ExportService) -> None:
    failed = service.submit(document(send(service), columns={"include": ["none"]}), ME)
    failed = service.wait(failed.id, ME, SECONDS)
    with pytest.raises(NotReady) as error:
        service.links.create(failed.id, ME)
    assert "is failed" in error.value.message
    job = run(service, path="b.csv")
    Path(job.target).unlink()
    with pytest.raises(Expired):
        service.links.create(job.id, ME)
    assert service.links.list(job.id, ME) == ()


def test_links_are_their_owners(service: ExportService) -> None:
    job = run(service)
    link, token = service.links.create(job.id, ME)
    bob = Caller("bob")
    for attempt in (
        lambda: service.links.create(job.id, bob),
        lambda: service.links.list(job.id, bob),
        lambda: service.links.revoke(link.id, bob),
        lambda: service.links.revoke("none", ME),
    ):
        with pytest.raises(NotFound):
            attempt()
    refused = [e.action for e in service.audit.entries(AuditQuery(actor="bob"))]
    assert refused == ["share", "read", "revoke"]
    assert fetch(service, token)
    service.links.create(job.id, ADMIN)
    assert [each.created_by for each in service.links.list(job.id, ME)].count("root") == 1


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"expires_after": "31d"}, "expires_after"),
        ({"expires_after": "0s"}, "expires_after"),
        ({"expires_after": "soon"}, "expires_after"),
        ({"expires_after": 3600}, "expires_after"),
        ({"expires_after": None}, "expires_after"),
        ({"max_downloads": 0}, "max_downloads"),
        ({"max_downloads": -1}, "max_downloads"),
        ({"max_downloads": 1.5}, "max_downloads"),
        ({"max_downloads": True}, "max_downloads"),
        ({"max_downloads": 10**12}, "max_downloads"),
        ({"max_downloads": "1"}, "max_downloads"),
    ],
)
def test_what_a_link_cannot_be(given: dict[str, Any], field: str) -> None:
    # Looked at before the job is: no job is needed to see it.
    from jupyter_export.jobs.links import Links

    links = Links.__new__(Links)
    links._settings = Settings(Path("/nowhere"), Path("/nowhere"))
    links._get = lambda *_: None  # type: ignore[assignment,return-value]
    with pytest.raises(InvalidRequest) as error:
        links.create("job", ME, **given)
    assert error.value.field == field


def test_both_databases_open_links(make_service: MakeService, db_url: str | None) -> None:
    service = make_service(max_workers=1, db_url=db_url)
    job = run(service)
    _, token = service.links.create(job.id, ME, max_downloads=1)
    assert fetch(service, token)
    assert "as often" in reason(service, token)
    service.delete(job.id, ME)
    assert service.audit.verify().whole
