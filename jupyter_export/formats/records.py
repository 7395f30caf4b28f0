"""Rows as JSON objects, shared by JSON and JSON Lines."""

from __future__ import annotations

import json as json_text
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ..registry import Bytes, Chunk, FormatOptions, LossLedger, RowCounter
from . import cells, tokens
from .batches import even, in_order, peeked, windows
from .coded import coded


class JsonOptions(FormatOptions):
    nulls: Literal["include", "exclude"] = Field(
        "include", description="exclude leaves a null's key out of its object."
    )
    large_integers: Literal["number", "string"] = Field(
        "number", description="string: 64-bit integers are texts, which JavaScript keeps exactly."
    )
    decimals: Literal["number", "string"] = "number"
    nan: Literal["null", "string", "error"] = Field(
        "null", description="What NaN and Infinity become, for which JSON has no number."
    )


class NewlineCounter(RowCounter):
    """Counts line ends: inside JSON text a line end is always escaped (RFC 8259, section 7)."""

    def __init__(self) -> None:
        self.newlines = 0

    def update(self, data: Bytes) -> None:
        for seen in windows(data):
            self.newlines += int(np.count_nonzero(seen == 0x0A))

    def finish(self, path: Path) -> int:
        return self.newlines


def encode_records(
    batches: Iterable[pa.RecordBatch],
    options: JsonOptions,
    *,
    before: str,
    after: str,
    threads: int,
    losses: LossLedger,
) -> Iterator[Chunk]:
    """Yield each batch as objects, ``before`` and ``after`` around every one."""
    first, all_batches = peeked(even(batches))
    style = cells.Style(
        separator="T",
        nan=options.nan,
        integers=options.large_integers,
        decimals=options.decimals,
        units=cells.units_of(first),
    )
    objects = _without_nulls if options.nulls == "exclude" else _with_nulls

    def rows(batch: pa.RecordBatch) -> Chunk:
        parts = objects(batch, style, losses)
        merged = _merged([before + "{", *parts, "}" + after])
        return Chunk(cells.whole_rows(merged, "null"), batch.num_rows)

    return in_order(rows, all_batches, threads)


def _with_nulls(batch: pa.RecordBatch, style: cells.Style, losses: LossLedger) -> list[Any]:
    parts: list[Any] = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        key = ("," if parts else "") + _key(name)
        few = coded(column)
        if few is not None:
            words = pc.fill_null(tokens.plain(few[0], name, style, losses), "null")
            words = pc.binary_join_element_wise(key, words, "")
            shown = pc.take(words, few[1])
            parts.append(pc.fill_null(shown, key + "null") if few[1].null_count else shown)
        else:
            parts.append(key)
            parts += _token(column, name, style, losses)
    return parts


def _without_nulls(batch: pa.RecordBatch, style: cells.Style, losses: LossLedger) -> list[Any]:
    members = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        token = tokens.json(column, name, style, losses)
        members.append(pc.binary_join_element_wise("," + _key(name), token, ""))
    # not null_handling="skip": Arrow loses a row there when all its members are null
    joined = pc.binary_join_element_wise(*members, "", null_handling="replace", null_replacement="")
    return [pc.binary_replace_slice(joined, 0, 1, "")]


def _token(column: pa.Array, name: str, style: cells.Style, losses: LossLedger) -> list[Any]:
    """Return the parts of one value: its quotes stand in the row, not around each cell, where
    no null needs the place (one pass over the text less)."""
    kind = column.type
    quoted = pa.types.is_string(kind) or pa.types.is_timestamp(kind) or pa.types.is_date(kind)
    if not quoted or column.null_count:
        return [tokens.json(column, name, style, losses)]
    shown = cells.text(column, name, style, losses)
    return ['"', tokens.escaped(shown) if pa.types.is_string(kind) else shown, '"']


def _key(name: str) -> str:
    return json_text.dumps(name, ensure_ascii=False) + ":"


def _merged(parts: list[Any]) -> list[Any]:
    """Put constant texts that stand side by side together."""
    out: list[Any] = []
    for part in parts:
        if isinstance(part, str) and out and isinstance(out[-1], str):
            out[-1] += part
        else:
            out.append(part)
    return out
