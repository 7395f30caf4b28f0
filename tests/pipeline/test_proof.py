"""Rows read, taken, written and counted are told apart: whoever loses one, there is no file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from jupyter_export import registry, transform
from jupyter_export.errors import Incomplete
from jupyter_export.registry import BatchStream, Chunk

from .conftest import Bench

ROWS = pa.table({"x": range(10)})
STEPS: list[dict[str, Any]] = [
    {},
    {"where": {"column": "x", "op": ">=", "value": 0}},
    {"sort": [{"column": "x", "descending": True}]},
    {"limit": 10},
]


def shorter(batches: Any) -> Iterator[pa.RecordBatch]:
    """All rows but the first one of each batch."""
    for batch in batches:
        yield batch.slice(1)


def refused(bench: Bench, steps: dict[str, Any], said: str) -> None:
    with pytest.raises(Incomplete, match=said):
        bench.export(ROWS, "out.csv", **steps)
    assert bench.left() == []


@pytest.fixture
def encode(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Iterator[Chunk]]], None]:
    """Let something else stand around the encoder of CSV."""
    csv = registry.formats()["csv"]
    whole = csv.encode_file

    def changed(around: Callable[..., Iterator[Chunk]]) -> None:
        monkeypatch.setattr(csv, "encode_file", lambda *given: around(whole, *given), raising=True)

    return changed


@pytest.mark.parametrize("steps", STEPS)
def test_a_format_that_leaves_a_row_out(bench: Bench, encode: Any, steps: dict[str, Any]) -> None:
    def around(whole: Any, tables: Any, *rest: Any) -> Iterator[Chunk]:
        yield from whole([replace(t, batches=shorter(t.batches)) for t in tables], *rest)

    encode(around)
    refused(bench, steps, "10 rows were read, 9 written, 9 counted")


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("more", [-1, 1])
def test_a_format_that_counts_wrong(
    bench: Bench, encode: Any, steps: dict[str, Any], more: int
) -> None:
    def around(whole: Any, *given: Any) -> Iterator[Chunk]:
        for chunk in whole(*given):
            yield replace(chunk, rows=chunk.rows + more if chunk.rows else 0)

    encode(around)
    refused(bench, steps, f"10 rows were read, {10 + more} written, 10 counted")


def test_bytes_that_are_lost(bench: Bench, encode: Any) -> None:
    def around(whole: Any, *given: Any) -> Iterator[Chunk]:
        for chunk in whole(*given):
            yield replace(chunk, data=bytes(chunk.data).replace(b"7\n", b""))

    encode(around)
    refused(bench, {}, "10 rows were read, 10 written, 9 counted")


def test_a_row_that_is_lost_where_all_are_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = transform.apply

    def apply(selection: Any, stream: BatchStream, here: Any) -> BatchStream:
        made = whole(selection, stream, here)
        return replace(made, batches=shorter(made.batches))

    monkeypatch.setattr(transform, "apply", apply)
    refused(bench, {}, "10 rows were read, 9 written, 9 counted")
    refused(bench, {"sort": [{"column": "x"}]}, "10 rows were read, 9 written, 9 counted")
