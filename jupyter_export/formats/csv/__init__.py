"""CSV (RFC 4180): what every program reads.

A null is an empty cell and an empty text is ``""``, so that a reader which looks at quotes can
tell them apart. Numbers are written so that they read back to the same value.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, ClassVar, cast

import pyarrow as pa

from ...registry import (
    Capabilities,
    Chunk,
    FileContext,
    Format,
    LossLedger,
    OptionsModel,
    RowCounter,
    Table,
)
from .. import cells
from ..batches import even, in_order, peeked
from . import reader
from .counter import LineCounter
from .options import CsvOptions
from .parts import parts
from .rows import Lines, Writer


class CsvFormat(Format):
    type: ClassVar[str] = "csv"
    label: ClassVar[str] = "CSV"
    endings: ClassVar[tuple[str, ...]] = (".csv", ".tsv")
    ending_options: ClassVar[Mapping[str, Mapping[str, Any]]] = {".tsv": {"delimiter": "\t"}}
    media_type: ClassVar[str] = "text/csv"
    options: ClassVar[OptionsModel] = CsvOptions
    capabilities: ClassVar[Capabilities] = Capabilities(nested=False)

    def encode_file(
        self,
        tables: Sequence[Table],
        options: CsvOptions,
        context: FileContext,
        losses: LossLedger,
    ) -> Iterator[Chunk]:
        (table,) = tables
        if not self.several_files(options):
            return self.encode(
                table.schema, table.batches, options, threads=context.threads, losses=losses
            )
        return _in_parts(table, options, context, losses)

    def encode(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        options: CsvOptions,
        *,
        threads: int,
        losses: LossLedger,
    ) -> Iterator[Chunk]:
        writer, written = _written(schema, batches, options, threads, losses)
        yield Chunk(writer.head, 0)
        with closing(written):
            for each in written:
                yield Chunk(each.data, each.rows)

    def several_files(self, options: CsvOptions) -> bool:
        return options.rows_per_file is not None or options.bytes_per_file is not None

    def by_turns(self, options: CsvOptions) -> bool:
        return False

    def counter(self, options: CsvOptions) -> RowCounter:
        return LineCounter(options)

    def reader(self, schema: pa.Schema, path: str, options: CsvOptions, compression: str) -> str:
        return reader.lines(schema, path, options, compression, folder=self.several_files(options))


def _in_parts(
    table: Table, options: CsvOptions, context: FileContext, losses: LossLedger
) -> Iterator[Chunk]:
    writer, written = _written(
        table.schema, table.batches, options, context.threads, losses, ends=True
    )
    with closing(written):
        yield from parts(
            writer.head,
            written,
            context.stem,
            context.suffix,
            options.rows_per_file,
            options.bytes_per_file,
        )


def _written(
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    options: CsvOptions,
    threads: int,
    losses: LossLedger,
    *,
    ends: bool = False,
) -> tuple[Writer, Generator[Lines]]:
    first, all_batches = peeked(even(batches))
    style = cells.Style.of(options, units=cells.units_of(first))
    writer = Writer(schema, options, style, losses, ends=ends)

    def numbered() -> Iterator[tuple[pa.RecordBatch, int]]:
        row = 0
        for batch in all_batches:
            yield batch, row
            row += batch.num_rows

    lines = in_order(lambda piece: writer.lines(*piece), numbered(), threads)
    return writer, cast("Generator[Lines]", lines)
