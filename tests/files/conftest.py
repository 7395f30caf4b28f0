"""What the tests of files as sources have in common: a root folder, and a way to read from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from jupyter_export.sources.file import open_file
from jupyter_export.spec import FileSource

from ..pipeline.conftest import Bench, bench

__all__ = ["Bench", "bench", "read", "write"]


def read(bench: Bench, path: str, connection: str | None = None, **changes: Any) -> pa.Table:
    """Return all rows of a source; whether it left something behind is looked at here."""
    here = bench.surroundings(**changes)
    source = FileSource(type="file", path=path, connection=connection)
    try:
        stream = open_file(source, here)
        try:
            table = pa.Table.from_batches(stream.batches, stream.schema)
            assert stream.total_rows in (None, table.num_rows)
        finally:
            stream.close()
    finally:
        assert list(bench.scratch.iterdir()) == []
    return table


def write(root: Path, name: str, data: str | bytes) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
