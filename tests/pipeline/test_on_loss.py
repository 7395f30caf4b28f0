"""``on_loss``: an export that would lose something is refused, and nothing of it is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from jupyter_export import registry
from jupyter_export.errors import LossRefused

from .conftest import Bench

SECONDS = pa.array([0, 1], pa.timestamp("s"))
LOST: dict[str, list[tuple[str, Any]]] = {
    "csv": [("leading_zeros", ["007", "1"]), ("binary", [b"x", b"y"]), ("nested", [[1], [2]])],
    "json": [("not_a_number", [float("nan"), 1.0]), ("integer_beyond_2_53", [2**60, 1])],
    "jsonl": [("not_a_number", [float("inf"), 1.0])],
    "parquet": [("type", SECONDS)],
    "excel": [("text_cut", ["x" * 40_000, "y"]), ("integer_beyond_15_digits", [2**60, 1])],
    "pdf": [("null_or_empty", ["", None]), ("unprintable", ["a\x01", "b"])],
    "html": [("null_or_empty", ["", None])],
    "markdown": [("null_or_empty", ["", None]), ("nested", [[1], [2]])],
}
"""Format -> a kind of loss, and the values of a column that suffers it."""
CASES = [(kind, loss, values) for kind, found in LOST.items() for loss, values in found]
OPTIONS: dict[tuple[str, str], dict[str, Any]] = {
    ("excel", "integer_beyond_15_digits"): {"long_numbers": "number"}
}


@pytest.mark.parametrize(("kind", "loss", "values"), CASES)
def test_a_loss_is_told_or_refused(bench: Bench, kind: str, loss: str, values: Any) -> None:
    table = pa.table({"n": [1, 2], "x": values})
    document = {"format": {"type": kind, **OPTIONS.get((kind, loss), {})}}
    told = bench.export(table, "told", **document)
    assert (loss, "x") in {(each["kind"], each["column"]) for each in told.losses}
    with pytest.raises(LossRefused) as caught:
        bench.export(table, "refused", on_loss="error", **document)
    assert "Column “x” would not be exported as it is" in str(caught.value)
    assert caught.value.field == "on_loss"
    assert bench.left() == ["told"]
    assert list(bench.scratch.iterdir()) == []


@pytest.mark.parametrize("kind", sorted(registry.formats()))
def test_what_loses_nothing_is_not_refused(bench: Bench, kind: str) -> None:
    table = pa.table({"n": [1, 2], "x": ["a", "b"]})
    result = bench.export(table, "out", format=kind, on_loss="error")
    assert (result.rows, result.losses) == (2, ())


def test_a_loss_names_its_dataset(bench: Bench) -> None:
    tables = {"good": pa.table({"x": ["a"]}), "bad": pa.table({"x": [b"\x00"]})}
    datasets = [
        {"name": name, "source": {"type": "upload", "id": bench.freeze(table)}}
        for name, table in tables.items()
    ]
    with pytest.raises(LossRefused, match="Column “x” of “bad”"):
        bench.run({"datasets": datasets, "format": "csv", "on_loss": "error"}, "out")
    assert bench.left() == []


def test_what_the_types_tell_is_refused_before_a_row_is_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unread() -> Iterator[pa.RecordBatch]:
        raise AssertionError("a row was read")
        yield

    stream = registry.BatchStream(pa.schema([("x", SECONDS.type)]), unread())
    monkeypatch.setattr(registry, "source", lambda kind: lambda source, here: stream)
    source = {"type": "upload", "id": "any"}
    with pytest.raises(LossRefused):
        bench.run({"source": source, "format": "parquet", "on_loss": "error"}, "out")
