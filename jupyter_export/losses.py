"""What an export changes of the data it is given: the kinds of loss, and their ledger.

A loss is reported for each column before a run (estimated from a sample) and after it (exact).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

KINDS: dict[str, str] = {
    "binary": "bytes are written as text",
    "cut_off": "a value is shown only in part",
    "database_type": "a type of the database that Arrow does not have is written as its text",
    "date_out_of_range": "a date that the format has no number for is written as text",
    "decimal_beyond_15_digits": "a decimal has more digits than a reader's double keeps",
    "decimal_to_float": "a decimal becomes a binary floating-point number",
    "duplicate_header": "two columns have one heading",
    "duplicate_key": "entries of a map that have one key",
    "encoding": "a character that the encoding does not have is replaced",
    "formula_guarded": "a text that a spreadsheet would run as a formula is made harmless",
    "glyph": "a character that no font at hand can draw",
    "integer_beyond_15_digits": "a spreadsheet rounds the integer when it takes it for a number",
    "integer_beyond_2_53": "JavaScript and other readers with doubles alone round the integer",
    "leading_zeros": "a spreadsheet drops the zeros when it takes the text for a number",
    "nested": "a list, struct or map is written as JSON text",
    "not_point_in_time": "datasets of one database were not read at one moment",
    "not_a_number": "NaN or Infinity, which the format has no number for",
    "null_or_empty": "a null and an empty text look alike",
    "rounded": "digits behind the point are dropped by the chosen number format",
    "rows_beyond_limit": "more rows than one sheet holds",
    "sheet_name": "a name that the format forbids is mended",
    "text_cut": "a text is longer than a cell holds",
    "time_part": "a part of a date or time is dropped by the chosen date format",
    "time_precision": "finer parts of a second than the format keeps",
    "time_zone": "the format keeps the clock or the instant, and no time zone",
    "type": "the file does not say the type, and its reader cannot ask for it",
    "unprintable": "control characters that the format forbids are escaped or replaced",
}
"""Kind -> what it means, in a sentence without a subject. A plug-in may add kinds of its own."""


@dataclass(frozen=True)
class Loss:
    """What a format changes of a column. ``count`` None: not counted."""

    kind: str
    """One of ``KINDS``."""
    column: str
    count: int | None
    """Values (cells) that are changed."""
    message: str
    option: str | None = None
    """The option that avoids it, as ``name=value``."""
    example: str | None = None
    """One of the values, as text of at most 80 characters."""
    dataset: str | None = None
    """Set where the export has several."""
    estimated: bool = False
    """``count`` is scaled up from a sample."""

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


def example(value: object) -> str:
    """Return ``value`` as the example of a loss."""
    text = value if isinstance(value, str) else str(value)
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= 80 else f"{text[:79]}…"


class LossLedger:
    """Losses as they are met, added up for each kind and column; safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[tuple[str | None, str, str], Loss] = {}

    def add(self, loss: Loss) -> None:
        """Take a loss; its count is added to what is known of the same kind and column."""
        with self._lock:
            key = (loss.dataset, loss.kind, loss.column)
            before = self._found.get(key)
            if before is None:
                self._found[key] = loss
                return
            count = loss.count
            if before.count is not None:
                count = before.count + (loss.count or 0)
            shown = before.example if before.example is not None else loss.example
            self._found[key] = replace(loss, count=count, example=shown)

    def of(self, dataset: str | None) -> LossLedger:
        """Return a view into which losses of that dataset are added."""
        return self if dataset is None else _View(self, dataset)

    def __iter__(self) -> Iterator[Loss]:
        with self._lock:
            return iter(list(self._found.values()))

    def __len__(self) -> int:
        return len(self._found)


class _View(LossLedger):
    """Adds to another ledger, in the name of one dataset; reads what belongs to it."""

    def __init__(self, whole: LossLedger, dataset: str) -> None:
        super().__init__()
        self._whole = whole
        self._dataset = dataset

    def add(self, loss: Loss) -> None:
        self._whole.add(replace(loss, dataset=self._dataset))

    def __iter__(self) -> Iterator[Loss]:
        return (loss for loss in self._whole if loss.dataset == self._dataset)

    def __len__(self) -> int:
        return sum(1 for _ in self)
