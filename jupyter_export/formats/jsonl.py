"""JSON Lines: one object a line, which streams in both directions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import pyarrow as pa

from ..registry import (
    Capabilities,
    Chunk,
    Format,
    LossLedger,
    OptionsModel,
    RowCounter,
)
from . import readback
from .records import JsonOptions, NewlineCounter, encode_records


class JsonLinesFormat(Format):
    type: ClassVar[str] = "jsonl"
    label: ClassVar[str] = "JSON Lines"
    endings: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")
    media_type: ClassVar[str] = "application/x-ndjson"
    options: ClassVar[OptionsModel] = JsonOptions
    capabilities: ClassVar[Capabilities] = Capabilities()

    def encode(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        options: JsonOptions,
        *,
        threads: int,
        losses: LossLedger,
    ) -> Iterator[Chunk]:
        return encode_records(
            batches, options, before="", after="\n", threads=threads, losses=losses
        )

    def counter(self, options: JsonOptions) -> RowCounter:
        return NewlineCounter()

    def reader(self, schema: pa.Schema, path: str, options: JsonOptions, compression: str) -> str:
        return readback.json(schema, path, compression, lines=True)
