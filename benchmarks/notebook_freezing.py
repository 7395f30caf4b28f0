"""``%export --no-wait``: how soon the prompt is back, and what the kernel's memory grows by.

A real kernel, of a Jupyter server and without one; frames of each kind that people have. The
memory is the kernel's ``RssAnon`` while the cell runs, above what it held before.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import WARM_UP_ROWS, generated, meter
from .notebook import Notebook, kernel_alone, notebook
from .report import Target, at_most, table

SECONDS = 0.6
"""The prompt is back after at most so many."""
BATCH_MB = 16
"""What a batch of 65,536 rows may take on its way: as Arrow (7 MB), as pieces that wait for the
receiver, and what allocators keep of both."""
KINDS = {
    "pandas, NumPy and strings": "rows.to_pandas()",
    "pandas, objects": "rows.to_pandas().astype({'customer': object, 'note': object})",
    "pandas, Arrow-backed": "rows.to_pandas(types_mapper=pandas.ArrowDtype)",
    "Polars": "polars.from_arrow(rows)",
    "PyArrow": "rows",
}
READ = """\
import gc, os, pandas, polars, pyarrow
def read(name):
    with pyarrow.OSFile(f"{uploads}/{{name}}.arrows") as file:
        return pyarrow.ipc.open_stream(file).read_all()
"""
MAKE = """\
rows = read("{name}")
frame = {frame}
del rows
_ = gc.collect(), pyarrow.default_memory_pool().release_unused()
"""


def freezing(uploads: Path, rows: int, runs: int) -> tuple[str, list[Target]]:
    """Return a table and the targets. Raises ``CellFailed``."""
    lines, targets = [], []
    for where, started in (("server", notebook), ("kernel alone", kernel_alone)):
        with (
            tempfile.TemporaryDirectory(dir=uploads.parent, prefix="freezing-") as folder,
            started(Path(folder)) as cells,
        ):
            cells.run(f"%load_ext jupyter_export\n{READ.format(uploads=uploads)}")
            pid = int(cells.ask("os.getpid()"))
            for kind, frame in KINDS.items():
                print(f"  --no-wait, {kind}, {where}", file=sys.stderr)
                _run(cells, pid, generated(WARM_UP_ROWS), frame, 1)
                walls, grown = _run(cells, pid, generated(rows), frame, runs)
                wall, growth = statistics.median(walls), statistics.median(grown)
                lines.append(
                    (f"{kind}, {where}", f"{wall:.2f}", f"{max(walls):.2f}", f"{growth:.0f}")
                )
                said = f"--no-wait, {kind}, {where}, {rows:,} rows"
                targets.append(at_most(f"{said}: prompt", wall, SECONDS, "s"))
                targets.append(at_most(f"{said}: kernel's memory", growth, BATCH_MB, "MB", 0))
    return table(("--no-wait", "median s", "max s", "kernel's growth MB"), lines), targets


def _run(
    cells: Notebook, pid: int, name: str, frame: str, runs: int
) -> tuple[list[float], list[float]]:
    """Return the seconds of each run's cell, and the MB that the kernel grew by meanwhile."""
    cells.run(MAKE.format(name=name, frame=frame))
    walls, grown = [], []
    for _ in range(runs):
        with _watched(pid) as peak:
            walls.append(cells.run("job = %export frame out.csv --replace --no-wait"))
        grown.append((max(peak) - peak[0]) / 1e6)
        cells.run("job.result()")
    return walls, grown


@contextmanager
def _watched(pid: int) -> Iterator[list[int]]:
    """Collect the anonymous memory of a process, first of all what it holds now."""
    peak = [meter.anonymous_memory(pid) or 0]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(meter.INTERVAL):
            peak.append(meter.anonymous_memory(pid) or 0)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
        peak.append(meter.anonymous_memory(pid) or 0)
