"""The part that asks a job store with a long history what a sidebar and a server ask it."""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sized
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, insert

from jupyter_export.jobs.database import StoreDatabase
from jupyter_export.jobs.model import Job, Status
from jupyter_export.jobs.store import JobQuery, encode_cursor, microseconds
from jupyter_export.jobs.store_sqlalchemy import SqlAlchemyStore, job_row
from jupyter_export.jobs.tables import job_uploads, jobs
from jupyter_export.progress import Progress, Result

from . import postgres_server
from .report import Target, at_most, table

TITLE = "A long history of jobs"
LIMIT_MS = 30
"""What 95 of 100 answers of the listing may take."""
WORKING_MS = 10
"""The same for what a service asks while it works."""
ROUNDS = 60
BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)
OWNERS = ("me",) * 95 + ("ann", "bob", "cyd", "dan", "eve")
"""One has nearly all jobs."""
STATUSES: tuple[Status, ...] = (
    *("completed",) * 88, *("failed",) * 6, *("cancelled",) * 3, *("expired",) * 3,
)  # fmt: skip
WORDS = (
    "daily", "weekly", "delays", "flights", "orders", "customers", "invoices", "report",
    "finance", "sales", "ledger", "sensors", "stock", "regional", "monthly", "archive",
)  # fmt: skip
BATCH = 2_000
ACTIVE = 40
"""Jobs that wait or run."""
QUERY = """\
SELECT f.carrier, f.origin, f.dest, date_trunc('day', f.time_hour) AS day, count(*) AS flights,
       avg(f.dep_delay) AS delay, max(p.seats) AS seats
FROM public.flights AS f JOIN public.planes AS p ON p.tailnum = f.tailnum
WHERE f.time_hour >= :start AND f.time_hour < :end AND f.dep_delay IS NOT NULL
GROUP BY 1, 2, 3, 4
"""


Ask = Callable[[], Sized]


@dataclass(frozen=True)
class _Question:
    what: str
    ask: Ask
    limit: float
    """Milliseconds."""


def history(folder: Path, length: int) -> tuple[str, list[Target]]:
    """Ask SQLite and PostgreSQL. Before each question another connection writes the progress of a
    job, as in a server at work: what that throws out of a cache is not in it."""
    folder.mkdir(parents=True, exist_ok=True)
    lines: list[tuple[str, ...]] = []
    targets: list[Target] = []
    with tempfile.TemporaryDirectory(dir=folder, prefix="history-") as place:
        _measure("SQLite", Path(place), None, length, lines, targets)
        with postgres_server.running("shared_buffers=256MB") as url:
            _measure("PostgreSQL", Path(place), url, length, lines, targets)
    return table((f"{length:,} jobs", "p50 ms", "p95 ms", "found"), lines), targets


def _measure(
    name: str,
    state_dir: Path,
    url: str | None,
    length: int,
    lines: list[tuple[str, ...]],
    targets: list[Target],
) -> None:
    database = StoreDatabase(state_dir, url)
    store, other = SqlAlchemyStore(database), SqlAlchemyStore(StoreDatabase(state_dir, url))
    try:
        store.start()
        print(f"  {name}: making {length:,} jobs", file=sys.stderr)
        _fill(database, length)
        if url is not None:
            _vacuum(url)
        print(f"  {name}: asking", file=sys.stderr)
        writing = _writes(other)
        for question in (*_listing(store, length), *_working(store, length)):
            figures, found = _timed(question.ask, writing)
            p95 = statistics.quantiles(figures, n=20)[-1]
            median = statistics.median(figures)
            lines.append((f"{name}: {question.what}", f"{median:.1f}", f"{p95:.1f}", f"{found:,}"))
            targets.append(at_most(f"{name}, {question.what}", p95, question.limit, "ms", 1))
        for what, figures in (("a new job", _adds(store, length)), ("progress", _steps(store))):
            p95 = statistics.quantiles(figures, n=20)[-1]
            cells = (f"{statistics.median(figures):.1f}", f"{p95:.1f}", "–")
            lines.append((f"{name}: write {what}", *cells))
    finally:
        store.close()
        other.close()


def _listing(store: SqlAlchemyStore, length: int) -> Iterator[_Question]:
    middle, end = _cursor(length // 2), _cursor(60)
    for who, owner in (("user", "me"), ("administrator", None)):
        filters: dict[str, dict[str, Any]] = {
            "first page": {},
            "second page": {"cursor": store.page(_query(owner)).next_cursor},
            "page in the middle": {"cursor": middle},
            "last page": {"cursor": end},
            "pending or running": {"status": "pending,running"},
            "failed": {"status": "failed"},
            "completed or failed": {"status": "completed,failed"},
            "format that no job has": {"format": "pdf"},
            "failed, of one format": {"status": "failed", "format": "parquet"},
            "text of every job": {"q": "exports/"},
            "text of no job": {"q": "nothing of the kind"},
            "text of no job, begins like many": {"q": "exports/delays/x"},
            "text of no job, from the middle": {"q": "nothing", "cursor": middle},
            "text of no completed job": {"q": "nothing", "status": "completed"},
            "text of the oldest job": {"q": "OLDEST"},
            "signs that are no wildcards": {"q": "%_%_%"},
        }
        for what, given in filters.items():
            page = partial(store.page, _query(owner, **given))
            yield _Question(f"{who}, {what}", lambda page=page: page().jobs, LIMIT_MS)


def _working(store: SqlAlchemyStore, length: int) -> Iterator[_Question]:
    half = _id(length // 2)
    asks: dict[str, Ask] = {
        "one job": lambda: [store.get(half)],
        "active jobs": store.active,
        "jobs that nobody runs": store.orphans,
        "number of pending jobs": lambda: range(store.count_pending("me")),
        "who writes a file": lambda: [store.writing_to("/srv/none.csv")],
        "files past their time": lambda: store.expiring(BEGIN + timedelta(minutes=200)),
        "uploads of a job": lambda: store.uploads_of(half),
        "readers of an upload": lambda: store.readers(half),
    }
    for what, ask in asks.items():
        yield _Question(what, ask, WORKING_MS)
    yield _Question("jobs by status", store.counts, LIMIT_MS)


def _timed(ask: Ask, writing: Callable[[], None]) -> tuple[list[float], int]:
    """Return the milliseconds of each answer, and how much the last one held."""
    figures, found = [], len(ask())
    for _ in range(ROUNDS):
        writing()
        begin = time.perf_counter()
        found = len(ask())
        figures.append(1000 * (time.perf_counter() - begin))
    return figures, found


def _adds(store: SqlAlchemyStore, length: int) -> list[float]:
    return [
        _milliseconds(partial(store.add, _job(length + number, length), [_id(number)]))
        for number in range(ROUNDS)
    ]


def _steps(store: SqlAlchemyStore) -> list[float]:
    writing = _writes(store)
    return [_milliseconds(writing) for _ in range(ROUNDS)]


def _milliseconds(call: Callable[[], None]) -> float:
    begin = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - begin)


def _writes(store: SqlAlchemyStore) -> Callable[[], None]:
    """Return a call that writes the next progress of a job that runs."""
    job = store.active()[0]

    def write() -> None:
        nonlocal job
        step = job.changed(progress=Progress("writing", job.version, bytes=8 * job.version))
        store.update(step, expected=job.version)
        job = step

    return write


def _query(owner: str | None, **given: Any) -> JobQuery:
    fields = {"status": None, "format": None, "q": None, "limit": 50, "cursor": None} | given
    return JobQuery.parse(owner, **fields)


def _cursor(number: int) -> str:
    return encode_cursor(microseconds(BEGIN + timedelta(minutes=number)), "~")


def _vacuum(url: str) -> None:
    """Do what the server itself would have done in the months that so many jobs take."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
    engine.dispose()


def _fill(database: StoreDatabase, length: int) -> None:
    for first in range(0, length, BATCH):
        numbers = range(first, min(first + BATCH, length))
        read = [{"job_id": _id(n), "upload_id": _id(n)} for n in numbers if n % 2 == 0]
        with database.transaction() as connection:
            connection.execute(insert(jobs), [job_row(_job(n, length)) for n in numbers])
            connection.execute(insert(job_uploads), read)


def _id(number: int) -> str:
    """Return an id as random as those of jobs are, the same for the same number."""
    return f"{random.Random(number).getrandbits(128):032x}"


def _job(number: int, length: int) -> Job:
    """Return the job that was made ``number`` minutes after the beginning."""
    dice = random.Random(-1 - number)
    subject, kind = dice.choice(WORDS), dice.choice(WORDS)
    file_format = dice.choice(("csv", "csv", "parquet", "excel", "jsonl"))
    name = f"{subject} {kind} {'oldest' if number == 0 else dice.randrange(1000)}"
    made = BEGIN + timedelta(minutes=number)
    path = f"exports/{subject}/{name.replace(' ', '_')}_{made:%Y%m%dT%H%M%S}_{_id(number)[:6]}.csv"
    status: Status = dice.choice(STATUSES)
    if number >= length - ACTIVE:
        status = "running" if number % 2 else "pending"
    temporary = number % 4 == 0
    done = status in ("completed", "expired")
    return Job(
        id=_id(number),
        name=name,
        status=status,
        format=file_format,
        # The jobs that are active are the one's own.
        created_by="me" if number >= length - ACTIVE else dice.choice(OWNERS),
        created_at=made,
        started_at=made,
        finished_at=None if status in ("pending", "running") else made + timedelta(seconds=9),
        expires_at=made + timedelta(days=1) if temporary and done else None,
        spec=_spec(name, path, file_format),
        path=path,
        target=f"/srv/{path}",
        root="/srv",
        temporary=temporary,
        progress=Progress("done", 336_776, 336_776, 100.0, 12_345_678, 250_000.0, 0.0),
        result=_result(path, _id(number)) if done else None,
        version=12,
        instance=_id(-1),
        place=_id(-2),
    )


def _spec(name: str, path: str, file_format: str) -> dict[str, Any]:
    where = [
        {"column": "dep_delay", "op": ">", "value": 60},
        {"not": {"column": "origin", "op": "in", "value": ["JFK", "LGA", "EWR"]}},
        {"column": "carrier", "op": "in", "value": ["UA", "AA", "DL", "B6", "EV", "MQ", "US"]},
    ]
    return {
        "name": name,
        "datasets": [
            {
                "name": f"flights{number}",
                "source": {
                    "type": "sql",
                    "connection": "warehouse",
                    "query": QUERY,
                    "params": {"start": "2013-01-01T00:00:00Z", "end": "2013-02-01T00:00:00Z"},
                },
                "where": {"and": where},
                "columns": {"exclude": ["internal"], "rename": {"dep_delay": "Delay"}},
                "sort": [{"column": "day", "descending": False}],
            }
            for number in range(2)
        ],
        "format": {"type": file_format},
        "output": {"path": path, "if_exists": "error"},
        "on_loss": "warn",
    }


def _result(path: str, digest: str) -> Result:
    file = {"path": path, "rows": 336_776, "bytes": 12_345_678, "sha256": 2 * digest}
    loss = {"kind": "time_zone", "column": "time_hour", "message": "The time zone is not kept."}
    reader = "import pandas as pd\ndf = pd.read_csv(path, dtype={'carrier': 'category'})\n"
    return Result(path, 336_776, 12_345_678, 2 * digest, (file,), (loss,), reader)
