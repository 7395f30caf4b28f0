"""Arrow IPC, as a file (random access) or a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field, model_validator

from ..registry import (
    Bytes,
    Capabilities,
    Chunk,
    Format,
    Loss,
    LossLedger,
    OptionsModel,
    RowCounter,
)
from . import readback
from .batches import even, in_order
from .declared import Declared, cast, declared_schema
from .dictionaries import GrowingDictionaries
from .sent_arrow import SentCounter

_BYTES = 64 * 1024**2
_LARGE = 64 * 1024
"""Bytes from which a buffer is handed on as it is; smaller ones are put together."""


class ArrowOptions(Declared):
    structure: Literal["file", "stream"] = Field("file", description="file allows random access.")
    compression: Literal["none", "lz4", "zstd"] = "none"
    level: int | None = Field(None, ge=1, le=22, description="Of zstd (1-22).")
    batch_rows: int = Field(65_536, ge=1, le=10_000_000, description="Rows of a record batch.")

    @model_validator(mode="after")
    def _level_of_zstd(self) -> ArrowOptions:
        if self.level is not None and self.compression != "zstd":
            raise ValueError(f"{self.compression} takes no level")
        return self


class ArrowFormat(Format):
    type: ClassVar[str] = "arrow"
    label: ClassVar[str] = "Arrow IPC"
    endings: ClassVar[tuple[str, ...]] = (".arrow", ".feather", ".arrows")
    ending_options: ClassVar[Mapping[str, Mapping[str, Any]]] = {".arrows": {"structure": "stream"}}
    media_type: ClassVar[str] = "application/vnd.apache.arrow.file"
    options: ClassVar[OptionsModel] = ArrowOptions
    capabilities: ClassVar[Capabilities] = Capabilities(outer_compression=False)

    def encode(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        options: ArrowOptions,
        *,
        threads: int,
        losses: LossLedger,
    ) -> Iterator[Chunk]:
        declared = declared_schema(schema, options)
        rows = even(
            cast(iter(batches), declared, schema, losses), options.batch_rows, _BYTES, as_text=False
        )
        gathered = _Gathered()
        new = pa.ipc.new_file if options.structure == "file" else pa.ipc.new_stream
        write_options = pa.ipc.IpcWriteOptions(
            compression=None
            if options.compression == "none"
            else pa.Codec(options.compression, options.level),
            emit_dictionary_deltas=True,
        )
        dictionaries = GrowingDictionaries(declared)
        with new(pa.PythonFile(gathered, "w"), declared, options=write_options) as writer:

            def written(batch: pa.RecordBatch) -> tuple[list[Bytes], int]:
                writer.write_batch(dictionaries.settle(batch))
                return gathered.take(), batch.num_rows

            # the writer compresses on all cores itself; beside it, what is ready is stored
            packed = options.compression != "none"
            for pieces, count in in_order(written, rows, 1) if packed else map(written, rows):
                for piece in pieces:
                    yield Chunk(piece, 0)
                yield Chunk(b"", count)
        for piece in gathered.take():
            yield Chunk(piece, 0)

    def losses(self, schema: pa.Schema, options: ArrowOptions) -> Sequence[Loss]:
        # the types are all Arrow's own; those that are declared may be wrong
        declared_schema(schema, options)
        return ()

    def counter(self, options: ArrowOptions) -> RowCounter:
        return _IpcCounter(options)

    def stream_counter(self, options: ArrowOptions) -> RowCounter:
        return SentCounter(options.structure == "file")

    def reader(self, schema: pa.Schema, path: str, options: ArrowOptions, compression: str) -> str:
        return readback.arrow(path, stream=options.structure == "stream")


class _IpcCounter(RowCounter):
    """Opens the finished file as any Arrow reader does."""

    def __init__(self, options: ArrowOptions) -> None:
        self._options = options

    def finish(self, path: Path) -> int:
        one_column = pa.ipc.IpcReadOptions(included_fields=[0])
        with pa.memory_map(str(path)) as mapped:
            if self._options.structure == "file":
                with pa.ipc.open_file(mapped, options=one_column) as file:
                    return sum(file.get_batch(i).num_rows for i in range(file.num_record_batches))
            with pa.ipc.open_stream(mapped, options=one_column) as stream:
                return sum(batch.num_rows for batch in stream)


class _Gathered:
    """A file to write to whose pieces are taken away as they come, large ones without a copy."""

    def __init__(self) -> None:
        self._pieces: list[Bytes] = []
        self._small = bytearray()
        self.closed = False

    def write(self, data: Any) -> int:
        # bytes, or a buffer that Arrow keeps unchanged
        size = len(data)
        if size < _LARGE:
            self._small += data
        else:
            self._end_small()
            self._pieces.append(memoryview(data))
        return size

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def take(self) -> list[Bytes]:
        self._end_small()
        pieces, self._pieces = self._pieces, []
        return pieces

    def _end_small(self) -> None:
        if self._small:
            self._pieces.append(bytes(self._small))
            self._small = bytearray()
