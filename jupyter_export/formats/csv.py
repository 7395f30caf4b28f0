"""CSV (RFC 4180): what every program reads.

A null is an empty cell and an empty text is ``""``, so that a reader which looks at quotes can
tell them apart. Numbers are written so that they read back to the same value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator, model_validator

from ..registry import (
    Bytes,
    Capabilities,
    Chunk,
    Format,
    FormatOptions,
    Loss,
    LossLedger,
    OptionsModel,
    RowCounter,
)
from . import cells, readback
from .batches import even, in_order, peeked, windows
from .coded import coded

Quote = Literal["minimal", "all", "nonnumeric"]
_BYTES_PER_QUOTE = 256
_IN_NUMBERS = frozenset(" +-.:")
"""Delimiters and quotes that stand inside numbers and dates: such cells must be looked at too."""


class CsvOptions(FormatOptions):
    delimiter: str = Field(",", description="One character between cells.")
    header: bool = Field(True, description="Column names in the first line.")
    quote: Quote = Field("minimal", description="Which cells stand in quotes.")
    quote_char: str = Field('"', description="The quote; doubled inside a quoted cell.")
    null: str = Field("", max_length=100, description="The text of a null.")
    line_terminator: Literal["\n", "\r\n"] = "\n"
    encoding: Literal["utf-8", "utf-8-sig"] = Field(
        "utf-8", description="utf-8-sig begins with a byte order mark, as Excel likes it."
    )

    @field_validator("delimiter", "quote_char")
    @classmethod
    def _one_character(cls, value: str) -> str:
        value = {"tab": "\t", "\\t": "\t"}.get(value, value)
        if len(value) != 1 or value.isalnum() or value in "\r\n" or ord(value) > 127:
            raise ValueError("it must be one ASCII character that is no letter, digit or line end")
        return value

    @model_validator(mode="after")
    def _characters_differ(self) -> CsvOptions:
        if self.delimiter == self.quote_char:
            raise ValueError("delimiter and quote_char are the same")
        if any(c in self.null for c in (self.delimiter, self.quote_char, "\n", "\r")):
            raise ValueError("the null text may hold no delimiter, quote or line end")
        return self


class CsvFormat(Format):
    type: ClassVar[str] = "csv"
    label: ClassVar[str] = "CSV"
    endings: ClassVar[tuple[str, ...]] = (".csv", ".tsv")
    ending_options: ClassVar[Mapping[str, Mapping[str, Any]]] = {".tsv": {"delimiter": "\t"}}
    media_type: ClassVar[str] = "text/csv"
    options: ClassVar[OptionsModel] = CsvOptions
    capabilities: ClassVar[Capabilities] = Capabilities(nested=False)

    def encode(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        options: CsvOptions,
        *,
        threads: int,
        losses: LossLedger,
    ) -> Iterator[Chunk]:
        first, all_batches = peeked(even(batches))
        style = cells.Style(units=cells.units_of(first))
        yield Chunk(_head(schema, options), 0)

        def rows(batch: pa.RecordBatch) -> Chunk:
            return _rows(batch, options, style, losses)

        yield from in_order(rows, all_batches, threads)

    def counter(self, options: CsvOptions) -> RowCounter:
        return _LineCounter(options)

    def losses(self, schema: pa.Schema, options: CsvOptions) -> Sequence[Loss]:
        return ()

    def reader(self, schema: pa.Schema, path: str, options: CsvOptions, compression: str) -> str:
        return readback.csv(schema, path, options, compression)


def _head(schema: pa.Schema, options: CsvOptions) -> bytes:
    mark = b"\xef\xbb\xbf" if options.encoding == "utf-8-sig" else b""
    if not options.header:
        return mark
    names = pa.array(schema.names, pa.string())
    all_quoted = options.quote != "minimal"
    line = options.delimiter.join(
        _quote(names, options, looked_at=True, always=all_quoted, alone=len(names) == 1).to_pylist()
    )
    return mark + (line + options.line_terminator).encode("utf-8")


def _rows(
    batch: pa.RecordBatch, options: CsvOptions, style: cells.Style, losses: LossLedger
) -> Chunk:
    alone = batch.num_columns == 1
    if alone and not options.null:
        _report_lone_nulls(batch, losses)
    last = batch.num_columns - 1
    columns = [
        _cell(column, name, options, style, losses, alone, ends_row=i == last)
        for i, (name, column) in enumerate(zip(batch.schema.names, batch.columns, strict=True))
    ]
    if alone:
        return Chunk(cells.payload(columns[0]).data, batch.num_rows)
    joined = pc.binary_join_element_wise(
        *columns, options.delimiter, null_handling="replace", null_replacement=options.null
    )
    return Chunk(cells.payload(joined).data, batch.num_rows)


def _cell(
    column: pa.Array,
    name: str,
    options: CsvOptions,
    style: cells.Style,
    losses: LossLedger,
    alone: bool,
    *,
    ends_row: bool,
) -> pa.Array:
    """Return the cells of a column, with the line's end behind them in the last one."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    few = coded(column)
    if few is not None:
        values, codes = few
        # a null has no word that the line's end could stand behind
        in_words = ends_row and not (values.null_count or codes.null_count)
        words = _text(values, name, options, style, losses, alone)
        shown = pc.take(_ended(words, options, alone) if in_words else words, codes)
        return _ended(shown, options, alone) if ends_row and not in_words else shown
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    shown = _text(column, name, options, style, losses, alone)
    return _ended(shown, options, alone) if ends_row else shown


def _ended(shown: pa.Array, options: CsvOptions, alone: bool) -> pa.Array:
    # this and a join with the delimiter between cost less than one join with both as columns
    return pc.binary_join_element_wise(
        shown,
        options.line_terminator,
        "",
        null_handling="replace",
        null_replacement=options.quote_char * 2 if alone and not options.null else options.null,
    )


def _text(
    column: pa.Array,
    name: str,
    options: CsvOptions,
    style: cells.Style,
    losses: LossLedger,
    alone: bool,
) -> pa.Array:
    kind = column.type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    dated = pa.types.is_temporal(kind) and not pa.types.is_interval(kind)
    plain = numeric or dated or pa.types.is_boolean(kind)
    always = options.quote == "all" or (options.quote == "nonnumeric" and not numeric)
    odd = options.delimiter in _IN_NUMBERS or options.quote_char in _IN_NUMBERS
    looked_at = not plain or odd or bool(options.null)
    shown = cells.text(column, name, style, losses)
    if not (looked_at or always):
        return shown
    return _quote(shown, options, looked_at=looked_at, always=always, alone=alone)


def _report_lone_nulls(batch: pa.RecordBatch, losses: LossLedger) -> None:
    """An empty line is no row to most readers, so the null of a lone column is written ``""``,
    which is what an empty text looks like."""
    column, kind = batch.column(0), batch.schema.types[0]
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if column.null_count and readback.may_be_empty(kind):
        losses.add(
            Loss(
                "null_or_empty",
                batch.schema.names[0],
                column.null_count,
                "nulls of a file with one column look like empty text",
                "null=NA",
            )
        )


def _quote(
    shown: pa.Array, options: CsvOptions, *, looked_at: bool, always: bool, alone: bool
) -> pa.Array:
    """Put quotes around the cells that need them (RFC 4180, section 2), or around all."""
    mark = options.quote_char
    if always:
        return _in_quotes(shown, mark)
    if not looked_at:
        return shown
    _, needing = cells.rows_with(shown, [ord(options.delimiter), ord(mark), 0x0A, 0x0D])
    if options.null:
        same = pc.equal(shown, options.null)
        needing = same if needing is None else pc.or_(needing, same)
    # a lone empty text would be an empty line, which is no row to most readers
    if (alone or not options.null) and _has_empty(shown):
        empty = pc.equal(shown, "")
        needing = empty if needing is None else pc.or_(needing, empty)
    if needing is None:
        return shown
    needing = pc.fill_null(needing, False)
    return pc.replace_with_mask(shown, needing, _in_quotes(pc.filter(shown, needing), mark))


def _in_quotes(shown: pa.Array, mark: str) -> pa.Array:
    doubled = pc.replace_substring(shown, mark, mark * 2)
    return pc.binary_join_element_wise(mark, doubled, mark, "")


def _has_empty(shown: pa.Array) -> bool:
    if not len(shown) or shown.buffers()[1] is None:
        return False
    offsets = np.frombuffer(shown.buffers()[1], np.int32, len(shown) + 1, shown.offset * 4)
    empties = int(np.count_nonzero(offsets[1:] == offsets[:-1]))
    # nulls have no length either; only more empties than nulls are worth a closer look
    return empties > shown.null_count or (empties > 0 and shown.null_count > 0)


class _LineCounter(RowCounter):
    """Counts line ends outside of quotes in the very bytes that are written."""

    def __init__(self, options: CsvOptions) -> None:
        self._header = options.header
        self._quote = ord(options.quote_char)
        self._lines = 0
        self._inside = False

    def update(self, data: Bytes) -> None:
        for seen in windows(data):
            self._see(seen)

    def _see(self, seen: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
        ends = seen == 0x0A
        quotes = np.flatnonzero(seen == self._quote)
        if not len(quotes):
            if not self._inside:
                self._lines += int(np.count_nonzero(ends))
            return
        if len(quotes) * _BYTES_PER_QUOTE < len(seen):
            # few quotes: all line ends, less those between a quote and its partner
            bounds = [*([0] if self._inside else []), *quotes.tolist()]
            if len(bounds) % 2:
                bounds.append(len(seen))
            self._lines += int(np.count_nonzero(ends))
            for start, stop in zip(bounds[::2], bounds[1::2], strict=True):
                self._lines -= int(np.count_nonzero(ends[start:stop]))
        else:
            before = np.searchsorted(quotes, np.flatnonzero(ends))
            self._lines += int(np.count_nonzero((before + self._inside) % 2 == 0))
        self._inside ^= bool(len(quotes) % 2)

    def finish(self, path: Path) -> int:
        return self._lines - self._header
