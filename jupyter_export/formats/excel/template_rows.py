"""The rows that go into a template: with its formats, among cells that stay."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...registry import Chunk, LossLedger
from ..batches import even, in_order
from ..cells import payload
from .archive import Piece, Section, Spool, deflated
from .cells import EMPTY, Part, Values, Words, merged, parts
from .links import linked

_END = b"</row>"


@dataclass(frozen=True)
class Slot:
    """One column of the area: a column of the batch, a formula, or nothing."""

    name: str
    style: int = 0
    """Index among the template's ``cellXfs``."""
    column: int | None = None
    """Of the batch."""
    texts: tuple[str, ...] = ()
    """Of a formula, cut where numbers of rows stand."""
    offsets: tuple[int, ...] = ()
    """Between the texts: how far from its own row that row lies."""
    link: str | None = None
    """The address of its cells' links, with ``{}`` for the value."""

    @property
    def empty(self) -> str:
        return f'<c s="{self.style}"/>' if self.style else EMPTY


def encode(
    batch: pa.RecordBatch,
    slots: Sequence[Slot],
    before: str,
    number: int,
    values: Values,
    losses: LossLedger,
) -> memoryview:
    """Return the XML of the batch's rows, each opened by ``before``; ``number`` is the first's."""
    row: list[Part] = [before]
    numbers: dict[int, pa.Array] = {}
    for slot in slots:
        if slot.column is not None:
            column = batch.column(slot.column)
            if slot.link is None:
                found = parts(column, slot.name, slot.style, values, losses)
            else:
                found = linked(column, slot.name, slot.style, slot.link, losses)
            row += [_styled(part, slot) for part in found]
        elif slot.texts:
            style = f' s="{slot.style}"' if slot.style else ""
            row.append(f"<c{style}><f>{escape(slot.texts[0])}")
            for offset, text in zip(slot.offsets, slot.texts[1:], strict=True):
                if offset not in numbers:
                    first = number + offset
                    rows = np.arange(first, first + batch.num_rows)
                    numbers[offset] = pc.cast(pa.array(rows), pa.string())
                row += [numbers[offset], escape(text)]
            row.append("</f></c>")
        else:
            row.append(slot.empty)
    row.append(_END.decode())
    joined: list[Any] = merged(row)
    if len(joined) == 1 and isinstance(joined[0], str):
        return memoryview(joined[0].encode("utf-8") * batch.num_rows)
    if len(joined) == 1:
        return payload(joined[0]).data
    return payload(pc.binary_join_element_wise(*joined, "")).data


def _styled(part: Part, slot: Slot) -> Part:
    """Give empty cells the format of their column: a template's borders have no holes."""
    if isinstance(part, str):
        return slot.empty if part == EMPTY else part
    if isinstance(part, Words):
        if not slot.style:
            return part
        blank = pc.equal(part.words, EMPTY)
        return Words(pc.if_else(blank, slot.empty, part.words), part.codes)
    return pc.fill_null(part, slot.empty) if part.null_count else part


class Rows:
    """Rows on their way into a template's sheet: most deflated, a few kept for their neighbours."""

    def __init__(self, scratch: Path) -> None:
        self.spool = Spool(scratch)
        self.count = 0
        self._parts: list[Section | tuple[int, bytes]] = []

    def append(self, data: Piece | list[Piece | tuple[int, bytes]], rows: int) -> None:
        for each in data if isinstance(data, list) else [data]:
            if isinstance(each, Piece):
                self.spool.append(each)
            else:
                self._parts += [self.spool.section(), each]
        self.count += rows

    def parts(self, before: str, beside: Mapping[int, tuple[str, str]]) -> list[Section | Piece]:
        """Return the rows for ``Archive.add_spool``; once.

        ``before`` opened every row; ``beside``: number of a row -> what opens it instead, and the
        cells behind its own.
        """
        out: list[Section | Piece] = []
        start = len(before.encode("utf-8"))
        for part in [*self._parts, self.spool.section()]:
            if isinstance(part, Section):
                out.append(part)
                continue
            number, row = part
            opening, after = beside.get(number, (before, ""))
            own = row[start : -len(_END)]
            out.append(deflated(opening.encode("utf-8") + own + after.encode("utf-8") + _END))
        return out

    def close(self) -> None:
        self.spool.close()


def spooled(
    batches: Iterable[pa.RecordBatch],
    slots: Sequence[Slot],
    before: str,
    *,
    first_row: int,
    most: int,
    apart: Collection[int],
    values: Values,
    threads: int,
    scratch: Path,
    losses: LossLedger,
) -> Generator[Chunk, None, Rows]:
    """Encode the rows and deflate them, in a temporary file.

    Yields empty chunks that tell how many rows are done. ``first_row`` counts from 1. Rows whose
    numbers are in ``apart`` are kept as they are. Stops behind ``most`` rows, with one row more
    counted than it wrote when there are more. Whoever gets the rows closes them.
    """
    kept = frozenset(apart)
    last = max(kept, default=0)

    def numbered() -> Iterable[tuple[int, pa.RecordBatch]]:
        number = first_row
        for batch in even(batches):
            yield number, batch
            number += batch.num_rows

    def one(work: Any) -> tuple[Piece | list[Piece | tuple[int, bytes]], int]:
        number, batch = work
        xml = encode(batch, slots, before, number, values, losses)
        if number > last:
            return deflated(xml), batch.num_rows
        return _divided(bytes(xml), number, kept), batch.num_rows

    rows = Rows(scratch)
    try:
        for data, count in in_order(one, numbered(), threads):
            rows.append(data, count)
            if rows.count > most:
                break
            yield Chunk(b"", count)
    except BaseException:
        rows.close()
        raise
    return rows


def _divided(xml: bytes, number: int, kept: frozenset[int]) -> list[Piece | tuple[int, bytes]]:
    """Return the rows, those of ``kept`` apart; escaped text cannot hold the end of a row."""
    out: list[Piece | tuple[int, bytes]] = []
    together: list[bytes] = []
    for offset, row in enumerate(xml.split(_END)[:-1]):
        if number + offset in kept:
            if together:
                out.append(deflated(b"".join(together)))
                together = []
            out.append((number + offset, row + _END))
        else:
            together.append(row + _END)
    if together:
        out.append(deflated(b"".join(together)))
    return out
