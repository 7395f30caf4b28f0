"""Questions to a store with a long history never read all of it: the plans say so, not a clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event

from benchmarks import history
from jupyter_export.jobs.database import StoreDatabase
from jupyter_export.jobs.store_sqlalchemy import SqlAlchemyStore

from .stores import DATABASES, query

LENGTH = 6_000
"""Enough that to read all of it is dearer than to use an index."""

Explain = Callable[[Callable[[], Any]], list[str]]


@pytest.fixture(scope="module", params=DATABASES)
def explain(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[SqlAlchemyStore, Explain]]:
    """A store with a history, and what gives the plan of each statement that a call sends."""
    url = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_url")
        admin = create_engine(server, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.exec_driver_sql("CREATE DATABASE history")
        url = f"{server.rsplit('/', 1)[0]}/history"
    database = StoreDatabase(tmp_path_factory.mktemp("history"), url)
    store = SqlAlchemyStore(database)
    store.start()
    history._fill(database, LENGTH)
    if url is not None:
        history._vacuum(url)

    def plans(call: Callable[[], Any]) -> list[str]:
        found: list[str] = []

        def executing(
            connection: Connection, _cursor: object, statement: str, parameters: Any, *_more: object
        ) -> None:
            if statement.startswith("SELECT") and not connection.info.get("explaining"):
                connection.info["explaining"] = True
                words = "EXPLAIN QUERY PLAN" if url is None else "EXPLAIN (COSTS OFF)"
                rows = connection.exec_driver_sql(f"{words} {statement}", parameters).all()
                found.append("\n".join(str(row[-1]) for row in rows))
                connection.info["explaining"] = False

        event.listen(database._engine, "before_cursor_execute", executing)
        try:
            call()
        finally:
            event.remove(database._engine, "before_cursor_execute", executing)
        return found

    yield store, plans
    store.close()
    if url is not None:
        with admin.connect() as connection:
            connection.exec_driver_sql("DROP DATABASE history WITH (FORCE)")
        admin.dispose()


def reads_all(plan: str) -> bool:
    """Return whether a plan goes over the jobs, or over all of an index of theirs that is not
    partial."""
    sqlite = re.search(
        r"SCAN jupyter_export_jobs(?! USING (COVERING )?INDEX \w+_(active|long))", plan
    )
    return bool(sqlite) or "Seq Scan on jupyter_export_jobs" in plan


MIDDLE = history._cursor(LENGTH // 2)


@pytest.mark.parametrize("owner", ["me", None])
@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"cursor": MIDDLE},
        {"status": "failed"},
        {"status": "completed"},
        {"status": "completed,failed"},
        {"status": "pending,running"},
        {"format": "parquet"},
        {"status": "completed", "format": "nothing"},
        {"q": "exports/"},
        {"q": "nothing"},
        {"q": "nothing", "status": "completed"},
        {"q": "nothing", "status": "completed,failed", "format": "csv", "cursor": MIDDLE},
    ],
    ids=lambda filters: "+".join(filters) or "all",
)
def test_a_page_reads_narrow_rows_and_then_only_its_own(
    explain: tuple[SqlAlchemyStore, Explain], owner: str | None, filters: dict[str, str]
) -> None:
    store, plans = explain
    narrow, wide = plans(lambda: store.page(query(owner, **filters)))
    covering = r"USING COVERING INDEX jupyter_export_jobs_(owner|created)"
    alone = r"Index Only Scan Backward using jupyter_export_jobs_(owner|created)"
    if filters == {"status": "pending,running"}:
        # The few that are active may as well be sorted.
        assert "jupyter_export_jobs_active" in narrow
    else:
        assert re.search(f"{covering}|{alone}", narrow), narrow
        # In the order of the index: it ends as soon as the page is full.
        assert "ORDER BY" not in narrow
        assert "Sort" not in narrow
    if "cursor" in filters:
        assert re.search(r"created_at<\?|Index Cond.*created_at <=", narrow)
    assert not reads_all(wide), wide


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.get("x"),
        lambda store: store.active(),
        lambda store: store.orphans(),
        lambda store: store.count_pending("me"),
        lambda store: store.writing_to("/srv/none.csv"),
        lambda store: store.expiring(history.BEGIN),
        lambda store: store.readers("x"),
        lambda store: store.uploads_of("x"),
    ],
    ids=[
        "get", "active", "orphans", "count_pending", "writing_to", "expiring", "readers",
        "uploads_of",
    ],
)  # fmt: skip
def test_what_a_service_asks_all_the_time_does_not_grow_with_the_history(
    explain: tuple[SqlAlchemyStore, Explain], ask: Callable[[SqlAlchemyStore], Any]
) -> None:
    store, plans = explain
    (plan,) = plans(lambda: ask(store))
    assert not reads_all(plan), plan
    assert not re.search(r"jupyter_export_jobs_(owner|created)\b", plan), plan


def test_the_counts_read_an_index_alone(explain: tuple[SqlAlchemyStore, Explain]) -> None:
    store, plans = explain
    (plan,) = plans(store.counts)
    # PostgreSQL knows how large the rows are, and may read them where that is as cheap.
    assert re.search("COVERING INDEX|Index Only Scan|Seq Scan", plan), plan


def test_every_page_of_a_long_history_is_there(explain: tuple[SqlAlchemyStore, Explain]) -> None:
    store, _ = explain
    seen: list[str] = []
    cursor = None
    while True:
        page = store.page(query(None, limit=500, cursor=cursor))
        seen += [job.id for job in page.jobs]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [history._id(number) for number in reversed(range(LENGTH))]
    assert sum(store.counts().values()) == LENGTH


def test_a_new_and_a_changed_job_are_found_in_a_long_history(
    explain: tuple[SqlAlchemyStore, Explain],
) -> None:
    store, _ = explain
    (oldest,) = store.page(query(None, q="OLDEST")).jobs
    assert oldest.id == history._id(0)
    step = oldest.changed(path="moved/elsewhere.csv")
    store.update(step, expected=oldest.version)
    assert store.page(query(None, q="moved/else")).jobs == (step,)
    store.update(step.changed(path=oldest.path), expected=step.version)
    assert store.page(query(None, q="moved/else")).jobs == ()


def test_the_history_of_the_benchmark_is_of_realistic_size(tmp_path: Path) -> None:
    database = StoreDatabase(tmp_path)
    database.start()
    history._fill(database, 200)
    database.close()
    with create_engine(f"sqlite:///{tmp_path / 'jobs.sqlite'}").connect() as connection:
        size = connection.exec_driver_sql(
            "SELECT avg(length(spec)) FROM jupyter_export_jobs"
        ).scalar_one()
        connection.close()
    assert 1_500 < size < 4_000
