"""SQLite files of a test's own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from jupyter_export.registry import Database, Surroundings, database


def make(path: Path, *statements: str) -> str:
    """Return the URL of a file in which ``statements`` ran."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for each in statements:
            connection.execute(each)
    return sa.URL.create("sqlite", database=str(path)).render_as_string()


def make_flights(path: Path) -> str:
    """Return the URL of a file with a table of 25,000 flights."""
    return make(
        path,
        "CREATE TABLE flights (id INTEGER, delay REAL, name TEXT)",
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 24999) "
        "INSERT INTO flights SELECT i, i / 4.0, CASE WHEN i % 3 THEN 'row ' || i END FROM n",
    )


@contextmanager
def opened(url: str, here: Surroundings | None = None, **fields: Any) -> Iterator[Database]:
    where = Path(sa.make_url(url).database or ".").parent
    here = here or Surroundings(where, where / "out", where / ".out", where, where / "scratch")
    connections = {"db": {"url": url, **fields}}
    here = Surroundings(**{**here.__dict__, "connections": connections})
    with closing(database("db", here)) as found:
        yield found
