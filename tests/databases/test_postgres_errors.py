"""What goes wrong with a PostgreSQL: each its own error, in one sentence, without a secret."""

from __future__ import annotations

import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from jupyter_export.errors import (
    Cancelled,
    ConnectionFailed,
    ConnectionLost,
    ExportError,
    InvalidSpec,
    LoginRefused,
    MissingDependency,
    QueryCancelled,
    QueryFailed,
    SourceFailed,
    StatementTimeout,
)
from jupyter_export.registry import Database
from jupyter_export.sources.postgres.failures import Failures

from .conftest import Bench
from .postgres import PASSWORD, make_database, opened, query, read, sessions, sessions_left, table

SLOW = "SELECT pg_sleep(60)::text AS x"
LATE = "SELECT CASE WHEN i > 400000 THEN pg_sleep(60)::text ELSE repeat('x', 50) END AS x"
LATE += " FROM generate_series(1, 500000) AS i"


@pytest.fixture(scope="module")
def url(postgres_url: str) -> str:
    return make_database(
        postgres_url,
        "failing",
        "CREATE TABLE flights (id int, name text)",
        "INSERT INTO flights SELECT i, 'x' || i FROM generate_series(1, 100) AS i",
        "CREATE VIEW delays AS SELECT * FROM flights",
        "CREATE SCHEMA shop",
        "CREATE TABLE shop.orders (id int)",
        "CREATE TABLE secret (id int)",
        "CREATE TABLE halves (id int, hidden int)",
        "DROP ROLE IF EXISTS reader",
        "CREATE ROLE reader LOGIN",
        "GRANT SELECT ON flights TO reader",
        "DROP ROLE IF EXISTS lonely",
        "CREATE ROLE lonely LOGIN CONNECTION LIMIT 1",
        "GRANT SELECT ON flights TO lonely",
        "GRANT SELECT (id) ON halves TO reader",
    )


@pytest.fixture(params=["adbc", "psycopg"])
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "psycopg":
        monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", None)
    return str(request.param)


@pytest.fixture
def database(url: str, bench: Bench, driver: str) -> Iterator[Database]:
    with opened(url, bench.surroundings()) as found:
        yield found
    assert sessions_left(url) == 0


def failure(kind: type[ExportError], url: str, do: Callable[[], Any]) -> ExportError:
    """Return the error that ``do`` raises: of that very kind, one line, nothing of the URL."""
    with pytest.raises(ExportError) as caught:
        do()
    error = caught.value
    assert type(error) is kind
    said = repr(error.to_json())
    for word in (PASSWORD, url, "127.0.0.1", "\\n", "COPY", "[libpq]"):
        assert word not in said
    return error


# ------------------------------------------------------------------ opening


@pytest.mark.parametrize(
    ("changed", "kind", "said"),
    [
        (("//postgres:", "//nobody:"), LoginRefused, "does not know its user"),
        (("/failing", "/nowhere"), LoginRefused, "no database of that name"),
        (("127.0.0.1", "no.such.host.invalid"), ConnectionFailed, "host is not known"),
        (("/failing", "?host=/nowhere"), ConnectionFailed, "no server has that socket"),
        (("failing", "failing?sslmode=require"), ConnectionFailed, "how to encrypt"),
        (("failing", "failing?nonsense=1"), SourceFailed, "cannot be used"),
        (("//", "/"), SourceFailed, "cannot be used"),
    ],
    ids=["user", "database", "host", "socket", "ssl", "option", "url"],
)
def test_what_cannot_be_opened(
    url: str, bench: Bench, changed: tuple[str, str], kind: type[ExportError], said: str
) -> None:
    broken = url.replace(*changed)

    def do() -> None:
        with opened(broken, bench.surroundings()):
            pass

    assert said in failure(kind, broken, do).message


def test_a_port_where_nobody_listens(url: str, bench: Bench) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        broken = f"{url.rpartition(':')[0]}:{taken.getsockname()[1]}/failing"

        def do() -> None:
            with opened(broken, bench.surroundings()):
                pass

        assert "nobody listens" in failure(ConnectionFailed, broken, do).message


def test_a_host_that_does_not_answer(url: str, bench: Bench) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        broken = f"{url.rpartition(':')[0]}:{silent.getsockname()[1]}/failing"

        def do(**changes: Any) -> None:
            here = bench.surroundings(**changes)
            with opened(broken, here, options={"connect_timeout": 2}):
                pass

        assert "does not answer" in failure(ConnectionFailed, broken, do).message
        cancelled = threading.Event()
        cancelled.set()
        failure(QueryCancelled, broken, lambda: do(cancelled=cancelled))


def test_no_connection_is_left_for_the_rows(url: str, bench: Bench, driver: str) -> None:
    mine = url.replace("//postgres:", "//lonely:")
    with opened(mine, bench.surroundings()) as database:
        error = failure(ConnectionFailed, mine, lambda: read(database, table("flights")))
    assert "takes no further connection" in error.message


def test_psycopg_that_is_not_installed(
    url: str, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "jupyter_export.sources.postgres.database")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for name in [n for n in sys.modules if n.startswith("jupyter_export.sources.postgres.")]:
        monkeypatch.delitem(sys.modules, name)

    def do() -> None:
        with opened(url, bench.surroundings()):
            pass

    error = failure(MissingDependency, url, do)
    assert error.hint == 'pip install "jupyter-export[postgres]"'


# ------------------------------------------------------------------ what is not there


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (table("flihgts"), "no table “flihgts” on the connection db. Did you mean flights?"),
        (table("dleays"), "Did you mean delays?"),
        (table("FLIGHTS"), "Did you mean flights?"),
        (table("orders"), "There is one in the schema shop."),
        (
            table("ordres", "shop"),
            "in the schema “shop” on the connection db. Did you mean orders?",
        ),
        (table("orders", "shpo"), "no schema “shpo” on the connection db. Did you mean shop?"),
        (query("SELECT :most", least=1), "it does not name :least. The query names: :most."),
        (query("SELECT :most"), "names :most, and the params do not give it"),
        (query("SELECT 1 AS a, 2 AS a"), "Two columns of the query are named “a”"),
        (query("SELECT :x", x="a\0b"), "cannot be sent to the database"),
        (query("SELECT 1 AS x\0"), "holds a zero byte"),
    ],
)
def test_what_a_spec_says_wrong(url: str, database: Database, source: Any, said: str) -> None:
    error = failure(InvalidSpec, url, lambda: read(database, source))
    assert said in str(error)
    assert error.field is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELEC 1", 'syntax error at or near "SELEC"'),
        ("SELECT nothing FROM flights", 'column "nothing" does not exist'),
        ("SELECT 1; SELECT 2", "cannot insert multiple commands"),
        ("SELECT 1; COMMIT", "cannot insert multiple commands"),
        ("DROP TABLE flights", "The query returns no rows to export"),
        ("-- nothing", "The query returns no rows to export"),
        ("SELECT 1 / 0", "division by zero"),
        ("SELECT id FROM flights ORDER BY 7", "position 7"),
        ("INSERT INTO flights VALUES (1) RETURNING id", "in a read-only transaction"),
        (
            "WITH a AS (DELETE FROM flights RETURNING id) SELECT * FROM a",
            "in a read-only transaction",
        ),
        ("SELECT nextval('flights_id')", 'relation "flights_id" does not exist'),
        ("SELECT set_config('transaction_read_only', 'off', false)", "read-write mode"),
    ],
)
def test_a_query_that_fails(url: str, database: Database, text: str, said: str) -> None:
    error = failure(QueryFailed, url, lambda: read(database, text))
    assert said in error.message


@pytest.mark.parametrize(
    "text",
    [
        f"SELECT '{PASSWORD}'::int",
        f'SELECT "{PASSWORD}" FROM flights',
        f"SELECT ('{PASSWORD}' || i)::date FROM generate_series(1, 2) AS i",
    ],
)
def test_a_password_that_the_database_repeats(url: str, database: Database, text: str) -> None:
    error = failure(QueryFailed, url, lambda: read(database, text))
    assert "***" in error.message


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("1 / (999999 - i)", "division by zero"),
        ("CASE i WHEN 999999 THEN 'x' ELSE '1' END::int", 'invalid input syntax .*: "x"'),
        ("CASE i WHEN 999999 THEN 2147483647 ELSE 1 END + 1", "integer out of range"),
    ],
)
def test_a_failure_on_a_late_row(url: str, database: Database, expression: str, said: str) -> None:
    text = f"SELECT {expression} AS x FROM generate_series(1, 1000000) AS i"
    error = failure(QueryFailed, url, lambda: read(database, text))
    assert re.search(rf"The query failed: .*{said}", error.message)


def test_a_table_without_the_right_to_read_it(url: str, bench: Bench, driver: str) -> None:
    mine = url.replace("//postgres:", "//reader:")
    with opened(mine, bench.surroundings()) as database:
        assert read(database, table("flights"))[0].num_rows == 100
        error = failure(QueryFailed, mine, lambda: read(database, table("secret")))
        assert "no right to read the table “secret”" in error.message
        failure(QueryFailed, mine, lambda: read(database, table("halves")))
    with opened(mine, bench.surroundings()) as database:
        error = failure(QueryFailed, mine, lambda: read(database, "SELECT * FROM secret"))
        assert "no right to read this: permission denied for table secret" in error.message
    with opened(mine, bench.surroundings()) as database:
        # the columns that are open to it can be taken
        assert read(database, "SELECT id FROM halves")[0].num_rows == 0


# ------------------------------------------------------------------ while it is read


def when(url: str, do: str) -> threading.Thread:
    """Do something to the backends that read, once they do."""

    def later() -> None:
        with psycopg.connect(url, autocommit=True, application_name="looker") as connection:
            for _ in range(200):
                found = connection.execute(
                    f"SELECT {do}(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%'"
                    " AND application_name = 'jupyter_export' AND query LIKE 'COPY%'"
                    " AND state = 'active' AND wait_event = 'PgSleep'"
                ).fetchall()
                if found:
                    return
                time.sleep(0.05)

    thread = threading.Thread(target=later)
    thread.start()
    return thread


@pytest.mark.parametrize("text", [SLOW, LATE], ids=["first row", "late row"])
@pytest.mark.parametrize(
    ("do", "kind", "said"),
    [
        ("pg_terminate_backend", ConnectionLost, "went away while it was read"),
        ("pg_cancel_backend", QueryCancelled, "was cancelled in the database"),
    ],
)
def test_what_others_do_to_it(
    url: str, database: Database, text: str, do: str, kind: type[ExportError], said: str
) -> None:
    thread = when(url, do)
    error = failure(kind, url, lambda: read(database, text))
    thread.join()
    assert said in error.message


@pytest.mark.parametrize("text", [SLOW, LATE], ids=["first row", "late row"])
def test_a_statement_timeout(url: str, bench: Bench, driver: str, text: str) -> None:
    with opened(url, bench.surroundings(), statement_timeout=2) as database:
        error = failure(StatementTimeout, url, lambda: read(database, text))
    assert "longer than the 2 seconds" in error.message
    assert sessions_left(url) == 0


def test_the_servers_own_timeout(url: str, bench: Bench, driver: str) -> None:
    limited = f"{url}?options=-c%20statement_timeout%3D1500ms"
    with opened(limited, bench.surroundings()) as database:
        error = failure(StatementTimeout, url, lambda: read(database, SLOW))
    assert "longer than the 1.5 seconds" in error.message


def test_the_servers_transaction_timeout(url: str, bench: Bench, driver: str) -> None:
    with psycopg.connect(url) as connection:
        if connection.info.server_version < 170000:
            return  # it has none
    limited = f"{url}?options=-c%20transaction_timeout%3D1500ms"
    with opened(limited, bench.surroundings()) as database:
        error = failure(StatementTimeout, url, lambda: read(database, SLOW))
    assert "longer than the transaction_timeout" in error.message
    assert sessions_left(url) == 0


@pytest.mark.parametrize("text", [SLOW, LATE], ids=["first row", "late row"])
def test_interrupt_ends_the_query_on_the_server(url: str, database: Database, text: str) -> None:
    stream = database.stream(sa.select(database.relation(query(text)).clause))
    told: list[float] = []

    def tell() -> None:
        for _ in range(200):
            if "active" in sessions(url):
                break
            time.sleep(0.05)
        time.sleep(0.5)
        told.append(time.monotonic())
        stream.interrupt()

    thread = threading.Thread(target=tell)
    thread.start()
    failure(QueryCancelled, url, lambda: list(stream.batches))
    thread.join()
    # the query alone would take a minute
    assert "active" not in sessions(url)
    stream.close()


def test_cancel_while_the_first_rows_decide(url: str, bench: Bench, driver: str) -> None:
    cancelled = threading.Event()
    here = bench.surroundings(cancelled=cancelled)
    with opened(url, here) as database:
        clause = database.relation(
            query("SELECT 1.5::numeric AS n, pg_sleep(60)::text AS x")
        ).clause
        threading.Timer(0.7, cancelled.set).start()
        failure(QueryCancelled, url, lambda: database.stream(sa.select(clause)))
        assert "active" not in sessions(url)


def test_cancel_while_a_lock_keeps_it_from_describing(url: str, bench: Bench, driver: str) -> None:
    cancelled = threading.Event()
    here = bench.surroundings(cancelled=cancelled)
    with psycopg.connect(url) as locker, opened(url, here) as database:
        locker.execute("LOCK TABLE flights IN ACCESS EXCLUSIVE MODE")
        threading.Timer(0.7, cancelled.set).start()
        failure(QueryCancelled, url, lambda: database.relation(table("flights")))


def test_cancel_while_a_misfit_is_measured(url: str, bench: Bench, driver: str) -> None:
    """A late row has a second digit; asking for the longest of all rows takes a minute here."""
    cancelled = threading.Event()
    text = (
        "SELECT CASE WHEN i = 200000 THEN 1.25 ELSE 1.5 END AS n, repeat('x', 50) AS pad,"
        " CASE WHEN current_query() LIKE 'COPY%' THEN '' ELSE pg_sleep(60)::text END AS wait"
        " FROM generate_series(1, 200000) AS i OFFSET 0"
    )
    here = bench.surroundings(cancelled=cancelled)
    with opened(url, here) as database:
        stream = database.stream(sa.select(database.relation(query(text)).clause))

        def tell() -> None:
            with psycopg.connect(url, autocommit=True) as looker:
                for _ in range(200):
                    found = looker.execute(
                        "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
                        " AND application_name = 'jupyter_export' AND query NOT LIKE 'COPY%'"
                    ).fetchall()
                    if found:
                        break
                    time.sleep(0.05)
            stream.interrupt()

        thread = threading.Thread(target=tell)
        thread.start()
        failure(QueryCancelled, url, lambda: list(stream.batches))
        thread.join()
        assert "active" not in sessions(url)


def test_a_run_that_is_cancelled_leaves_nothing(url: str, bench: Bench, driver: str) -> None:
    cancelled = threading.Event()
    threading.Timer(0.7, cancelled.set).start()
    document = {"source": {"type": "sql", "connection": "db", "query": LATE}}
    with pytest.raises(Cancelled):
        bench.run(document, connections={"db": url}, cancelled=cancelled)
    assert bench.left() == []
    assert sessions_left(url) == 0


def test_a_stream_that_is_closed_early_ends_its_connection(url: str, database: Database) -> None:
    text = "SELECT repeat('x', 100) AS x FROM generate_series(1, 10000000) AS i"
    stream = database.stream(sa.select(database.relation(query(text)).clause))
    assert next(stream.batches).num_rows > 0
    stream.close()
    stream.close()
    assert sessions_left(url, 1) == 1


@pytest.mark.parametrize(
    "said",
    [
        "connection socket closed",
        "the connection is closed",
        "the connection is lost",
        "consuming input failed: server closed the connection unexpectedly",
    ],
)
def test_a_connection_that_psycopg_finds_gone(said: str) -> None:
    """What it says by itself, without a SQLSTATE; which of them it is depends on the moment."""
    found = Failures("warehouse").of_query(psycopg.OperationalError(said), 1.0, None)
    assert isinstance(found, ConnectionLost)
