"""Files made by a format alone, without sources and sinks."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa

from jupyter_export.losses import LossLedger
from jupyter_export.registry import FileContext, Format, Surroundings, Table

MOMENT = datetime(2026, 1, 31, 9, 30, tzinfo=timezone.utc)


def context(scratch: Path | None = None) -> FileContext:
    scratch = scratch or Path(tempfile.gettempdir())
    here = Surroundings(
        root=scratch,
        target=scratch / "out",
        part=scratch / ".part",
        uploads=scratch,
        scratch=scratch,
        started=MOMENT,
    )
    return FileContext("export", "out", ".x", here)


def encoded(made: Format, tables: Sequence[pa.Table], options: Any) -> bytes:
    """Return the file of ``tables``, named t0, t1, …; rows are added up as the format says."""
    with tempfile.TemporaryDirectory() as scratch:
        chunks = list(
            made.encode_file(
                [
                    Table(f"t{i}", table.schema, iter(table.to_batches(max_chunksize=4)))
                    for i, table in enumerate(tables)
                ],
                options,
                context(Path(scratch)),
                LossLedger(),
            )
        )
        assert not list(Path(scratch).iterdir())
    assert sum(chunk.rows for chunk in chunks) == sum(table.num_rows for table in tables)
    return b"".join(bytes(chunk.data) for chunk in chunks)
