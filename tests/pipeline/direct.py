"""A format encoded without the pipeline around it, its files written by their chunks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jupyter_export.registry import FileContext, Format, Loss, LossLedger, Surroundings, Table


@dataclass
class Written:
    """What an encoder made."""

    folder: Path
    rows: int = 0
    """Rows that the chunks say they end."""
    files: list[Path] = field(default_factory=list)
    """In the order in which they begin."""
    losses: list[Loss] = field(default_factory=list)
    counted: int = 0
    """Rows that the format's counter finds in the files."""
    reader: str = ""

    @property
    def file(self) -> Path:
        (path,) = self.files
        return path

    @property
    def lost(self) -> dict[tuple[str, str], int | None]:
        """(kind, column) -> count."""
        return {(loss.kind, loss.column): loss.count for loss in self.losses}

    def parquet(self) -> pa.Table:
        """Return what PyArrow reads from the one file."""
        with pq.ParquetFile(self.file) as file:
            found = file.read()
        found.validate(full=True)
        return found

    def frame(self) -> dict[str, Any]:
        """Run the lines that read the files back; return the names that they define."""
        return self._run(self.reader)

    def table(self) -> pa.Table:
        """Run them but for the last one, which makes a frame of pandas."""
        before, last = self.reader.rsplit("\n", 1)
        assert last == "df = table.to_pandas()"
        found = self._run(before)["table"]
        found.validate(full=True)
        return found

    def _run(self, lines: str) -> dict[str, Any]:
        names: dict[str, Any] = {}
        exec(lines, names)
        return names


def write(
    made: Format,
    data: pa.Table | Iterable[pa.RecordBatch],
    folder: Path,
    *,
    given: pa.Schema | None = None,
    threads: int = 2,
    **options: Any,
) -> Written:
    """Encode ``data`` (batches: of the schema ``given``) into ``folder``, as the pipeline would."""
    batches = data.to_batches() if isinstance(data, pa.Table) else data
    schema = data.schema if isinstance(data, pa.Table) else given
    chosen = made.options.model_validate(options)
    root = folder / "root"
    root.mkdir(parents=True)
    here = Surroundings(
        root=root,
        target=root / "out",
        part=root / ".out.part",
        uploads=folder / "uploads",
        scratch=folder / "scratch",
        threads=threads,
    )
    ledger = LossLedger()
    for loss in made.losses(schema, chosen):
        ledger.add(loss)
    out = Written(root)
    counters = {}
    context = FileContext("out", "out", made.endings[0], here)
    table = Table("out", schema, iter(batches))
    for chunk in made.encode_file([table], chosen, context, ledger):
        path = root / (chunk.file or f"out{made.endings[0]}")
        if path not in counters:
            path.parent.mkdir(parents=True, exist_ok=True)
            counters[path] = made.counter(chosen)
            path.write_bytes(b"")
            out.files.append(path)
        counters[path].update(chunk.data)
        with path.open("ab") as file:
            file.write(chunk.data)
        out.rows += chunk.rows
    out.counted = sum(counter.finish(path) for path, counter in counters.items())
    out.losses = list(ledger)
    shown = root if made.several_files(chosen) else out.file
    out.reader = made.reader(schema, str(shown), chosen, "none")
    assert not list((folder / "scratch").rglob("*")), "scratch files are left"
    return out


_TICK = {"day": 86_400 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_DAYS = {32: "day", 64: "ms"}


def values(column: Any) -> list[Any]:
    """Return the cells so that they compare: moments in ns, NaN like NaN, -0.0 unlike 0.0."""
    return [_value(cell) for cell in column]


def _value(cell: pa.Scalar) -> Any:
    kind = cell.type
    if not cell.is_valid:
        return None
    if isinstance(cell, pa.ExtensionScalar):
        return _value(cell.value)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _value(cell.value) if isinstance(cell.value, pa.Scalar) else cell.as_py()
    if pa.types.is_map(kind):
        return [(_value(pair["key"]), _value(pair["value"])) for pair in cell.values]
    if pa.types.is_struct(kind):
        return [_value(cell[i]) for i in range(kind.num_fields)]
    if pa.types.is_nested(kind) and not pa.types.is_union(kind):
        return [_value(each) for each in cell.values]
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return cell.value * _TICK[kind.unit if hasattr(kind, "unit") else _DAYS[kind.bit_width]]
    found = cell.as_py()
    if isinstance(found, float):
        return "NaN" if math.isnan(found) else (found, math.copysign(1, found))
    return found


def rows(table: pa.Table) -> list[tuple[Any, ...]]:
    """Return the rows of a table, to be compared in order or sorted by ``repr``."""
    if not table.num_columns:
        return [()] * table.num_rows
    return list(zip(*map(values, table.columns), strict=True))
