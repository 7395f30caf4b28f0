"""The rows of a dataset on their way into one sheet, or into several where one is full."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from ...registry import Chunk, LossLedger
from ..batches import in_order
from .archive import Piece, Section, Spool, deflated
from .rows import END, RowLayout, encode_rows

ROWS = 1_048_576
COLUMNS = 16_384
"""Of a sheet (Excel specifications and limits)."""


@dataclass
class SheetRows:
    """The rows of one sheet, deflated."""

    spool: Spool
    rows: int = 0
    _parts: list[Section | tuple[int, bytes]] = field(default_factory=list)

    def keep_apart(self, number: int, row: bytes) -> None:
        """Append the XML of the row ``number`` (from 1), into which cells are put at the end."""
        self._parts += [self.spool.section(), (number, row)]

    def parts(self, cells: Mapping[int, str]) -> list[Section | Piece]:
        """Return the rows for ``Archive.add_spool``; once.

        ``cells``: row number -> XML of further cells, with addresses, right of the row's own.
        """
        found: list[Section | Piece] = []
        for part in [*self._parts, self.spool.section()]:
            if isinstance(part, Section):
                found.append(part)
            else:
                number, row = part
                end = END.encode("ascii")
                more = cells.get(number, "").encode("utf-8")
                found.append(deflated(row.removesuffix(end) + more + end))
        return found


@dataclass(frozen=True)
class _Work:
    """Rows that are encoded together: all in one sheet."""

    batch: pa.RecordBatch
    sheet: int
    number: int
    """Of the first row, from 1."""
    apart: bool


@dataclass(frozen=True)
class _Done:
    work: _Work
    data: Piece | bytes


def spooled(
    batches: Iterable[pa.RecordBatch],
    layout: RowLayout,
    *,
    first_row: int,
    most: int,
    threads: int,
    scratch: Path,
    losses: LossLedger,
    apart: Collection[int] = (),
) -> Generator[Chunk, None, list[SheetRows]]:
    """Encode the rows and deflate them, in a temporary file for each sheet.

    Yields empty chunks that tell how many rows are done. ``first_row`` counts from 0; each sheet
    takes ``most`` rows, and at least one sheet is returned. The rows whose numbers (from 1) are in
    ``apart`` are kept for cells that come to stand beside them. Whoever gets the sheets closes
    their spools; if this fails, it closes them itself.
    """

    def encode(work: _Work) -> _Done:
        xml = encode_rows(work.batch, layout, work.number, losses)
        return _Done(work, bytes(xml) if work.apart else deflated(xml))

    sheets = [SheetRows(Spool(scratch))]
    try:
        for done in in_order(encode, _cut(batches, first_row, most, frozenset(apart)), threads):
            if done.work.sheet == len(sheets):
                sheets.append(SheetRows(Spool(scratch)))
            sheet = sheets[-1]
            if isinstance(done.data, Piece):
                sheet.spool.append(done.data)
            else:
                sheet.keep_apart(done.work.number, done.data)
            sheet.rows += done.work.batch.num_rows
            yield Chunk(b"", done.work.batch.num_rows)
    except BaseException:
        # their temporary files go at once, also when the run is cancelled
        for sheet in sheets:
            sheet.spool.close()
        raise
    return sheets


def _cut(
    batches: Iterable[pa.RecordBatch], first_row: int, most: int, apart: frozenset[int]
) -> Iterator[_Work]:
    """Yield the rows in pieces that end where a sheet is full and at the rows kept apart."""
    sheet, filled = 0, 0
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            if filled == most:
                sheet, filled = sheet + 1, 0
            rows = min(batch.num_rows - start, most - filled)
            number = first_row + filled + 1
            ahead = [n for n in apart if number <= n < number + rows] if apart else []
            alone = bool(ahead) and min(ahead) == number
            if ahead:
                rows = 1 if alone else min(ahead) - number
            yield _Work(batch.slice(start, rows), sheet, number, alone)
            start += rows
            filled += rows
