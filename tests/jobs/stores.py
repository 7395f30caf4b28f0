"""Stores over each database, and jobs to put into them."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from jupyter_export.jobs.database import StoreDatabase
from jupyter_export.jobs.model import Job, JobPage
from jupyter_export.jobs.store import JobQuery
from jupyter_export.jobs.store_sqlalchemy import SqlAlchemyStore

DATABASES = ("sqlite", "postgresql")


@pytest.fixture
def empty_postgres(postgres_url: str) -> Iterator[str]:
    """The URL of a database of its own on the tests' server."""
    name = f"store_{secrets.token_hex(4)}"
    # With a ping: a test may have its server start over.
    admin = create_engine(postgres_url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield f"{postgres_url.rsplit('/', 1)[0]}/{name}"
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(params=DATABASES)
def db_url(request: pytest.FixtureRequest) -> str | None:
    """What the setting of that name is: None, and a URL of an empty PostgreSQL."""
    return request.getfixturevalue("empty_postgres") if request.param == "postgresql" else None


@pytest.fixture
def engine(tmp_path: Path, db_url: str | None) -> Iterator[Engine]:
    """The same database without the store around it."""
    engine = create_engine(db_url or f"sqlite:///{tmp_path / 'jobs.sqlite'}")
    yield engine
    engine.dispose()


@pytest.fixture
def store(tmp_path: Path, db_url: str | None) -> Iterator[SqlAlchemyStore]:
    with_tables = SqlAlchemyStore(StoreDatabase(tmp_path, db_url))
    with_tables.start()
    yield with_tables
    with_tables.close()


def a_job(now: datetime, number: int = 0, **fields: object) -> Job:
    job = Job(
        id=f"job{number:04}",
        name="flights",
        status="pending",
        format="csv",
        created_by="me",
        created_at=now,
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


def in_processes(function: str, count: int, *arguments: str) -> list[str]:
    """Call ``module:function`` with ``arguments`` in so many processes at once; return what each
    printed. They begin together: each waits for its standard input to end.
    """
    module, name = function.split(":")
    code = f"import sys; from {module} import {name}; sys.stdin.read(); {name}(*sys.argv[1:])"
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, *arguments],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    said = [process.communicate(timeout=100)[0] for process in processes]
    killed = -signal.SIGKILL if os.name != "nt" else 1
    assert {process.returncode for process in processes} <= {0, killed}
    return said
