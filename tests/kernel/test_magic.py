"""``%export`` and ``%%export`` in IPython, with the job service of the same process."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_export.client.find import LocalClients
from jupyter_export.errors import (
    Cancelled,
    ExportError,
    InvalidRequest,
    InvalidSpec,
    NotFound,
    OutputExists,
    QueryFailed,
)

from .shells import FLIGHTS, run, sql

ONE_PLACE = True


def test_a_frame_becomes_a_file_beside_the_notebook(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    job = run(shell, "flights flights.csv")
    assert job.status == "completed"
    assert job.path == str(Path.cwd() / "flights.csv")
    assert Path("flights.csv").read_text() == "carrier,delay,plane\nUA,5.0,N1\nAA,,N2\nUA,61.0,N1\n"
    assert capsys.readouterr().out.startswith("● flights.csv · 3 rows · 3 columns · 48 bytes")
    pd.testing.assert_frame_equal(job.read(), FLIGHTS, check_dtype=False)


@pytest.mark.parametrize("frame", ["flights", "planes", "airports"])
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "arrow", "csv.gz"])
def test_every_kind_of_frame_reads_back(shell: InteractiveShell, frame: str, ending: str) -> None:
    job = run(shell, f"{frame} out.{ending}")
    assert len(job.read()) == len(shell.user_ns[frame])
    assert job.name == frame


def test_flags_become_the_spec(shell: InteractiveShell) -> None:
    run(
        shell,
        'flights out.csv --columns plane,delay --where "delay > 1" --limit 1 '
        "--option delimiter=; --name late",
    )
    assert Path("out.csv").read_text() == "plane;delay\nN1;5.0\n"
    job = run(shell, "flights out.csv --replace --format jsonl --compress gzip")
    assert job.state["format"] == "jsonl"
    assert Path("out.csv").read_bytes()[:2] == b"\x1f\x8b"


def test_without_a_path_the_file_gets_a_name(shell: InteractiveShell) -> None:
    job = run(shell, "flights --format parquet")
    assert job.path is not None
    assert Path(job.path).parent == Path.cwd() / "exports"
    assert Path(job.path).name.startswith("flights_")


@pytest.mark.parametrize(
    "word",
    ['flights.query("delay>1")', "\"flights.query('delay > 1')\"", 'flights.query("delay > 1")'],
)
def test_an_expression_gives_a_frame(shell: InteractiveShell, word: str) -> None:
    assert run(shell, f"{word} x.csv").result()["rows"] == 2


def test_variables_of_a_function_are_seen(shell: InteractiveShell) -> None:
    shell.run_cell(
        "def save(local_frame):\n    %export local_frame local.csv\nsave(flights.head(1))"
    ).raise_error()
    assert Path("local.csv").read_text().count("\n") == 2


# ----------------------------------------------------------------- preview


def test_a_preview_shows_and_writes_nothing(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.user_ns["nested"] = pa.table({"l": [[1], [2, 3]], "n": [1, 2]})
    assert shell.run_line_magic("export", "flights nested x --format csv --preview") is None
    shown = capsys.readouterr().out
    assert shown.startswith("flights · 3 rows · 3 columns\n  carrier")
    assert "nested · 2 rows · 2 columns" in shown
    assert "▲ 1 column would change:" in shown
    assert "nested.l: " in shown
    assert "(2 of them" in shown
    assert list(Path.cwd().iterdir()) == []
    assert LocalClients.here().list()["jobs"] == []


def test_a_preview_of_a_query(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    line, query = "x.parquet --preview", "SELECT range AS n FROM range(1000000)"
    assert shell.run_cell_magic("export", line, query) is None
    shown = capsys.readouterr().out
    assert shown.startswith("query · rows not counted yet · 1 column\n")
    assert "Nothing would be lost in parquet." in shown
    shell.run_cell_magic("export", line, "SELECT count(*) AS n FROM flights")
    assert capsys.readouterr().out.startswith("query · 1 row · 1 column\n")
    with pytest.raises(QueryFailed, match="Did you mean flights"):
        shell.run_cell_magic("export", line, "SELECT * FROM fligths")


def test_an_interrupt_ends_a_preview(shell: InteractiveShell, interrupted: Any) -> None:
    began = time.monotonic()
    interrupted(lambda: time.monotonic() - began > 1)
    query = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(1000000) b"
    with pytest.raises(Cancelled, match="The preview was interrupted"):
        shell.run_cell_magic("export", "x.csv --preview", query)


# ----------------------------------------------------------------- SQL


def test_sql_over_the_notebooks_frames(shell: InteractiveShell) -> None:
    job = sql(
        shell,
        "joined.csv",
        "SELECT carrier, sum(seats) AS seats -- from airports\n"
        "FROM flights JOIN planes USING (plane) GROUP BY carrier ORDER BY ALL;",
    )
    assert Path("joined.csv").read_text() == "carrier,seats\nAA,200\nUA,200\n"
    assert job.columns == 2


def test_sql_reads_files_and_names_a_frame_twice(shell: InteractiveShell) -> None:
    run(shell, "flights flights.parquet")
    job = sql(
        shell,
        "n.csv",
        "SELECT a.carrier FROM 'flights.parquet' a, flights b, flights c WHERE a.delay > 1",
    )
    assert job.result()["rows"] == 18


def test_times_in_sql_are_utc(shell: InteractiveShell) -> None:
    job = sql(shell, "t.parquet", "SELECT TIMESTAMPTZ '2013-01-01 00:00:00' AS t")
    assert str(job.read()["t"][0]) == "2013-01-01 00:00:00+00:00"


@pytest.mark.parametrize(
    ("query", "error", "said"),
    [
        ("SELECT * FROM fligths", QueryFailed, "“fligths”, and this notebook has no frame of"),
        ("SELECT * FROM fligths", QueryFailed, "Did you mean flights?"),
        ("SELECT carier FROM flights", QueryFailed, "carier"),
        ("SELEC 1", QueryFailed, "SELEC"),
        ("  ", InvalidRequest, "The cell has no SQL."),
        ("SELECT 1; SELECT 2", InvalidRequest, "2 SQL statements"),
        ("CREATE TABLE t (a INT)", InvalidRequest, "gives no rows"),
        ("SELECT 1 AS a WHERE error('boom') IS NULL", QueryFailed, "boom"),
    ],
)
def test_wrong_sql_is_one_sentence(
    shell: InteractiveShell, query: str, error: type[ExportError], said: str
) -> None:
    with pytest.raises(error) as caught:
        sql(shell, "x.csv", query)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path("x.csv").exists()


# ----------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("line", "error", "said"),
    [
        (
            "fligths x.csv",
            InvalidRequest,
            "no frame “fligths” in this notebook. Did you mean flights",
        ),
        ("nowhere_near x.csv", InvalidRequest, "Its frames: airports, flights, planes."),
        ("answer x.csv", InvalidRequest, "“answer” is a int, not a frame."),
        ("flights.nope x.csv", InvalidRequest, "AttributeError"),
        ("fligths.head() x.csv", InvalidRequest, "Did you mean flights?"),
        ("flights[ x.csv", InvalidRequest, "neither a frame"),
        ("flights x.cvs", InvalidSpec, ".csv"),
        ("flights x.csv --format parqet", InvalidSpec, "Did you mean parquet?"),
        ("flights x.csv --compress gzp", InvalidSpec, "gzip"),
        ("flights x.csv --option delimitr=;", InvalidSpec, "Did you mean delimiter?"),
        ("flights x.csv --columns carier", InvalidSpec, "carrier"),
        ("flights x.csv --where delay > 5", InvalidRequest, 'Write --where "dep_delay > 60"'),
        ('flights x.csv --where "delai > 5"', ExportError, "delay"),
        ("flights planes x.csv --where a=1", InvalidRequest, "--where means one frame"),
        ("flights planes x.csv --columns a", InvalidRequest, "the line names 2"),
        ("flights plnes x.csv", InvalidRequest, "Did you mean planes?"),
        ("flights x.csv --sheet Delays", InvalidSpec, "“sheet” is not an option of csv"),
        ("flights x.csv --preview --option delimitr=;", InvalidSpec, "Did you mean delimiter?"),
        ("flights s3://bucket/x.csv", InvalidRequest, "an address, not a path"),
        ("flights x.csv --replac", InvalidRequest, "Did you mean --replace?"),
        ("flights x.csv --connection w", InvalidRequest, "%%export"),
        ("--status 123", NotFound, "There is no job “123”."),
    ],
)
def test_errors_name_the_nearest(
    shell: InteractiveShell, line: str, error: type[ExportError], said: str
) -> None:
    with pytest.raises(error) as caught:
        run(shell, line)
    assert said in str(caught.value)
    assert not Path("x.csv").exists()


def test_a_file_that_exists_asks_for_the_flag(shell: InteractiveShell) -> None:
    run(shell, "flights x.csv")
    with pytest.raises(OutputExists, match="--replace"):
        run(shell, "flights x.csv")
    run(shell, "flights x.csv --replace")


def test_an_error_shows_no_traceback_unless_asked(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not shell.run_cell("%export fligths x.csv").success
    shown = capsys.readouterr().out
    assert "Did you mean flights?" in shown
    assert "Traceback" not in shown
    assert len(shown.strip().splitlines()) == 3, "a sentence, the line, a caret"
    assert not shell.run_cell("%export fligths x.csv --debug").success
    assert "Traceback" in capsys.readouterr().out


def test_a_failed_export_fails_its_cell(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    result = shell.run_cell('%export flights x.csv --where "1 / (delay - 5) > 0"')
    assert isinstance(result.error_in_exec, ExportError)
    shown = capsys.readouterr().out
    assert "✕ x.csv · " in shown
    assert "x.csv was not exported." in shown
    assert "Traceback" not in shown


# ----------------------------------------------------------------- jobs


def test_a_job_is_shown_once(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell("job = %export flights x.csv").raise_error()
    assert capsys.readouterr().out.count("x.csv") == 1
    shell.run_cell("%export flights y.csv", store_history=True).raise_error()
    shown = capsys.readouterr().out
    assert shown.count("● y.csv") == 1
    assert shown.rstrip().endswith(str(Path.cwd() / "y.csv"))
    shell.run_cell("job", store_history=True).raise_error()
    assert capsys.readouterr().out.count("x.csv") == 1


def test_no_wait_returns_at_once(shell: InteractiveShell) -> None:
    job = run(shell, "flights x.csv --no-wait")
    assert job.wait(20).status == "completed"


def test_jobs_are_listed_shown_and_cancelled(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    job = run(shell, "flights x.csv")
    shell.run_line_magic("export", "--jobs")
    assert job.id in capsys.readouterr().out
    assert run(shell, f"--status {job.id[:6]}").id == job.id
    assert run(shell, f"--cancel {job.id}").status == "completed"
    with pytest.raises(
        InvalidRequest, match="--jobs exports nothing, and the line names “flights”"
    ):
        shell.run_line_magic("export", "flights y.csv --jobs")


def test_help(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    for line in ("--help", ""):
        shell.run_line_magic("export", line)
        assert "%%export [PATH]" in capsys.readouterr().out


@pytest.fixture
def interrupted() -> Iterator[Any]:
    """Press Ctrl-C once a condition holds, as the kernel's interrupt does."""
    pressed = threading.Event()
    threads = []

    def when(condition: Any) -> None:
        def work() -> None:
            deadline = time.monotonic() + 20
            while not condition() and time.monotonic() < deadline:
                time.sleep(0.005)
            pressed.set()
            signal.raise_signal(signal.SIGINT)

        thread = threading.Thread(target=work)
        threads.append(thread)
        thread.start()

    yield when
    for thread in threads:
        thread.join(20)


def test_an_interrupt_cancels_the_job(
    shell: InteractiveShell, interrupted: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.user_ns["big"] = pa.table({"n": pa.array(range(4_000_000)), "t": ["text"] * 4_000_000})
    client = LocalClients.here()
    client.check()
    interrupted(lambda: client.list(status="running")["jobs"])
    with pytest.raises(Cancelled, match=r"big\.csv\.gz was interrupted and cancelled"):
        run(shell, "big big.csv.gz")
    assert [job["status"] for job in client.list()["jobs"]] == ["cancelled"]
    assert not Path("big.csv.gz").exists()
    assert list(Path.cwd().glob(".*.part")) == []
    assert "cancelled" in capsys.readouterr().out


def test_an_interrupt_ends_a_query(shell: InteractiveShell, interrupted: Any) -> None:
    began = time.monotonic()
    interrupted(lambda: time.monotonic() - began > 1)
    with pytest.raises(Cancelled, match="nothing was written"):
        sql(
            shell, "x.csv", "SELECT sum(a.range * b.range) FROM range(10000000) a, range(1000000) b"
        )
    assert time.monotonic() - began < 10
    assert LocalClients.here().list()["jobs"] == []
