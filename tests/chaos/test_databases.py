"""A database that goes away in the middle: the one that is read, and the one of the store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest

from .conftest import LONG, MakeStage, some
from .harness import eventually
from .kinds import KINDS, database_kind, made
from .postgres import Postgres, running

ROWS = 50_000
SLOW = "SELECT n, word, price FROM rows WHERE n % 500 <> 0 OR pg_sleep(0.02)::text = ''"
"""Takes two seconds at least."""
QUICK = [kind for kind in KINDS if kind.name in ("csv", "temporary", "excel", "file")]


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    with running() as server:
        server.fill("rows", made(ROWS, 5))
        yield server


def test_a_source_that_goes_away_in_the_middle_of_a_query(
    make_stage: MakeStage, database: Postgres
) -> None:
    stage = make_stage(
        rows=1000, few=1000, connections={"warehouse": database.url},
        options={"max_attempts": 20, "retry_max_delay": 2},
    )  # fmt: skip
    kind = database_kind(made(ROWS, 5), {"type": "sql", "query": SLOW})
    job = str(stage.ledger.ask(stage.server, kind).id)
    eventually(lambda: database.runs("pg_sleep"), "the query runs")
    database.stop()
    try:
        failed = stage.server.failed_once(job)
        assert failed["history"][0]["error"]["code"] in ("connection_lost", "connection_failed")
        # It is not there yet: this attempt must fail as well, and the next one wait longer.
        stage.server.failed_once(job, tries=2)
    finally:
        database.start()
    stage.server.settle()
    stage.ledger.check(stage.server)
    assert stage.server.job(job)["attempt"] > 2


@pytest.mark.parametrize("how", some(["server", "machine"], 1))
def test_a_server_killed_while_it_reads_a_database(
    make_stage: MakeStage, database: Postgres, how: str
) -> None:
    stage = make_stage(rows=1000, few=1000, connections={"warehouse": database.url})
    source = {"type": "sql", "query": SLOW}
    if how == "machine":
        source = {"type": "table", "table": "rows"}
    job = str(stage.ledger.ask(stage.server, database_kind(made(ROWS, 5), source)).id)
    eventually(lambda: stage.server.job(job)["status"] != "pending", "the job runs")
    if how == "machine":
        stage.server.kill_all()
    else:
        stage.server.kill()
    stage.server = stage.home.serve()
    stage.server.settle()
    stage.ledger.check(stage.server)


def test_a_store_that_goes_away_and_comes_back(make_stage: MakeStage, database: Postgres) -> None:
    stage = make_stage(db_url=database.new_database("outage"), options={"max_attempts": 20})
    asked = [stage.ledger.ask(stage.server, kind) for kind in QUICK * 2]
    eventually(
        lambda: any(stage.server.job(str(each.id))["status"] == "running" for each in asked),
        "a job runs",
    )
    database.stop()
    try:
        gone_until = time.monotonic() + (10 if LONG else 4)
        while time.monotonic() < gone_until:
            answer = stage.server.request("POST", "jobs", json=asked[0].spec)
            assert answer.status_code == 503, answer.text
            said = answer.json()
            assert said["error"]["code"] == "server_unavailable", said
            assert database.url not in answer.text
            assert stage.server.request("GET", "formats").status_code == 200
    finally:
        database.start()
    eventually(lambda: stage.server.request("GET", "jobs").status_code == 200, "the store is back")
    stage.server.settle()
    stage.ledger.check(stage.server)
    stage.server.final(str(stage.ledger.ask(stage.server, QUICK[0]).id))
    stage.ledger.check(stage.server)


def test_a_server_killed_while_its_store_is_away(make_stage: MakeStage, database: Postgres) -> None:
    stage = make_stage(db_url=database.new_database("away"), options={"max_attempts": 20})
    with suppress(httpx.TransportError):
        for kind in QUICK:
            stage.ledger.ask(stage.server, kind)
    database.stop()
    stage.server.kill()
    try:
        stage.server = stage.home.serve()
        answer = stage.server.request("GET", "jobs")
        assert answer.status_code == 503, answer.text
        assert answer.json()["error"]["code"] == "server_unavailable"
    finally:
        database.start()
    eventually(
        lambda: stage.server.request("GET", "jobs").status_code == 200, "the service has started"
    )
    stage.server.settle()
    stage.ledger.check(stage.server)
