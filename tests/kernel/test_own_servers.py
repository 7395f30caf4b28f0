"""Connections of the notebook's own to real servers, by their drivers and by SQLAlchemy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pymysql
import pytest
import sqlalchemy as sa

import jupyter_export
from jupyter_export.errors import ExportError, InvalidSpec, QueryFailed

from .connections import CREATE, INSERT

ONE_PLACE = True

QUERY = "SELECT carrier, delay FROM flights ORDER BY delay"
BACKTICK, DOUBLE = "`", '"'


def _postgres(url: str) -> Any:
    return psycopg.connect(sa.make_url(url).set(drivername="postgresql").render_as_string(False))


def _mariadb(url: str) -> Any:
    place = sa.make_url(url)
    return pymysql.connect(
        host=place.host or "",
        port=place.port or 0,
        user=place.username,
        password=place.password or "",
        database=place.database,
    )


def _engine(url: str) -> sa.Engine:
    place = sa.make_url(url)
    driver = "postgresql+psycopg" if place.drivername.startswith("postgres") else "mysql+pymysql"
    return sa.create_engine(place.set(drivername=driver), poolclass=sa.NullPool)


SERVERS = {
    "psycopg": ("postgres_url", _postgres),
    "pymysql": ("mariadb_url", _mariadb),
    "engine of psycopg": ("postgres_url", _engine),
    "engine of pymysql": ("mariadb_url", _engine),
}


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, Callable[[str], Any]]]:
    """Yield the URL of a database of this module's own, and what connects to it."""
    fixture, connect = SERVERS[request.param]
    admin = sa.make_url(request.getfixturevalue(fixture))
    engine = _engine(admin.render_as_string(False)).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP DATABASE IF EXISTS notebook")
        connection.exec_driver_sql("CREATE DATABASE notebook")
    url = admin.set(database="notebook").render_as_string(False)
    with _engine(url).begin() as connection:
        connection.exec_driver_sql(CREATE)
        connection.exec_driver_sql(INSERT)
    yield url, connect
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP DATABASE notebook")


@pytest.fixture
def own(server: tuple[str, Callable[[str], Any]]) -> Iterator[Any]:
    made = server[1](server[0])
    if isinstance(made, sa.Engine):
        yield made
    else:
        with closing(made):
            yield made


def _run(own: Any, statement: str) -> None:
    if isinstance(own, sa.Engine):
        with own.begin() as connection:
            connection.exec_driver_sql(statement)
    else:
        own.cursor().execute(statement)
        own.commit()


def test_query_and_table(own: Any) -> None:
    source = {"type": "sql", "connection": own, "query": f"{QUERY} LIMIT 2"}
    assert jupyter_export.export(source, "x.csv").result()["rows"] == 2
    assert "UA,5\n" in Path("x.csv").read_text()
    table = {"type": "table", "connection": own, "table": "flights"}
    both = {"a": source, "b": {"source": table, "where": "delay > 5"}}
    assert jupyter_export.export(both, "both", format="csv").result()["rows"] == 3
    assert Path("both/b.csv").read_text() == "carrier,delay\nUA,61\n"


def test_types_are_those_of_the_database(own: Any) -> None:
    query = (
        "SELECT CAST(1.50 AS DECIMAL(10, 2)) AS n, DATE '2020-02-29' AS d, "
        "TIMESTAMP '2020-02-29 12:00:00.25' AS t, NULL AS z, '100%' AS p"
    )
    jupyter_export.export({"type": "sql", "connection": own, "query": query}, "x.parquet").result()
    found = pq.read_table("x.parquet")
    kinds = [str(kind) for kind in found.schema.types]
    assert kinds[0].startswith("decimal128")
    assert kinds[1:] == ["date32[day]", "timestamp[us]", "string", "string"]
    assert [str(value) for value in found.to_pylist()[0].values()] == [
        "1.50",
        "2020-02-29",
        "2020-02-29 12:00:00.250000",
        "None",
        "100%",
    ]


def test_params(own: Any) -> None:
    source = {"type": "sql", "connection": own, "params": {"low": 5}}
    query = "SELECT * FROM flights WHERE delay > :low AND carrier LIKE 'U%'"
    job = jupyter_export.export({**source, "query": query}, "x.csv")
    assert job.result()["rows"] == 1
    for given in ({"lwo": 5}, {}):
        with pytest.raises(InvalidSpec, match=r":low, and the params do not give it|not name :lwo"):
            jupyter_export.export({**source, "query": query, "params": given}, "y.csv")
    assert not Path("y.csv").exists()


@pytest.mark.parametrize("name", ["50%", "a:x", "quo`te", 'a "b"', "order", "ünï.cödé %s"])
def test_a_table_of_any_name(own: Any, name: str) -> None:
    dialect = own.dialect.name if isinstance(own, sa.Engine) else type(own).__module__
    mark = DOUBLE if dialect.startswith(("postgres", "psycopg")) else BACKTICK
    table, column = (f"{mark}{n.replace(mark, mark * 2)}{mark}" for n in (name, "a%b :x"))
    written = f"CREATE TABLE {table} ({column} INTEGER)", f"INSERT INTO {table} VALUES (7)"
    escaped = isinstance(own, sa.Engine)
    for each in written:
        # SQLAlchemy gives its drivers values, so that a percent has to be doubled
        _run(own, each.replace("%", "%%") if escaped else each)
    try:
        source = {"type": "table", "connection": own, "table": name}
        jupyter_export.export(source, "x.csv").result()
        assert Path("x.csv").read_text() == "a%b :x\n7\n"
    finally:
        _run(own, f"DROP TABLE {table}".replace("%", "%%" if escaped else "%"))


def test_what_is_not_committed_is_read_and_kept(own: Any) -> None:
    if isinstance(own, sa.Engine):
        return  # its connection is another one
    own.cursor().execute("INSERT INTO flights VALUES ('ZZ', 0)")
    source = {"type": "sql", "connection": own, "query": QUERY}
    assert jupyter_export.export(source, "x.csv").result()["rows"] == 4
    own.rollback()
    assert jupyter_export.export(source, "y.csv").result()["rows"] == 3


def test_errors_are_the_database_s_and_give_nothing_away(
    own: Any, server: tuple[str, Callable[[str], Any]]
) -> None:
    password = sa.make_url(server[0]).password
    for query in ("SELECT nope FROM flights", "SELEC 1"):
        with pytest.raises(QueryFailed) as caught:
            jupyter_export.export({"type": "sql", "connection": own, "query": query}, "x.csv")
        assert "\n" not in str(caught.value)
        assert not password or password not in repr(caught.value.to_json())
    with pytest.raises(ExportError, match="fligths"):
        jupyter_export.export({"type": "table", "connection": own, "table": "fligths"}, "x.csv")
    source = {"type": "sql", "connection": own, "query": QUERY}
    assert jupyter_export.export(source, "x.csv").result()["rows"] == 3
