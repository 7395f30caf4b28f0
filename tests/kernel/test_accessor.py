"""``df.export``: a method of DataFrames for those who ask for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

import jupyter_export
from jupyter_export.errors import InvalidRequest, OutputExists

from .shells import FLIGHTS, shell_with_frames


@pytest.fixture
def door() -> Iterator[str]:
    """A method of a name that nobody else uses, gone behind the test."""
    name = "to_export_of_test"
    jupyter_export.register_accessor(name)
    yield name
    for kind in (pd.DataFrame, pl.DataFrame, pl.LazyFrame):
        delattr(kind, name)
        kind._accessors.discard(name)  # type: ignore[attr-defined]


def test_frames_of_both_libraries_export_themselves(door: str) -> None:
    jupyter_export.register_accessor(door)  # a second time changes nothing
    planes = pl.DataFrame({"plane": ["N1", "N2"], "seats": [100, 200]})
    job = getattr(FLIGHTS, door)("a.csv", where="delay > 10", options={"delimiter": ";"})
    assert job.result()["rows"] == 1
    assert Path("a.csv").read_text().splitlines()[0].count(";") == 2
    getattr(planes, door)("b.parquet").result()
    assert pl.read_parquet("b.parquet").equals(planes)
    getattr(planes.lazy().filter(pl.col("seats") > 100), door)("c.csv").result()
    assert Path("c.csv").read_text().splitlines() == ["plane,seats", "N2,200"]
    with pytest.raises(OutputExists):
        getattr(planes, door)("c.csv").result()


@pytest.mark.parametrize("name", ["", "a b", "class", "_hidden"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be the name of a method"):
        jupyter_export.register_accessor(name)


def test_what_a_frame_has_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidRequest, match="DataFrame of pandas has a “to_csv” of its own"):
        jupyter_export.register_accessor("to_csv")
    # pandas is looked at first, and gets nothing where Polars has something of that name
    monkeypatch.setattr(pl.LazyFrame, "to_nothing", None, raising=False)
    with pytest.raises(InvalidRequest, match="LazyFrame of polars has a “to_nothing”"):
        jupyter_export.register_accessor("to_nothing")
    assert not hasattr(pd.DataFrame, "to_nothing")


def test_libraries_are_not_imported_but_met_later() -> None:
    script = (
        "import sys, jupyter_export\n"
        "jupyter_export.register_accessor()\n"
        "jupyter_export.register_accessor()\n"
        "assert not {'pandas', 'polars'} & set(sys.modules)\n"
        "finders = len(sys.meta_path)\n"
        "import pandas.api.types, pandas\n"
        "import polars\n"
        "assert len(sys.meta_path) == finders - 2\n"
        "from jupyter_export.client.accessor import FrameExport\n"
        "assert isinstance(pandas.DataFrame({'a': [1]}).export, FrameExport)\n"
        "assert isinstance(polars.LazyFrame({'a': [1]}).export, FrameExport)\n"
        "import importlib.resources\n"
        "assert importlib.resources.files('pandas').joinpath('__init__.py').is_file()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=120
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_job_shows_itself(door: str, capsys: pytest.CaptureFixture[str]) -> None:
    with shell_with_frames() as shell:
        assert shell.run_cell(f"flights.{door}('a.csv').wait()").success
        assert "● a.csv · 3 rows" in capsys.readouterr().out
