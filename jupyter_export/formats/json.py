"""JSON (RFC 8259): one array of objects, one object a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from ..registry import (
    Bytes,
    Capabilities,
    Chunk,
    Format,
    LossLedger,
    OptionsModel,
    RowCounter,
)
from . import readback
from .records import JsonOptions, NewlineCounter, encode_records


class JsonFormat(Format):
    type: ClassVar[str] = "json"
    label: ClassVar[str] = "JSON"
    endings: ClassVar[tuple[str, ...]] = (".json",)
    media_type: ClassVar[str] = "application/json"
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
        any_row = False
        # every record begins with ",\n"; the comma of the first one becomes the bracket
        for chunk in encode_records(
            batches, options, before=",\n", after="", threads=threads, losses=losses
        ):
            if not any_row:
                yield Chunk(b"[", 0)
                chunk = Chunk(chunk.data[1:], chunk.rows)
                any_row = True
            yield chunk
        yield Chunk(b"\n]\n" if any_row else b"[]\n", 0)

    def counter(self, options: JsonOptions) -> RowCounter:
        return _RecordCounter()

    def reader(self, schema: pa.Schema, path: str, options: JsonOptions, compression: str) -> str:
        return readback.json(schema, path, compression, lines=False)


class _RecordCounter(NewlineCounter):
    """Each record has a line of its own; the brackets have one more, or two."""

    def __init__(self) -> None:
        super().__init__()
        self._empty = False

    def update(self, data: Bytes) -> None:
        super().update(data)
        if bytes(data[:2]) == b"[]":
            self._empty = True

    def finish(self, path: Path) -> int:
        return 0 if self._empty else self.newlines - 2
