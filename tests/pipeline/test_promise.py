"""No silent loss: wherever an export reports none, its own lines give back the very same table.

Every format that has a reader, over generated tables of all Arrow types.
"""

from __future__ import annotations

import math
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from jupyter_export import pipeline, registry
from jupyter_export.errors import ExportError
from jupyter_export.progress import Result
from jupyter_export.spec import parse

from .tables import NAMES, SAMPLES, batches, sample

READ = ["csv", "json", "jsonl", "parquet", "arrow", "excel"]
"""Formats whose files are read back; the others are for people."""


def run(table: pa.Table, folder: Path, format: dict[str, Any], target: str) -> Result:
    with (
        pa.OSFile(str(folder / "in.arrows"), "wb") as file,
        pa.ipc.new_stream(file, table.schema) as out,
    ):
        out.write_table(table)
    here = pipeline.Surroundings(
        root=folder,
        target=folder / target,
        part=folder / f".{target}.part",
        uploads=folder,
        scratch=folder,
    )
    spec = parse({"source": {"type": "upload", "id": "in"}, "format": format})
    *_, result = pipeline.run(spec, here)
    assert isinstance(result, Result)
    return result


def read(result: Result, folder: Path) -> pd.DataFrame:
    """Run the job's own lines; the path in them is relative to the root."""
    assert result.reader is not None
    known: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(result.reader, known)
    frame = known["df"]
    assert isinstance(frame, pd.DataFrame)
    return frame


def plain(value: Any) -> Any:
    """A value as what it is: containers by their items, NaN by its name."""
    if isinstance(value, (np.ndarray, list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, (np.datetime64, np.timedelta64)) and np.isnat(value):
        return None
    if isinstance(value, (float, np.floating)):
        return None if math.isnan(value) else float(value)
    return value


def values(column: pd.Series[Any]) -> list[Any]:
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return list(column)
    # pandas itself stumbles over a null beside categories that are integers
    words = list(column.cat.categories)
    return [None if code < 0 else words[code] for code in column.cat.codes]


def same(given: pd.DataFrame, found: pd.DataFrame) -> str | None:
    """Return what differs, or None."""
    if list(given.columns) != list(found.columns):
        return f"columns {list(given.columns)} became {list(found.columns)}"
    if len(given) != len(found):
        return f"{len(given)} rows became {len(found)}"
    for name in given.columns:
        one, other = given[name], found[name]
        held = values(one), values(other)
        # categories and objects are ways to hold values, and a column of nulls has any type
        kinds = {str(one.dtype), str(other.dtype)}
        empty = all(plain(value) is None for value in held[0])
        if len(kinds) > 1 and not kinds & {"category", "object"} and not empty:
            return f"{name!r}: {one.dtype} became {other.dtype}"
        for index, (a, b) in enumerate(zip(*held, strict=True)):
            if plain(a) != plain(b):
                return f"{name!r}, row {index}: {a!r} became {b!r}"
    return None


def decoded(table: pa.Table) -> pa.Table:
    """Return the values of dictionaries: as categories, times lose their zone in pandas."""
    columns = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)


def check(table: pa.Table, kind: str, **options: Any) -> None:
    target = f"out{registry.format_named(kind).endings[0]}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            result = run(table, folder, {"type": kind, **options}, target)
        except ExportError as error:
            # refused in one sentence, and nothing is there: no silence either
            if error.code == "internal_error" or (folder / target).exists():
                raise
            return
        assert result.rows == table.num_rows
        if result.losses:
            return
        try:
            wanted = [table.to_pandas(), decoded(table).to_pandas()]
        except (pa.ArrowException, ValueError):
            # pandas cannot hold it at all, whatever the file
            return
        found = read(result, folder)
        differences = [same(given, found) for given in wanted]
        assert None in differences, f"{differences}\n{result.reader}"


@pytest.mark.parametrize("kind", READ)
@pytest.mark.parametrize("name", SAMPLES)
def test_every_type(kind: str, name: str) -> None:
    check(sample(name), kind)


@pytest.mark.parametrize("kind", READ)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(drawn=batches(names=NAMES))
def test_any_table(kind: str, drawn: tuple[pa.Schema, list[pa.RecordBatch]]) -> None:
    schema, rows = drawn
    check(pa.Table.from_batches(rows, schema), kind)


def test_every_format_is_looked_at() -> None:
    without = {
        kind
        for kind, made in registry.formats().items()
        if made.reader(pa.schema([("a", pa.int64())]), "x", made.options(), "none").startswith("#")
    }
    assert set(registry.formats()) - without == set(READ)
    assert without == {"pdf", "html", "markdown"}
