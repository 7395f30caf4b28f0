"""Which format suits the rows, with the fact that decides it, and what each format is for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PURPOSES: Mapping[str, str] = {
    "excel": "to read and share",
    "csv": "any program",
    "parquet": "for pipelines",
    "pdf": "to print",
    "json": "for web programs",
    "jsonl": "one record a line",
    "arrow": "for DataFrames",
    "html": "to read in a browser",
    "markdown": "for documents",
}
"""Type of format -> what it is for, in a few words."""

COMMON: Mapping[str, Sequence[str]] = {
    "excel": ("sheet", "freeze_panes", "autofilter", "widths", "banded", "borders"),
    "csv": ("delimiter", "header", "quote", "encoding", "null", "decimal_separator"),
    "pdf": ("title", "paper", "orientation", "grid", "font_size", "password"),
    "parquet": ("compression", "level", "partition_by"),
}
"""Type of format -> the options that people ask for first; of others the first of their schema."""

SHEET_ROWS = 1_048_576
"""Rows of a workbook's sheet, its header among them."""
SHEET_COLUMNS = 16_384
SHEET_CELL = 32_767
"""Characters of a cell."""
FEW_ROWS = 100_000
"""A workbook of more rows opens slowly."""
_SAFE_DIGITS = 15


@dataclass(frozen=True)
class Recommendation:
    """A format's type, and one sentence that says why."""

    type: str
    reason: str


def purpose(format: Mapping[str, Any]) -> str:
    """Return what a format (as ``ExportClient.formats`` has it) is for; of a format that is not
    known here, its own label."""
    return PURPOSES.get(str(format["type"]), str(format.get("label") or format["type"]))


def recommend(
    columns: Sequence[Mapping[str, Any]],
    rows: int | None,
    datasets: int = 1,
    *,
    head: Sequence[Sequence[Any]] = (),
    longest: Mapping[str, int] | None = None,
) -> Recommendation:
    """Return the format for rows of these columns (``{"name", "type"}``, types as Arrow says them).

    ``rows`` None: nobody has counted them. With several ``datasets``, columns and rows are those of
    the largest. ``head`` are first rows as a preview shows them, whose whole numbers beyond 2^53
    are texts; ``longest`` is the number of characters of a column's longest text where it is
    known.
    """
    for holds, kept in _KEPT_BY_PARQUET:
        found = next((str(c["name"]) for c in columns if holds(str(c["type"]))), None)
        if found is not None:
            return Recommendation("parquet", f"“{found}” holds {kept}")
    for index, column in enumerate(columns):
        if _INTEGER.match(str(column["type"])) and any(isinstance(r[index], str) for r in head):
            return Recommendation("parquet", f"“{column['name']}” holds {_DIGITS}")
    for name, length in (longest or {}).items():
        if length > SHEET_CELL:
            return Recommendation(
                "parquet",
                f"“{name}” holds texts of up to {length:,} characters, and a cell of Excel takes "
                f"{SHEET_CELL:,}.",
            )
    if len(columns) > SHEET_COLUMNS:
        return Recommendation(
            "parquet", f"{len(columns):,} columns are more than a sheet of Excel takes."
        )
    if rows is not None and rows >= SHEET_ROWS:
        return Recommendation(
            "parquet",
            f"{rows:,} rows are more than a sheet of Excel takes ({SHEET_ROWS:,} with its header), "
            "and Parquet keeps them small.",
        )
    if datasets > 1:
        return Recommendation("excel", f"{datasets:,} datasets become one workbook, a sheet each.")
    if rows is None:
        return Recommendation("csv", "Nobody has counted the rows, and CSV takes any number.")
    if rows > FEW_ROWS:
        return Recommendation(
            "parquet", f"{rows:,} rows open slowly in a workbook, and Parquet keeps every type."
        )
    said = "1 row fits" if rows == 1 else f"{rows:,} rows fit"
    return Recommendation("excel", f"{said} a workbook that anybody can open.")


_INTEGER = re.compile(r"u?int64")
_DIGITS = "integers beyond 2^53, which Excel and JavaScript round and Parquet keeps."
_KEPT_BY_PARQUET: tuple[tuple[Callable[[str], Any], str], ...] = (
    (
        re.compile(r"(?:large_|fixed_size_)?list|struct|map|union").match,
        "lists, structs or maps, which Parquet keeps as they are.",
    ),
    (
        re.compile(r"(?:large_|fixed_size_)?binary").match,
        "bytes, which Parquet keeps as they are.",
    ),
    (
        lambda kind: kind.startswith("timestamp") and "tz=" in kind,
        "moments with a time zone, which Parquet keeps and Excel has none of.",
    ),
    (
        lambda kind: (
            (found := re.match(r"decimal\d*\((\d+)", kind)) and int(found[1]) > _SAFE_DIGITS
        ),
        f"decimals of more than {_SAFE_DIGITS} digits, which Parquet keeps and Excel rounds.",
    ),
)
"""What a type's text says -> what the reason says; the first that is met decides."""
