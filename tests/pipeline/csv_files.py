"""CSV files encoded without the pipeline, and what of their tables a text file can give back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from jupyter_export import registry
from jupyter_export.losses import KINDS

from . import direct
from .direct import Written

CSV = registry.format_named("csv")


def write(folder: Path, data: Any, schema: pa.Schema | None = None, **options: Any) -> Written:
    """Encode ``data``; every row must be counted in the files, every loss be a known one."""
    registry.check_options(CSV, options)
    out = direct.write(CSV, data, folder, given=schema, **options)
    expected = sum(len(b) for b in (data.to_batches() if isinstance(data, pa.Table) else data))
    assert out.rows == out.counted == expected
    assert all(loss.kind in KINDS and loss.count for loss in out.losses)
    return out


def text(out: Written, encoding: str = "utf-8") -> str:
    return out.file.read_bytes().decode(encoding)


def lost(out: Written) -> dict[tuple[str, str], int | None]:
    return {(loss.column, loss.kind): loss.count for loss in out.losses}


def normal(table: pa.Table) -> pa.Table:
    """The same values in the types that a text file gives back."""
    columns = []
    for column in table.columns:
        kind = column.type
        if isinstance(kind, pa.BaseExtensionType):
            column = pa.chunked_array([c.storage for c in column.chunks], kind.storage_type)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
            column = column.cast(pa.string())
        columns.append(column)
    return pa.Table.from_arrays(columns, names=table.column_names)


def same(table: pa.Table, again: pa.Table) -> bool:
    """A column that has no value may be read as text that has none."""
    for one, other in zip(table.columns, again.columns, strict=True):
        if other.null_count == len(other) == len(one) == one.null_count:
            continue
        if one.type != other.type or [repr(v) for v in one] != [repr(v) for v in other]:
            return False
    return table.column_names == again.column_names
