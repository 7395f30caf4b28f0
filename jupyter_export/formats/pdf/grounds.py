"""What lies below the rows: the light ground of every other one, and the lines between them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .document import Document
from .furniture import color
from .layout import Layout
from .options import PdfOptions

_LINE_WIDTH = 0.4
_KEPT = 64
"""Grounds that are remembered; a plain table has one for its first page and one for the others."""


class Grounds:
    """The grounds of one table. One that comes again becomes a form, and is only named then."""

    def __init__(self, document: Document, layout: Layout, options: PdfOptions) -> None:
        self._document = document
        self._layout = layout
        self._options = options
        self._seen: dict[tuple[int, float, int, int], bytes | None] = {}

    def even(self, band: int, y: float, rows: int, before: int) -> bytes:
        """Return the operators for rows of one height, the first one's upper edge at ``y``.

        ``before`` is 1 where the row above was the first of two.
        """
        key = (band, round(y, 2), rows, before)
        known = self._seen.get(key)
        if known is not None:
            return known
        edges = y - np.arange(rows + 1) * self._layout.row_height
        operators = self.between(band, edges, before)
        if key in self._seen:
            # again, and so probably on every page that follows
            name = self._document.form(operators, self._layout.page)
            self._seen[key] = operators = b"/%s Do\n" % name
        elif len(self._seen) < _KEPT:
            self._seen[key] = None
        return operators

    def between(self, band: int, edges: np.ndarray[Any, Any], before: int) -> bytes:
        """Return the operators for rows between ``edges``, from above."""
        left, right = self._layout.bands[band].left, self._layout.bands[band].right
        ys = np.round(edges, 2).tolist()
        out = b""
        if self._options.banded:
            rects = b"".join(
                b"%.2f %.2f %.2f %.2f re\n" % (left, ys[i + 1], right - left, ys[i] - ys[i + 1])
                for i in range((before + 1) % 2, len(ys) - 1, 2)
            )
            if rects:
                out += color(self._options.band_color) + rects + b"f\n"
        if self._options.grid != "none":
            lines = b"".join(b"%.2f %.2f m %.2f %.2f l\n" % (left, y, right, y) for y in ys[1:])
            if self._options.grid == "all":
                gap = self._layout.gap / 2
                columns = self._layout.bands[band].columns
                sides = [left, *(column.left + column.width + gap for column in columns)]
                lines += b"".join(
                    b"%.2f %.2f m %.2f %.2f l\n" % (x, ys[0], x, ys[-1]) for x in sides
                )
            out += color(self._options.line_color, b"RG")
            out += b"%.2f w\n" % _LINE_WIDTH + lines + b"S\n"
        return out


def hairline(paint: str, left: float, right: float, y: float, width: float = _LINE_WIDTH) -> bytes:
    """Return the operators of a line across a band of columns."""
    return color(paint, b"RG") + b"%.2f w %.2f %.2f m %.2f %.2f l S\n" % (width, left, y, right, y)
