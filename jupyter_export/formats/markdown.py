"""Markdown: an aligned table (GitHub Flavored Markdown, section 4.10), to paste into an issue.

Cells are padded to the widest of their column, which is known only after the last row: the cells'
texts wait in a spool file, and are padded when it is read back.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ..registry import (
    Bytes,
    Capabilities,
    Chunk,
    FileContext,
    Format,
    LossLedger,
    OptionsModel,
    RowCounter,
    Table,
)
from . import cells, shown
from .alike import Alike
from .appearance import Appearance
from .batches import even, in_order, peeked

_ESCAPED = "\\|`*<[~"
"""Characters that begin markup inside a line (CommonMark 0.31, sections 2.4 and 6)."""
_UNDERLINE = r"(^|[^0-9A-Za-z])_|_([^0-9A-Za-z]|$)"
"""An underscore at the edge of a word; between letters it is one (CommonMark, 6.2)."""


class MarkdownOptions(Appearance):
    null: str = Field("", max_length=100, description="The text of a null.")
    align: bool = Field(True, description="Pad the cells, so that the source reads as a table.")
    widest: int = Field(
        60, ge=3, le=1000, description="Characters that a column is padded to at most."
    )


class MarkdownFormat(Format):
    type: ClassVar[str] = "markdown"
    label: ClassVar[str] = "Markdown"
    endings: ClassVar[tuple[str, ...]] = (".md", ".markdown")
    media_type: ClassVar[str] = "text/markdown"
    options: ClassVar[OptionsModel] = MarkdownOptions
    capabilities: ClassVar[Capabilities] = Capabilities(nested=False, multi_dataset=True)

    def encode_file(
        self,
        tables: Sequence[Table],
        options: MarkdownOptions,
        context: FileContext,
        losses: LossLedger,
    ) -> Iterator[Chunk]:
        several = len(tables) > 1
        for index, table in enumerate(tables):
            if several:
                gap = "\n" if index else ""
                yield Chunk(f"{gap}## {_escaped_name(table.name)}\n\n".encode(), 0)
            ledger = losses.of(table.name if several else None)
            if len(table.schema):
                yield from _table(table, options, context, ledger, index)

    def counter(self, options: MarkdownOptions) -> RowCounter:
        return _PipeCounter()

    def reader(self, schema: pa.Schema, path: str, options: Any, compression: str) -> str:
        return shown.NO_READER.format(label="A Markdown table")

    def reader_of(
        self, tables: Mapping[str, pa.Schema], path: str, options: Any, compression: str
    ) -> str:
        return shown.NO_READER.format(label="A Markdown table")


class _PipeCounter(RowCounter):
    """Counts the lines that begin with a pipe, less the two of each table's head. A table begins
    the file or follows an empty line; in a cell, a line end is ``<br>``."""

    reads = "nothing"

    def __init__(self) -> None:
        self._lines = 0
        self._tables = 0
        self._tail = b"\n\n"

    def update(self, data: Bytes) -> None:
        seen = self._tail + bytes(data)
        self._lines += seen.count(b"\n|")
        self._tables += seen.count(b"\n\n|")
        self._tail = seen[-2:]
        if self._tail == b"\n|":
            # counted already, but it may not look like a beginning again
            self._tail = b"x|"

    def finish(self, path: Path) -> int:
        return self._lines - 2 * self._tables


def _table(
    table: Table, options: MarkdownOptions, context: FileContext, losses: LossLedger, index: int
) -> Iterator[Chunk]:
    first, batches = peeked(even(table.batches))
    style = cells.Style.of(options, units=cells.units_of(first))
    null = _escaped(pa.array([options.null]))[0].as_py()
    alike = Alike(options.null)
    right = [shown.is_number(f.type) for f in table.schema]
    names = [_escaped_name(name) for name in table.schema.names]

    def texts(batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = [
            pc.fill_null(shown.cells_of(column, name, style, losses, _escaped, alike), null)
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
        ]
        return pa.RecordBatch.from_arrays(columns, [str(i) for i in range(len(columns))])

    written = in_order(texts, batches, context.threads)
    if not options.align:
        yield Chunk(_head(names, right, [3] * len(names)), 0)
        for batch in written:
            yield _lines(batch, right, [0] * len(names))
        alike.report(losses)
        return
    spool = context.here.scratch / f"markdown-{index}.arrows"
    schema = pa.schema([(str(i), pa.string()) for i in range(len(names))])
    widest = [max(3, int(_widths(pa.array([name]))[0])) for name in names]
    try:
        with pa.OSFile(str(spool), "wb") as file, pa.ipc.new_stream(file, schema) as out:
            for batch in written:
                widest = [
                    max(known, int(_widths(column).max(initial=0)))
                    for known, column in zip(widest, batch.columns, strict=True)
                ]
                out.write_batch(batch)
                # the rows are told when they are written
                yield Chunk(b"", 0)
        alike.report(losses)
        widest = [min(width, options.widest) for width in widest]
        yield Chunk(_head(names, right, widest), 0)

        def lines(batch: pa.RecordBatch) -> Chunk:
            return _lines(batch, right, widest)

        with pa.OSFile(str(spool)) as file, pa.ipc.open_stream(file) as back:
            yield from in_order(lines, back, context.threads)
    finally:
        spool.unlink(missing_ok=True)


def _head(names: Sequence[str], right: Sequence[bool], widest: Sequence[int]) -> bytes:
    titles = []
    for name, width, is_right in zip(names, widest, right, strict=True):
        pad = " " * max(0, width - int(_widths(pa.array([name]))[0]))
        titles.append(pad + name if is_right else name + pad)
    rules = [
        "-" * (width - 1) + ":" if is_right else ":" + "-" * (width - 1)
        for width, is_right in zip(widest, right, strict=True)
    ]
    return f"| {' | '.join(titles)} |\n| {' | '.join(rules)} |\n".encode()


def _lines(batch: pa.RecordBatch, right: Sequence[bool], widest: Sequence[int]) -> Chunk:
    parts: list[Any] = []
    for index, (column, width) in enumerate(zip(batch.columns, widest, strict=True)):
        parts.append(" | " if index else "| ")
        if not width:
            parts.append(column)
            continue
        missing = np.maximum(width - _widths(column), 0)
        pad = pc.take(_spaces(width), pa.array(missing, pa.int32()))
        parts += [pad, column] if right[index] else [column, pad]
    return Chunk(cells.whole_rows([*parts, " |\n"], ""), batch.num_rows)


@cache
def _spaces(most: int) -> pa.Array:
    return pa.array([" " * n for n in range(most + 1)], pa.string())


def _widths(texts: pa.Array) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Return how many columns of a terminal each text takes (Unicode Annex 11)."""
    lengths = pc.utf8_length(texts).to_numpy(zero_copy_only=False)
    widths: np.ndarray[Any, np.dtype[np.int32]] = lengths.astype(np.int32)
    data = cells.payload(texts)
    # only letters from U+1100 on may be wide; U+0300 to U+036F have no width of their own
    if not len(data) or not ((data >= 0xE1) | (data == 0xCC) | (data == 0xCD)).any():
        return widths
    odd = np.flatnonzero(pc.binary_length(texts).to_numpy(zero_copy_only=False) != widths)
    found = pc.take(texts, pa.array(odd)).to_pylist()
    widths[odd] = [sum(_width(char) for char in text) for text in found]
    return widths


@cache
def _width(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def _escaped(texts: pa.Array) -> pa.Array:
    """Escape what begins markup, so that the rendered cell shows the text as it is."""
    _, rows = cells.rows_with(texts, [*map(ord, _ESCAPED), 0x5F, 0x26, 0x0A, 0x0D])
    if rows is None:
        return texts
    few = pc.filter(texts, rows)
    for char in _ESCAPED:
        few = pc.replace_substring(few, char, f"\\{char}")
    few = pc.replace_substring(few, "&", "&amp;")
    edge = pc.match_substring_regex(few, _UNDERLINE)
    few = pc.if_else(edge, pc.replace_substring(few, "_", "\\_"), few)
    for end in ("\r\n", "\n", "\r"):
        few = pc.replace_substring(few, end, "<br>")
    return pc.replace_with_mask(texts, rows, few)


def _escaped_name(name: str) -> str:
    escaped: str = _escaped(pa.array([name], pa.string()))[0].as_py()
    return escaped
