"""The PDF format: tables one after another, each streamed page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

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
from ..shown import NO_READER
from .counter import PageCounter
from .options import PdfOptions


class PdfFormat(Format):
    type: ClassVar[str] = "pdf"
    label: ClassVar[str] = "PDF"
    endings: ClassVar[tuple[str, ...]] = (".pdf",)
    media_type: ClassVar[str] = "application/pdf"
    options: ClassVar[OptionsModel] = PdfOptions
    capabilities: ClassVar[Capabilities] = Capabilities(
        nested=False, multi_dataset=True, outer_compression=False
    )

    def encode_file(
        self,
        tables: Sequence[Table],
        options: PdfOptions,
        context: FileContext,
        losses: LossLedger,
    ) -> Iterator[Chunk]:
        from .report import Report  # brings fonts and numpy, which listing formats does not need

        return Report(tables, options, context, losses).chunks()

    def counter(self, options: PdfOptions) -> RowCounter:
        return PageCounter(options.password)

    def reader(self, schema: pa.Schema, path: str, options: PdfOptions, compression: str) -> str:
        return NO_READER.format(label=self.label)

    def reader_of(
        self, tables: Mapping[str, pa.Schema], path: str, options: PdfOptions, compression: str
    ) -> str:
        return NO_READER.format(label=self.label)
