"""A password that would be found: jobs that succeed and fail in every way tell it to nobody."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
import pytest

from jupyter_export.errors import ExportError, QueryFailed
from jupyter_export.jobs.model import Job
from jupyter_export.jobs.service import ExportService

from .conftest import ME, MakeService, worker_processes

SECONDS = 60.0
TRACE = "Zq7Hunter2"
"""What is looked for: it stands in every password, whatever is quoted around it."""
PASSWORD = f"p/w:{TRACE}@x"
QUOTED = quote(PASSWORD, safe="")


@pytest.fixture(scope="module")
def place(postgres_url: str) -> Iterator[str]:
    """``host:port/database`` of a server that asks the role clerk for ``PASSWORD``."""
    server = postgres_url.replace("+psycopg:", ":")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS guarded")
        connection.execute("CREATE DATABASE guarded")
        connection.execute("DROP ROLE IF EXISTS clerk")
        connection.execute(
            psycopg.sql.SQL("CREATE ROLE clerk LOGIN SUPERUSER PASSWORD {}").format(PASSWORD)
        )
        (file,) = connection.execute("SHOW hba_file").fetchone() or ("",)
        rules = Path(file).read_text()
        Path(file).write_text(f"host all clerk 127.0.0.1/32 scram-sha-256\n{rules}")
        connection.execute("SELECT pg_reload_conf()")
        found = f"{server.partition('@')[2].rpartition('/')[0]}/guarded"
        _until_it_asks(f"postgresql://clerk@{found}")
        yield found
        Path(file).write_text(rules)
        connection.execute("SELECT pg_reload_conf()")


def _until_it_asks(url: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def sql(connection: str, query: str) -> dict[str, Any]:
    return {"source": {"type": "sql", "connection": connection, "query": query}, "format": "csv"}


def connections_to(place: str, lite: Path) -> dict[str, Any]:
    login = f"clerk:{QUOTED}"
    return {
        "good": f"postgresql://{login}@{place}",
        "generic": f"postgresql+psycopg://{login}@{place}",
        "from_options": {
            "url": f"postgresql://clerk@{place}",
            "options": {"password": "env:CLERKS_PASSWORD"},
        },
        "from_environment": "env:CLERKS_URL",
        "quick": {"url": f"postgresql://{login}@{place}", "statement_timeout": 1},
        "refused": f"postgresql://clerk:{TRACE}-wrong@{place}",
        "stranger": f"postgresql://nobody_here:{TRACE}@{place}",
        "no_database": f"postgresql://{login}@{place}_not",
        "unreachable": f"postgresql://{login}@127.0.0.1:9/db",
        "no_host": f"postgresql://{login}@no-such-host.invalid/db",
        "no_port": f"postgresql://{login}@127.0.0.1:port/db",
        "raw": f"postgresql://clerk:{PASSWORD}@{place}",
        "no_driver": f"mysql+nosuch://{login}@{place}",
        "no_dialect": f"nosuch://{login}@{place}",
        "no_option": f"postgresql://{login}@{place}?nosuch={TRACE}",
        "mysql": f"mysql+pymysql://{login}@127.0.0.1:9/db",
        "no_mysql_port": f"mysql+pymysql://{login}@127.0.0.1:port/db",
        "sqlite": f"sqlite:///{lite}?password={TRACE}",
        "bucket": f"nosuchplace://{login}@bucket",
        "duckdb": f"duckdb:////nowhere/no.db?password={TRACE}",
        **{each.replace("+", "."): f"{each}://{login}@127.0.0.1:9/db" for each in OTHERS},
        **{place: f"{place}://{login}@127.0.0.1:9/data" for place in PLACES},
        "web_key": {
            "url": "http://127.0.0.1:9/data",
            "options": {"client_kwargs": {"headers": {"Authorization": f"Bearer {TRACE}"}}},
        },
    }


OTHERS = ("mssql+pyodbc", "oracle+oracledb", "mariadb+pymysql", "snowflake", "postgresql+psycopg2")
"""Dialects whose drivers may not be here, or whose server is not."""
PLACES = ("http", "https", "ftp", "sftp", "s3", "webdav", "smb")
"""Places with files, their URLs with a login."""
FILES = (*PLACES, "web_key", "bucket")


GOOD = ("good", "generic", "from_options", "from_environment")
QUERIES = {
    "quick": ("SELECT pg_sleep(20)",),
    "good": (
        "SELECT 1 AS one",
        "SELEC 1",
        "SELECT nothing",
        "SELECT 1 / (5 - n) AS x FROM generate_series(1, 9) AS n",
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "CREATE TABLE t (n int)",
        "SELECT current_setting('nosuch')",
    ),
}


class Heard:
    """Everything that anybody is told, as one text."""

    def __init__(self, service: ExportService) -> None:
        self.service = service
        self.said: list[str] = []
        service.subscribe(lambda job: self.said.append(json.dumps(job.to_json())))

    def job(self, spec: dict[str, Any]) -> Job | None:
        try:
            job = self.service.submit(spec, ME)
        except ExportError as error:
            self.error(error)
            return None
        job = self.service.wait(job.id, ME, SECONDS)
        self.said += [repr(job), json.dumps(job.to_json())]
        self.processes()
        return job

    def asked(self, spec: dict[str, Any], name: str) -> None:
        for ask in (lambda: self.service.preview(spec, ME), lambda: self.service.tables(name, ME)):
            try:
                self.said.append(json.dumps(ask()))
            except ExportError as error:
                self.error(error)
            self.processes()

    def error(self, error: ExportError) -> None:
        self.said += [str(error), repr(error), repr(error.to_json())]

    def processes(self) -> None:
        for process in worker_processes():
            try:
                self.said += [repr(process.cmdline()), repr(process.environ())]
            except psutil.Error:
                continue  # It has ended meanwhile.

    def files(self, folder: Path) -> Iterator[Path]:
        for path in folder.rglob("*"):
            if path.is_file() and TRACE.encode() in path.read_bytes():
                yield path


def test_no_secret_is_told(
    make_service: MakeService,
    place: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("CLERKS_URL", f"postgresql://clerk:{QUOTED}@{place}")
    monkeypatch.setenv("CLERKS_PASSWORD", PASSWORD)
    given = connections_to(place, tmp_path / "no.db")
    service = make_service(max_workers=2, connections=given)
    heard = Heard(service)
    heard.said += [repr(service.settings), repr(service.connections(ME))]
    heard.said += [json.dumps(service.schema()), json.dumps(service.formats())]
    ended: dict[str, list[str]] = {}
    for name in given:
        for query in QUERIES.get(name, ("SELECT 1 AS one",)):
            job = heard.job(sql(name, query))
            code = job.error["code"] if job is not None and job.error else None
            ended.setdefault(name, []).append(str(code or (job.status if job else "refused")))
        heard.asked(sql(name, "SELECT 1 AS one"), name)
    for name in FILES:
        spec = {"source": {"type": "file", "path": "a.csv", "connection": name}, "format": "csv"}
        job = heard.job(spec)
        ended[f"{name}, a file"] = [str(job.error["code"]) if job and job.error else "refused"]
        heard.asked(spec, name)
    heard.said += [json.dumps(job.to_json()) for job in service.list(ME, limit=500).jobs]
    service.stop()

    assert {name: ended[name][0] for name in GOOD} == dict.fromkeys(GOOD, "completed")
    assert ended["good"][1:] == [
        "query_failed", "query_failed", "query_failed", "connection_lost", "query_failed",
        "query_failed",
    ]  # fmt: skip
    assert ended["quick"] == ["statement_timeout"]
    assert ended["refused"] == ended["stranger"] == ended["no_database"] == ["login_refused"]
    assert ended["unreachable"] == ended["no_host"] == ["connection_failed"]
    assert ended["no_port"] == ["source_failed"]
    others = {name: codes for name, codes in ended.items() if name not in GOOD}
    assert "completed" not in str(others), others
    # They fail for the reason that is meant, and not for a fault of ours.
    assert "internal_error" not in str(ended)
    assert "worker_crashed" not in str(ended)

    logged = "\n".join([caplog.text, *(repr(record.args) for record in caplog.records)])
    assert "failed" in logged  # What workers write is among it.
    printed = capfd.readouterr()
    for text in (*heard.said, logged, printed.out, printed.err):
        at = text.find(TRACE)
        assert at < 0, text[max(at - 300, 0) : at + 300]
    assert list(heard.files(service.settings.state_dir)) == []
    assert list(heard.files(service.settings.root)) == []


def test_what_a_user_writes_into_his_query_is_his(make_service: MakeService, place: str) -> None:
    service = make_service(connections={"good": f"postgresql://clerk:{QUOTED}@{place}"})
    job = Heard(service).job(sql("good", f"SELECT '{TRACE}' AS mine"))
    assert job is not None
    assert (job.status, job.spec["datasets"][0]["source"]["query"]) == (
        "completed",
        f"SELECT '{TRACE}' AS mine",
    )


# ------------------------------------------------------------------ a database that is only read


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("INSERT INTO kept VALUES (2) RETURNING n", "The query failed"),
        ("WITH gone AS (DELETE FROM kept RETURNING n) SELECT * FROM gone", "The query failed"),
        ("SELECT nextval('counted') AS n", "read-only transaction"),
        ("SELECT setval('counted', 7) AS n", "read-only transaction"),
    ],
)
def test_the_database_refuses_to_write(
    query: str, said: str, make_service: MakeService, place: str
) -> None:
    url = f"postgresql://clerk:{QUOTED}@{place}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS kept; DROP SEQUENCE IF EXISTS counted")
        connection.execute("CREATE TABLE kept AS SELECT 1 AS n; CREATE SEQUENCE counted")
        service = make_service(connections={"shop": url})
        for _ in range(2):
            job = service.wait(service.submit(sql("shop", query), ME).id, ME, SECONDS)
            assert job.error is not None
            assert job.error["code"] == "query_failed"
            assert said in str(job.error["message"])
        with pytest.raises(QueryFailed, match=said):
            service.preview(sql("shop", query), ME)
        assert connection.execute("SELECT n FROM kept").fetchall() == [(1,)]
        assert connection.execute("SELECT last_value, is_called FROM counted").fetchone() == (
            1,
            False,
        )
    assert list(service.settings.root.iterdir()) == []
