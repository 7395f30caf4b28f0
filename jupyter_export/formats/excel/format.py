"""Excel workbooks (.xlsx, ECMA-376): typed cells, sheets that are ready to be handed over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from . import readback
from .counter import SheetRowCounter
from .options import ExcelOptions
from .sheets import ROWS
from .template_counter import TemplateRowCounter


class ExcelFormat(Format):
    type: ClassVar[str] = "excel"
    label: ClassVar[str] = "Excel"
    endings: ClassVar[tuple[str, ...]] = (".xlsx",)
    media_type: ClassVar[str] = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    options: ClassVar[OptionsModel] = ExcelOptions
    capabilities: ClassVar[Capabilities] = Capabilities(
        max_rows=ROWS, nested=False, multi_dataset=True, outer_compression=False
    )

    def encode_file(
        self,
        tables: Sequence[Table],
        options: ExcelOptions,
        context: FileContext,
        losses: LossLedger,
    ) -> Iterator[Chunk]:
        if options.template is not None:
            from .template import encode as encode_template

            return encode_template(tables, options, context, losses)
        from .workbook import encode

        return encode(tables, options, context, losses)

    def counter(self, options: ExcelOptions) -> RowCounter:
        if options.template is not None:
            return TemplateRowCounter()
        return SheetRowCounter()

    def losses(self, schema: pa.Schema, options: ExcelOptions) -> Sequence[Loss]:
        return ()

    def reader(self, schema: pa.Schema, path: str, options: ExcelOptions, compression: str) -> str:
        # the options of one sheet, if any, are those of the one dataset
        dataset = next(iter(options.sheets), "")
        return readback.workbook({dataset: schema}, path, options)

    def reader_of(
        self,
        tables: Mapping[str, pa.Schema],
        path: str,
        options: ExcelOptions,
        compression: str,
    ) -> str:
        return readback.workbook(tables, path, options)
