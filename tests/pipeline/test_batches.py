"""Rows in even pieces: how many of them are encoded together."""

from __future__ import annotations

import pyarrow as pa
import pytest

from jupyter_export.formats.batches import even


def coded(words: list[str], codes: list[int | None], kind: pa.DataType) -> pa.RecordBatch:
    column = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(words, kind))
    return pa.record_batch({"c": column})


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_the_words_of_a_dictionary_count_in_every_row(kind: pa.DataType) -> None:
    batch = coded(["x" * 1000, "y" * 1000], [0, 1, None, 1] * 250, kind)
    pieces = list(even([batch], rows=1000, size=10_000))
    assert pa.Table.from_batches(pieces).column(0).to_pylist() == batch.column(0).to_pylist()
    assert max(piece.num_rows for piece in pieces) <= 15
    # small neighbours are not put together beyond it either
    again = list(even(pieces, rows=1000, size=10_000))
    assert max(piece.num_rows for piece in again) <= 15


def test_a_long_word_that_no_row_has_costs_nothing() -> None:
    batch = coded(["x", "y" * 9000], [0] * 1000, pa.string())
    assert [piece.num_rows for piece in even([batch], rows=1000, size=20_000)] == [1000]


@pytest.mark.parametrize(
    "words", [pa.array([1, 2], pa.int64()), pa.array([], pa.string()), pa.array([[1], [2, 3]])]
)
def test_words_of_any_type(words: pa.Array) -> None:
    codes = pa.array([0, 1, None] * 1000 if len(words) else [None] * 3000, pa.int8())
    batch = pa.record_batch({"c": pa.DictionaryArray.from_arrays(codes, words)})
    pieces = list(even([batch], rows=1000, size=4000))
    assert sum(piece.num_rows for piece in pieces) == 3000


def test_cells_of_one_bit_are_words_in_a_text() -> None:
    batch = pa.record_batch({f"c{i}": [True, False] * 500 for i in range(100)})
    assert max(piece.num_rows for piece in even([batch], rows=1000, size=8000)) == 10
    assert [piece.num_rows for piece in even([batch], 1000, 20_000, as_text=False)] == [1000]
