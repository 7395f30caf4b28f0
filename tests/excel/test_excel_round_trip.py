"""Generated tables of all types: a column without a loss comes back as it was."""

# ruff: noqa: DTZ001 - a workbook has no time zones
from __future__ import annotations

import datetime as dt
import math
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_export import registry
from jupyter_export.formats.excel import ExcelFormat
from jupyter_export.formats.readback import text_type

from ..pipeline.tables import batches
from .writing import found, read_back, write

Drawn = tuple[pa.Schema, list[pa.RecordBatch]]


def value(given: Any) -> Any:
    if isinstance(given, float):
        return ("nan",) if math.isnan(given) else (given, math.copysign(1, given))
    return given


@settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    batches(),
    st.fixed_dictionaries(
        {
            "nan": st.sampled_from(["text", "error", "empty"]),
            "long_numbers": st.sampled_from(["text", "number"]),
            "header": st.booleans(),
        }
    ),
)
def test_what_has_no_loss_comes_back(drawn: Drawn, options: dict[str, Any]) -> None:
    schema, rows = drawn
    table = pa.Table.from_batches(rows, schema)
    with tempfile.TemporaryDirectory() as folder:
        path, losses = write(Path(folder), table, batch_rows=5, **options)
        checked = registry.check_options(ExcelFormat(), options)
        space: dict[str, Any] = {}
        exec(ExcelFormat().reader(schema, str(path), checked, "none"), space)
        space["book"].close()
    read = space["table"]
    assert read.num_rows == table.num_rows
    lost = {loss.column for loss in losses}
    for index, field in enumerate(schema):
        if field.name not in lost:
            column = table.column(index)
            empty = column.null_count == len(column)
            kind = field.type if pa.types.is_float16(field.type) else text_type(field.type)
            assert empty or read.schema.types[index] == kind
            expected = [value(one) for one in column.to_pylist()]
            assert [value(one) for one in read.column(index).to_pylist()] == expected


def test_chosen_number_formats_do_not_hide_the_values(tmp_path: Path) -> None:
    table = pa.table(
        {
            "day": pa.array([dt.date(2024, 2, 29), None]),
            "moment": pa.array([dt.datetime(2024, 2, 29, 12, 30), None]),
            "time": pa.array([dt.time(6, 30), None], pa.time64("us")),
            "span": pa.array([dt.timedelta(hours=30), None]),
            "n": pa.array([45_000, None]),
            "x": pa.array([45_000.5, None]),
            "plain": pa.array([1, 2]),
        }
    )
    options: dict[str, Any] = {
        "number_formats": {
            "day": "0", "moment": "General", "time": "0.00", "span": "hh:mm",
            "n": "yyyy-mm-dd", "x": "mmm yy", "plain": '[Red]0" days"',
        }
    }  # fmt: skip
    path, losses = write(tmp_path, table, **options)
    assert found(losses) == {("type", "n"): None, ("type", "x"): None}
    given = read_back(path, table, **options)
    expected = table.to_pandas()
    for name in table.column_names:
        assert [None if v != v else v for v in given[name]] == [
            None if v != v else v for v in expected[name]
        ], name
