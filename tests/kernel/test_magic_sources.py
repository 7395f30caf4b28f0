"""Cells of SQL on a connection: the notebook's own, or one that the settings name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_export.errors import ExportError, InvalidRequest, InvalidSpec, QueryFailed

from .connections import (
    engine_of_memory,
    sqlite_file,
)
from .shells import FLIGHTS, run, sql


def test_a_cell_of_sql_on_the_notebooks_own_connection(shell: InteractiveShell, own: Any) -> None:
    shell.user_ns["warehouse"] = own
    job = sql(shell, "x.csv --connection warehouse", "SELECT * FROM flights;\n")
    assert job.result()["rows"] == 3
    mark = "$low" if isinstance(own, duckdb.DuckDBPyConnection) else ":low"
    job = sql(
        shell,
        "y.csv --connection warehouse --param low=5 --columns delay",
        f"SELECT * FROM flights WHERE delay > {mark}",
    )
    assert Path("y.csv").read_text() == "delay\n61\n"
    assert (job.name, job.columns) == ("query", 1)


def test_a_preview_of_it(
    shell: InteractiveShell, own: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.user_ns["warehouse"] = own
    shell.run_cell_magic("export", "x.csv --connection warehouse --preview", "SELECT 1 AS n")
    assert capsys.readouterr().out.startswith("query · 1 row · 1 column\n")
    assert not Path("x.csv").exists()


@pytest.mark.parametrize(
    ("line", "cell", "error", "said"),
    [
        ("x.csv --connection warehous", "SELECT 1", InvalidSpec, "Did you mean warehouse?"),
        ("x.csv --connection other_db", "SELECT 1", InvalidSpec, "In the notebook: warehouse."),
        ("x.csv --connection flights", "SELECT 1", InvalidSpec, "is a DataFrame, neither a"),
        ("x.csv --connection warehouse", " ;", InvalidRequest, "The cell has no SQL."),
        ("x.csv --connection warehouse", "SELECT nope FROM flights", QueryFailed, "nope"),
        ("x.csv --connection warehouse", "SELEC 1", QueryFailed, "The query failed"),
        ("x.csv --connection warehouse --columns dely", "SELECT delay FROM flights", ExportError,
         "delay"),
        ("x.csv --param a=1", "SELECT 1", InvalidRequest, "--param belongs to SQL on a connection"),
        ("x.csv --connection pg://me:word@h/d", "SELECT 1", InvalidRequest, "A URL is no name"),
        ("http://me:word@h/x.csv", "SELECT 1", InvalidRequest, "“http://h/x.csv” is an address"),
    ],
)  # fmt: skip
def test_wrong_cells_are_one_sentence(
    shell: InteractiveShell, line: str, cell: str, error: type[ExportError], said: str
) -> None:
    with engine_of_memory().connect() as own:
        shell.user_ns["warehouse"] = own
        with pytest.raises(error) as caught:
            sql(shell, line, cell)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "word" not in str(caught.value)
    assert not Path("x.csv").exists()


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings name a connection “flights_db”."""
    sqlite_file().close()
    named = {"flights_db": f"sqlite:///{Path('own.db').absolute()}"}
    monkeypatch.setenv("JUPYTER_EXPORT_CONNECTIONS", json.dumps(named))


@pytest.mark.usefixtures("named")
def test_a_cell_of_sql_on_a_named_connection(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "x.csv --connection flights_db --param low=5 --columns delay"
    query = "SELECT * FROM flights WHERE delay > :low"
    sql(shell, line, f"{query};\n")
    assert Path("x.csv").read_text() == "delay\n61\n"
    assert "variable" not in capsys.readouterr().out
    shell.run_cell_magic("export", f"{line} --preview", query)
    assert "61" in capsys.readouterr().out


@pytest.mark.usefixtures("named")
def test_the_notebooks_variable_comes_first_and_is_remarked(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    own = shell.user_ns["flights_db"] = engine_of_memory()
    sql(shell, "x.csv --connection flights_db", "SELECT 'own' AS n FROM flights LIMIT 1")
    assert "“flights_db” is this notebook's variable" in capsys.readouterr().out
    shell.user_ns["flights_db"] = FLIGHTS
    sql(shell, "y.csv --connection flights_db", "SELECT 'named' AS n FROM flights LIMIT 1")
    assert "variable" not in capsys.readouterr().out
    own.dispose()


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("flight_db", "Did you mean flights_db of the settings, or flights_dbx of the notebook?"),
        ("zzzzz", "In the notebook: flights_dbx. In the settings: flights_db."),
        ("answer", "“answer” is a int, neither a connection of this notebook nor one that the"),
    ],
)
def test_an_unknown_name_names_both_kinds(shell: InteractiveShell, name: str, said: str) -> None:
    own = shell.user_ns["flights_dbx"] = engine_of_memory()
    with pytest.raises(InvalidSpec) as caught:
        sql(shell, f"x.csv --connection {name}", "SELECT 1")
    assert said in str(caught.value)
    own.dispose()


def test_a_connection_is_no_frame(shell: InteractiveShell) -> None:
    with engine_of_memory().connect() as own:
        shell.user_ns["warehouse"] = own
        with pytest.raises(InvalidRequest, match="%%export PATH --connection warehouse"):
            run(shell, "warehouse x.csv")
