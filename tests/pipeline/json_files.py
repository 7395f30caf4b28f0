"""JSON files made by hand: tables in, bytes and losses out, and the same rows as plain Python."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from jupyter_export import registry
from jupyter_export.formats.json import JsonFormat
from jupyter_export.formats.jsonl import JsonLinesFormat
from jupyter_export.registry import FileContext, Format, LossLedger, Surroundings, Table
from jupyter_export.spec import Link

FORMATS: dict[str, Format] = {"json": JsonFormat(), "jsonl": JsonLinesFormat()}
STARTED = dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.timezone.utc)


@dataclass
class File:
    """A written file, and what was said while it was written."""

    path: Path
    data: bytes
    losses: LossLedger
    rows: int
    """As the counter found them in the bytes."""
    reader: str

    @property
    def lost(self) -> list[tuple[str | None, str, str, int | None]]:
        return [(x.dataset, x.kind, x.column, x.count) for x in self.losses]

    def read(self) -> dict[str, Any]:
        """Run the reader's lines; return the names they leave."""
        names: dict[str, Any] = {}
        exec(self.reader, names)
        return names


def write(
    folder: Path,
    tables: Mapping[str, pa.Table],
    kind: str = "json",
    links: Sequence[Link] = (),
    *,
    name: str = "file",
    max_rows: int = 1000,
    **options: Any,
) -> File:
    """Write ``tables``; asserts that the chunks' rows and the counted ones are those given."""
    chosen = FORMATS[kind]
    checked = registry.check_options(chosen, options)
    path = folder / f"{name}{chosen.endings[0]}"
    here = Surroundings(folder, path, path, folder, folder / "scratch", started=STARTED)
    context = FileContext("the export", name, chosen.endings[0], here, tuple(links))
    losses = LossLedger()
    given = []
    for each, table in tables.items():
        ledger = losses.of(each) if len(tables) > 1 else losses
        for loss in chosen.losses(table.schema, checked):
            ledger.add(loss)
        batches = iter(table.to_batches(max_chunksize=max_rows))
        given.append(Table(each, table.schema, batches, None, {"name": each}))
    counter = chosen.counter(checked)
    said = 0
    with path.open("wb") as file:
        for chunk in chosen.encode_file(given, checked, context, losses):
            counter.update(chunk.data)
            file.write(chunk.data)
            said += chunk.rows
    rows = counter.finish(path)
    expected = sum(table.num_rows for table in tables.values())
    assert (said, rows) == (expected, expected)
    scratch = folder / "scratch"
    assert not scratch.exists() or not list(scratch.iterdir())
    schemas = {each: table.schema for each, table in tables.items()}
    reader = chosen.reader_of(schemas, str(path), checked, "none")
    return File(path, path.read_bytes(), losses, rows, reader)


registry_check = registry.check_options


def temporary() -> Any:
    return tempfile.TemporaryDirectory()
