"""How a preview looks as text, and how much of a frame it needs."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .card import changed, counted, loss_lines, size

if TYPE_CHECKING:
    import pyarrow as pa

SAMPLE_ROWS = 20_000
"""Rows of a frame that are sent for a preview: more than it looks at, so that it sees that there
are more than these."""
MAX_CELL = 28
"""Columns of text that a cell is shown with, at most."""
WIDTH = 110
"""Columns of text that a table takes; columns that have no room are counted."""


class Head:
    """The first ``SAMPLE_ROWS`` rows of a frame; a number of rows that is stated stays."""

    cut = False
    """True when there were more rows."""
    counted = False
    """True when the frame said how many."""

    def of(self, reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
        import pyarrow as pa

        from ..sources.upload import ROWS_KEY

        self.counted = ROWS_KEY in (reader.schema.metadata or {})
        return pa.RecordBatchReader.from_batches(reader.schema, self._batches(reader))

    def _batches(self, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        left = SAMPLE_ROWS
        for batch in reader:
            self.cut = batch.num_rows > left
            if left:
                yield batch.slice(0, left)
            if self.cut:
                return
            left -= batch.num_rows


def without_totals(found: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return a preview without the numbers that nobody knows of these datasets: they were counted
    in the head that was sent."""
    if not names:
        return found
    return {
        **found,
        "datasets": [
            {**each, "total_rows": None} if each["name"] in names else each
            for each in found["datasets"]
        ],
        "losses": [
            {**loss, "count": None}
            if loss["estimated"] and (loss["dataset"] is None or loss["dataset"] in names)
            else loss
            for loss in found["losses"]
        ],
        "bytes_estimate": None,
    }


def text(found: Mapping[str, Any]) -> str:
    """Return a preview as plain lines: each dataset's first rows, then what would be lost."""
    lines: list[str] = []
    for dataset in found["datasets"]:
        lines += [_heading(dataset), *_table(dataset), ""]
    if found["losses"]:
        lines.append(f"▲ {changed(found['losses'], would=True)}")
        lines += [f"  {line}" for line in loss_lines(found["losses"])]
    else:
        lines.append(f"Nothing would be lost in {found['format']}.")
    if found["bytes_estimate"] is not None:
        lines.append(f"About {size(found['bytes_estimate'])} as {found['format']}.")
    return "\n".join(map(plain, lines))


def _heading(dataset: Mapping[str, Any]) -> str:
    total = dataset["total_rows"]
    columns = counted(len(dataset["columns"]), "column")
    rows = "rows not counted yet" if total is None else counted(total, "row")
    about = "about " if dataset["estimated"] else ""
    return f"{dataset['name']} · {about}{rows} · {columns}"


def _table(dataset: Mapping[str, Any]) -> list[str]:
    """Return the lines of a table: names, types, rows; numbers stand at the right."""
    columns = dataset["columns"]
    shown: list[list[str]] = []
    used = 0
    for index, column in enumerate(columns):
        cells = [_cell(row[index]) for row in dataset["rows"]]
        whole = [_short(column["name"]), _short(column["type"]), *cells]
        width = max(map(_width, whole))
        if shown and used + width > WIDTH:
            break
        used += width + 2
        right = is_number(column["type"])
        shown.append([_padded(cell, width, right=right) for cell in whole])
    lines = ["  " + "  ".join(cells).rstrip() for cells in zip(*shown, strict=True)]
    left = len(columns) - len(shown)
    return [*lines, f"  … and {counted(left, 'more column')}"] if left else lines


def _cell(value: Any) -> str:
    if value is None:
        return "∅"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _short(str(value))


def _short(words: str) -> str:
    shown = plain(words[: MAX_CELL + 1])
    return shown if len(words) <= MAX_CELL else f"{shown[: MAX_CELL - 1]}…"


def plain(words: str) -> str:
    """Return a text in which all can be seen: control characters of the data would be a terminal's
    commands."""
    return "".join(c if c.isprintable() else "␣" for c in words)


def _padded(cell: str, width: int, *, right: bool) -> str:
    gap = " " * (width - _width(cell))
    return f"{gap}{cell}" if right else f"{cell}{gap}"


def _width(words: str) -> int:
    """Return the columns of a terminal that ``words`` takes (Unicode Standard Annex 11)."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in words)
    return len(words) + wide - sum(unicodedata.combining(c) > 0 for c in words)


def is_number(kind: str) -> bool:
    """Tell whether a column of that type (as Arrow says it) stands at the right."""
    return kind.startswith(("int", "uint", "float", "double", "halffloat", "decimal"))
