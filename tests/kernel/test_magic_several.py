"""``%export`` of several frames: a folder, a zip, a workbook of sheets."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_export.errors import OutputExists

from .shells import run

ONE_PLACE = True


def test_several_frames_become_a_folder(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    job = run(shell, "flights planes airports report --format csv")
    assert sorted(path.name for path in Path("report").iterdir()) == [
        "airports.csv",
        "flights.csv",
        "manifest.json",
        "planes.csv",
    ]
    assert (job.name, job.result()["rows"]) == ("report", 6)
    assert sorted(job.read()) == ["airports", "flights", "planes"]
    assert capsys.readouterr().out.startswith("● report · 6 rows · 3 datasets · 4 files · ")
    with pytest.raises(OutputExists, match="--replace"):
        run(shell, "flights planes report --format csv")
    run(shell, "flights planes report --format csv --replace --limit 1")
    assert sorted(path.name for path in Path("report").iterdir()) == [
        "flights.csv",
        "manifest.json",
        "planes.csv",
    ]


def test_several_frames_become_a_zip(shell: InteractiveShell) -> None:
    assert run(shell, "flights planes report.csv.zip").state["format"] == "csv"
    job = run(shell, "flights planes")
    assert job.path is not None
    assert Path(job.path).name.startswith("flights_planes_")
    assert job.path.endswith(".zip")
    assert sorted(job.read()) == ["flights", "planes"]


def test_several_frames_become_the_sheets_of_a_workbook(shell: InteractiveShell) -> None:
    job = run(shell, "flights planes airports report.xlsx")
    with pd.ExcelFile("report.xlsx", engine="openpyxl") as book:
        assert book.sheet_names == ["flights", "planes", "airports"]
    assert len(job.read()["flights"]) == 3
    run(shell, "flights one.xlsx --sheet Delays")
    with pd.ExcelFile("one.xlsx", engine="openpyxl") as book:
        assert book.sheet_names == ["Delays"]


def test_names_of_datasets_are_unique(shell: InteractiveShell) -> None:
    job = run(shell, "flights flights flights.head(1) flights.head(2) x --format csv")
    assert sorted(job.read()) == ["data", "data_2", "flights", "flights_2"]


def test_no_wait_freezes_several_frames(shell: InteractiveShell) -> None:
    big = pd.DataFrame({"n": range(200_000)})
    shell.user_ns.update(one=big, two=big.copy())
    job = run(shell, "one two x --format parquet --no-wait")
    big["n"] = -1
    assert job.read()["one"]["n"].sum() == 199_999 * 100_000
    assert job.status == "completed"
