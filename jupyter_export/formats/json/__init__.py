"""JSON (RFC 8259): one document, in the structure that its reader wants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

import pyarrow as pa

from ...registry import (
    Capabilities,
    Chunk,
    FileContext,
    Format,
    Loss,
    LossLedger,
    OptionsModel,
    RowCounter,
    Table,
)
from .. import readback_json
from . import structures
from .counters import ColumnCounter, LineCounter, LineEnds
from .document import check, document
from .frame import Frame, text_chunk
from .options import JsonOptions
from .rows import RowWriter

__all__ = ["JsonFormat", "JsonOptions"]


class JsonFormat(Format):
    type: ClassVar[str] = "json"
    label: ClassVar[str] = "JSON"
    endings: ClassVar[tuple[str, ...]] = (".json",)
    media_type: ClassVar[str] = "application/json"
    options: ClassVar[OptionsModel] = JsonOptions
    capabilities: ClassVar[Capabilities] = Capabilities(multi_dataset=True)

    def encode_file(
        self,
        tables: Sequence[Table],
        options: JsonOptions,
        context: FileContext,
        losses: LossLedger,
    ) -> Iterator[Chunk]:
        if len(tables) > 1 or options.metadata or options.structure in ("columns", "normalized"):
            return document(tables, options, context, losses)
        check(tables, options, context)
        return super().encode_file(tables, options, context, losses)

    def encode(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        options: JsonOptions,
        *,
        threads: int,
        losses: LossLedger,
    ) -> Iterator[Chunk]:
        """Yield one table alone, as records or split: what needs no surroundings."""
        frame = Frame(options.pretty)
        writer = RowWriter(batches, options, losses, threads)
        if options.structure == "split":
            yield from structures.split(schema, writer, frame, 0)
        else:
            yield from structures.records(writer, frame, 0)
        yield text_chunk("\n")

    def counter(self, options: JsonOptions) -> RowCounter:
        if options.structure == "columns":
            return ColumnCounter()
        bracket = b"[" if options.structure == "split" else b"{"
        if options.pretty:
            # the bracket of a row has a line of its own; other ones stand behind their name
            return LineCounter(LineEnds(before=b"  " + bracket))
        return LineCounter(LineEnds(after=bracket))

    def losses(self, schema: pa.Schema, options: JsonOptions) -> Sequence[Loss]:
        return readback_json.losses(schema, options)

    def reader(self, schema: pa.Schema, path: str, options: JsonOptions, compression: str) -> str:
        return readback_json.of_json({"data": schema}, path, options, compression)

    def reader_of(
        self, tables: Mapping[str, pa.Schema], path: str, options: JsonOptions, compression: str
    ) -> str:
        return readback_json.of_json(tables, path, options, compression)
