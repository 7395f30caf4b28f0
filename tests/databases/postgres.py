"""A database of a test module's own, and what is done with it again and again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pyarrow as pa
import sqlalchemy as sa

from jupyter_export.losses import Loss
from jupyter_export.registry import Connection, Database, Retyped, Surroundings
from jupyter_export.sources.postgres import open_postgres
from jupyter_export.spec import SqlSource, TableSource

PASSWORD = "tOp-s3cret-w0rd"


def make_database(postgres_url: str, name: str, *statements: str) -> str:
    """Return the URL (with a password in it) of a fresh database in which ``statements`` ran."""
    server = postgres_url.replace("+psycopg:", ":")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{name}"')
    place = server.replace("postgres@", f"postgres:{PASSWORD}@").rpartition("/")[0]
    url = f"{place}/{name}"
    with psycopg.connect(url, autocommit=True) as connection:
        for each in statements:
            connection.execute(each)
    return url


def query(text: str, **params: Any) -> SqlSource:
    return SqlSource(type="sql", connection="db", query=text, params=params)


def table(name: str, schema: str | None = None) -> TableSource:
    return TableSource.model_validate(
        {"type": "table", "connection": "db", "table": name, "schema": schema}
    )


@contextmanager
def opened(url: str, here: Surroundings, **fields: Any) -> Iterator[Database]:
    with closing(open_postgres(Connection("db", url, **fields), here)) as database:
        yield database


def read(
    database: Database, source: SqlSource | TableSource | str
) -> tuple[pa.Table, tuple[Loss, ...]]:
    """Return all rows of ``source``, begun again as a run begins again."""
    source = query(source) if isinstance(source, str) else source
    for _ in range(4):
        try:
            relation = database.relation(source)
            stream = database.stream(sa.select(relation.clause))
            try:
                return pa.Table.from_batches(list(stream.batches), stream.schema), stream.losses
            finally:
                stream.close()
        except Retyped:
            continue
    raise AssertionError("the types are never settled")


def sessions(url: str) -> list[str]:
    """Return the states of the connections that exports have open in that database."""
    with psycopg.connect(url, autocommit=True, application_name="looker") as connection:
        found = connection.execute(
            "SELECT state FROM pg_stat_activity WHERE application_name = 'jupyter_export'"
            " AND datname = current_database()"
        ).fetchall()
        return [state for (state,) in found]


def sessions_left(url: str, wanted: int = 0) -> int:
    """Return how many there are once the server has seen the closed ones go, in its own time."""
    for _ in range(100):
        if len(sessions(url)) <= wanted:
            break
        time.sleep(0.05)
    return len(sessions(url))
