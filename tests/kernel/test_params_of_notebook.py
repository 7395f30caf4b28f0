"""``:name`` in a query on the notebook's own connection, whatever its driver has; and what a
connection of the settings is asked for from a notebook."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pymysql
import pytest
import sqlalchemy as sa
from IPython.core.interactiveshell import InteractiveShell

import jupyter_export
from jupyter_export.client.params import for_driver
from jupyter_export.client.rows import was_interrupted
from jupyter_export.errors import Cancelled, InvalidSpec, QueryFailed
from jupyter_export.magic import request

from .shells import sql

PYFORMAT = pymysql.connections.Connection(defer_connect=True)
QUERY = """SELECT :low, x::int, a[1:low], ':low', "a:low", 7 % 2, $$ :low $$ -- :low
FROM t /* :low */ WHERE n > :low AND m < :high"""


@pytest.mark.parametrize(
    ("query", "params", "expected"),
    [
        (QUERY, {"low": 5, "high": 7}, QUERY.replace("SELECT :low", "SELECT %(low)s")
         .replace("> :low AND m < :high", "> %(low)s AND m < %(high)s")
         .replace("7 % 2", "7 %% 2")),
        ("SELECT %(low)s, ':low', '%%'", {"low": 5}, "SELECT %(low)s, ':low', '%%'"),
        ("SELECT 7 % 2, :other", {"low": 5}, "SELECT 7 % 2, :other"),
        ("SELECT 7 % 2", {}, "SELECT 7 % 2"),
    ],
)  # fmt: skip
def test_names_are_marked_as_the_driver_does(
    query: str, params: dict[str, Any], expected: str
) -> None:
    assert for_driver(PYFORMAT, query, params) == (expected, params)


def test_drivers_that_know_names_get_the_query_as_it_is() -> None:
    query = "SELECT :low"
    engine = sa.create_engine("sqlite://")
    with sqlite3.connect(":memory:") as own:
        for connection in (own, engine):
            assert for_driver(connection, query, {"low": 5}) == (query, {"low": 5})
    engine.dispose()
    own.close()


def test_a_name_in_a_query_on_duckdb() -> None:
    with duckdb.connect() as own:
        source = {"type": "sql", "connection": own, "query": "SELECT :low + 1 AS n, ':low' AS t"}
        jupyter_export.export({**source, "params": {"low": 5}}, "x.csv").result()
        assert Path("x.csv").read_text() == "n,t\n6,:low\n"
        for params in ({}, {"lo": 5}):
            with pytest.raises(InvalidSpec, match="The query names :low, and the params do not"):
                jupyter_export.export({**source, "params": params}, "y.csv")
        with pytest.raises(QueryFailed, match="nope"):
            jupyter_export.export({**source, "query": "SELECT nope"}, "y.csv")


def test_an_error_among_its_own_causes_ends() -> None:
    error = ValueError()
    error.__cause__ = KeyError()
    error.__cause__.__cause__ = error
    assert not was_interrupted(error)


def test_a_file_of_a_connection_is_named_from_the_connections_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "in.csv").write_text("a\n1\n")
    named = {"place": (tmp_path / "place").as_uri()}
    monkeypatch.setenv("JUPYTER_EXPORT_CONNECTIONS", json.dumps(named))
    source = {"type": "file", "connection": "place", "path": "in.csv"}
    assert jupyter_export.export(source, "x.csv").result()["rows"] == 1


def test_an_interrupt_while_the_service_is_asked_for_a_name(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(name: str) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(request, "is_of_service_too", interrupted)
    with duckdb.connect() as own:
        shell.user_ns["own"] = own
        with pytest.raises(Cancelled, match="nothing was written"):
            sql(shell, "x.csv --connection own", "SELECT 1 AS n")


def test_a_name_that_both_know_is_suggested_once(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_EXPORT_CONNECTIONS", json.dumps({"warehouse": "sqlite://"}))
    with duckdb.connect() as own:
        shell.user_ns["warehouse"] = own
        with pytest.raises(InvalidSpec) as caught:
            sql(shell, "x.csv --connection warehous", "SELECT 1 AS n")
    assert str(caught.value).endswith("Did you mean warehouse?")
