"""JSON Lines: one object a line, which streams in both directions.

Several datasets follow one another, and each line then says which of them it belongs to:
``{"type": "flights", …}``. With metadata the first and the last line are of the type
``metadata``: what is known before the rows, and how many rows there were.
"""

from __future__ import annotations

import json as json_text
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import pyarrow as pa

from ..errors import InvalidSpec
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
from . import readback_json
from .json.counters import LineCounter, LineEnds
from .json.metadata import metadata
from .json.options import JsonLinesOptions
from .json.relations import check_columns
from .json.rows import RowWriter, of_objects
from .tokens import key

_METADATA = "metadata"
_ABOUT = f'{{"type":"{_METADATA}",'


class JsonLinesFormat(Format):
    type: ClassVar[str] = "jsonl"
    label: ClassVar[str] = "JSON Lines"
    endings: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")
    media_type: ClassVar[str] = "application/x-ndjson"
    options: ClassVar[OptionsModel] = JsonLinesOptions
    capabilities: ClassVar[Capabilities] = Capabilities(multi_dataset=True)

    def encode_file(
        self,
        tables: Sequence[Table],
        options: JsonLinesOptions,
        context: FileContext,
        losses: LossLedger,
    ) -> Iterator[Chunk]:
        check_columns(context.relations, {table.name: table.schema for table in tables})
        if len(tables) == 1 and not options.metadata:
            return super().encode_file(tables, options, context, losses)
        for table in tables:
            _refuse_types(table, options)
        return _typed(tables, options, context, losses)

    def encode(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        options: JsonLinesOptions,
        *,
        threads: int,
        losses: LossLedger,
    ) -> Iterator[Chunk]:
        """Yield one table alone, its rows without a type."""
        return RowWriter(batches, options, losses, threads).chunks(of_objects(None), after="\n")

    def counter(self, options: JsonLinesOptions) -> RowCounter:
        if not options.metadata:
            return LineCounter(LineEnds())
        about = LineEnds(after=_ABOUT.encode("ascii"), first=True)
        return LineCounter(LineEnds(), without=about)

    def losses(self, schema: pa.Schema, options: JsonLinesOptions) -> Sequence[Loss]:
        return readback_json.losses(schema, options)

    def reader(
        self, schema: pa.Schema, path: str, options: JsonLinesOptions, compression: str
    ) -> str:
        return readback_json.of_lines({"data": schema}, path, options, compression)

    def reader_of(
        self,
        tables: Mapping[str, pa.Schema],
        path: str,
        options: JsonLinesOptions,
        compression: str,
    ) -> str:
        return readback_json.of_lines(tables, path, options, compression)


def _refuse_types(table: Table, options: JsonLinesOptions) -> None:
    """Raise ``InvalidSpec`` where a row's own member would be taken for its type."""
    if "type" in table.schema.names:
        raise InvalidSpec(
            f"“{table.name}” has a column “type”, which each line needs to say its dataset.",
            hint="Rename the column (columns.rename).",
            field="columns.rename",
        )
    if options.metadata and table.name == _METADATA:
        raise InvalidSpec(
            "A dataset named “metadata” cannot be told from the lines of metadata.",
            hint="Rename the dataset, or leave metadata out.",
            field="format.metadata",
        )


def _typed(
    tables: Sequence[Table], options: JsonLinesOptions, context: FileContext, losses: LossLedger
) -> Iterator[Chunk]:
    if options.metadata:
        yield _about(metadata(tables, context))
    rows: dict[str, int] = {}
    for table in tables:
        ledger = losses.of(table.name) if len(tables) > 1 else losses
        layout = of_objects(None, member=f'"type":{key(table.name)}')
        rows[table.name] = 0
        writer = RowWriter(table.batches, options, ledger, context.threads)
        for chunk in writer.chunks(layout, after="\n"):
            rows[table.name] += chunk.rows
            yield chunk
    if options.metadata:
        yield _about({"rows": rows})


def _about(known: Mapping[str, Any]) -> Chunk:
    text = json_text.dumps(known, ensure_ascii=False, separators=(",", ":"), default=str)
    return Chunk(f"{_ABOUT}{text[1:]}\n".encode(), 0)
