"""The contract of a job store, over every implementation."""

from __future__ import annotations

import multiprocessing
import sqlite3
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from jupyter_export.errors import (
    InvalidRequest,
    InvalidSpec,
    MissingDependency,
    ServerUnavailable,
)
from jupyter_export.jobs import migrate, tables
from jupyter_export.jobs.model import Job, JobPage, Upload
from jupyter_export.jobs.store import JobQuery, JobStore, StaleVersion, StoreTooNew, encode_cursor
from jupyter_export.jobs.store_sqlalchemy import SqlAlchemyStore
from jupyter_export.pipeline import Progress, Result

from .conftest import Clock


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JobStore]:
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("empty_postgres")
    store = SqlAlchemyStore(tmp_path, url)
    store.start()
    yield store
    store.close()


def a_job(clock: Clock, number: int = 0, **fields: object) -> Job:
    job = Job(
        id=f"job{number:04}",
        name="flights",
        status="pending",
        format="csv",
        created_by="me",
        created_at=clock(),
        spec={"name": "flights", "datasets": [{"source": {"type": "upload", "id": "u"}}]},
        path=f"exports/{number}.csv",
        temporary=False,
        version=1,
        target=f"/srv/exports/{number}.csv",
        root="/srv",
        instance="here",
    )
    return replace(job, **fields)  # type: ignore[arg-type]


def ids(page: JobPage) -> list[str]:
    return [job.id for job in page.jobs]


def query(owner: str | None = "me", **fields: object) -> JobQuery:
    given = {"status": None, "format": None, "q": None, "limit": 50, "cursor": None, **fields}
    return JobQuery.parse(owner, **given)  # type: ignore[arg-type]


def test_a_job_comes_back_as_it_went_in(store: JobStore, clock: Clock) -> None:
    moment = clock() + timedelta(microseconds=123_457)
    job = a_job(
        clock,
        status="completed",
        started_at=moment,
        finished_at=moment,
        expires_at=moment,
        progress=Progress("done", 5, 5, 100.0, 10**12, 1.5, 0.0),
        result=Result("x.csv", 5, 10**12, "ab", ({"path": "x.csv"},), ({"kind": "k"},), "df = 1"),
        error={"code": "failed", "message": "ü “quoted”", "hint": None, "field": None},
        attempt=3,
        download_count=7,
    )
    store.add(job, ["u"])
    assert store.get(job.id) == job
    assert store.uploads_of(job.id) == ["u"]
    assert store.get("nobody") is None


def test_pages_are_newest_first_and_hold_every_job_once(store: JobStore, clock: Clock) -> None:
    for number in range(25):
        store.add(a_job(clock, number), [])
        if number % 3 == 0:
            clock.advance(microseconds=1)
    whole = ids(store.page(query(limit=500)))
    jobs = [store.get(job_id) for job_id in whole]
    keys = [(job.created_at, job.id) for job in jobs if job is not None]
    assert keys == sorted(keys, reverse=True)
    assert len(whole) == 25
    paged: list[str] = []
    cursor = None
    while True:
        page = store.page(query(limit=4, cursor=cursor))
        paged += ids(page)
        # A job that comes meanwhile does not move the pages.
        clock.advance(seconds=1)
        store.add(a_job(clock, 1000 + len(paged)), [])
        cursor = page.next_cursor
        if cursor is None:
            break
    assert paged == whole


def test_the_last_page_has_no_cursor(store: JobStore, clock: Clock) -> None:
    for number in range(4):
        store.add(a_job(clock, number), [])
    assert store.page(query(limit=4)).next_cursor is None
    assert store.page(query(limit=3)).next_cursor is not None
    assert store.page(query("nobody")) == JobPage((), None)


def test_filters(store: JobStore, clock: Clock) -> None:
    store.add(a_job(clock, 0, status="running"), [])
    store.add(a_job(clock, 1, status="failed", format="parquet", name="100% _done_"), [])
    store.add(a_job(clock, 2, status="completed", created_by="you", path="Reports/Q1.csv"), [])
    assert ids(store.page(query(status="running"))) == ["job0000"]
    assert ids(store.page(query(status="running, failed"))) == ["job0001", "job0000"]
    assert ids(store.page(query(format="parquet"))) == ["job0001"]
    assert ids(store.page(query(q="0% _D"))) == ["job0001"]
    assert ids(store.page(query(q="_"))) == ["job0001"]
    assert ids(store.page(query(q="reports/q"))) == []
    assert ids(store.page(query(None, q="reports/q"))) == ["job0002"]
    assert ids(store.page(query(None))) == ["job0002", "job0001", "job0000"]


@pytest.mark.parametrize("limit", [0, -1, 501, "many", None, 10**30])
def test_a_limit_out_of_range_is_refused(limit: object) -> None:
    with pytest.raises(InvalidRequest, match="1 to 500") as caught:
        query(limit=limit)
    assert caught.value.field == "limit"


def test_an_unknown_status_names_the_nearest() -> None:
    with pytest.raises(InvalidRequest, match="running"):
        query(status="runing")


@pytest.mark.parametrize("cursor", ["x", "é", "bnVsbA", "WzEsMl0", "W10", "WyJhIiwiYiJd", "[" * 9])
def test_a_cursor_of_ones_own_making_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        query(cursor=cursor)


def test_a_cursor_is_opaque_and_stable(clock: Clock) -> None:
    cursor = encode_cursor(a_job(clock))
    assert cursor == encode_cursor(a_job(clock, status="failed"))
    assert cursor.isascii()
    assert "=" not in cursor


def test_a_late_progress_write_never_covers_a_final_state(store: JobStore, clock: Clock) -> None:
    job = a_job(clock)
    store.add(job, [])
    running = job.changed(status="running")
    store.update(running, expected=1)
    late = running.changed(progress=Progress("writing", 10))
    store.update(replace(running, version=9).changed(status="cancelled"), expected=2)
    with pytest.raises(StaleVersion):
        store.update(late, expected=2)
    stored = store.get(job.id)
    assert stored is not None
    assert (stored.status, stored.version) == ("cancelled", 10)


def test_a_deleted_job_cannot_be_written(store: JobStore, clock: Clock) -> None:
    job = a_job(clock)
    store.add(job, ["u"])
    store.delete(job.id)
    store.delete(job.id)
    assert store.get(job.id) is None
    assert store.uploads_of(job.id) == []
    with pytest.raises(StaleVersion):
        store.update(job.changed(), expected=1)


def test_of_many_writers_of_one_version_one_wins(store: JobStore, clock: Clock) -> None:
    job = a_job(clock)
    store.add(job, [])
    won: list[int] = []

    def write(number: int) -> None:
        try:
            store.update(job.changed(attempt=number), expected=1)
        except StaleVersion:
            return
        won.append(number)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = store.get(job.id)
    assert stored is not None
    assert won == [stored.attempt]


def test_what_the_service_asks_for(store: JobStore, clock: Clock) -> None:
    store.add(a_job(clock, 0), ["u", "v"])
    store.add(a_job(clock, 1, status="running"), ["u"])
    store.add(a_job(clock, 2, status="completed", expires_at=clock()), [])
    store.add(a_job(clock, 3, status="completed", expires_at=clock() + timedelta(seconds=1)), [])
    store.add(a_job(clock, 4, status="completed"), [])
    assert [job.id for job in store.active()] == ["job0000", "job0001"]
    assert store.count_pending("me") == 1
    assert store.count_pending("you") == 0
    assert [job.id for job in store.expiring(clock())] == ["job0002"]
    writer = store.writing_to("/srv/exports/1.csv")
    assert writer is not None
    assert writer.id == "job0001"
    assert store.writing_to("/srv/exports/2.csv") is None
    assert [job.id for job in store.readers("u")] == ["job0000", "job0001"]


def test_uploads(store: JobStore, clock: Clock) -> None:
    upload = Upload("u", "me", 10**10, 10**12, ({"name": "a", "type": "int64"},), clock())
    store.add_upload(upload)
    assert store.get_upload("u") == upload
    assert store.uploads() == [upload]
    store.delete_upload("u")
    assert store.get_upload("u") is None


# ------------------------------------------------------------------ migrations


def test_the_migrations_make_the_tables_that_the_code_knows(store: JobStore) -> None:
    assert isinstance(store, SqlAlchemyStore)
    store.start()
    found = inspect(store._engine)
    for table in tables.metadata.tables.values():
        columns = {c["name"]: c["nullable"] for c in found.get_columns(table.name)}
        assert columns == {c.name: c.nullable for c in table.columns}
        indexes = {i["name"] for i in found.get_indexes(table.name)}
        assert indexes == {i.name for i in table.indexes}


def test_the_newest_migration_is_the_one_the_code_knows() -> None:
    from alembic.script import ScriptDirectory

    folder = Path(migrate.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_current_head() == tables.HEAD


def test_jobs_of_an_older_store_are_kept(store: JobStore, clock: Clock) -> None:
    assert isinstance(store, SqlAlchemyStore)
    store.add(a_job(clock), [])
    with store._engine.begin() as connection:
        connection.execute(text("ALTER TABLE jupyter_export_jobs DROP COLUMN made"))
        connection.execute(text(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '0001'"))
    store.start()
    assert store.get("job0000") == a_job(clock)
    made = ("/srv/exports/deep", "/srv/exports")
    store.update(a_job(clock, version=2, made=made), expected=1)
    assert store.get("job0000") == a_job(clock, version=2, made=made)


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    first = SqlAlchemyStore(tmp_path)
    first.start()
    first.close()
    with sqlite3.connect(tmp_path / "jobs.sqlite") as connection:
        connection.execute(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '9999'")
    connection.close()
    second = SqlAlchemyStore(tmp_path)
    with pytest.raises(StoreTooNew, match="newer version") as caught:
        second.start()
    second.close()
    assert "Update jupyter_export" in str(caught.value)


def _open(folder: str, ready: object) -> None:
    ready.wait()  # type: ignore[attr-defined]
    store = SqlAlchemyStore(Path(folder))
    store.start()
    store.close()


def test_processes_that_start_at_once_migrate_once(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Barrier(3)
    processes = [spawn.Process(target=_open, args=(str(tmp_path), ready)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]


def test_sqlite_is_set_up_for_several_processes(tmp_path: Path) -> None:
    store = SqlAlchemyStore(tmp_path)
    store.start()
    with store._engine.connect() as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    store.close()
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 1,
        "foreign_keys": 1,
        "busy_timeout": 15_000,
    }


def test_a_url_that_is_none_is_refused_without_being_repeated(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec) as caught:
        SqlAlchemyStore(tmp_path, "my secret password")
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "jobs.sqlite").write_text("not a database " * 100)
    store = SqlAlchemyStore(tmp_path)
    with pytest.raises(ServerUnavailable, match="cannot be used") as caught:
        store.start()
    store.close()
    assert str(tmp_path) not in str(caught.value)


def test_a_server_that_is_away_is_told_without_its_name(tmp_path: Path) -> None:
    store = SqlAlchemyStore(tmp_path, "postgresql+psycopg://me:secret@127.0.0.1:1/hidden")
    with pytest.raises(ServerUnavailable) as caught:
        store.start()
    store.close()
    assert not {"secret", "hidden", "127.0.0.1"} & set(str(caught.value).split())


@pytest.mark.parametrize("url", ["nosuchdb://host/db", "sqlite+nosuchdriver://"])
def test_a_database_that_nobody_knows_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidSpec):
        SqlAlchemyStore(tmp_path, url)


def test_a_driver_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDependency, match="psycopg") as caught:
        SqlAlchemyStore(tmp_path, "postgresql+psycopg://host/db")
    assert "jupyter-export[postgres]" in str(caught.value)


@pytest.fixture
def empty_postgres(postgres_url: str) -> Iterator[str]:
    """A database of its own on the tests' server."""
    admin = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE store"))
    yield postgres_url.rsplit("/", 1)[0] + "/store"
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE store"))
    admin.dispose()
