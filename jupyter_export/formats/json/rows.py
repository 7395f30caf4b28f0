"""Batches -> the text of their rows: objects, or arrays of values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...registry import Chunk, Loss, LossLedger
from .. import cells, tokens
from ..batches import BYTES, ROWS, even, in_order, peeked
from ..readback_json_types import may_be_empty
from ..strings import whole_rows
from .options import JsonLinesOptions


@dataclass(frozen=True)
class Layout:
    """What stands around the values of a row."""

    opening: str
    leading: str
    """Before the first value; ``between`` where ``opening`` holds a member already."""
    between: str
    colon: str | None
    """Between a name and its value; None: values without names."""
    closing: str


def of_objects(level: int | None, member: str = "") -> Layout:
    """Return the layout of objects: on one line (None), or indented ``level`` times.

    ``member`` is the text of one that all of them begin with.
    """
    if level is None:
        return Layout("{" + member, "," if member else "", ",", ":", "}")
    outer, inner = "\n" + "  " * level, "\n" + "  " * (level + 1)
    return Layout("{", inner, "," + inner, ": ", outer + "}")


def of_arrays(level: int | None) -> Layout:
    """Return the layout of arrays of values."""
    if level is None:
        return Layout("[", "", ",", None, "]")
    outer, inner = "\n" + "  " * level, "\n" + "  " * (level + 1)
    return Layout("[", inner, "," + inner, None, outer + "]")


def of_members(level: int | None) -> Layout:
    """Return the layout of objects without their braces."""
    whole = of_objects(level)
    return Layout("", whole.leading, whole.between, whole.colon, "")


class RowWriter:
    """Writes the batches of one table alike, from the first one to the last."""

    def __init__(
        self,
        batches: Iterable[pa.RecordBatch],
        options: JsonLinesOptions,
        losses: LossLedger,
        threads: int,
    ) -> None:
        any_batch, batches = peeked(iter(batches))
        first, self._batches = peeked(even(batches, _rows_of_a_piece(any_batch)))
        self._threads = threads
        self._losses = losses
        self._exclude = options.nulls == "exclude"
        self._empty = options.nulls == "empty"
        self._null = '""' if self._empty else "null"
        self._spelling = tokens.Spelling(
            cells.Style(
                separator="T", units=cells.units_of(first), timestamp_format=options.strftime
            ),
            nan=options.nan,
            integers=options.large_integers,
            decimals=options.decimals,
            moments=options.moments,
            stringify=options.arrays == "stringify",
        )

    def chunks(self, layout: Layout, before: str = "", after: str = "") -> Iterator[Chunk]:
        """Yield all rows, with ``before`` and ``after`` around each one."""

        def rows(batch: pa.RecordBatch) -> Chunk:
            parts = [before, *self._parts(batch, layout), after]
            return Chunk(whole_rows(_merged(parts), self._null), batch.num_rows)

        return in_order(rows, self._batches, self._threads)

    def texts(self, layout: Layout) -> Iterator[tuple[pa.RecordBatch, pa.StringArray]]:
        """Yield each batch with the texts of its rows."""

        def rows(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.StringArray]:
            return batch, _joined(_merged(self._parts(batch, layout)), self._null)

        return in_order(rows, self._batches, self._threads)

    def columns(self, before: str) -> Iterator[tuple[int, list[memoryview]]]:
        """Yield for each batch its rows and, for each column, the texts of its values.

        ``before`` stands before each value.
        """

        def values(batch: pa.RecordBatch) -> tuple[int, list[memoryview]]:
            return batch.num_rows, [
                whole_rows(_merged([before, *self._value(column, name)]), self._null)
                for name, column in zip(batch.schema.names, batch.columns, strict=True)
            ]

        return in_order(values, self._batches, self._threads)

    def _parts(self, batch: pa.RecordBatch, layout: Layout) -> list[Any]:
        if batch.num_columns == 0:
            return [layout.opening, _repeated(layout.closing, batch.num_rows)]
        if self._exclude and layout.colon is not None:
            return self._without_nulls(batch, layout)
        parts: list[Any] = [layout.opening]
        for index, (name, column) in enumerate(zip(batch.schema.names, batch.columns, strict=True)):
            parts.append(layout.between if index else layout.leading)
            if layout.colon is not None:
                parts.append(tokens.key(name) + layout.colon)
            parts += self._value(column, name)
        return [*parts, layout.closing]

    def _value(self, column: pa.Array, name: str) -> list[Any]:
        """Return the parts of one value: its quotes stand in the row, not around each cell, where
        no null needs the place (one pass over the text less)."""
        self._look_for_nulls(column, name)
        few = tokens.few_tokens(column, name, self._spelling, self._losses)
        if few is not None:
            return [_few_words(*few, self._null)]
        texts, quoted = tokens.unquoted(column, name, self._spelling, self._losses)
        if not quoted:
            return [texts]
        if texts.null_count == 0:
            return ['"', texts, '"']
        return [pc.binary_join_element_wise('"', texts, '"', "")]

    def _without_nulls(self, batch: pa.RecordBatch, layout: Layout) -> list[Any]:
        members = []
        comma, rest = layout.between[:1], layout.between[1:]
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            token = tokens.tokens(column, name, self._spelling, self._losses)
            named = comma + rest + tokens.key(name) + (layout.colon or "")
            members.append(pc.binary_join_element_wise(named, token, ""))
        # not null_handling="skip": Arrow loses a row there when all its members are null
        joined = pc.binary_join_element_wise(
            *members, "", null_handling="replace", null_replacement=""
        )
        if layout.leading != layout.between:
            joined = pc.binary_replace_slice(joined, 0, len(comma), "")
        return [layout.opening, joined, layout.closing]

    def _look_for_nulls(self, column: pa.Array, name: str) -> None:
        if not self._empty or not may_be_empty(column.type):
            return
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if column.null_count:
            self._losses.add(
                Loss(
                    "null_or_empty",
                    name,
                    column.null_count,
                    "a null is written as an empty text",
                    "nulls=include",
                )
            )


def _rows_of_a_piece(batch: pa.RecordBatch | None) -> int:
    """Return how many rows are written together: each of them repeats the names."""
    names = sum(map(len, batch.schema.names)) if batch is not None else 0
    return max(1, min(ROWS, BYTES // max(1, names)))


@dataclass(frozen=True)
class _Words:
    """The cells of a column of few distinct values: what stands beside all of them in the row is
    put into the words, once for each value and not once for each row."""

    words: pa.Array
    codes: pa.Array

    def between(self, before: str, after: str) -> _Words:
        return _Words(pc.binary_join_element_wise(before, self.words, after, ""), self.codes)


def _few_words(words: pa.Array, codes: pa.Array, null: str) -> _Words:
    words = pc.fill_null(words, null)
    if codes.null_count:
        codes = pc.fill_null(pc.cast(codes, pa.int64()), len(words))
        words = pa.concat_arrays([words, pa.array([null], words.type)])
    return _Words(words, codes)


def _merged(parts: Sequence[Any]) -> list[Any]:
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


def _joined(parts: list[Any], null: str) -> pa.StringArray:
    return pc.binary_join_element_wise(*parts, "", null_handling="replace", null_replacement=null)


def _repeated(text: str, rows: int) -> pa.StringArray:
    """Return ``text`` for each row of a table that has no column."""
    return pc.take(pa.array([text], pa.string()), pa.array(np.zeros(rows, np.int8)))
