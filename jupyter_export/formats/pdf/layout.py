"""Columns on the page: who is how wide, in which size, on which way of the paper.

Widths come from a sample of the rows. What does not fit is first turned to landscape
(``orientation: auto``), then the font shrinks (``fit: shrink``), then long texts are narrowed (and
wrapped or cut), and at last the columns go on over further pages. Lengths are points, text widths
1/1000 em.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from ...errors import InvalidSpec, did_you_mean
from .options import MILLIMETRE, PdfOptions
from .typesetting import Room

TITLE_HEIGHT = 30.0
HEADING_ROWS = 1.35
"""The height of a group's heading, in rows."""
MOST_HEAD_LINES = 3
"""Lines of a column's heading."""
GAP = 1.1
"""Between the texts of two columns, in em."""
_LEADING = 1.22
_PADDING = 0.42
"""Above and below the lines of a row together, in em."""
_LEAST_TEXT = 6_000
"""A text column is not narrowed below this, in 1/1000 em."""
_FAIR_TEXT = 12_000
"""Rather the font shrinks than that a text column becomes narrower than this."""
_LONG_TEXT = 20_000
"""What a column of texts that are longer than ``_MOST_TEXT`` has at least, if others are whole."""
_MOST_TEXT = 34_000
"""The font does not shrink to show longer texts than this on one line."""
_FEW_WRAPPED, _NONE_WRAPPED = 0.8, 0.9
"""How far, as shares of its size, the font shrinks only to wrap few texts, or none."""
_STEP = 0.25
"""Points that the font shrinks by."""
_SPREAD = 1.6
"""Columns take up the width of the page, but not more than so many times what they need."""


@dataclass(frozen=True)
class Measured:
    """What a column needs, in 1/1000 em."""

    index: int
    name: str
    align: str
    condensable: bool
    """Numbers, dates and booleans: their column is not narrowed."""
    widest: int
    usual: int
    """What all but a few of its texts need."""
    heading: int
    """The widest word of its heading."""
    given: float | None = None
    """The width that the options ask for, in points."""


Least: TypeAlias = "Callable[[Measured], int]"
"""How wide a column of texts is at least, in 1/1000 em."""


@dataclass(frozen=True)
class Column:
    index: int
    name: str
    align: str
    left: float
    width: float
    """Of its text: the gaps beside it are not part."""
    anchor: float
    """Where its texts begin, are centred, or end."""
    room: Room


@dataclass(frozen=True)
class Band:
    """Columns that stand side by side on a page."""

    columns: tuple[Column, ...]
    left: float
    right: float


@dataclass(frozen=True)
class Layout:
    page: tuple[float, float]
    left: float
    right: float
    top: float
    """Of the area that rows may use: below the header, above the footer."""
    bottom: float
    size: float
    leading: float
    padding: float
    bands: tuple[Band, ...]

    @property
    def row_height(self) -> float:
        return self.leading + self.padding

    @property
    def gap(self) -> float:
        return GAP * self.size


def leading_of(size: float) -> float:
    return round(size * _LEADING, 2)


def padding_of(size: float) -> float:
    return round(size * _PADDING, 2)


def known(names: Sequence[str], given: Sequence[str] | Mapping[str, Any], option: str) -> None:
    """Raise ``InvalidSpec`` for a column that an option names and no table has."""
    for name in given:
        if name not in names:
            raise InvalidSpec(
                f"The pdf option {option} names a column “{name}”, which there is not.",
                hint=did_you_mean(name, names),
                field=f"format.{option}",
            )


def alignment(kind: pa.DataType) -> tuple[str, bool]:
    """Return how a column of that type is aligned, and whether it may be condensed."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "right", True
    if pa.types.is_duration(kind):
        return "right", True
    return "left", bool(pa.types.is_temporal(kind) or pa.types.is_boolean(kind))


def laid_out(
    columns: Sequence[Measured], options: PdfOptions, faces: Any, areas: tuple[float, float]
) -> Layout:
    """Return the layout of one table; ``areas``: heights of header and footer."""
    sides = options.sides
    left = sides.left * MILLIMETRE
    # headings and totals of groups need the whole width
    most = np.inf if options.group_by else _SPREAD
    for turn, size, least in _ways(options):
        page = options.page_size(turn)
        widths = _shared(columns, size, _across(page, options), most, least)
        if widths is not None:
            break
    right = page[0] - sides.right * MILLIMETRE
    if widths is not None:
        parts = [list(range(len(columns)))]
    else:
        size, widths, parts = _split(columns, options, right - left)
    top = page[1] - sides.top * MILLIMETRE - areas[0]
    bottom = sides.bottom * MILLIMETRE + areas[1]
    most = 1
    if options.overflow == "wrap":
        # a row is no taller than what is left below the title, the column heads and headings
        row = leading_of(size) + padding_of(size)
        above = MOST_HEAD_LINES * row + len(options.group_by) * HEADING_ROWS * row
        free = top - bottom - TITLE_HEIGHT - above - padding_of(size)
        most = max(1, int(free / leading_of(size)))
    bands = tuple(
        _band([columns[i] for i in part], [widths[i] for i in part], left, size, most)
        for part in parts
    )
    return Layout(
        page=page,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        size=size,
        leading=leading_of(size),
        padding=padding_of(size),
        bands=bands,
    )


def _ways(options: PdfOptions) -> Iterator[tuple[str, float, Least]]:
    """Yield the ways to set a table side by side, the best ones first: paper, size, least width."""
    turns = ("portrait", "landscape") if options.orientation == "auto" else (options.orientation,)
    sizes = _sizes(options)
    wraps = options.overflow == "wrap"
    for turn in turns[:-1]:
        yield turn, sizes[0], _at_least(_MOST_TEXT)
    for least, smallest in ((_whole, _NONE_WRAPPED), (_usual, _FEW_WRAPPED)):
        for size in sizes:
            if not wraps or size >= sizes[0] * smallest:
                yield turns[-1], size, least
    for size in sizes:
        yield turns[-1], size, _at_least(_FAIR_TEXT)
    yield turns[-1], sizes[-1], _at_least(_LEAST_TEXT)


def _sizes(options: PdfOptions) -> list[float]:
    """Return the sizes of the font that may be tried, from above."""
    sizes = [options.font_size]
    while options.fit == "shrink" and sizes[-1] > options.min_font_size:
        sizes.append(max(options.min_font_size, round(sizes[-1] - _STEP, 2)))
    return sizes


def _at_least(least: int) -> Least:
    return lambda column: min(column.widest, least)


def _whole(column: Measured) -> int:
    return column.widest if column.widest <= _MOST_TEXT else _LONG_TEXT


def _usual(column: Measured) -> int:
    return column.usual if column.usual <= _MOST_TEXT else _LONG_TEXT


def _across(page: tuple[float, float], options: PdfOptions) -> float:
    return page[0] - (options.sides.left + options.sides.right) * MILLIMETRE


def _needed(column: Measured, size: float, most: float) -> float:
    if column.given is not None:
        return min(column.given, most)
    content = column.widest if column.condensable else min(column.widest, _MOST_TEXT)
    return min((max(content, column.heading) + 50) * size / 1000, most - GAP * size)


def _shared(
    columns: Sequence[Measured], size: float, across: float, most: float, least: Least
) -> list[float] | None:
    """Return the width of each column, or None where they do not fit side by side."""
    gaps = GAP * size * len(columns)
    wanted = np.array(
        [
            (max(column.widest, column.heading) + 50) * size / 1000
            if column.given is None
            else column.given
            for column in columns
        ],
        np.float64,
    )
    space = across - gaps
    if wanted.sum() <= space:
        return _spread(columns, wanted, space, most)
    # long texts give up what the others need
    least_widths = np.array(
        [
            width
            if column.condensable or column.given is not None
            else min(width, (max(column.heading, least(column)) + 50) * size / 1000)
            for column, width in zip(columns, wanted, strict=True)
        ]
    )
    if least_widths.sum() > space:
        return None
    # the widest ones come down to one level, never below their least
    low, high = 0.0, float(wanted.max(initial=0))
    for _ in range(40):
        level = (low + high) / 2
        if np.maximum(least_widths, np.minimum(wanted, level)).sum() > space:
            high = level
        else:
            low = level
    return [float(w) for w in np.maximum(least_widths, np.minimum(wanted, low))]


def _spread(columns: Sequence[Measured], wanted: Any, space: float, most: float) -> list[float]:
    free = np.array([column.given is None for column in columns], bool)
    if not free.any():
        return [float(w) for w in wanted]
    fixed = float(wanted[~free].sum())
    factor = min(most, (space - fixed) / max(float(wanted[free].sum()), 1.0))
    return [float(w) for w in np.where(free, wanted * factor, wanted)]


def _split(
    columns: Sequence[Measured], options: PdfOptions, across: float
) -> tuple[float, list[float], list[list[int]]]:
    """Return size, widths, and the columns of each page that the table is split over."""
    again = [i for i, column in enumerate(columns) if column.name in options.repeat_columns]
    found = []
    for size in _sizes(options):
        gap = GAP * size
        widths = [_needed(column, size, across) for column in columns]
        if sum(widths[i] + gap for i in again) <= across / 2:
            found.append((size, widths, _parts(widths, gap, across, again)))
    if not found:
        raise InvalidSpec(
            "The columns of repeat_columns take more than half of the page.",
            hint="Repeat fewer, or give them smaller widths.",
            field="format.repeat_columns",
        )
    # the largest size among those that need the fewest pages
    return min(found, key=lambda each: len(each[2]))


def _parts(
    widths: Sequence[float], gap: float, across: float, again: Sequence[int]
) -> list[list[int]]:
    parts: list[list[int]] = [[]]
    used = 0.0
    for i in range(len(widths)):
        if parts[-1] and used + widths[i] + gap > across:
            parts.append([j for j in again if j < i])
            used = sum(widths[j] + gap for j in parts[-1])
        parts[-1].append(i)
        used += widths[i] + gap
    return parts


def _band(
    columns: Sequence[Measured],
    widths: Sequence[float],
    left: float,
    size: float,
    most: int,
) -> Band:
    gap = GAP * size
    at = left
    placed = []
    for column, width in zip(columns, widths, strict=True):
        text_left = at + gap / 2
        anchor = text_left + {"left": 0.0, "center": width / 2, "right": width}[column.align]
        room = Room(int(width / size * 1000) + 1, column.align, column.condensable, most)
        placed.append(
            Column(
                column.index, column.name, column.align, text_left, width, round(anchor, 2), room
            )
        )
        at += width + gap
    return Band(tuple(placed), left, at)
