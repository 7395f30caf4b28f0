"""Rows as JSON objects, shared by JSON and JSON Lines."""

from __future__ import annotations

import json as json_text
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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
        parts.append(("," if parts else "") + _key(name))
        few = coded(column)
        if few is not None:
            parts.append(_few_words(tokens.plain(few[0], name, style, losses), few[1]))
        else:
            parts += _token(column, name, style, losses)
    return parts


@dataclass(frozen=True)
class _Words:
    """The cells of a column of few distinct values: what stands beside all of them in the row is
    put into the words, once for each value and not once for each row."""

    words: pa.Array
    codes: pa.Array

    def between(self, before: str, after: str) -> _Words:
        return _Words(pc.binary_join_element_wise(before, self.words, after, ""), self.codes)


def _few_words(words: pa.Array, codes: pa.Array) -> _Words:
    words = pc.fill_null(words, "null")
    if codes.null_count:
        wide = pc.cast(codes, pa.int64())
        codes = pc.fill_null(wide, len(words))
        words = pa.concat_arrays([words, pa.array(["null"], words.type)])
    return _Words(words, codes)


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
    """Put constant texts into their neighbours where that saves a pass over the rows."""
    out: list[Any] = []
    for part in parts:
        last = out[-1] if out else None
        if isinstance(part, str) and isinstance(last, str):
            out[-1] = last + part
        elif isinstance(part, str) and isinstance(last, _Words):
            out[-1] = last.between("", part)
        elif isinstance(part, _Words) and isinstance(last, str):
            out[-1] = part.between(last, "")
        else:
            out.append(part)
    return [pc.take(each.words, each.codes) if isinstance(each, _Words) else each for each in out]
