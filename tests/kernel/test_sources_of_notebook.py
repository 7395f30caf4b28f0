"""Databases of the notebook's own: an engine or connection object where a name would stand."""

from __future__ import annotations

import datetime
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
import sqlalchemy as sa

import jupyter_export
from jupyter_export.client import export
from jupyter_export.client.preview import SAMPLE_ROWS
from jupyter_export.errors import (
    ExportError,
    InvalidRequest,
    InvalidSpec,
    QueryFailed,
    SourceFailed,
)

from .connections import (
    ENDLESS,
    duck,
    engine_of_file,
    engine_of_memory,
    is_there_still,
    sqlite_memory,
)

ONE_PLACE = True


@pytest.fixture(params=["local", "server"])
def service(request: pytest.FixtureRequest) -> None:
    if request.param == "server":
        request.getfixturevalue("as_kernel")


# ----------------------------------------------------------------- Python


@pytest.mark.usefixtures("service")
def test_a_query_is_read_on_the_users_own_connection(own: Any) -> None:
    source = {"type": "sql", "connection": own, "query": "SELECT carrier, delay FROM flights"}
    job = jupyter_export.export(source, "x.csv")
    assert job.result()["rows"] == 3
    assert Path("x.csv").read_text() == "carrier,delay\nUA,5\nAA,\nUA,61\n"
    assert job.columns == 2
    assert is_there_still(own)


def test_a_table_is_read_on_the_users_own_connection(own: Any) -> None:
    job = jupyter_export.export({"type": "table", "connection": own, "table": "flights"}, "x.csv")
    assert job.result()["rows"] == 3
    spec = {"source": {"type": "table", "connection": own, "table": "flights"}, "format": "csv"}
    assert jupyter_export.submit(spec).result()["rows"] == 3


NAMES = ['a "b" c', "order", "ünï.cödé", "x:y :z %s", "`tick`"]


def test_a_table_may_have_any_name(own: Any) -> None:
    for number, name in enumerate(NAMES):
        made_table(own, name)
        source = {"type": "table", "connection": own, "table": name}
        jupyter_export.export(source, f"{number}.csv").result()
        assert Path(f"{number}.csv").read_text() == "n\n7\n"


def made_table(own: Any, name: str) -> None:
    quoted = '"{}"'.format(name.replace('"', '""'))
    create = f"CREATE TABLE {quoted} AS SELECT 7 AS n"
    if isinstance(own, sa.Engine):
        with own.begin() as connection:
            connection.exec_driver_sql(create)
    elif isinstance(own, sa.Connection):
        own.exec_driver_sql(create)
    else:
        own.execute(create)
        if isinstance(own, sqlite3.Connection):
            own.commit()


def test_several_datasets_of_several_connections(own: Any) -> None:
    query = {"type": "sql", "connection": own, "query": "SELECT * FROM flights"}
    table = {"type": "table", "connection": own, "table": "flights"}
    frame = pd.DataFrame({"n": [1, 2]})
    job = jupyter_export.export(
        {"query": query, "table": {"source": table, "where": "delay > 5"}, "frame": frame},
        "out",
        format="csv",
    )
    assert job.result()["rows"] == 6
    assert Path("out/table.csv").read_text() == "carrier,delay\nUA,61\n"
    spec = {"datasets": [{"name": "a", "source": query}, {"name": "b", "source": frame}]}
    assert jupyter_export.submit({**spec, "format": "csv"}).result()["rows"] == 5


def test_datasets_that_may_show_different_moments_are_remarked() -> None:
    query = {"type": "sql", "query": "SELECT * FROM flights"}
    made = engine_of_file()
    with made.connect() as alone, made.connect() as begun, duck() as in_process:
        begun.exec_driver_sql("BEGIN")
        assert begun.in_transaction()
        for own, remarked in ((made, True), (alone, True), (begun, False), (in_process, False)):
            source = {**query, "connection": own}
            job = jupyter_export.export({"a": source, "b": source}, None, format="csv")
            assert ("a, b were read one after the other" in job.card().text()) is remarked
            assert "one after" not in jupyter_export.export(source, None).card().text()
    made.dispose()


def test_params_are_bound(own: Any) -> None:
    mark = "$low" if isinstance(own, duckdb.DuckDBPyConnection) else ":low"
    query = f"SELECT * FROM flights WHERE delay > {mark}"
    source = {"type": "sql", "connection": own, "query": query, "params": {"low": 5}}
    assert jupyter_export.export(source, "x.csv").result()["rows"] == 1
    shell_like = {**source, "params": {"low": "0 OR 1 = 1"}}
    if isinstance(own, duckdb.DuckDBPyConnection):
        with pytest.raises(ExportError):
            jupyter_export.export(shell_like, "y.csv").result()
    else:  # SQLite: every text is greater than every number
        assert jupyter_export.export(shell_like, "y.csv").result()["rows"] == 0


def test_params_may_be_what_json_has_no_word_for() -> None:
    own = duck()
    source = {
        "type": "sql",
        "connection": own,
        "query": "SELECT $day AS day",
        "params": {"day": datetime.date(2013, 1, 1)},
    }
    jupyter_export.export(source, "x.csv").result()
    assert Path("x.csv").read_text() == "day\n2013-01-01\n"


def test_steps_shape_what_is_read(own: Any) -> None:
    job = jupyter_export.export(
        {"type": "table", "connection": own, "table": "flights"},
        "x.csv",
        where="delay IS NOT NULL",
        columns=["delay"],
        limit=1,
    )
    assert (job.result()["rows"], job.columns) == (1, 1)


@pytest.mark.parametrize(
    ("source", "error", "said"),
    [
        ({"type": "sql", "connection": 42, "query": "x"}, InvalidRequest, "A int is not a connec"),
        ({"type": "sql", "connection": None, "query": "x"}, InvalidSpec, "connection"),
        ({"type": "sql", "connection": "OWN"}, InvalidSpec, "query” is missing"),
        ({"type": "sql", "connection": "OWN", "qery": "x"}, InvalidSpec, "Did you mean query?"),
        ({"type": "table", "connection": "OWN", "table": "t", "params": {}}, InvalidSpec, "params"),
        ({"type": "sql", "connection": "OWN", "query": "x", "params": [1]}, InvalidRequest, "map"),
        ("OWN", InvalidRequest, "A connection alone does not say which rows."),
        ({"type": "sql", "connection": "OWN", "query": "SELECT nope FROM flights"}, QueryFailed,
         "nope"),
        ({"type": "table", "connection": "OWN", "table": "fligths"}, ExportError, "fligths"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("make", [engine_of_memory, duck])
def test_wrong_sources_are_one_sentence(
    make: Callable[[], Any], source: Any, error: type[ExportError], said: str
) -> None:
    own = make()
    if source == "OWN":
        source = own
    elif source["connection"] == "OWN":
        source = {**source, "connection": own}
    for given in (source, {"a": source}):
        with pytest.raises(error) as caught:
            jupyter_export.export(given, "x.csv")
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
    assert is_there_still(own)
    own.dispose() if isinstance(own, sa.Engine) else own.close()


@pytest.mark.usefixtures("service")
def test_a_relation_of_duckdb_is_a_frame() -> None:
    with duckdb.connect() as own:
        first, second = own.sql("SELECT 1 AS n"), own.sql("FROM range(100000) AS t(n)")
        assert jupyter_export.export(second, "x.csv").result()["rows"] == 100_000
        job = jupyter_export.export({"a": first, "b": second}, "x", format="csv")
        assert job.result()["rows"] == 100_001
        found = export.preview({"a": second, "b": first, "c": second}, "x.xlsx")
        assert [each["total_rows"] for each in found["datasets"]] == [100_000, 1, 100_000]
        waiting = own.execute("FROM range(100000)")
        with pytest.raises(SourceFailed, match="Reading the rows failed: "):
            jupyter_export.export(second, "y.csv")
        waiting.fetchall()


# ----------------------------------------------------------------- previews


def test_a_preview_reads_the_first_rows_only() -> None:
    """A query without an end would never be read to it."""
    for own in (sqlite_memory(), engine_of_memory(), engine_of_file()):
        source = {"type": "sql", "connection": own, "query": ENDLESS.format("n")}
        found = export.preview(source, "x.csv", rows=2)
        (dataset,) = found["datasets"]
        assert (dataset["rows"], dataset["total_rows"]) == ([[1], [2]], None)
        assert is_there_still(own)
        own.dispose() if isinstance(own, sa.Engine) else own.close()


@pytest.mark.parametrize(
    "fields",
    [
        {"where": "n > 99998"},
        {"sort": [{"column": "n", "descending": True}], "limit": 1},
        {"aggregates": [{"function": "max", "column": "n", "as": "n"}]},
    ],
)
def test_a_preview_with_steps_reads_all_that_they_need(fields: dict[str, Any]) -> None:
    with duckdb.connect() as own:
        source = {
            "type": "sql",
            "connection": own,
            "query": f"SELECT * FROM range({5 * SAMPLE_ROWS}) AS t(n)",
        }
        found = export.preview(source, "x.csv", **fields)
        assert found["datasets"][0]["rows"] == [[99_999]]
