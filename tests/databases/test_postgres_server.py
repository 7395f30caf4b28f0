"""A server of a test's own: its passwords are asked for, and its processes are killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import quote

import psycopg
import pytest
import sqlalchemy as sa

from benchmarks.postgres_server import running
from jupyter_export.errors import ConnectionLost, LoginRefused

from .conftest import Bench
from .postgres import PASSWORD, opened, query, read


@pytest.fixture
def own_server() -> Iterator[str]:
    """A server that nobody else reads from."""
    with running() as url:
        yield url.replace("+psycopg:", ":").replace("postgres@", f"postgres:{PASSWORD}@")


def back(url: str) -> None:
    """Wait until the server has recovered: it does not stop before."""
    for _ in range(200):
        with suppress(psycopg.OperationalError):
            psycopg.connect(url).close()
            return
        time.sleep(0.1)
    raise AssertionError("the server does not come back")


@pytest.mark.parametrize("driver", ["adbc", "psycopg"])
def test_a_server_that_crashes_in_mid_stream(
    own_server: str, bench: Bench, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if driver == "psycopg":
        monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", None)
    text = "SELECT repeat('x', 1000) AS x FROM generate_series(1, 2000000) AS i"
    with opened(own_server, bench.surroundings()) as database:
        stream = database.stream(sa.select(database.relation(query(text)).clause))
        next(stream.batches)
        with psycopg.connect(own_server, autocommit=True) as looker:
            ((pid,),) = looker.execute(
                "SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY%'"
                " AND application_name = 'jupyter_export'"
            ).fetchall()
        # one of its processes: PostgreSQL then ends all the others
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ConnectionLost) as caught:
            list(stream.batches)
        assert "went away while it was read" in caught.value.message
        assert PASSWORD not in repr(caught.value.to_json())
        # and what is asked next says the same
        with pytest.raises(ConnectionLost):
            database.tables()
    back(own_server)


@pytest.mark.parametrize("driver", ["adbc", "psycopg"])
def test_passwords(
    own_server: str, bench: Bench, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if driver == "psycopg":
        monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", None)
    secret = "p@ss w'rd\\ \"/%:ü"
    with psycopg.connect(own_server, autocommit=True) as connection:
        literal = psycopg.sql.Literal(secret).as_string(connection)
        connection.execute(f"CREATE ROLE guarded LOGIN PASSWORD {literal}")
        ((rules,),) = connection.execute("SHOW hba_file").fetchall()
        connection.execute(
            "COPY (VALUES ('host all guarded all scram-sha-256'), ('host all all all trust'))"
            f" TO '{rules}'"
        )
        connection.execute("SELECT pg_reload_conf()")
    place = own_server.partition("@")[2]
    right = f"postgresql://guarded:{quote(secret, safe='')}@{place}"
    for _ in range(100):
        # the server reads its rules in its own time
        with suppress(psycopg.OperationalError):
            psycopg.connect(f"postgresql://guarded@{place}").close()
            time.sleep(0.05)
            continue
        break
    with opened(right, bench.surroundings()) as database:
        assert read(database, "SELECT current_user::text AS x")[0].to_pylist() == [{"x": "guarded"}]
    for url, said in [
        (f"postgresql://guarded:wr0ng-word@{place}", "user or password is wrong"),
        (f"postgresql://guarded@{place}", "asks for a password"),
    ]:
        with pytest.raises(LoginRefused, match=said) as caught, opened(url, bench.surroundings()):
            pass
        for word in ("wr0ng-word", "guarded", "127.0.0.1"):
            assert word not in repr(caught.value.to_json())
