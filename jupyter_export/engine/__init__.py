"""The embedded engine's session: DuckDB with limits, a spill folder, and no way out.

Everything that this package asks of DuckDB goes through ``session``: the memory limit, UTC, the
spill folder, and a locked configuration in which only the named files can be read.
"""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ..errors import Cancelled, DiskFull, ExportError, OutOfMemory, QueryFailed


@contextmanager
def session(
    scratch: Path,
    *,
    memory_limit: int,
    threads: int,
    readable: Sequence[Path] = (),
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection that may use ``memory_limit`` bytes and read only ``readable`` files.

    Its spill folder is made below ``scratch`` and removed at the end. DuckDB's own errors leave
    as ours (``QueryFailed``, ``OutOfMemory``, ``DiskFull``, ``Cancelled``).
    """
    spill = scratch / f"spill-{uuid.uuid4().hex}"
    connection = duckdb.connect(
        config={
            "memory_limit": f"{max(memory_limit // 1000**2, 64)}MB",
            "threads": max(threads, 1),
            "temp_directory": str(spill),
            "preserve_insertion_order": True,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        }
    )
    try:
        connection.execute("SET TimeZone = 'UTC'")
        if readable:
            listed = ", ".join(literal(str(path)) for path in readable)
            connection.execute(f"SET allowed_paths = [{listed}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        with translated():
            yield connection
    finally:
        connection.close()
        shutil.rmtree(spill, ignore_errors=True)


@contextmanager
def translated() -> Iterator[None]:
    """Turn DuckDB's errors into ours; the first line of its message is kept, nothing else."""
    try:
        yield
    except duckdb.Error as error:
        raise explain(error) from error


def explain(error: BaseException) -> ExportError:
    """Return our error for one of DuckDB's."""
    text = str(error).strip()
    # "Binder Error: " and the like name a part of the engine, not what is wrong
    first = re.sub(r"^\w+( \w+){0,3} Error: ", "", text.split("\n", 1)[0]).rstrip(".!")
    if len(first) > 500:
        first = f"{first[:500]}…"
    if isinstance(error, duckdb.InterruptException):
        return Cancelled("The export was cancelled.")
    if isinstance(error, duckdb.OutOfMemoryException):
        return OutOfMemory(
            "The query needs more memory than a job may use.",
            hint="Raise memory_limit_per_job, or export fewer columns or rows.",
        )
    if isinstance(error, duckdb.IOException) and "No space left" in text:
        return DiskFull("The disk is full where the engine spills.", hint="Free some space.")
    return QueryFailed(f"The query failed: {first}.")


def literal(text: str) -> str:
    """Return ``text`` as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return ``name`` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
