"""A workbook from tables, as the pipeline would have it made."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from jupyter_export import registry
from jupyter_export.formats.excel import ExcelFormat
from jupyter_export.registry import FileContext, LossLedger, Surroundings, Table


def surroundings(folder: Path) -> Surroundings:
    return Surroundings(
        root=folder,
        target=folder / "book.xlsx",
        part=folder / "book.xlsx.part",
        uploads=folder,
        scratch=folder / "scratch",
        cancelled=threading.Event(),
    )


def write(
    folder: Path, tables: pa.Table | Mapping[str, pa.Table], *, batch_rows: int = 7, **options: Any
) -> tuple[Path, LossLedger]:
    """Write ``tables`` (one, or by their datasets) and return the file and what is lost.

    The rows of the chunks and those that the counter finds are checked.
    """
    named = tables if isinstance(tables, Mapping) else {"flights": tables}
    chosen = ExcelFormat()
    checked = registry.check_options(chosen, options)
    context = FileContext("book", "book", ".xlsx", surroundings(folder))
    losses = LossLedger()
    given = [
        Table(name, table.schema, iter(table.to_batches(max_chunksize=batch_rows)))
        for name, table in named.items()
    ]
    path = context.here.target
    rows = 0
    with path.open("wb") as file:
        for chunk in chosen.encode_file(given, checked, context, losses):
            file.write(chunk.data)
            rows += chunk.rows
    expected = sum(table.num_rows for table in named.values())
    assert rows == expected
    assert chosen.counter(checked).finish(path) == expected
    return path, losses


def read_back(path: Path, tables: pa.Table | Mapping[str, pa.Table], **options: Any) -> Any:
    """Run the lines of the reader and return ``df``, or ``frames``."""
    chosen = ExcelFormat()
    checked = registry.check_options(chosen, options)
    space: dict[str, Any] = {}
    if isinstance(tables, Mapping) and len(tables) > 1:
        schemas = {name: table.schema for name, table in tables.items()}
        exec(chosen.reader_of(schemas, str(path), checked, "none"), space)
        return space["frames"]
    if isinstance(tables, Mapping):
        (tables,) = tables.values()
    exec(chosen.reader(tables.schema, str(path), checked, "none"), space)
    return space["df"]


def found(losses: LossLedger) -> dict[tuple[str, str], int | None]:
    """Return (kind, column) -> count."""
    return {(loss.kind, loss.column): loss.count for loss in losses}
