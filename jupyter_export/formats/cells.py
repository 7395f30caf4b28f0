"""A column and its type -> the text of its cells, for every text format.

``text`` is built of Arrow's kernels over whole batches; a null stays null. ``Style`` holds what a
file decides once for a column, so that its cells look alike from the first batch to the last.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from ..errors import InvalidSpec
from ..losses import example
from ..registry import Loss, LossLedger
from . import times
from .appearance import Appearance
from .coded import count
from .numbers import decimals, numbers
from .strings import payload, rows_with, whole_rows

__all__ = ["Style", "decimals", "payload", "rows_with", "text", "units_of", "whole_rows"]


@dataclass(frozen=True)
class Style:
    """How cells are written; ``units`` holds the precision of each timestamp column."""

    separator: str = " "
    """Between date and time: a space, or T."""
    nan: Literal["text", "null", "string", "error"] = "text"
    integers: Literal["number", "string"] = "number"
    decimals: Literal["number", "string"] = "number"
    units: dict[str, str] | None = None
    date_format: str | None = None
    time_format: str | None = None
    timestamp_format: str | None = None
    digits: int | None = None
    """Behind the point of floats and decimals, rounded half away from zero on the shortest text.
    None: as many as read back to the same number."""
    decimal_separator: str = "."
    thousands_separator: str = ""
    """Of integers, floats and decimals; a number with an exponent has none."""
    booleans: tuple[str, str] = ("true", "false")

    @classmethod
    def of(
        cls, appearance: Appearance, *, units: dict[str, str] | None = None, **more: Any
    ) -> Style:
        """Return the style that a format's options ask for; ``more`` are fields of it."""
        return cls(
            units=units,
            date_format=appearance.date_format,
            time_format=appearance.time_format,
            timestamp_format=appearance.timestamp_format,
            digits=appearance.decimals,
            decimal_separator=appearance.decimal_separator,
            thousands_separator=appearance.thousands_separator,
            booleans=appearance.booleans,
            **more,
        )


def units_of(batch: pa.RecordBatch | None) -> dict[str, str]:
    """Return for each timestamp column the coarsest unit that holds the first batch's values.

    A later batch that needs more digits writes more; none writes fewer than these.
    """
    if batch is None:
        return {}
    return {
        field.name: times.needed_unit(column, "s")
        for field, column in zip(batch.schema, batch.columns, strict=True)
        if pa.types.is_timestamp(field.type)
    }


def text(column: pa.Array, name: str, style: Style, losses: LossLedger) -> pa.Array:
    """Return the cells of ``column`` as a string array of the same length, nulls kept.

    Adds to ``losses`` what the style drops. Raises ``InvalidSpec`` for a type without text,
    ``SourceFailed`` for a date that text cannot hold.
    """
    kind = column.type
    if pa.types.is_string(kind):
        return column
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pc.cast(column, pa.string())
    if isinstance(kind, pa.BaseExtensionType):
        return text(column.storage, name, style, losses)
    if pa.types.is_dictionary(kind):
        return text(column.dictionary_decode(), name, style, losses)
    if pa.types.is_null(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_boolean(kind):
        return pc.if_else(column, *style.booleans)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return numbers(column, name, style, losses)
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return times.moments(column, name, style, losses)
    if _is_binary(kind):
        return _base64(column, name, losses)
    if pa.types.is_union(kind) or pa.types.is_run_end_encoded(kind):
        raise InvalidSpec(
            f"Column “{name}” ({kind}) has no form as text.",
            hint="Leave it out (columns.exclude), or convert it first.",
            field="columns",
        )
    # nested values, intervals: one JSON token each
    from .tokens import json  # which is built on this module

    tokens = json(column, name, Style("T", "null", style.integers, style.decimals), losses)
    _report(column, tokens, Loss("nested", name, 0, "nested values are JSON text"), losses)
    return tokens


def _base64(column: pa.Array, name: str, losses: LossLedger) -> pa.Array:
    """RFC 4648, section 4."""
    words = pa.array(
        [None if v is None else base64.b64encode(v).decode("ascii") for v in column.to_pylist()],
        pa.string(),
    )
    _report(column, words, Loss("binary", name, 0, "bytes are base64 text"), losses)
    return words


def _report(column: pa.Array, cells: pa.Array, loss: Loss, losses: LossLedger) -> None:
    """Add ``loss`` for every value that is none; the option is the same for all text formats."""
    present = pc.is_valid(column)
    valid = count(losses, present)
    if valid:
        shown = example(cells[pc.index(present, True).as_py()].as_py())
        losses.add(replace(loss, count=valid, option="format.type=parquet", example=shown))


def _is_binary(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )
