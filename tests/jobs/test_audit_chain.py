"""The audit trail's rows, over every database: one chain, and whatever is done to it is found."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from jupyter_export.errors import InvalidRequest
from jupyter_export.jobs.audit_chain import Draft, Entry, Head
from jupyter_export.jobs.audit_head import HeadNote, parse_head
from jupyter_export.jobs.audit_trail import AuditTrail
from jupyter_export.jobs.database import StoreDatabase
from jupyter_export.jobs.settings import Settings
from jupyter_export.jobs.store import microseconds
from jupyter_export.jobs.store_audit import AuditQuery, AuditTable
from jupyter_export.jobs.store_sqlalchemy import SqlAlchemyStore

from .conftest import Clock
from .stores import in_processes

Sql = Callable[[str], None]
AUDIT = "jupyter_export_audit"


@pytest.fixture
def database(tmp_path: Path, db_url: str | None) -> Iterator[StoreDatabase]:
    database = StoreDatabase(tmp_path, db_url)
    database.start()
    yield database
    database.close()


@pytest.fixture
def table(database: StoreDatabase) -> AuditTable:
    return AuditTable(database)


@pytest.fixture
def trail(database: StoreDatabase, tmp_path: Path, db_url: str | None, clock: Clock) -> AuditTrail:
    settings = Settings(tmp_path, tmp_path, db_url=db_url, audit_retention="30d")
    return AuditTrail(database, settings, now=clock)


@pytest.fixture
def sql(engine: Engine) -> Sql:
    def run(statement: str) -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql(statement)

    return run


def drafts(clock: Clock, count: int, first: int = 0) -> list[Draft]:
    return [
        Draft(microseconds(clock()), "ada", "download", f"job{n}", "ada", "127.0.0.1")
        for n in range(first, first + count)
    ]


def everything(table: AuditTable) -> list[Entry]:
    return list(table.entries(AuditQuery(), page=3))


def numbers(trail: AuditTrail) -> list[int]:
    return [fault.seq for fault in trail.verify().faults]


def record(trail: AuditTrail, count: int) -> None:
    for number in range(count):
        trail.require("download", None, f"job{number}", owner="ada", size=number)


def test_the_hash_is_the_one_that_is_written_down(table: AuditTable, clock: Clock) -> None:
    given = Draft(microseconds(clock()), "ä“\0", "run", "j" * 99, "", "::1", "ok", '{"a":1}')
    assert table.append([given]) == (None, Head(1, everything(table)[0].hash))
    stored = everything(table)[0]
    assert (stored.actor, stored.subject) == ("ä“", "j" * 64)
    fields = {
        "action": "run", "actor": "ä“", "address": "::1", "at": given.at, "details": '{"a":1}',
        "outcome": "ok", "owner": "", "seq": 1, "subject": "j" * 64,
    }  # fmt: skip
    plain = "0" * 64 + "\n" + json.dumps(fields, separators=(",", ":"))
    assert stored.hash == hashlib.sha256(plain.encode("ascii")).hexdigest()


def test_entries_come_back_in_order_and_filtered(table: AuditTable, clock: Clock) -> None:
    table.append(drafts(clock, 5))
    clock.advance(hours=1)
    table.append([Draft(microseconds(clock()), "bob", "share", "link1")])
    assert [entry.seq for entry in everything(table)] == [1, 2, 3, 4, 5, 6]
    page = table.page(AuditQuery(), limit=4, before=None)
    assert [entry.seq for entry in page] == [6, 5, 4, 3]
    assert [entry.seq for entry in table.page(AuditQuery(), limit=4, before=3)] == [2, 1]

    def found(**given: str) -> list[int]:
        return [entry.seq for entry in table.entries(AuditQuery.parse(given))]

    assert found(actor="bob") == found(action="share") == found(subject="link1") == [6]
    assert found(since="2026-03-01T13:00:00Z") == found(since="2026-03-01T14:00+01:00") == [6]
    assert found(until="2026-03-01T13:00:00", actor="ada") == [1, 2, 3, 4, 5]
    assert found(since="2026-03-02") == found(actor="\ud800\0") == []
    for wrong in ("yesterday", "Z", "2026-03-01T13:00:00+99:00"):
        with pytest.raises(InvalidRequest) as error:
            found(until=wrong)
        assert error.value.field == "until"


def test_threads_that_append_at_once_make_one_chain(
    table: AuditTable, trail: AuditTrail, clock: Clock
) -> None:
    def append(first: int) -> None:
        for number in range(10):
            table.append(drafts(clock, 2, first + number))

    threads = [threading.Thread(target=append, args=(n * 100,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.seq for entry in everything(table)] == list(range(1, 81))
    assert trail.verify().whole


def append_some(state_dir: str, db_url: str, count: str) -> None:
    """Run by ``in_processes``."""
    settings = Settings(Path(state_dir), Path(state_dir), db_url=db_url or None)
    database = StoreDatabase(settings.state_dir, settings.db_url)
    trail = AuditTrail(database, settings, now=Clock())
    record(trail, int(count))
    database.close()


def test_processes_that_append_at_once_make_one_chain(
    trail: AuditTrail, tmp_path: Path, db_url: str | None
) -> None:
    in_processes("tests.jobs.test_audit_chain:append_some", 3, str(tmp_path), db_url or "", "20")
    verdict = trail.verify()
    assert (verdict.whole, verdict.entries) == (True, 60)
    assert HeadNote(Settings(tmp_path, tmp_path, db_url=db_url)).read() == verdict.last


class TestTampering:
    @pytest.fixture(autouse=True)
    def ten(self, trail: AuditTrail) -> None:
        record(trail, 10)

    def test_nothing_was_done(self, trail: AuditTrail) -> None:
        verdict = trail.verify()
        assert (verdict.whole, verdict.entries, verdict.first) == (True, 10, 1)
        assert verdict.last is not None
        assert parse_head(str(verdict.last)) == verdict.last

    @pytest.mark.parametrize(
        "change",
        [
            "actor = 'bob'", "action = 'share'", "subject = ''", "owner = 'bob'", "at = at + 1",
            "address = '10.0.0.1'", "outcome = 'refused'", "details = '{}'",
        ],
    )  # fmt: skip
    def test_a_changed_row(self, trail: AuditTrail, sql: Sql, change: str) -> None:
        sql(f"UPDATE {AUDIT} SET {change} WHERE seq = 4")
        assert numbers(trail) == [4]
        assert "Entry 4 is not as it was recorded" in trail.verify().faults[0].message

    def test_a_changed_hash(self, trail: AuditTrail, sql: Sql) -> None:
        sql(f"UPDATE {AUDIT} SET hash = '{'0' * 64}' WHERE seq = 4")
        assert numbers(trail) == [4, 5]

    def test_a_changed_row_with_a_hash_that_fits(
        self, trail: AuditTrail, table: AuditTable, sql: Sql
    ) -> None:
        from jupyter_export.jobs.audit_chain import digest

        sql(f"UPDATE {AUDIT} SET actor = 'bob' WHERE seq = 4")
        third, fourth = everything(table)[2:4]
        sql(f"UPDATE {AUDIT} SET hash = '{digest(third.hash, 4, fourth)}' WHERE seq = 4")
        assert numbers(trail) == [5]
        assert "or the one before it" in trail.verify().faults[0].message

    def test_removed_rows(self, trail: AuditTrail, sql: Sql) -> None:
        sql(f"DELETE FROM {AUDIT} WHERE seq IN (3, 6, 7)")
        assert [fault.message for fault in trail.verify().faults] == [
            "Entry 3 is missing.",
            "Entries 6 to 7 are missing.",
        ]

    def test_removed_rows_at_the_front(self, trail: AuditTrail, sql: Sql) -> None:
        sql(f"DELETE FROM {AUDIT} WHERE seq <= 2")
        assert trail.verify().faults[0].message == "Entries 1 to 2 are missing."

    def test_rows_in_another_order(self, trail: AuditTrail, sql: Sql) -> None:
        sql(f"UPDATE {AUDIT} SET seq = 99 WHERE seq = 3")
        sql(f"UPDATE {AUDIT} SET seq = 3 WHERE seq = 4")
        sql(f"UPDATE {AUDIT} SET seq = 4 WHERE seq = 99")
        assert numbers(trail) == [3, 4, 5]

    def test_a_row_that_was_put_in(self, trail: AuditTrail, sql: Sql) -> None:
        columns = "at, actor, action, subject, owner, address, outcome, details, hash"
        for seq in range(10, 5, -1):
            sql(f"UPDATE {AUDIT} SET seq = {seq + 1} WHERE seq = {seq}")
        sql(f"INSERT INTO {AUDIT} (seq, {columns}) SELECT 6, {columns} FROM {AUDIT} WHERE seq = 2")
        assert 6 in numbers(trail)
        assert not trail.verify().whole

    def test_a_row_that_was_put_at_the_end(self, trail: AuditTrail, sql: Sql) -> None:
        columns = "at, actor, action, subject, owner, address, outcome, details, hash"
        sql(f"INSERT INTO {AUDIT} (seq, {columns}) SELECT 11, {columns} FROM {AUDIT} WHERE seq = 2")
        assert numbers(trail) == [11]

    def test_an_end_that_was_cut_off(self, trail: AuditTrail, sql: Sql, clock: Clock) -> None:
        sql(f"DELETE FROM {AUDIT} WHERE seq > 7")
        assert "entry 10 was recorded, now it ends with 7" in trail.verify().faults[0].message
        sql(f"DELETE FROM {AUDIT}")
        assert "now it is empty" in trail.verify().faults[0].message
        # What comes later does not cover it, in this process nor in another.
        clock.advance(seconds=1)
        record(trail, 15)
        assert numbers(trail) == [10]
        assert "written anew" in trail.verify().faults[0].message

    def test_a_trail_that_was_made_anew(
        self, trail: AuditTrail, table: AuditTable, sql: Sql, clock: Clock
    ) -> None:
        kept = trail.verify().last
        assert kept is not None
        sql(f"DELETE FROM {AUDIT}")
        table.append(drafts(clock, 12))
        assert numbers(trail) == [10]
        # Whoever can write the state folder, too, is found by a head that was kept elsewhere.
        trail._head.path.unlink()
        assert trail.verify().whole
        assert [fault.seq for fault in trail.verify(kept).faults] == [10]

    def test_a_head_of_another_database_is_none_of_this_one(
        self, trail: AuditTrail, tmp_path: Path
    ) -> None:
        elsewhere = Settings(tmp_path, tmp_path, db_url="postgresql+psycopg://u:secret@far/db")
        assert HeadNote(elsewhere).read() is None
        assert "secret" not in HeadNote(elsewhere).path.name
        moved = Settings(tmp_path, tmp_path, db_url="postgresql+psycopg://u:other@far/db")
        assert HeadNote(moved).path == HeadNote(elsewhere).path

    def test_a_note_that_nobody_can_read_is_none(self, trail: AuditTrail) -> None:
        for text_in_it in ("", "[]", '{"seq": -1, "hash": "x"}', "\0" * 20):
            trail._head.path.write_text(text_in_it)
            assert trail.verify().whole


def test_what_sqlite_takes_for_a_number(tmp_path: Path, clock: Clock) -> None:
    database = StoreDatabase(tmp_path)
    database.start()
    table = AuditTable(database)
    trail = AuditTrail(database, Settings(tmp_path, tmp_path), now=clock)
    table.append(drafts(clock, 2))
    with database.transaction() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO {AUDIT} SELECT 'x', at, actor, action, subject, owner, address, outcome, "
            f"details, hash FROM {AUDIT} WHERE seq = 1"
        )
        connection.exec_driver_sql(f"UPDATE {AUDIT} SET details = x'ff00' WHERE seq = 2")
    assert [fault.seq for fault in trail.verify().faults] == [2, 0]
    database.close()


class TestRetention:
    def test_old_entries_go_and_the_chain_holds(
        self, trail: AuditTrail, table: AuditTable, clock: Clock
    ) -> None:
        record(trail, 5)
        clock.advance(days=20)
        record(trail, 5)
        trail.trim()
        assert trail.verify().entries == 10
        clock.advance(days=12)
        trail.trim()
        verdict = trail.verify()
        assert (verdict.whole, verdict.first, verdict.entries) == (True, 6, 6)
        assert verdict.last is not None
        trimmed = everything(table)[-1].to_json()
        assert (trimmed["action"], trimmed["details"]["removed"]) == ("trim", 5)
        trail.trim()
        assert trail.verify().entries == 6
        record(trail, 1)
        # After years nothing is left but the word that they were removed.
        clock.advance(days=1000)
        trail.trim()
        verdict = trail.verify()
        assert (verdict.whole, verdict.first, verdict.entries) == (True, 13, 1)
        record(trail, 2)
        clock.advance(days=1000)
        trail.trim()
        record(trail, 1)
        assert trail.verify().whole
        assert trail.verify().entries == 2

    def test_more_removed_than_was_said(self, trail: AuditTrail, clock: Clock, sql: Sql) -> None:
        record(trail, 5)
        clock.advance(days=40)
        record(trail, 5)
        trail.trim()
        sql(f"DELETE FROM {AUDIT} WHERE seq = 6")
        assert trail.verify().faults[0].message == "Entry 6 is missing."

    def test_a_removal_that_was_made_up(self, trail: AuditTrail, clock: Clock, sql: Sql) -> None:
        record(trail, 5)
        clock.advance(days=40)
        record(trail, 5)
        trail.trim()
        sql(f"UPDATE {AUDIT} SET details = replace(details, '\"first\":6', '\"first\":7')")
        sql(f"DELETE FROM {AUDIT} WHERE seq = 6")
        assert numbers(trail) != []

    def test_a_server_that_slept_while_another_trimmed(
        self, trail: AuditTrail, database: StoreDatabase, tmp_path: Path, db_url: str | None,
        clock: Clock,
    ) -> None:  # fmt: skip
        other = tmp_path / "other"
        other.mkdir()
        settings = Settings(other, other, db_url=db_url, audit_retention="30d")
        sleeper = AuditTrail(database, settings, now=clock)
        record(sleeper, 3)
        record(trail, 3)
        clock.advance(days=40)
        trail.trim()
        record(sleeper, 1)
        assert sleeper._head.read() == sleeper.verify().last
        assert sleeper.verify().whole
        assert trail.verify().whole


def test_a_store_before_the_trail_has_none(tmp_path: Path) -> None:
    database = StoreDatabase(tmp_path)
    assert not AuditTable(database).exists()
    SqlAlchemyStore(database).start()
    assert AuditTable(database).exists()
    database.close()
