"""Parquet: typed, compressed columns.

PyArrow encodes one file on one core, so each row group is encoded as a small Parquet file of its
own, several at a time, and the row groups are put one after another under one footer: only the
offsets in it move. The finished file's footer is read back by PyArrow to count the rows.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field

from ..errors import InvalidSpec
from ..registry import (
    Capabilities,
    Chunk,
    Format,
    FormatOptions,
    LossLedger,
    OptionsModel,
    RowCounter,
)
from . import readback, thrift
from .batches import even, in_order, peeked

MAGIC = b"PAR1"
_ROW_GROUP_BYTES = 128 * 1024**2
"""Arrow bytes after which a row group ends, however few its rows."""
_SAMPLE = 10_000
_LEVELS = {"zstd": (1, 22), "gzip": (1, 9), "brotli": (0, 11)}
# ids of parquet.thrift
_NUM_ROWS, _ROW_GROUPS = 3, 4
_COLUMNS, _GROUP_OFFSET, _ORDINAL = 1, 5, 7
_CHUNK_OFFSET, _CHUNK_META = 2, 3
_PAGE_OFFSETS = (9, 10, 11, 14)


class ParquetOptions(FormatOptions):
    compression: Literal["none", "snappy", "gzip", "brotli", "lz4", "zstd"] = "zstd"
    level: int | None = Field(None, description="Of zstd (1-22), gzip (1-9), brotli (0-11).")
    row_group_rows: int = Field(131_072, ge=1, le=10_000_000)
    dictionary: bool | Literal["auto"] = Field(
        "auto", description="auto: for texts, and for numbers that repeat."
    )
    statistics: bool = Field(True, description="Minimum and maximum of each column chunk.")

    def model_post_init(self, context: Any) -> None:
        if self.level is None:
            return
        low, high = _LEVELS.get(self.compression, (0, 0))
        if not low <= self.level <= high or self.compression not in _LEVELS:
            allowed = f"{low} to {high}" if high else "no level"
            raise ValueError(f"{self.compression} takes {allowed}")


class ParquetFormat(Format):
    type: ClassVar[str] = "parquet"
    label: ClassVar[str] = "Parquet"
    endings: ClassVar[tuple[str, ...]] = (".parquet", ".pq")
    media_type: ClassVar[str] = "application/vnd.apache.parquet"
    options: ClassVar[OptionsModel] = ParquetOptions
    capabilities: ClassVar[Capabilities] = Capabilities(outer_compression=False)

    def encode(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        options: ParquetOptions,
        *,
        threads: int,
        losses: LossLedger,
    ) -> Iterator[Chunk]:
        _refuse_types(schema)
        first, groups = peeked(even(batches, options.row_group_rows, _ROW_GROUP_BYTES))
        arguments = _arguments(schema, first, options)
        empty = _no_rows(schema)

        def row_group(batch: pa.RecordBatch) -> _Piece:
            return _encode_piece(pa.Table.from_batches([batch]), schema, arguments)

        yield Chunk(MAGIC, 0)
        footer = _Footer(_encode_piece(empty, schema, arguments))
        at = len(MAGIC)
        for piece in in_order(row_group, groups, threads):
            footer.add(piece, at)
            at += len(piece.pages)
            yield Chunk(piece.pages, piece.rows)
        yield Chunk(footer.bytes(), 0)

    def counter(self, options: ParquetOptions) -> RowCounter:
        return _FooterCounter()

    def reader(
        self, schema: pa.Schema, path: str, options: ParquetOptions, compression: str
    ) -> str:
        return readback.parquet(path)


class _FooterCounter(RowCounter):
    """Asks PyArrow, which reads the finished file's own footer."""

    def finish(self, path: Path) -> int:
        with pq.ParquetFile(path) as file:
            metadata = file.metadata
            groups = sum(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups))
            return int(groups) if groups == metadata.num_rows else -1


class _Piece:
    """One encoded row group: its pages, and the footer that speaks of it alone."""

    def __init__(self, buffer: pa.Buffer, rows: int) -> None:
        view = memoryview(buffer)
        (size,) = struct.unpack("<I", view[-8:-4])
        self.rows = rows
        self.pages = view[len(MAGIC) : -8 - size]
        self.footer = bytes(view[-8 - size : -8])


class _Footer:
    """The footer of the whole file: the first piece's schema, every piece's row group."""

    def __init__(self, template: _Piece) -> None:
        self._fields = thrift.read(template.footer)
        self._groups: list[thrift.Struct] = []
        self._rows = 0

    def add(self, piece: _Piece, at: int) -> None:
        """Take over the piece's row group, whose pages begin at ``at`` of the whole file."""
        moved = at - len(MAGIC)
        for group in thrift.read(piece.footer)[_ROW_GROUPS].value.values:
            for column in group[_COLUMNS].value.values:
                # 0 stands for an offset that the writer does not state
                if column[_CHUNK_OFFSET].value:
                    column[_CHUNK_OFFSET].value += moved
                metadata = column[_CHUNK_META].value
                for offset in _PAGE_OFFSETS:
                    if offset in metadata:
                        metadata[offset].value += moved
            if _GROUP_OFFSET in group:
                group[_GROUP_OFFSET].value += moved
            if _ORDINAL in group:
                group[_ORDINAL].value = min(len(self._groups), 2**15 - 1)
            self._groups.append(group)
        self._rows += piece.rows

    def bytes(self) -> bytes:
        self._fields[_NUM_ROWS].value = self._rows
        self._fields[_ROW_GROUPS].value = thrift.Items(thrift.STRUCT, self._groups)
        footer = thrift.write(self._fields)
        return footer + struct.pack("<I", len(footer)) + MAGIC


def _encode_piece(rows: pa.Table, schema: pa.Schema, arguments: dict[str, Any]) -> _Piece:
    out = pa.BufferOutputStream()
    with pq.ParquetWriter(out, schema, **arguments) as writer:
        if rows.num_rows:
            writer.write_table(rows, row_group_size=rows.num_rows)
    return _Piece(out.getvalue(), rows.num_rows)


def _no_rows(schema: pa.Schema) -> pa.Table:
    """``schema.empty_table()``, which knows no dictionary of dates and other rare types."""
    return pa.Table.from_batches([], schema)


def _arguments(
    schema: pa.Schema, sample: pa.RecordBatch | None, options: ParquetOptions
) -> dict[str, Any]:
    dictionary: bool | list[str] = options.dictionary if options.dictionary != "auto" else True
    if options.dictionary == "auto" and sample is not None:
        dictionary = [
            field.name
            for field, column in zip(schema, sample.columns, strict=True)
            if _repeats(column.slice(0, _SAMPLE))
        ] or False
        if isinstance(dictionary, list) and len(dictionary) == len(schema):
            dictionary = True
    return {
        "compression": options.compression,
        "compression_level": options.level,
        "use_dictionary": dictionary,
        "write_statistics": options.statistics,
        "version": "2.6",
    }


def _repeats(column: pa.Array) -> bool:
    """Tell whether a dictionary is worth building: for numbers, when most values come twice."""
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_temporal(kind)):
        return True
    if pa.types.is_float16(kind) or pa.types.is_duration(kind) or not len(column):
        return True
    distinct: int = pc.count_distinct(column).as_py()
    return distinct * 2 < len(column)


def _refuse_types(schema: pa.Schema) -> None:
    """Name the column whose type Parquet does not have, before any row is read."""
    for field in schema:
        try:
            alone = pa.schema([field])
            with pq.ParquetWriter(pa.BufferOutputStream(), alone) as writer:
                writer.write_table(_no_rows(alone))
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError):
            raise InvalidSpec(
                f"Parquet has no type for the column “{field.name}” ({field.type}).",
                hint="Leave it out (columns.exclude), or convert it first.",
                field="columns",
            ) from None
