"""Parquet: typed, compressed columns, in one file or in a Hive-style folder of partitions.

Row groups are encoded several at a time (``row_groups``); the finished file's footer is read back
by PyArrow to count the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field, StringConstraints, field_validator, model_validator

from ..registry import (
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
from . import parquet_types, partitions, readback
from .batches import in_order, peeked
from .declared import Declared, cast, check_column, declared_schema
from .row_groups import MAGIC, Encoder, Footer, row_groups

_SAMPLE = 10_000
_LEVELS = {"zstd": (1, 22), "gzip": (1, 9), "brotli": (0, 11)}
_WRITE_BATCH = 8_192
"""Rows that PyArrow encodes between two looks at the page's size."""
Name = Annotated[str, StringConstraints(min_length=1)]


class ParquetOptions(Declared):
    compression: Literal["none", "snappy", "gzip", "brotli", "lz4", "zstd"] = "zstd"
    level: int | None = Field(None, description="Of zstd (1-22), gzip (1-9), brotli (0-11).")
    row_group_rows: int = Field(
        131_072, ge=1, le=10_000_000, description="Most rows of a row group."
    )
    row_group_bytes: int = Field(
        64 * 1024**2,
        ge=1024**2,
        le=1024**3,
        description="Bytes in memory after which a row group ends, however few its rows; in a "
        "folder of partitions 16 MiB at most.",
    )
    page_size: int = Field(
        1024**2, ge=1024, le=256 * 1024**2, description="Bytes of a page before compression."
    )
    page_rows: int | None = Field(None, ge=1, le=10_000_000, description="Most rows of a page.")
    page_version: Literal["1.0", "2.0"] = "1.0"
    page_index: bool = Field(
        False, description="Minimum, maximum and place of each page, for readers that skip pages."
    )
    dictionary: bool | Literal["auto"] | list[Name] = Field(
        "auto",
        description="auto: for texts, and for numbers that repeat; or the columns that get one.",
    )
    statistics: bool | list[Name] = Field(
        True, description="Minimum and maximum of each column chunk; or the columns that get them."
    )
    bloom_filters: list[Name] = Field(
        default_factory=list, description="Columns that get a Bloom filter, for = and in."
    )
    partition_by: list[Name] = Field(
        default_factory=list,
        max_length=10,
        description="Columns whose values name folders (carrier=AA/origin=JFK/part-0.parquet) "
        "and are left out of the files. Rows of a folder keep their order; read as a whole, rows "
        "come folder by folder.",
    )

    @field_validator("compression", mode="before")
    @classmethod
    def _has_a_writer(cls, value: Any) -> Any:
        if isinstance(value, str) and value.lower() == "lzo":
            raise ValueError(
                "no writer of lzo exists, since its library is under the GPL and PyArrow has none "
                "of it; use zstd, or snappy for old readers"
            )
        return value

    @field_validator("partition_by", mode="before")
    @classmethod
    def _one_column(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("partition_by")
    @classmethod
    def _named_once(cls, value: list[str]) -> list[str]:
        if len(set(value)) < len(value):
            raise ValueError("it names a column twice")
        return value

    @model_validator(mode="after")
    def _level_in_range(self) -> ParquetOptions:
        if self.level is not None:
            low, high = _LEVELS.get(self.compression, (0, 0))
            if not low <= self.level <= high or self.compression not in _LEVELS:
                allowed = f"a level of {low} to {high}" if high else "no level"
                raise ValueError(f"{self.compression} takes {allowed}")
        return self


class ParquetFormat(Format):
    type: ClassVar[str] = "parquet"
    label: ClassVar[str] = "Parquet"
    endings: ClassVar[tuple[str, ...]] = (".parquet", ".pq")
    media_type: ClassVar[str] = "application/vnd.apache.parquet"
    options: ClassVar[OptionsModel] = ParquetOptions
    capabilities: ClassVar[Capabilities] = Capabilities(outer_compression=False)

    def encode_file(
        self,
        tables: Sequence[Table],
        options: ParquetOptions,
        context: FileContext,
        losses: LossLedger,
    ) -> Iterator[Chunk]:
        if not options.partition_by:
            return super().encode_file(tables, options, context, losses)
        (table,) = tables
        return self._folder(table, options, context, losses)

    def _folder(
        self, table: Table, options: ParquetOptions, context: FileContext, losses: LossLedger
    ) -> Iterator[Chunk]:
        ready = _Ready(table.schema, table.batches, options, losses)
        moved = pa.schema([f.with_type(parquet_types.movable(f.type)) for f in ready.inside])
        first, rows = peeked(ready.batches)
        sample = None if first is None else ready.hive.inner(first)
        encoder = Encoder(ready.inside, _arguments(ready.inside, sample, options), moved)
        yield from partitions.encode(rows, ready.hive, encoder, options, context, losses)

    def encode(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        options: ParquetOptions,
        *,
        threads: int,
        losses: LossLedger,
    ) -> Iterator[Chunk]:
        ready = _Ready(schema, iter(batches), options, losses)
        first, groups = peeked(
            row_groups(ready.batches, ready.inside, options.row_group_rows, options.row_group_bytes)
        )
        encoder = Encoder(ready.inside, _arguments(ready.inside, first, options))
        yield Chunk(MAGIC, 0)
        footer = Footer(encoder.template(), page_index=options.page_index)
        at = len(MAGIC)
        for piece in in_order(encoder.piece, groups, threads):
            footer.add(piece, at)
            at += len(piece.pages)
            yield Chunk(piece.pages, piece.rows)
        yield Chunk(footer.end(at), 0)

    def several_files(self, options: ParquetOptions) -> bool:
        return bool(options.partition_by)

    def counter(self, options: ParquetOptions) -> RowCounter:
        return _FooterCounter()

    def losses(self, schema: pa.Schema, options: ParquetOptions) -> Sequence[Loss]:
        declared = declared_schema(schema, options)
        hive = partitions.layout(declared, options.partition_by)
        inside = parquet_types.stored_schema(hive.rest)
        _check_columns(inside, options)
        return [*hive.losses(), *parquet_types.losses(hive.rest)]

    def reader(
        self, schema: pa.Schema, path: str, options: ParquetOptions, compression: str
    ) -> str:
        if not options.partition_by:
            return readback.parquet(path)
        hive = partitions.layout(declared_schema(schema, options), options.partition_by)
        return readback.partitions(path, hive.schema, hive.names)


class _FooterCounter(RowCounter):
    """Asks PyArrow, which reads the finished file's own footer."""

    reads = "end"

    def finish(self, path: Path) -> int:
        with pq.ParquetFile(path) as file:
            metadata = file.metadata
            groups = sum(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups))
            return int(groups) if groups == metadata.num_rows else -1


class _Ready:
    """A table on its way: its types as they are declared, and as Parquet stores them."""

    def __init__(
        self,
        schema: pa.Schema,
        batches: Iterator[pa.RecordBatch],
        options: ParquetOptions,
        losses: LossLedger,
    ) -> None:
        declared = declared_schema(schema, options)
        self.hive = partitions.layout(declared, options.partition_by)
        self.inside = parquet_types.stored_schema(self.hive.rest)
        """The schema of the file, or of each file of a folder."""
        all_columns = self.hive.whole(self.inside)
        batches = cast(batches, declared, schema, losses)
        batches = parquet_types.stored(batches, all_columns, declared, self.hive.rest, losses)
        self.batches = (batch for batch in batches if batch.num_rows)


# ------------------------------------------------------------------ what the writer is told


def _arguments(
    schema: pa.Schema, sample: pa.RecordBatch | pa.Table | None, options: ParquetOptions
) -> dict[str, Any]:
    _check_columns(schema, options)
    leaves = parquet_types.leaves(schema)

    def paths(columns: Sequence[str]) -> list[str] | bool:
        return [path for name in columns for path in leaves[name]] or False

    coded: Any = options.dictionary
    if coded == "auto":
        coded = True if sample is None else _repeating(schema, sample)
    exact_pages = options.page_rows is not None or options.page_size < 1024**2
    return {
        "compression": options.compression,
        "compression_level": options.level,
        "use_dictionary": coded if isinstance(coded, bool) else paths(coded),
        "write_statistics": options.statistics
        if isinstance(options.statistics, bool)
        else paths(options.statistics),
        "data_page_size": options.page_size,
        "max_rows_per_page": options.page_rows,
        "data_page_version": options.page_version,
        "write_page_index": options.page_index,
        "write_batch_size": min(256, options.page_rows or 256) if exact_pages else _WRITE_BATCH,
        "bloom_filter_options": {
            path: {"ndv": min(options.row_group_rows, 1_000_000), "fpp": 0.01}
            for name in options.bloom_filters
            for path in leaves[name]
        }
        or None,
        "version": "2.6",
    }


def _check_columns(schema: pa.Schema, options: ParquetOptions) -> None:
    """Raise ``InvalidSpec`` for an option that names a column which the file does not have."""
    for option in ("dictionary", "statistics", "bloom_filters"):
        named = getattr(options, option)
        for name in named if isinstance(named, list) else ():
            check_column(name, schema, option)


def _repeating(schema: pa.Schema, sample: pa.RecordBatch | pa.Table) -> list[str] | bool:
    columns = zip(schema.names, sample.columns, strict=True)
    coded = [name for name, column in columns if _repeats(column.slice(0, _SAMPLE))]
    return coded if len(coded) < len(schema) else True


def _repeats(column: pa.Array | pa.ChunkedArray) -> bool:
    """Tell whether a dictionary is worth building: for numbers, when most values come twice."""
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_temporal(kind)):
        return True
    if pa.types.is_float16(kind) or pa.types.is_duration(kind) or not len(column):
        return True
    distinct: int = pc.count_distinct(column).as_py()
    return distinct * 2 < len(column)
