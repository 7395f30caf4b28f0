"""Stores of every earlier version, with data in them, become those of this one; or stay whole."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, event

from jupyter_export.jobs import migrate, tables
from jupyter_export.jobs.database import StoreDatabase
from jupyter_export.jobs.model import ServiceRecord, Status, Upload
from jupyter_export.jobs.store import StoreTooNew, moment
from jupyter_export.jobs.store_sqlalchemy import SqlAlchemyStore

from .conftest import Clock
from .stores import a_job, ids, in_processes, query

EARLIER = ("0001", "0002", "0003")
CREATED = 1_772_366_400_000_000
SPEC = {"name": "flüge", "datasets": [{"source": {"type": "upload", "id": "u0"}}]}
RESULT = {
    "path": "a.csv", "rows": 5, "bytes": 9, "sha256": "ab", "files": [{"path": "a.csv"}],
    "losses": [{"kind": "k"}], "reader": None,
}  # fmt: skip
ERROR = {"code": "failed", "message": "No.", "hint": None, "field": None}
LONG_NAME = "Ü" * 200

# ------------------------------------------------------------------ what earlier versions left


def make(engine: Engine, version: str) -> None:
    """Make the tables of ``version`` and put into them what its service would have."""
    config = migrate._config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    made = sa.MetaData()
    made.reflect(engine)
    jobs = made.tables["jupyter_export_jobs"]
    with engine.begin() as connection:
        connection.execute(sa.insert(jobs), [row(jobs, n) for n in range(12)])
        connection.execute(
            sa.insert(made.tables["jupyter_export_uploads"]),
            {
                "id": "u0", "owner": "me", "rows": 10**10, "bytes": 10**12,
                "columns": [{"name": "a", "type": "int64"}], "created_at": CREATED,
            },
        )  # fmt: skip
        connection.execute(
            sa.insert(made.tables["jupyter_export_job_uploads"]),
            [{"job_id": f"job{n:04}", "upload_id": "u0"} for n in range(0, 12, 2)],
        )


def row(jobs: sa.Table, number: int) -> dict[str, Any]:
    status = get_args(Status)[number % 6]
    values = {
        "id": f"job{number:04}",
        "name": LONG_NAME if number == 11 else f"Flüge {number}",
        "status": status,
        "format": "csv",
        "created_by": "me" if number % 3 else "you",
        "created_at": CREATED + number,
        "started_at": None if status == "pending" else CREATED + number + 1,
        "finished_at": None,
        "expires_at": CREATED if status == "completed" else None,
        "spec": SPEC,
        "path": f"Exports/{'x' * 900 if number == 11 else number}.csv",
        "target": f"/srv/Exports/{number}.csv",
        "root": "/srv",
        "temporary": number % 2 == 0,
        "progress": {"phase": "done", "rows": number},
        "attempt": 1 + number,
        "download_count": number,
        # Earlier versions wrote JSON's null where a value was missing, or SQL's.
        "result": RESULT if status == "completed" else sa.null(),
        "error": ERROR if status == "failed" else sa.null(),
        "version": 7,
        "instance": "before",
        "made": ["/srv/Exports"] if number == 3 else sa.null(),
        "place": "",
        "confined": True,
        "tries": 1,
        "retry_at": None,
        "weight": 0,
        "history": sa.null(),
        "prepared": sa.null(),
    }
    values |= tables.search_columns(values["name"], values["path"])
    return {column.name: values[column.name] for column in jobs.columns}


def check(store: SqlAlchemyStore, version: str) -> None:
    """The jobs and uploads of ``make`` are there; what is new has its place."""
    assert [job.id for job in store.page(query(None)).jobs] == [
        f"job{number:04}" for number in reversed(range(12))
    ]
    for number in range(12):
        job = store.get(f"job{number:04}")
        assert job is not None
        status = get_args(Status)[number % 6]
        assert (job.status, job.version, job.attempt) == (status, 7, 1 + number)
        assert (job.spec, job.created_at) == (SPEC, moment(CREATED + number))
        assert (job.started_at is None) == (status == "pending")
        assert (job.result and job.result.to_json()) == (RESULT if status == "completed" else None)
        assert job.error == (ERROR if status == "failed" else None)
        assert job.made == (("/srv/Exports",) if version >= "0002" and number == 3 else ())
        assert (job.temporary, job.download_count) == (number % 2 == 0, number)
        new = (job.place, job.confined, job.tries, job.retry_at, job.weight, job.history)
        assert (*new, job.prepared) == ("", True, 1, None, 0, (), None)
        assert store.uploads_of(job.id) == (["u0"] if number % 2 == 0 else [])
    assert ids(store.page(query(None, q="FLÜGE 7"))) == ["job0007"]
    assert ids(store.page(query(None, q="exports/10.C"))) == ["job0010"]
    assert ids(store.page(query(None, q=LONG_NAME))) == ["job0011"]
    assert ids(store.page(query(None, q="x.csv"))) == ["job0011"]
    assert store.uploads() == [
        Upload("u0", "me", 10**10, 10**12, ({"name": "a", "type": "int64"},), moment(CREATED))
    ]
    assert store.counts() == dict.fromkeys(get_args(Status), 2)
    assert len(store.orphans()) == 4
    assert [job.id for job in store.expiring(moment(CREATED))] == ["job0002", "job0008"]


def version_of(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return migrate._version(connection)


def shape(engine: Engine) -> dict[str, Any]:
    found = sa.inspect(engine)
    return {
        name: (
            [column["name"] for column in found.get_columns(name)],
            sorted(str(index["name"]) for index in found.get_indexes(name)),
        )
        for name in sorted(found.get_table_names())
    }


# ------------------------------------------------------------------ the way up


@pytest.mark.parametrize("version", EARLIER)
def test_the_jobs_of_an_earlier_store_are_kept(
    tmp_path: Path, db_url: str | None, engine: Engine, version: str, clock: Clock
) -> None:
    make(engine, version)
    store = SqlAlchemyStore(StoreDatabase(tmp_path, db_url))
    store.start()
    check(store, version)
    # Again: nothing is left to do.
    store.start()
    check(store, version)
    # And it is a store like any other.
    job = store.get("job0000")
    assert job is not None
    store.update(job.changed(place="p", history=({"attempt": 1},)), expected=7)
    store.add(a_job(clock(), 99), ["u0"])
    assert store.beat(ServiceRecord("s", "p", 1, clock()), first=True)
    assert len(store.readers("u0")) == 7
    store.delete("job0000")
    assert len(store.readers("u0")) == 6
    store.close()


def test_the_migrations_make_the_tables_that_the_code_knows(
    store: SqlAlchemyStore, engine: Engine
) -> None:
    # Of an empty text in SQLite Alembic thinks that it differs from itself.
    defaults = engine.dialect.name != "sqlite"
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": defaults}
        )
        found = compare_metadata(context, tables.metadata)
    # The version's own table is Alembic's.
    assert [
        each for each in found
        if not (each[0] == "remove_table" and each[1].name == migrate.VERSION_TABLE)
    ] == []  # fmt: skip
    # Alembic does not look at the conditions of indices.
    inspected = sa.inspect(engine)
    for index in tables.jobs.indexes:
        where = index.dialect_options["sqlite"]["where"]
        (made,) = (
            each for each in inspected.get_indexes(tables.jobs.name) if each["name"] == index.name
        )
        options = made.get("dialect_options", {})
        found_where = options.get(f"{engine.dialect.name}_where")
        assert (found_where is None) == (where is None)
        if engine.dialect.name == "sqlite":
            assert str(found_where) == str(where)


def test_the_newest_migration_is_the_one_the_code_knows() -> None:
    folder = Path(migrate.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_current_head() == tables.HEAD


def test_every_earlier_version_is_tested() -> None:
    folder = Path(migrate.__file__).parent / "migrations"
    known = [script.revision for script in ScriptDirectory(str(folder)).walk_revisions()]
    assert sorted(known) == sorted([*EARLIER, tables.HEAD])


def test_the_way_down_and_up_again_keeps_the_jobs(
    tmp_path: Path, db_url: str | None, engine: Engine
) -> None:
    make(engine, "0002")
    before = shape(engine)
    store = SqlAlchemyStore(StoreDatabase(tmp_path, db_url))
    store.start()
    config = migrate._config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0002")
    assert shape(engine) == before
    store.start()
    check(store, "0002")
    store.close()


# ------------------------------------------------------------------ several at once, and cut short


def open_store(state_dir: str, db_url: str) -> None:
    store = SqlAlchemyStore(StoreDatabase(Path(state_dir), db_url or None))
    store.start()
    print(len(store.page(query(None)).jobs))
    store.close()


@pytest.mark.parametrize("version", [None, "0001"])
def test_processes_that_start_at_once_migrate_once(
    tmp_path: Path, db_url: str | None, engine: Engine, version: str | None
) -> None:
    if version is not None:
        make(engine, version)
    said = in_processes("tests.jobs.test_migrations:open_store", 3, str(tmp_path), db_url or "")
    assert [text.strip() for text in said] == ["0" if version is None else "12"] * 3
    assert version_of(engine) == tables.HEAD


class Cut(Exception):
    """Somebody pulled the plug."""


def cutting(database: StoreDatabase, statement: int, cut: Callable[[], None]) -> list[str]:
    """Call ``cut`` after the ``statement``-th change of the database; return those made."""
    made: list[str] = []

    def executed(_c: Connection, _cursor: object, sql: str, *_more: object) -> None:
        if sql.split()[0].upper() in ("CREATE", "ALTER", "DROP", "UPDATE", "INSERT"):
            made.append(sql)
            if len(made) == statement:
                cut()

    event.listen(database._engine, "after_cursor_execute", executed)
    return made


def test_an_upgrade_that_is_cut_changes_nothing(
    tmp_path: Path, db_url: str | None, engine: Engine
) -> None:
    make(engine, "0001")
    before = shape(engine)

    def cut() -> None:
        raise Cut

    for statement in range(2, 60, 3):
        database = StoreDatabase(tmp_path, db_url)
        store = SqlAlchemyStore(database)
        made = cutting(database, statement, cut)
        try:
            store.start()
        except Cut:
            assert version_of(engine) == "0001"
            assert shape(engine) == before
        else:
            break
        finally:
            store.close()
    assert statement > len(made) > 20
    check(store, "0001")
    store.close()


def die_in_the_middle(state_dir: str, db_url: str, statement: str) -> None:
    database = StoreDatabase(Path(state_dir), db_url or None)
    cutting(database, int(statement), lambda: os.kill(os.getpid(), signal.SIGKILL))
    database.start()
    print("alive")


def test_a_process_that_is_killed_while_it_migrates_leaves_the_store_as_it_was(
    tmp_path: Path, db_url: str | None, engine: Engine
) -> None:
    make(engine, "0001")
    before = shape(engine)
    said = in_processes(
        "tests.jobs.test_migrations:die_in_the_middle", 2, str(tmp_path), db_url or "", "16"
    )
    assert said == ["", ""]
    assert shape(engine) == before
    store = SqlAlchemyStore(StoreDatabase(tmp_path, db_url))
    store.start()
    check(store, "0001")
    store.close()


@pytest.mark.parametrize("statements", [1, 2, 4, 6, 7])
def test_what_the_first_release_left_half_done_is_continued(
    tmp_path: Path, statements: int
) -> None:
    """It migrated SQLite statement by statement, so a start that was cut left some of them."""
    whole = sa.create_engine(f"sqlite:///{tmp_path / 'whole.sqlite'}")
    make(whole, "0001")
    with whole.connect() as connection:
        sql = connection.exec_driver_sql(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name LIKE '%jupyter_export_%' "
            f"AND name <> '{migrate.VERSION_TABLE}' ORDER BY rowid"
        ).scalars()
        done = list(sql)[:statements]
    assert len(done) == statements
    whole.dispose()
    half = sa.create_engine(f"sqlite:///{tmp_path / 'jobs.sqlite'}")
    with half.begin() as connection:
        for each in done:
            connection.exec_driver_sql(each)
    half.dispose()
    store = SqlAlchemyStore(StoreDatabase(tmp_path))
    store.start()
    assert store.page(query(None)).jobs == ()
    store.close()


def test_a_column_without_the_number_of_its_version_is_taken_as_it_is(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'jobs.sqlite'}")
    make(engine, "0002")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '0001'")
    engine.dispose()
    store = SqlAlchemyStore(StoreDatabase(tmp_path))
    store.start()
    check(store, "0002")
    store.close()


# ------------------------------------------------------------------ too new


def test_a_store_of_a_newer_version_is_refused_and_left_as_it_is(
    tmp_path: Path, db_url: str | None, engine: Engine
) -> None:
    first = SqlAlchemyStore(StoreDatabase(tmp_path, db_url))
    first.start()
    first.close()
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '9999'")
        connection.exec_driver_sql("ALTER TABLE jupyter_export_jobs DROP COLUMN prepared")
    before = shape(engine)
    engine.dispose()
    file = tmp_path / "jobs.sqlite"
    content = file.read_bytes() if db_url is None else b""
    second = SqlAlchemyStore(StoreDatabase(tmp_path, db_url))
    with pytest.raises(StoreTooNew, match="newer version") as caught:
        second.start()
    second.close()
    assert "Update jupyter_export" in str(caught.value)
    assert "9999" in str(caught.value)
    assert (file.read_bytes() if db_url is None else b"") == content
    assert (shape(engine), version_of(engine)) == (before, "9999")
