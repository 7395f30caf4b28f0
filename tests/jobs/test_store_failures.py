"""What a store says, and leaves, when its database cannot be used."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from benchmarks.postgres_server import running
from jupyter_export.errors import InvalidSpec, MissingDependency, ServerUnavailable
from jupyter_export.jobs.database import StoreDatabase
from jupyter_export.jobs.migrate import VERSION_TABLE
from jupyter_export.jobs.store import JobStore
from jupyter_export.jobs.store_sqlalchemy import SqlAlchemyStore

from .conftest import Clock
from .stores import a_job, query


def a_file_with_jobs(folder: Path, clock: Clock, count: int = 200) -> Path:
    store = SqlAlchemyStore(StoreDatabase(folder))
    store.start()
    for number in range(count):
        store.add(a_job(clock(), number, spec={"query": "x" * 3000}), [])
    store.close()
    return folder / "jobs.sqlite"


def start_and_read(store: SqlAlchemyStore) -> None:
    store.start()
    store.page(query())


# ------------------------------------------------------------------ settings


def test_a_url_that_is_none_is_refused_without_being_repeated(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec) as caught:
        StoreDatabase(tmp_path, "my secret password")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["nosuchdb://host/db", "sqlite+nosuchdriver://"])
def test_a_database_that_nobody_knows_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidSpec):
        StoreDatabase(tmp_path, url)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_that_only_one_thread_would_see_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidSpec, match="memory"):
        StoreDatabase(tmp_path, url)


def test_a_driver_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDependency, match="psycopg") as caught:
        StoreDatabase(tmp_path, "postgresql+psycopg://host/db")
    assert "jupyter-export[postgres]" in str(caught.value)


# ------------------------------------------------------------------ SQLite


def test_sqlite_is_set_up_for_several_processes_and_for_power_cuts(tmp_path: Path) -> None:
    database = StoreDatabase(tmp_path)
    database.start()
    names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "wal_autocheckpoint")
    with database.reading() as connection:
        pragmas = {name: connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in names}
    database.close()
    assert pragmas == {
        "journal_mode": "wal",
        # FULL: a commit is on the disk.
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 15_000,
        "wal_autocheckpoint": 1000,
    }


def test_a_restored_copy_gets_its_write_ahead_log_again(tmp_path: Path, clock: Clock) -> None:
    file = a_file_with_jobs(tmp_path, clock, 1)
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    database = StoreDatabase(tmp_path)
    database.start()
    with database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
    database.close()


def test_the_write_ahead_log_does_not_grow_without_end(tmp_path: Path, clock: Clock) -> None:
    store = SqlAlchemyStore(StoreDatabase(tmp_path))
    store.start()
    job = a_job(clock(), spec={"query": "x" * 50_000})
    store.add(job, [])
    for _ in range(300):
        step = job.changed()
        store.update(step, expected=job.version)
        job = step
    # 300 times 50 kB were written; the log is used again each 1,000 pages of 4 kB.
    assert (tmp_path / "jobs.sqlite-wal").stat().st_size < 8e6
    store.close()
    assert [file.name for file in sorted(tmp_path.glob("jobs.sqlite*"))] == ["jobs.sqlite"]


def test_a_transaction_that_reads_first_can_write(tmp_path: Path, clock: Clock) -> None:
    """It would fail at once if it began to read before it has the right to write."""
    a_file_with_jobs(tmp_path, clock, 1)
    one, other = StoreDatabase(tmp_path), StoreDatabase(tmp_path)
    with one.transaction() as connection:
        connection.execute(text("SELECT count(*) FROM jupyter_export_jobs")).scalar_one()
        writer = sqlite3.connect(tmp_path / "jobs.sqlite", timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            writer.execute("UPDATE jupyter_export_jobs SET weight = 1")
        writer.close()
        # A reader does not wait.
        with other.reading() as reading:
            reading.execute(text("SELECT count(*) FROM jupyter_export_jobs")).scalar_one()
        connection.execute(text("UPDATE jupyter_export_jobs SET weight = 2"))
    one.close()
    other.close()


def test_a_transaction_that_fails_leaves_nothing(store: JobStore, clock: Clock) -> None:
    store.add(a_job(clock()), ["u"])
    with pytest.raises(ServerUnavailable):
        # The job's row would do; it has that id already.
        store.add(a_job(clock()), ["v"])
    assert store.uploads_of("job0000") == ["u"]


@pytest.mark.parametrize(
    "content", [b"not a database " * 100, b"\0" * 5000, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_file_that_is_no_database_is_told_and_kept(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "jobs.sqlite"
    file.write_bytes(content)
    store = SqlAlchemyStore(StoreDatabase(tmp_path))
    with pytest.raises(ServerUnavailable, match="cannot be used") as caught:
        store.start()
    store.close()
    assert "backup" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert file.read_bytes() == content


def test_a_damaged_database_is_told_and_kept(tmp_path: Path, clock: Clock) -> None:
    file = a_file_with_jobs(tmp_path, clock)
    whole = file.read_bytes()
    # Its first page, with the list of its tables, is whole; the pages after it are not.
    damaged = whole[:4096] + b"\xaa" * (len(whole) - 4096)
    file.write_bytes(damaged)
    store = SqlAlchemyStore(StoreDatabase(tmp_path))
    with pytest.raises(ServerUnavailable, match="malformed") as caught:
        start_and_read(store)
    store.close()
    assert "backup" in str(caught.value)
    assert file.read_bytes() == damaged


def test_a_database_that_was_cut_off_is_told_and_kept(tmp_path: Path, clock: Clock) -> None:
    file = a_file_with_jobs(tmp_path, clock)
    cut = file.read_bytes()[: 5 * 4096]
    file.write_bytes(cut)
    store = SqlAlchemyStore(StoreDatabase(tmp_path))
    with pytest.raises(ServerUnavailable, match="malformed"):
        start_and_read(store)
    store.close()
    assert file.read_bytes() == cut


def test_a_database_that_cannot_be_written_is_told_at_the_start(
    tmp_path: Path, clock: Clock
) -> None:
    file = a_file_with_jobs(tmp_path, clock, 1)
    content = file.read_bytes()
    # As a file without the right to write it is, for root, too.
    database = StoreDatabase(tmp_path, f"sqlite:///file:{file}?mode=ro&uri=true")
    with pytest.raises(ServerUnavailable, match="readonly") as caught:
        database.start()
    database.close()
    assert "right to write" in str(caught.value)
    assert file.read_bytes() == content


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    database = StoreDatabase(tmp_path / "nowhere")
    with pytest.raises(ServerUnavailable, match="unable to open"):
        database.start()
    database.close()


def test_a_lock_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "store.lock").mkdir()
    database = StoreDatabase(tmp_path)
    with pytest.raises(ServerUnavailable, match="cannot be used"):
        database.start()
    database.close()


# ------------------------------------------------------------------ PostgreSQL


def test_a_server_that_is_away_is_told_without_its_name(tmp_path: Path) -> None:
    database = StoreDatabase(tmp_path, "postgresql+psycopg://me:secret@127.0.0.1:1/hidden")
    with pytest.raises(ServerUnavailable) as caught:
        database.start()
    database.close()
    assert not {"secret", "hidden", "127.0.0.1"} & set(str(caught.value).split())


def test_a_connection_that_was_ended_heals_at_the_next_call(
    tmp_path: Path, empty_postgres: str, clock: Clock
) -> None:
    store = SqlAlchemyStore(StoreDatabase(tmp_path, empty_postgres))
    store.start()
    store.add(a_job(clock()), [])
    admin = create_engine(empty_postgres, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    admin.dispose()
    assert store.get("job0000") == a_job(clock())
    store.close()


def test_a_connection_that_is_lost_in_a_transaction_writes_nothing_and_heals(
    tmp_path: Path, empty_postgres: str, clock: Clock
) -> None:
    database = StoreDatabase(tmp_path, empty_postgres)
    store = SqlAlchemyStore(database)
    store.start()
    store.add(a_job(clock()), [])

    def lose_it() -> None:
        with database.transaction() as connection:
            connection.execute(text("UPDATE jupyter_export_jobs SET weight = 7"))
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(ServerUnavailable) as caught:
        lose_it()
    assert empty_postgres.rsplit("/", 1)[1] not in str(caught.value)
    assert store.get("job0000") == a_job(clock())
    store.close()


def test_a_server_that_crashed_and_came_again_is_used_again(tmp_path: Path, clock: Clock) -> None:
    """PostgreSQL starts over when one of its processes is killed, and ends all connections."""
    # A server of its own, which keeps what it has taken.
    with running("fsync=on", "synchronous_commit=on") as url:
        store = SqlAlchemyStore(StoreDatabase(tmp_path, url))
        store.start()
        store.add(a_job(clock()), [])
        admin = create_engine(url)
        with admin.connect() as connection:
            backend = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            os.kill(backend, signal.SIGKILL)
            connection.invalidate()
        admin.dispose()
        found = None
        deadline = time.monotonic() + 60
        while found is None:
            assert time.monotonic() < deadline
            try:
                found = store.get("job0000")
            except ServerUnavailable:
                time.sleep(0.05)
        assert found == a_job(clock())
        store.update(found.changed(), expected=1)
        store.close()


def test_a_start_waits_for_who_migrates_and_does_not_wait_for_ever(
    tmp_path: Path, empty_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_export.jobs import migrate

    monkeypatch.setattr(migrate, "LOCK_SECONDS", 0.2)
    holder = create_engine(empty_postgres)
    database = StoreDatabase(tmp_path, empty_postgres)
    with holder.begin() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({migrate._ADVISORY_LOCK})")
        with pytest.raises(ServerUnavailable):
            database.start()
    database.start()
    with database.reading() as connection:
        connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one()
    holder.dispose()
    database.close()
