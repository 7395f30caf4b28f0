"""Declared types: cast, or refused with the first value that does not fit."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jupyter_export.errors import InvalidSpec, SourceFailed
from jupyter_export.formats import type_text
from jupyter_export.formats.parquet import ParquetFormat

from .direct import write
from .tables import SAMPLES, sample

FORMAT = ParquetFormat()


def test_declared_types_are_cast(tmp_path: Path) -> None:
    table = pa.table(
        {
            "n": ["1", None, "-3"],
            "price": [12.34, None, 5.0],
            "at": pa.array([0, None, 86_400_000_000], pa.timestamp("us")),
            "kept": [1, 2, 3],
            "list": [[1], None, []],
        }
    )
    types = {
        "n": "int32",
        "price": "decimal(12,2)",
        "at": "timestamp[ms, Europe/Paris]",
        "list": "list<float>",
    }
    written = write(FORMAT, table, tmp_path, schema=types, metadata={"k": "v"})
    found = written.parquet()
    assert dict(zip(found.schema.names, found.schema.types, strict=True)) == {
        "n": pa.int32(),
        "price": pa.decimal128(12, 2),
        "at": pa.timestamp("ms", "Europe/Paris"),
        "kept": pa.int64(),
        "list": pa.list_(pa.float32()),
    }
    assert found["n"].to_pylist() == [1, None, -3]
    assert found["price"].to_pylist() == [Decimal("12.34"), None, Decimal("5.00")]
    assert found["list"].to_pylist() == [[1.0], None, []]
    assert written.losses == []


def test_a_declared_type_avoids_the_loss_that_is_reported(tmp_path: Path) -> None:
    table = sample("timestamp_s_UTC")
    (loss,) = FORMAT.losses(table.schema, FORMAT.options())
    assert loss.option == 'schema={"x": "timestamp[ms, tz=UTC]"}'
    written = write(FORMAT, table, tmp_path, schema={"x": "timestamp[ms, tz=UTC]"})
    assert written.losses == []
    assert written.parquet().schema.field("x").type == pa.timestamp("ms", "UTC")


@pytest.mark.parametrize(
    ("column", "to", "row", "value"),
    [
        (["1"] * 700 + ["seven"] + ["x"] * 9, "int32", 701, "seven"),
        ([1] * 999 + [300], "int8", 1000, "300"),
        ([1.0, None, 2.5], "int64", 3, "2.5"),
        ([Decimal("1.00"), Decimal("1.25")], "decimal(3, 1)", 2, "1.25"),
        ([2**53, 2**53 + 1], "double", 2, str(2**53 + 1)),
        (["2013-01-31", "31.01.2013"], "date", 2, "31.01.2013"),
        (["true", "maybe"], "bool", 2, "maybe"),
        (pa.array([0, 5], pa.timestamp("us")), "timestamp[ms]", 2, "1970-01-01 00:00:00.000005"),
    ],
)  # fmt: skip
def test_the_first_value_that_does_not_fit_is_named(
    tmp_path: Path, column: list[Any], to: str, row: int, value: str
) -> None:
    whole = pa.table({"a": range(len(column)), "x": column})
    cut = pa.Table.from_batches(whole.to_batches(max_chunksize=300))
    with pytest.raises(SourceFailed) as caught:
        write(FORMAT, cut, tmp_path, schema={"x": to})
    assert "Column “x” does not fit " in caught.value.message
    assert f"row {row:,} holds “{value}”" in caught.value.message


@pytest.mark.parametrize(
    ("column", "to", "kind", "count", "example"),
    [
        ([1.5, 0.1, None, float("nan")], "float", "rounded", 1, "0.1"),
        ([12.34, 1.005, None], "decimal(12, 2)", "rounded", 1, "1.005"),
        ([Decimal("0.1"), Decimal("1234567890123456.7")], "float", "decimal_to_float", 1,
         "1234567890123456.7"),
        (["7", "007", "0", "-01"], "int64", "leading_zeros", 2, "007"),
        (pa.array(["7", "007", None, "007"]).dictionary_encode(), "int64", "leading_zeros", 2,
         "007"),
        (pa.array([0.1, 0.5]).dictionary_encode(), "float", "rounded", 1, "0.1"),
        ([[0.5, 0.1], None, []], "list<float>", "rounded", 1, "0.1"),
        ([{"a": [0.1]}, None], "struct<a: list<float>>", "rounded", 1, "0.1"),
        (pa.array([[("k", 0.1)], None], pa.map_(pa.string(), pa.float64())), "map<string, float>",
         "rounded", 1, "0.1"),
        ([{"a": 1, "b": 2}, None], "struct<a: int8>", "cut_off", 1, "{'a': 1, 'b': 2}"),
        ([5, 0, 1, None], "bool", "rounded", 1, "5"),
        ([2**11 + 1, 7], "float16", "rounded", 1, "2049"),
        (["1.50", "1e5", "inf", "-0.0", "0.30000000000000001"], "double", "rounded", 1,
         "0.30000000000000001"),
        (["1e400", None, "2"], "double", "rounded", 1, "1e400"),
        (pa.array([0, 5], pa.timestamp("s")), "date", "time_part", 1, "1970-01-01 00:00:05"),
        (pa.array([0, None], pa.timestamp("s", "Europe/Paris")), "timestamp[ms]", "time_zone", 1,
         "1970-01-01 01:00:00+01:00"),
    ],
)  # fmt: skip
def test_what_a_cast_changes_silently_is_a_loss(
    tmp_path: Path, column: Any, to: str, kind: str, count: int, example: str
) -> None:
    written = write(FORMAT, pa.table({"x": column}), tmp_path, schema={"x": to})
    assert written.lost == {(kind, "x"): count}
    assert written.losses[0].example == example


def test_a_cast_that_does_not_exist() -> None:
    options = FORMAT.options.model_validate({"schema": {"x": "int32"}})
    with pytest.raises(InvalidSpec, match=r"“x” \(list<item: int64>\) cannot be cast to int32"):
        FORMAT.losses(pa.schema([("x", pa.list_(pa.int64()))]), options)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_type_prints_a_text_that_declares_it(name: str) -> None:
    kind = SAMPLES[name]().type
    rare = ("_view<", "fixed_size_list", "run_end", "union", "extension", "interval", "struct<>")
    if any(word in str(kind) for word in rare):
        # nobody declares these: no cast makes them
        with pytest.raises(ValueError, match=r"known type|name its fields"):
            type_text.parse(str(kind))
    else:
        assert type_text.parse(str(kind)).equals(kind)
