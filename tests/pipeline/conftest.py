"""Frozen tables, and the real pipeline run over them in a folder of the test's own."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jupyter_export import pipeline
from jupyter_export.pipeline import Progress, Result, Surroundings
from jupyter_export.spec import parse

MOMENT = datetime(2026, 1, 31, 9, 30, tzinfo=timezone.utc)


@dataclass
class Bench:
    """A root folder, and the ways to run an export in it."""

    root: Path
    uploads: Path
    scratch: Path
    seen: list[Progress] = field(default_factory=list)
    """The progress of the last run."""
    _ids: Iterator[int] = field(default_factory=itertools.count)

    def freeze(
        self, data: pa.Table | Iterable[pa.RecordBatch], schema: pa.Schema | None = None
    ) -> str:
        """Write ``data`` as an upload, batch by batch as it comes, and return its id."""
        name = f"upload{next(self._ids)}"
        batches = data.to_batches() if isinstance(data, pa.Table) else data
        schema = data.schema if isinstance(data, pa.Table) else schema
        with (
            (self.uploads / f"{name}.arrows").open("wb") as file,
            pa.ipc.new_stream(file, schema) as writer,
        ):
            for batch in batches:
                writer.write_batch(batch)
        return name

    def surroundings(self, target: str = "out.csv", **changes: Any) -> Surroundings:
        path = self.root / target
        known: dict[str, Any] = {
            "root": self.root,
            "target": path,
            "part": path.with_name(f".{path.name}.part"),
            "uploads": self.uploads,
            "scratch": self.scratch,
            "started": MOMENT,
        }
        return Surroundings(**{**known, **changes})

    def run(self, document: dict[str, Any], target: str = "out.csv", **changes: Any) -> Result:
        """Run ``document``; its progress stays in ``seen``."""
        self.seen = []
        for value in pipeline.run(parse(document), self.surroundings(target, **changes)):
            if isinstance(value, Result):
                return value
            self.seen.append(value)
        raise AssertionError("the run ended without a result")

    def export(
        self,
        data: pa.Table,
        target: str = "out.csv",
        *,
        here: dict[str, Any] | None = None,
        **document: Any,
    ) -> Result:
        """Freeze ``data`` and export it to ``target``."""
        source = {"type": "upload", "id": self.freeze(data)}
        return self.run({"source": source, **document}, target, **(here or {}))

    def rows(self, data: pa.Table, **document: Any) -> pa.Table:
        """Return what an export of ``data`` holds, with its exact types."""
        self.export(data, "rows.arrow", output={"if_exists": "replace"}, **document)
        with pa.ipc.open_file(self.root / "rows.arrow") as file:
            return file.read_all()

    def left(self) -> list[str]:
        """Return the names of all files below the root, hidden ones included."""
        return sorted(
            path.relative_to(self.root).as_posix()
            for path in self.root.rglob("*")
            if not path.is_dir()
        )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    folders = [tmp_path / name for name in ("root", "uploads", "scratch")]
    for folder in folders:
        folder.mkdir()
    return Bench(*folders)
