"""A Hive-style folder: rows stand in the folder that their partition columns name.

Rows are sorted by folder in pieces that fit into memory; what is no whole row group yet waits in
the scratch folder, so that memory stays flat whatever the number of folders, and each file has row
groups as large as its rows allow.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import Cancelled
from ..registry import Chunk, FileContext, LossLedger
from .batches import in_order
from .hive import Folders, Hive, layout
from .row_groups import MAGIC, Encoder, Footer, Piece, bytes_of

if TYPE_CHECKING:
    from .parquet import ParquetOptions

__all__ = ["encode", "layout"]

_HELD = 40 * 1024**2
"""Bytes of rows in memory before they are sorted into folders."""
_LARGEST_GROUP = 16 * 1024**2
Codes = npt.NDArray[np.uint16]


def encode(
    batches: Iterator[pa.RecordBatch],
    hive: Hive,
    encoder: Encoder,
    options: ParquetOptions,
    context: FileContext,
    losses: LossLedger,
) -> Iterator[Chunk]:
    """Yield the files of all folders, by turns; each one's row groups hold rows in their order.

    Raises ``SourceFailed`` for too many folders, or a value that cannot name one.
    """
    folders = Folders(hive, losses)
    files = _Files(folders, encoder, options, context.suffix)
    with _Scratch(context.here.scratch, encoder.rows) as scratch:
        rows = _Rows(folders, encoder.rows, options, scratch)

        def groups() -> Iterator[pa.Table]:
            for number, table, last in rows.groups(_heard(batches, context)):
                files.coming.append((number, last))
                yield table

        for piece in in_order(encoder.piece, groups(), context.threads):
            yield from files.take(piece)
    if not folders.paths:
        yield from files.empty()


def _heard(batches: Iterator[pa.RecordBatch], context: FileContext) -> Iterator[pa.RecordBatch]:
    """While rows are only sorted nothing is yielded, so a cancel is looked for here."""
    for batch in batches:
        if context.here.cancelled.is_set():
            raise Cancelled("The export was cancelled.")
        yield batch


# ------------------------------------------------------------------ rows, sorted by folder


@dataclass
class _Run:
    """Rows sorted by folder: those of folder ``i`` are ``ends[i - 1]`` to ``ends[i]``."""

    rows: pa.RecordBatch
    ends: npt.NDArray[np.int64]

    def of(self, number: int) -> pa.RecordBatch:
        if number >= len(self.ends):
            return self.rows.slice(0, 0)
        start = self.ends[number - 1] if number else 0
        return self.rows.slice(start, self.ends[number] - start)


class _Rows:
    def __init__(
        self, folders: Folders, schema: pa.Schema, options: ParquetOptions, scratch: _Scratch
    ) -> None:
        self._folders = folders
        self._schema = schema
        self._options = options
        self._scratch = scratch
        self._held: list[tuple[pa.RecordBatch, Codes]] = []
        self._weight = 0
        self._per_row = 1

    def groups(self, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[int, pa.Table, bool]]:
        """Yield (folder, rows of one row group, whether they are its last)."""
        for batch in batches:
            most = max(1, _LARGEST_GROUP * batch.num_rows // max(1, bytes_of(batch)))
            for start in range(0, batch.num_rows, most):
                self._hold(batch.slice(start, most))
                if self._weight > _HELD:
                    yield from self._relieve()
        yield from self._rest()

    def _hold(self, batch: pa.RecordBatch) -> None:
        inner = self._folders.hive.inner(batch)
        columns = zip(inner.columns, self._schema.types, strict=True)
        arrays = [c if c.type.equals(kind) else pc.cast(c, kind) for c, kind in columns]
        inner = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        weight = bytes_of(inner)
        self._held.append((inner, self._folders.codes(batch)))
        self._weight += weight
        self._per_row = max(1, weight // max(1, batch.num_rows))

    @property
    def _rows_of_a_group(self) -> int:
        most = min(self._options.row_group_bytes, _LARGEST_GROUP)
        return max(1, min(self._options.row_group_rows, most // self._per_row))

    def _relieve(self) -> Iterator[tuple[int, pa.Table, bool]]:
        """Let whole row groups go; spill the others unless they are few."""
        held, codes = self._together()
        counts = np.bincount(codes, minlength=len(self._folders.paths))
        size = self._rows_of_a_group
        whole = counts // size * size
        order = np.argsort(codes, kind="stable")
        if whole.any():
            within = np.arange(len(codes)) - np.repeat(np.cumsum(counts) - counts, counts)
            goes = within < np.repeat(whole, counts)
            going, order = order[goes], order[~goes]
            at = 0
            for number in np.repeat(np.arange(len(whole)), whole // size).tolist():
                rows = held.take(pa.array(going[at : at + size]))
                at += size
                yield number, pa.Table.from_batches([rows], self._schema), False
        if not len(order):
            return
        rows = held.take(pa.array(order))
        self._weight = bytes_of(rows)
        if self._weight > _HELD // 2:
            self._scratch.spill(_Run(rows, np.cumsum(counts - whole)))
            self._weight = 0
        else:
            self._held = [(rows, codes[order])]

    def _together(self) -> tuple[pa.RecordBatch, Codes]:
        """Take away the rows that are held, as one batch, and the folders that they belong to."""
        batches = [batch for batch, _ in self._held]
        codes = np.concatenate([codes for _, codes in self._held])
        self._held, self._weight = [], 0
        if len(batches) == 1:
            return batches[0], codes
        arrays = [
            pa.concat_arrays([batch.column(i) for batch in batches])
            for i in range(len(self._schema))
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema), codes

    def _rest(self) -> Iterator[tuple[int, pa.Table, bool]]:
        """Yield what is left of each folder, gathered from all that was spilled, in its order."""
        runs = self._scratch.runs()
        size = self._rows_of_a_group
        if self._held:
            rows, codes = self._together()
            counts = np.bincount(codes, minlength=len(self._folders.paths))
            rows = rows.take(pa.array(np.argsort(codes, kind="stable")))
            runs.append(_Run(rows, np.cumsum(counts)))
        for number in range(len(self._folders.paths)):
            parts = [part for run in runs if (part := run.of(number)).num_rows]
            table = pa.Table.from_batches(parts, self._schema)
            for start in range(0, max(1, table.num_rows), size):
                yield number, table.slice(start, size), start + size >= table.num_rows


class _Scratch:
    """Sorted runs in one file of the scratch folder, mapped into memory when they are read."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self._folder = folder
        self._schema = schema
        self._spilled: list[tuple[int, npt.NDArray[np.int64]]] = []
        self._kept: tempfile.TemporaryDirectory[str] | None = None
        self._file: Any = None
        self._mapped: Any = None

    def __enter__(self) -> _Scratch:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._file, self._mapped):
            if each is not None:
                each.close()
        if self._kept is not None:
            self._kept.cleanup()

    def spill(self, run: _Run) -> None:
        if self._kept is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._kept = tempfile.TemporaryDirectory(prefix="partitions-", dir=self._folder)
            self._file = pa.OSFile(self._path, "wb")
        self._spilled.append((self._file.tell(), run.ends))
        with pa.ipc.new_stream(self._file, run.rows.schema) as writer:
            writer.write_batch(run.rows)

    @property
    def _path(self) -> str:
        assert self._kept is not None
        return str(Path(self._kept.name) / "runs")

    def runs(self) -> list[_Run]:
        if self._file is None:
            return []
        end = self._file.tell()
        self._file.close()
        self._mapped = pa.memory_map(self._path)
        found = []
        starts = [start for start, _ in self._spilled]
        for start, stop, (_, ends) in zip(starts, [*starts[1:], end], self._spilled, strict=True):
            self._mapped.seek(start)
            with pa.ipc.open_stream(self._mapped.read_buffer(stop - start)) as stream:
                found.append(_Run(stream.read_next_batch(), ends))
        return found


# ------------------------------------------------------------------ files


@dataclass
class _File:
    name: str
    footer: Footer
    at: int = 0
    begun: bool = field(default=False)


class _Files:
    """The files that have begun; a file's footer is kept until its last row group."""

    def __init__(
        self, folders: Folders, encoder: Encoder, options: ParquetOptions, suffix: str
    ) -> None:
        self._folders = folders
        self._name = f"part-0{suffix or '.parquet'}"
        template = encoder.template()
        self._footer: Callable[[], Footer] = lambda: Footer(template, page_index=options.page_index)
        self._open: dict[int, _File] = {}
        self.coming: deque[tuple[int, bool]] = deque()
        """Folder of each row group that is being encoded, and whether it is the folder's last."""

    def take(self, piece: Piece) -> Iterator[Chunk]:
        number, last = self.coming.popleft()
        file = self._open.get(number)
        if file is None:
            name = f"{self._folders.paths[number]}/{self._name}"
            file = self._open[number] = _File(name, self._footer())
            yield from self._begin(file)
        if piece.rows:
            file.footer.add(piece, file.at)
            file.at += len(piece.pages)
            yield Chunk(piece.pages, piece.rows, file.name)
        if last:
            yield Chunk(file.footer.end(file.at), 0, file.name)
            del self._open[number]

    def empty(self) -> Iterator[Chunk]:
        """No row, no folder: one file without rows keeps the schema."""
        file = _File(self._name, self._footer())
        yield from self._begin(file)
        yield Chunk(file.footer.end(file.at), 0, file.name)

    def _begin(self, file: _File) -> Iterator[Chunk]:
        file.at = len(MAGIC)
        yield Chunk(MAGIC, 0, file.name)
