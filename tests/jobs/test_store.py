"""The contract of a job store, over every implementation: jobs, their pages, uploads."""

from __future__ import annotations

import threading
from dataclasses import fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from jupyter_export.errors import InvalidRequest
from jupyter_export.jobs.database import StoreDatabase
from jupyter_export.jobs.model import Job, JobPage, ServiceRecord, Status, Upload
from jupyter_export.jobs.store import JobStore, StaleVersion, encode_cursor
from jupyter_export.jobs.store_sqlalchemy import SqlAlchemyStore
from jupyter_export.jobs.tables import SEARCH_BYTES
from jupyter_export.pipeline import Progress, Result

from .conftest import Clock
from .stores import a_job, ids, in_processes, query


def everything(now: datetime) -> Job:
    """A job that differs from a new one in every field."""
    moment = now + timedelta(microseconds=123_457)
    return Job(
        id="full",
        name="flüge “quoted”",
        status="completed",
        format="excel",
        created_by="me@example.org",
        created_at=moment,
        spec={"name": "x", "datasets": [{"where": {"value": [1, 2.5, None, True, "\u2028"]}}]},
        path="exports/x.xlsx",
        temporary=True,
        progress=Progress("done", 5, 5, 100.0, 10**12, 1.5, 0.0),
        started_at=moment + timedelta(seconds=1),
        finished_at=moment + timedelta(seconds=2),
        expires_at=moment + timedelta(days=1),
        attempt=3,
        download_count=7,
        result=Result("x.csv", 5, 10**12, "ab", ({"path": "x.csv"},), ({"kind": "k"},), "df = 1"),
        error={"code": "failed", "message": "ü “quoted”", "hint": None, "field": None},
        version=9,
        target="/srv/exports/x.xlsx",
        root="/srv/exports",
        instance="there",
        made=("/srv/exports/deep", "/srv/exports"),
        place="f" * 32,
        confined=False,
        tries=2,
        retry_at=moment + timedelta(minutes=1),
        weight=10**13,
        history=({"attempt": 1, "status": "failed", "error": {"code": "throttled"}},),
        prepared={"result": {"rows": 5}, "identity": [2**63 - 1, 1]},
    )


def test_a_job_comes_back_as_it_went_in(store: JobStore, clock: Clock) -> None:
    job, new = everything(clock()), a_job(clock())
    same = [f.name for f in fields(Job) if getattr(job, f.name) == getattr(new, f.name)]
    assert same == []
    store.add(job, ["u"])
    assert store.get(job.id) == job
    assert store.uploads_of(job.id) == ["u"]
    assert store.get("nobody") is None


def test_every_field_can_be_changed_and_taken_back(store: JobStore, clock: Clock) -> None:
    job = a_job(clock())
    store.add(job, [])
    full = replace(everything(clock()), id=job.id, version=2)
    store.update(full, expected=1)
    assert store.get(job.id) == full
    store.update(replace(job, version=3), expected=2)
    assert store.get(job.id) == replace(job, version=3)


def test_an_upload_that_is_named_twice_is_kept_once(store: JobStore, clock: Clock) -> None:
    store.add(a_job(clock()), ["v", "u", "v"])
    assert sorted(store.uploads_of("job0000")) == ["u", "v"]


def test_pages_are_newest_first_and_hold_every_job_once(store: JobStore, clock: Clock) -> None:
    for number in range(25):
        store.add(a_job(clock(), number), [])
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
        store.add(a_job(clock(), 1000 + len(paged)), [])
        cursor = page.next_cursor
        if cursor is None:
            break
    assert paged == whole


def test_the_last_page_has_no_cursor(store: JobStore, clock: Clock) -> None:
    for number in range(4):
        store.add(a_job(clock(), number), [])
    assert store.page(query(limit=4)).next_cursor is None
    assert store.page(query(limit=3)).next_cursor is not None
    assert store.page(query("nobody")) == JobPage((), None)


def test_a_cursor_outlives_its_job(store: JobStore, clock: Clock) -> None:
    for number in range(4):
        store.add(a_job(clock(), number), [])
    page = store.page(query(limit=2))
    store.delete(page.jobs[-1].id)
    rest = store.page(query(cursor=page.next_cursor))
    assert ids(rest) == ["job0001", "job0000"]


def test_filters(store: JobStore, clock: Clock) -> None:
    store.add(a_job(clock(), 0, status="running"), [])
    store.add(a_job(clock(), 1, status="failed", format="parquet", name="100% _done_"), [])
    store.add(a_job(clock(), 2, status="completed", created_by="you", path="Reports/Q1.csv"), [])
    assert ids(store.page(query(status="running"))) == ["job0000"]
    assert ids(store.page(query(status="running, failed"))) == ["job0001", "job0000"]
    assert ids(store.page(query(format="parquet"))) == ["job0001"]
    assert ids(store.page(query(format="parquet", status="running"))) == []
    assert ids(store.page(query(None))) == ["job0002", "job0001", "job0000"]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("0% _D", ["b"]),
        ("_", ["b"]),
        ("%", ["b"]),
        ("%_%", []),
        ("/", ["c", "b", "a"]),
        ("\\", ["c"]),
        ("'; --", []),
        ("reports/q", ["c"]),
        ("REPORTS/Q", ["c"]),
        ("straße", ["a"]),
        ("STRASSE", ["a"]),
        ("ΆΛΦΑ", ["a"]),
        ("*", []),
        ("?", []),
    ],
)
def test_a_search_means_each_character(
    store: JobStore, clock: Clock, q: str, found: list[str]
) -> None:
    store.add(a_job(clock(), id="a", name="Straße άλφα"), [])
    store.add(a_job(clock(), id="b", name="100% _done_"), [])
    store.add(a_job(clock(), id="c", name="back\\slash", path="Reports/Q1.csv"), [])
    assert ids(store.page(query(q=q))) == found


def test_a_search_looks_at_the_name_and_the_path_of_now(store: JobStore, clock: Clock) -> None:
    job = a_job(clock())
    store.add(job, [])
    store.update(job.changed(path="elsewhere/b.csv"), expected=1)
    assert ids(store.page(query(q="exports/0"))) == []
    assert ids(store.page(query(q="elsewhere"))) == ["job0000"]


def test_a_text_too_long_for_an_index_is_found_all_the_same(store: JobStore, clock: Clock) -> None:
    for number, length in enumerate((SEARCH_BYTES - 20, SEARCH_BYTES, 3000, 4096)):
        # Nothing that compresses: an index of PostgreSQL would take that.
        noise = "".join(chr(0x4E00 + (i * i * 7 + number) % 20_000) for i in range(length // 3))
        path = f"exports/{noise}/Ende{number}.csv"
        store.add(a_job(clock(), number, path=path, created_by="m" * 255), [])
    store.add(a_job(clock(), 9, created_by="m" * 255), [])
    for number in range(4):
        assert ids(store.page(query(None, q=f"ende{number}"))) == [f"job000{number}"]
    assert len(store.page(query("m" * 255, q="exports/")).jobs) == 5
    assert store.page(query("me", q="ende")).jobs == ()
    job = store.get("job0003")
    assert job is not None
    store.update(job.changed(path="short.csv"), expected=1)
    assert ids(store.page(query(None, q="ende3"))) == []
    assert ids(store.page(query(None, q="short"))) == ["job0003"]


@pytest.mark.parametrize("limit", [0, -1, 501, "many", None, 10**30])
def test_a_limit_out_of_range_is_refused(limit: object) -> None:
    with pytest.raises(InvalidRequest, match="1 to 500") as caught:
        query(limit=limit)
    assert caught.value.field == "limit"


def test_an_unknown_status_names_the_nearest() -> None:
    with pytest.raises(InvalidRequest, match="running"):
        query(status="runing")


@pytest.mark.parametrize("field", ["q", "format"])
@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_a_text_that_no_database_takes_is_refused(field: str, text: str) -> None:
    with pytest.raises(InvalidRequest, match="character") as caught:
        query(**{field: text})
    assert caught.value.field == field


@pytest.mark.parametrize(
    "cursor",
    [
        *("x", "é", "bnVsbA", "WzEsMl0", "W10", "WyJhIiwiYiJd", "[" * 9),
        *(encode_cursor(1, "a\0"), encode_cursor(1, "\ud800"), encode_cursor(2**63, "a")),
    ],
)
def test_a_cursor_of_ones_own_making_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        query(cursor=cursor)


def test_a_cursor_is_opaque() -> None:
    cursor = encode_cursor(1_772_366_400_000_000, "job0000")
    assert cursor.isascii()
    assert "=" not in cursor
    assert query(cursor=cursor).after == (1_772_366_400_000_000, "job0000")


def test_a_late_progress_write_never_covers_a_final_state(store: JobStore, clock: Clock) -> None:
    job = a_job(clock())
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
    job = a_job(clock())
    store.add(job, ["u"])
    store.delete(job.id)
    store.delete(job.id)
    assert store.get(job.id) is None
    assert store.uploads_of(job.id) == []
    with pytest.raises(StaleVersion):
        store.update(job.changed(), expected=1)


def test_of_many_writers_of_one_version_one_wins(store: JobStore, clock: Clock) -> None:
    job = a_job(clock())
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


STEPS = 20


def count_up(state_dir: str, db_url: str) -> None:
    """Change the job and add jobs, with others who do the same; say how often it was too late."""
    store = SqlAlchemyStore(StoreDatabase(Path(state_dir), db_url or None))
    store.start()
    late = done = 0
    while done < STEPS:
        job = store.get("job0000")
        assert job is not None
        try:
            store.update(job.changed(attempt=job.attempt + 1), expected=job.version)
            store.add(replace(job, id=f"{job.version}-{done}", version=1), ["u"])
            done += 1
        except StaleVersion:
            late += 1
    store.close()
    print(late)


def test_writers_in_several_processes_lose_no_write_and_wait_for_each_other(
    store: JobStore, clock: Clock, tmp_path: Path, db_url: str | None
) -> None:
    store.add(a_job(clock(), attempt=0), [])
    said = in_processes("tests.jobs.test_store:count_up", 3, str(tmp_path), db_url or "")
    stored = store.get("job0000")
    assert stored is not None
    # Every one of them came to its end, so none met “database is locked”.
    assert len([int(late) for late in said]) == 3
    assert (stored.attempt, stored.version) == (3 * STEPS, 1 + 3 * STEPS)
    assert len(store.page(query(limit=500)).jobs) == 1 + 3 * STEPS


def test_what_the_service_asks_for(store: JobStore, clock: Clock) -> None:
    store.add(a_job(clock(), 0), ["u", "v"])
    store.add(a_job(clock(), 1, status="running"), ["u"])
    store.add(a_job(clock(), 2, status="completed", expires_at=clock()), [])
    store.add(a_job(clock(), 3, status="completed", expires_at=clock() + timedelta(seconds=1)), [])
    store.add(a_job(clock(), 4, status="completed"), [])
    store.add(a_job(clock(), 5, status="failed", expires_at=clock()), [])
    assert [job.id for job in store.active()] == ["job0000", "job0001"]
    assert store.count_pending("me") == 1
    assert store.count_pending("you") == 0
    assert [job.id for job in store.expiring(clock())] == ["job0002"]
    writer = store.writing_to("/srv/exports/1.csv")
    assert writer is not None
    assert writer.id == "job0001"
    assert store.writing_to("/srv/exports/2.csv") is None
    assert [job.id for job in store.readers("u")] == ["job0000", "job0001"]
    assert store.readers("w") == []


def test_active_jobs_come_oldest_first(store: JobStore, clock: Clock) -> None:
    for number, status in ((3, "running"), (1, "pending"), (2, "running"), (0, "pending")):
        store.add(a_job(clock(), number, status=status), [])
        clock.advance(seconds=1)
    assert [job.id for job in store.active()] == ["job0003", "job0001", "job0002", "job0000"]


def test_the_counts_name_every_status(store: JobStore, clock: Clock) -> None:
    assert store.counts() == dict.fromkeys(get_args(Status), 0)
    for number, status in enumerate(("failed", "pending", "failed", "completed")):
        store.add(a_job(clock(), number, status=status), [])
    assert store.counts() == {
        "pending": 1, "running": 0, "completed": 1, "failed": 2, "cancelled": 0, "expired": 0,
    }  # fmt: skip


def test_orphans_are_the_active_jobs_of_no_service(store: JobStore, clock: Clock) -> None:
    store.beat(ServiceRecord("here", "p", 1, clock()), first=True)
    for number, (status, instance) in enumerate(
        (("running", "gone"), ("pending", ""), ("pending", "here"), ("completed", "gone"))
    ):
        store.add(a_job(clock(), number, status=status, instance=instance), [])
    assert [job.id for job in store.orphans()] == ["job0000", "job0001"]
    store.end_service("here")
    assert [job.id for job in store.orphans()] == ["job0000", "job0001", "job0002"]


def test_uploads(store: JobStore, clock: Clock) -> None:
    upload = Upload("u", "me", 10**10, 10**12, ({"name": "a", "type": "int64"},), clock())
    store.add_upload(upload)
    later = replace(upload, id="t", created_at=clock() + timedelta(seconds=1))
    store.add_upload(later)
    assert store.get_upload("u") == upload
    assert store.uploads() == [upload, later]
    store.delete_upload("u")
    store.delete_upload("u")
    assert store.get_upload("u") is None
    assert store.uploads() == [later]


def test_start_and_close_can_be_repeated(store: JobStore, clock: Clock) -> None:
    store.add(a_job(clock()), [])
    store.start()
    store.close()
    store.close()
    assert store.get("job0000") is not None
