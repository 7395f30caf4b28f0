"""A MariaDB database of a test module's own, and what is done with it again and again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pymysql
import sqlalchemy as sa

from jupyter_export.registry import Database, Surroundings, database


def connect(url: str) -> Any:
    place = sa.make_url(url)
    return pymysql.connect(
        host=place.host or "",
        port=place.port or 0,
        user=place.username,
        password=place.password or "",
        database=place.database,
        autocommit=True,
    )


def run(url: str, *statements: str) -> list[Any]:
    """Run ``statements`` as somebody else; return the rows of the last one."""
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        for each in statements:
            cursor.execute(each)
        return list(cursor.fetchall())


def make_database(mariadb_url: str) -> str:
    """Return the URL of a fresh database with a table of 25,000 flights."""
    run(mariadb_url, "DROP DATABASE IF EXISTS exported", "CREATE DATABASE exported")
    url = mariadb_url.rpartition("/")[0] + "/exported"
    run(
        url,
        "CREATE TABLE flights AS SELECT seq AS id, concat('row ', seq) AS name FROM seq_1_to_25000",
    )
    return url


@contextmanager
def opened(url: str, folder: Path, **fields: Any) -> Iterator[Database]:
    here = Surroundings(
        folder,
        folder / "out",
        folder / ".out",
        folder,
        folder / "scratch",
        connections={"db": {"url": url, **fields}},
    )
    with closing(database("db", here)) as found:
        yield found
