"""Arrow IPC, as a file (random access) or a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ..errors import SourceFailed
from ..registry import (
    Capabilities,
    Chunk,
    Format,
    FormatOptions,
    LossLedger,
    OptionsModel,
    RowCounter,
)
from . import readback
from .batches import even

_ROWS = 131_072
_BYTES = 64 * 1024**2


class ArrowOptions(FormatOptions):
    structure: Literal["file", "stream"] = Field("file", description="file allows random access.")
    compression: Literal["none", "lz4", "zstd"] = "none"


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
        gathered = _Gathered()
        new = pa.ipc.new_file if options.structure == "file" else pa.ipc.new_stream
        write_options = pa.ipc.IpcWriteOptions(
            compression=None if options.compression == "none" else options.compression,
            emit_dictionary_deltas=True,
        )
        dictionaries = _GrowingDictionaries(schema)
        with new(pa.PythonFile(gathered, "w"), schema, options=write_options) as writer:
            for batch in even(batches, _ROWS, _BYTES):
                writer.write_batch(dictionaries.settle(batch))
                for piece in gathered.take():
                    yield Chunk(piece, 0)
                yield Chunk(b"", batch.num_rows)
        for piece in gathered.take():
            yield Chunk(piece, 0)

    def counter(self, options: ArrowOptions) -> RowCounter:
        return _IpcCounter(options)

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
    """A file to write to whose pieces are taken away as they come."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def take(self) -> list[bytes]:
        pieces, self._pieces = self._pieces, []
        return pieces


class _GrowingDictionaries:
    """An IPC file may extend a dictionary but not replace it: each batch's codes are moved onto
    one dictionary that only grows."""

    def __init__(self, schema: pa.Schema) -> None:
        self._columns = [i for i, f in enumerate(schema) if pa.types.is_dictionary(f.type)]
        self._words: dict[int, pa.Array] = {}
        self._schema = schema

    def settle(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if not self._columns:
            return batch
        arrays = list(batch.columns)
        for i in self._columns:
            arrays[i] = self._settle(i, arrays[i])
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _settle(self, i: int, column: pa.DictionaryArray) -> pa.Array:
        known = self._words.get(i)
        if known is None:
            self._words[i] = column.dictionary
            return column
        if column.dictionary.equals(known):
            return column
        new = column.dictionary.filter(pc.invert(pc.is_in(column.dictionary, value_set=known)))
        if len(new):
            known = pa.concat_arrays([known, new])
            self._words[i] = known
        codes = pc.take(pc.index_in(column.dictionary, value_set=known), column.indices)
        try:
            codes = pc.cast(codes, column.type.index_type)
        except pa.ArrowInvalid:
            raise SourceFailed(
                f"Column “{self._schema.field(i).name}” has more categories than its "
                f"{column.type.index_type} codes can count.",
                hint="Convert it to text first.",
            ) from None
        return pa.DictionaryArray.from_arrays(codes, known, ordered=column.type.ordered)
