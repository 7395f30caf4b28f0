"""What a worker does before its first job, so that this job finds everything imported."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from importlib import import_module
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any, TypeAlias

from .. import registry
from ..progress import Progress, Result
from ..registry import Surroundings
from ..spec import ExportSpec, parse

Run: TypeAlias = Callable[[ExportSpec, Surroundings], Iterator[Progress | Result]]
SLOW_IMPORTS = {
    "postgresql": (
        "jupyter_export.sources.postgres.database",
        "jupyter_export.sources.postgres.adbc",
    ),
    "duckdb": ("jupyter_export.sources.duckdb",),
}
"""Dialect -> modules that import its drivers, for the first preview to find them there."""


class _NoPandas(MetaPathFinder):
    """Finds no pandas."""

    def find_spec(self, name: str, *_: Any) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("not now", name=name)


def spare_pandas() -> None:
    """Let pyarrow find no pandas when it first looks at Python values, which is when it imports it:
    0.2 s and 35 MB for a process that meets none. Who asks for pandas itself gets it."""
    import pyarrow as pa

    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([None])
    finally:
        sys.meta_path.remove(finder)


def warm_up(run: Run) -> None:
    """Export one row, so that the first real job finds everything imported and the engine loaded.

    A failure shows in the first job.
    """
    import pyarrow as pa

    place = warm_folder(Path.cwd(), os.getpid())
    # One that was killed with the same number may have left it.
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    try:
        here = Surroundings(
            root=place,
            target=place / "warm.csv",
            part=place / ".warm.csv.part",
            uploads=place,
            scratch=place,
            memory_limit=64 * 1000**2,
            threads=1,
        )
        schema = pa.schema({"number": pa.int64(), "text": pa.string()})
        with pa.ipc.new_stream(str(place / "warm.arrows"), schema) as stream:
            stream.write_batch(pa.record_batch([[1], ["a"]], schema=schema))
        for _ in run(parse({"source": {"type": "upload", "id": "warm"}}), here):
            pass
    finally:
        shutil.rmtree(place, ignore_errors=True)


def warm_drivers(dialects: Iterable[str], idle: Callable[[], bool]) -> None:
    """Import what connections to ``dialects`` need, until a job comes.

    What is not installed says so when it is used.
    """
    for dialect in dialects:
        other = registry.ANY_DATABASE.partition(":")[0]
        for module in SLOW_IMPORTS.get(dialect, (other,)):
            if idle():
                with suppress(ImportError):
                    import_module(module)


def warm_folder(folder: Path, pid: int) -> Path:
    """Return where a worker warms up; its parent removes what one that was killed has left."""
    return folder / f"warm-{pid}"
