"""Axes of charts: which marks they have, and which of the labels find room."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .furniture import Pen
from .rows import CellTexts

MOST_MARKS = 6
_MOST_DIGITS = 15
_GAP = 9.0
"""Points between two labels on one line."""


@dataclass(frozen=True)
class Figures:
    """Writes the numbers of a chart, with the separators and digits that the table has."""

    texts: CellTexts
    column: str | None
    """Whose format it is; None: of no column, for rows that are counted."""
    digits: int | None
    """Behind the point; None: as many as a number needs, at most four."""

    def value(self, value: float) -> str:
        return self.texts.number(value, self.column, self.digits)

    def marks(self, marks: Marks) -> list[str]:
        """Return the labels of an axis, which has the digits that its steps need."""
        return [self.texts.number(value, self.column, marks.digits) for value in marks.values]

    def count(self, count: int) -> str:
        return self.texts.number(count, None, 0)

    def share(self, share: float) -> str:
        """Return a share of one in per cent."""
        return f"{self.texts.number(100 * share, None, 1)}%"

    @property
    def whole(self) -> bool:
        """Whether there is nothing between 1 and 2."""
        return self.digits == 0


@dataclass(frozen=True)
class Marks:
    """Marks of an axis, from one end to the other."""

    values: Sequence[float]
    digits: int
    """What their labels need behind the point."""


def marks(low: float, high: float, most: int = MOST_MARKS, *, whole: bool = False) -> Marks:
    """Return about ``most`` marks, or fewer, at round numbers around ``low`` and ``high``."""
    if low == high:
        spread = max(1.0, abs(low) * 0.01)
        low, high = (0.0, spread) if low == 0 else (low - spread, high + spread)
    rough = high / most - low / most  # the ends themselves may be as far apart as doubles are
    power = math.floor(math.log10(rough))
    factors: tuple[float, ...] = (1.0, 2.0, 2.5, 5.0, 10.0)
    if whole:
        power = max(power, 0)
    if whole and power == 0:
        factors = (1.0, 2.0, 5.0, 10.0)
    factor = next((f for f in factors if f * 10.0**power >= rough * (1 - 1e-9)), 10.0)
    step = factor * 10.0**power
    digits = min(max(0, -power + (factor == 2.5) - (factor == 10.0)), _MOST_DIGITS)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    places = range(first, max(last, first + 1) + 1)
    return Marks([place * step for place in places], digits)


def across(pen: Pen, size: float, figures: Figures, low: float, high: float, room: float) -> Marks:
    """Return the marks of a horizontal axis of ``room`` points, whose labels do not touch."""
    for most in range(MOST_MARKS, 0, -1):
        found = marks(low, high, most, whole=figures.whole)
        widest = max(pen.width(text, size) for text in figures.marks(found))
        if widest + _GAP <= room / (len(found.values) - 1):
            break
    return found


def stride(widths: Sequence[float], spacing: float) -> int:
    """Return the least constant step from label to label by which none touches the next.

    ``widths`` are those of all labels, centered ``spacing`` apart, in points. A slightly larger
    step is taken if the last label is then shown, too.
    """
    last = len(widths) - 1
    if last < 1:
        return 1
    # of two labels next to one another, at most both are the widest
    least = max(1, math.ceil((max(widths) + _GAP) / spacing))
    for step in range(max(1, least // 2), least):
        shown = widths[::step]
        pairs = pairwise(shown)
        if all((one + other) / 2 + _GAP <= step * spacing for one, other in pairs):
            least = step
            break
    whole = (step for step in range(least, least + least // 2 + 1) if last % step == 0)
    return next(whole, least)


def shortened(pen: Pen, text: str, size: float, room: float, most: int = 26) -> str:
    """Return a label of at most ``room`` points and ``most`` characters, on one line."""
    text = " ".join(text.split())
    if len(text) <= most and pen.width(text, size) <= room:
        return text
    text = text[: most - 1]
    while len(text) > 1 and pen.width(f"{text}…", size) > room:
        text = text[:-1]
    return f"{text.rstrip()}…"
