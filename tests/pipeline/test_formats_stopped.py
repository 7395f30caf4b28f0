"""Every format when the rows stop, the user cancels, or a row gets lost on the way."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pyarrow as pa
import pytest

from jupyter_export import pipeline, registry
from jupyter_export.errors import Cancelled, ExportError, SourceFailed
from jupyter_export.pipeline import Progress
from jupyter_export.registry import BatchStream
from jupyter_export.spec import parse

from .conftest import Bench
from .test_formats_contract import TABLE


@pytest.fixture(params=sorted(registry.formats()))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _stream_of(monkeypatch: pytest.MonkeyPatch, batches: Iterator[pa.RecordBatch]) -> list[str]:
    """Let every upload be these batches; return a list that is told when they are closed."""
    closed: list[str] = []

    def opened(source: Any, here: Any) -> BatchStream:
        return BatchStream(TABLE.schema, batches, close=lambda: closed.append("closed"))

    monkeypatch.setattr(registry, "source", lambda kind: opened)
    return closed


ANY = {"source": {"type": "upload", "id": "any"}}


@cache
def _batch(rows: int) -> pa.RecordBatch:
    return TABLE.take(pa.array([i % 1000 for i in range(rows)])).combine_chunks().to_batches()[0]


@pytest.mark.parametrize("where", [None, "id >= 0"])
def test_memory_stays_flat(
    bench: Bench, kind: str, where: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = most = 0

    def gone() -> None:
        nonlocal alive
        alive -= 1

    def many() -> Iterator[pa.RecordBatch]:
        nonlocal alive, most
        base = _batch(70_000)
        for i in range(40):
            batch = base.slice(0, 66_000 + i)
            weakref.finalize(batch, gone)
            alive += 1
            most = max(most, alive)
            yield batch
            del batch

    closed = _stream_of(monkeypatch, many())
    result = bench.run({**ANY, "format": kind, "where": where}, "out")
    assert result.rows == sum(66_000 + i for i in range(40))
    assert most <= 8
    assert closed == ["closed"]


def test_a_source_that_fails_in_the_middle_leaves_nothing(
    bench: Bench, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing() -> Iterator[pa.RecordBatch]:
        for _ in range(5):
            yield _batch(66_000)
        raise ValueError("secret detail")

    closed = _stream_of(monkeypatch, failing())
    with pytest.raises(ExportError) as caught:
        bench.run({**ANY, "format": kind}, "out")
    assert caught.value.code == "internal_error"
    assert "secret" not in str(caught.value)
    assert bench.left() == []
    assert closed == ["closed"]


def test_our_own_error_of_a_source_arrives_as_it_is(
    bench: Bench, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing() -> Iterator[pa.RecordBatch]:
        yield _batch(66_000)
        raise SourceFailed("The rows stopped.")

    for document in ({}, {"where": "id >= 0"}, {"limit": 100_000}):
        _stream_of(monkeypatch, failing())
        with pytest.raises(SourceFailed, match=r"The rows stopped\."):
            bench.run({**ANY, **document, "format": kind}, "out")
        assert bench.left() == []


@pytest.mark.parametrize("where", [None, "id >= 0"])
def test_cancelled_in_the_middle_leaves_nothing(
    bench: Bench, kind: str, where: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled = threading.Event()

    def endless() -> Iterator[pa.RecordBatch]:
        for i in range(10_000):
            if i == 20:
                cancelled.set()
            yield _batch(70_000)

    closed = _stream_of(monkeypatch, endless())
    with pytest.raises(Cancelled):
        bench.run({**ANY, "format": kind, "where": where}, "out", cancelled=cancelled)
    assert bench.left() == []
    assert closed == ["closed"]
    assert list(bench.scratch.iterdir()) == []


def test_cancelled_before_the_name_is_given(bench: Bench, kind: str) -> None:
    cancelled = threading.Event()
    source = {"type": "upload", "id": bench.freeze(TABLE)}
    here = bench.surroundings("out", cancelled=cancelled)
    run = pipeline.run(parse({"source": source, "format": kind}), here)
    for value in run:
        if isinstance(value, Progress) and value.phase == "publishing":
            cancelled.set()
            break
    with pytest.raises(Cancelled):
        next(run)
    assert bench.left() == []


def test_a_consumer_that_walks_away_leaves_nothing(bench: Bench, kind: str) -> None:
    source = {"type": "upload", "id": bench.freeze(TABLE)}
    run = pipeline.run(parse({"source": source, "format": kind}), bench.surroundings("out"))
    for value in run:
        if isinstance(value, Progress) and value.phase == "publishing":
            break
    run.close()  # type: ignore[attr-defined]
    assert bench.left() == []


def test_a_row_that_gets_lost_is_noticed(
    bench: Bench, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counts are taken in three places that know nothing of each other."""
    chosen = registry.format_named(kind)
    encode = chosen.encode_file

    def forgetful(tables: Any, *rest: Any) -> Any:
        (table,) = tables
        fewer = (batch.slice(0, max(batch.num_rows - 1, 0)) for batch in table.batches)
        return encode([replace(table, batches=fewer)], *rest)

    monkeypatch.setattr(chosen, "encode_file", forgetful)
    with pytest.raises(ExportError, match="1,000 rows were read, 999 written, 999 counted"):
        bench.export(TABLE, "out", format=kind)
    assert bench.left() == []


@pytest.mark.parametrize("kind", ["csv", "jsonl", "html", "markdown"])
def test_a_row_that_is_not_in_the_bytes_is_noticed(
    bench: Bench, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The encoder says that it wrote it, and the counter does not find it in the file."""
    chosen = registry.format_named(kind)
    encode = chosen.encode_file

    def lossy(*given: Any) -> Iterator[Any]:
        for chunk in encode(*given):
            lines = bytes(chunk.data).splitlines(keepends=True)
            yield replace(chunk, data=b"".join(lines[1:])) if chunk.rows else chunk

    monkeypatch.setattr(chosen, "encode_file", lossy)
    with pytest.raises(ExportError, match="1,000 rows were read, 1,000 written, 999 counted"):
        bench.export(pa.table({"n": range(1000)}), "out", format=kind)
    assert bench.left() == []


def test_what_breaks_behind_a_cancel_is_the_cancel(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver that was interrupted may complain in words of its own."""
    cancelled = threading.Event()

    def interrupted() -> Iterator[pa.RecordBatch]:
        yield _batch(70_000)
        cancelled.set()
        raise ValueError("interrupted")

    _stream_of(monkeypatch, interrupted())
    with pytest.raises(Cancelled):
        bench.run({**ANY, "format": "csv"}, "out", cancelled=cancelled)
    assert bench.left() == []
