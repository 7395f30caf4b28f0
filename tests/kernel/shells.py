"""An IPython shell of this process with some frames, and cells that export them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
import polars as pl
import pyarrow as pa
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from jupyter_export.client.job import Job

FLIGHTS = pd.DataFrame(
    {"carrier": ["UA", "AA", "UA"], "delay": [5.0, None, 61.0], "plane": ["N1", "N2", "N1"]}
)


@contextmanager
def shell_with_frames() -> Iterator[InteractiveShell]:
    InteractiveShell.clear_instance()
    config = Config({"HistoryManager": {"enabled": False}})
    found = InteractiveShell.instance(config=config)
    found.run_line_magic("load_ext", "jupyter_export")
    found.user_ns.update(
        flights=FLIGHTS,
        planes=pl.DataFrame({"plane": ["N1", "N2"], "seats": [100, 200]}),
        airports=pa.table({"faa": ["EWR"], "name": ["Newark"]}),
        answer=42,
    )
    yield found
    InteractiveShell.clear_instance()


def run(shell: InteractiveShell, line: str) -> Job:
    job = shell.run_line_magic("export", line)
    assert isinstance(job, Job)
    return job


def sql(shell: InteractiveShell, line: str, query: str) -> Job:
    job = shell.run_cell_magic("export", line, query)
    assert isinstance(job, Job)
    return job
