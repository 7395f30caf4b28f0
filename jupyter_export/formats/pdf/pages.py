"""Rows -> pages: what fits on each, on which ground, below which heads.

A sheet is a set of pages with the same rows: one page for each band of columns. The text operators
of rows are only cut and put one behind another here; deflating the pages is the costly part and
happens on other threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import InvalidSpec
from ...registry import Bytes, LossLedger
from .document import Document, Element, Entry, Slot
from .furniture import HEADING, Edges, Pen, color, heads, shown_heads
from .grounds import Grounds, hairline
from .layout import HEADING_ROWS, TITLE_HEIGHT, Band, Layout
from .objects import number
from .options import PdfOptions
from .rows import Rows


@dataclass
class Page:
    """A finished page, not yet deflated."""

    slot: Slot
    content: list[Bytes]
    rows: int


@dataclass
class _Sheet:
    """The pages that are being filled."""

    slots: list[Slot]
    texts: list[list[Bytes]]
    shapes: list[list[bytes]]
    """Grounds and lines, drawn below the texts."""
    y: float
    """The lower edge of what stands there already."""
    rows: int = 0
    banded: int = 0
    """Rows since the last heading: every other one has a ground."""
    empty: bool = True
    edges: list[bytes] = field(default_factory=list)


class Paginator:
    """Fills the sheets of one table."""

    def __init__(
        self,
        document: Document,
        layout: Layout,
        options: PdfOptions,
        pen: Pen,
        edges: Edges,
        losses: LossLedger,
        *,
        title: str,
        dataset: str,
        first_page: int,
        section: Element,
        levels: int = 0,
    ) -> None:
        """Begin with no page; raises ``InvalidSpec`` where there is no room for a row.

        ``levels``: how many headings of groups may stand above a row.
        """
        self._document = document
        self.layout = layout
        self._options = options
        self.pen = pen
        self._edges = edges
        self.title = title
        self._dataset = dataset
        self.page = first_page
        """The number of the next page."""
        self.section = section
        self.table = document.element(b"Table", section)
        self._heads = heads(layout, pen, losses)
        head = self._heads[0].height if self._heads else 0.0
        above = (TITLE_HEIGHT if title else 0.0) + head + levels * self.heading_height
        if layout.top - layout.bottom < above + layout.row_height:
            raise InvalidSpec(
                "The headings take the whole height of a page and leave no room for a row.",
                hint="Choose a smaller font_size, a larger paper or smaller margins.",
                field="format.font_size",
            )
        self._shown_heads: dict[float, list[tuple[bytes, bytes]]] = {}
        self._grounds = Grounds(document, layout, options)
        self._regular = pen.setter(layout.size)
        self._ink = color(options.color)
        # from the upper edge of a row to the baseline of its first line
        face = self._regular.faces
        box = (face.ascent - face.descent) * layout.size / 1000
        self.baseline = (
            layout.padding / 2 + (layout.leading - box) / 2 + face.ascent * layout.size / 1000
        )
        self._sheet: _Sheet | None = None
        self.first_slot: Slot | None = None
        self.entry: Entry | None = None
        """The outline's entry of this table."""
        self.repeated: Sequence[tuple[int, str]] = ()
        """Open groups (level, heading), repeated at the top of each page."""

    # ------------------------------------------------------------------ sheets

    @property
    def sheet(self) -> _Sheet:
        """The open sheet; a new one begins where none is open."""
        if self._sheet is None:
            self._sheet = self._begun()
        return self._sheet

    def started(self) -> None:
        """Begin a sheet where none is open."""
        assert self.sheet.slots

    def _begun(self) -> _Sheet:
        layout = self.layout
        first = self.first_slot is None
        tail = self._edges.tells_total
        slots = [self._document.page(layout.page, tail=tail) for _ in layout.bands]
        y = layout.top
        texts: list[list[Bytes]] = [[] for _ in slots]
        if first:
            self.first_slot = slots[0]
            if self.title:
                y -= TITLE_HEIGHT
                texts[0].append(self._heading(slots[0], y))
        edges = []
        for _ in slots:
            edges.append(self._edges.shown(self.page, self._dataset, layout.page))
            self.page += 1
        sheet = _Sheet(slots, texts, [[] for _ in slots], y, edges=edges)
        if y not in self._shown_heads:
            self._shown_heads[y] = [
                shown_heads(each, layout, self.pen, self._options, y) for each in self._heads
            ]
        for slot, text, shapes, (ground, shown) in zip(
            slots, texts, sheet.shapes, self._shown_heads[y], strict=True
        ):
            shapes.append(ground)
            if first:
                text.append(self._opened(slot))
                text += [shown, self._ink, self._regular.font, b"\n"]
            else:
                # the heads again: for the eye, not for those who listen to the table
                text += [b"BT\n/Artifact BMC\n", shown, b"EMC\n", self._ink, self._regular.font]
                text.append(b"\n/Table <</MCID %d>> BDC\n" % slot.mark(self.table))
        sheet.y = y - (self._heads[0].height if self._heads else 0.0)
        for level, said in self.repeated:
            self._put_heading(sheet, level, f"{said} (continued)", None)
        return sheet

    def _heading(self, slot: Slot, y: float) -> bytes:
        element = self._document.element(b"H1")
        self.section.children.insert(0, element)
        layout = self.layout
        self.entry = Entry(self.title, slot.number, layout.top + 10)
        self._document.outline.append(self.entry)
        shown = self.pen.at(
            self.title,
            layout.left,
            y + TITLE_HEIGHT - HEADING * 0.95,
            HEADING,
            bold=True,
            room=layout.right - layout.left,
            what="title",
        )
        return b"/H1 <</MCID %d>> BDC\nBT\n%s%sET\nEMC\n" % (
            slot.mark(element),
            color(self._options.accent),
            shown,
        )

    def _opened(self, slot: Slot) -> bytes:
        return b"BT\n/Table <</MCID %d>> BDC\n" % slot.mark(self.table)

    def closed(self) -> Iterator[Page]:
        """Yield the pages of the open sheet, if there is one."""
        sheet = self._sheet
        if sheet is None:
            return
        self._sheet = None
        for i, slot in enumerate(sheet.slots):
            content: list[Bytes] = [b"/Artifact BMC\nq\n", *sheet.shapes[i]]
            content += [b"Q\nEMC\n", *sheet.texts[i], b"\nEMC\nET\n", sheet.edges[i]]
            yield Page(slot, content, sheet.rows if i == 0 else 0)

    def finish(self) -> Iterator[Page]:
        """Yield what is left; a table without rows has one page all the same."""
        if self.first_slot is None:
            self.started()
        yield from self.closed()

    # ------------------------------------------------------------------ rows

    def rows(self, rows: Rows, start: int = 0, stop: int | None = None) -> Iterator[Page]:
        """Put rows ``start`` to ``stop`` on sheets, and yield the pages that became full."""
        stop = rows.n if stop is None else stop
        layout = self.layout
        tops: np.ndarray[Any, Any] | None = None
        if rows.lines is not None:
            tops = np.zeros(rows.n + 1)
            np.cumsum(rows.lines * layout.leading + layout.padding, out=tops[1:])
        while start < stop:
            sheet = self.sheet
            space = sheet.y - layout.bottom + 0.01
            if tops is None:
                fit = int(space / layout.row_height)
            else:
                fit = int(np.searchsorted(tops, tops[start] + space, "right")) - 1 - start
            fit = min(fit, stop - start)
            if fit <= 0 and sheet.empty:
                fit = 1
            if fit <= 0:
                yield from self.closed()
                continue
            self._put(sheet, rows, start, start + fit, tops)
            start += fit

    def _put(
        self,
        sheet: _Sheet,
        rows: Rows,
        start: int,
        stop: int,
        tops: np.ndarray[Any, Any] | None,
    ) -> None:
        layout = self.layout
        first = sheet.y - self.baseline + layout.row_height
        for i, band in enumerate(layout.bands):
            data, offsets = rows.bands[i]
            text = sheet.texts[i]
            anchor = band.columns[-1].anchor if band.columns else band.left
            text.append(b"1 0 0 1 %s %s Tm" % (number(anchor), number(round(first, 2))))
            text.append(data[offsets[start] : offsets[stop]])
            if tops is None:
                ground = self._grounds.even(i, sheet.y, stop - start, sheet.banded % 2)
            else:
                edges = sheet.y - (tops[start : stop + 1] - tops[start])
                ground = self._grounds.between(i, edges, sheet.banded % 2)
            sheet.shapes[i].append(ground)
        if tops is None:
            sheet.y -= (stop - start) * layout.row_height
        else:
            sheet.y -= float(tops[stop] - tops[start])
        sheet.rows += stop - start
        sheet.banded += stop - start
        sheet.empty = False

    # ------------------------------------------------------------------ headings and totals

    @property
    def heading_height(self) -> float:
        return self.layout.row_height * HEADING_ROWS

    def _heading_size(self, level: int) -> float:
        return self.layout.size + max(1.5 - level, 0.0)

    def _heading_place(self, level: int, band: Band) -> tuple[float, float]:
        """Where a heading begins, and how much room it has."""
        left = band.left + self.layout.gap / 2 + level * self.layout.size
        return left, self.layout.right - self.layout.gap / 2 - left

    def unseen(self, level: int, said: str) -> tuple[bool, str]:
        """Return whether a heading is cut off, and the characters of it that no font has."""
        size = self._heading_size(level)
        room = self._heading_place(level, self.layout.bands[0])[1] / size * 1000
        _, _, missing, cut = self.pen.setter(size, True).fitted(said, room)
        return cut, missing

    def headings(self, given: Sequence[tuple[int, str, Element | None]]) -> Iterator[Page]:
        """Put headings of groups (level, text, element); at least one row follows them."""
        needed = len(given) * self.heading_height + 2 * self.layout.row_height
        if self.sheet.y - needed < self.layout.bottom and not self.sheet.empty:
            yield from self.closed()
        sheet = self.sheet
        tagged = any(element is not None for _, _, element in given)
        if tagged:
            for text in sheet.texts:
                text.append(b"\nEMC\n")
        for level, said, element in given:
            self._put_heading(sheet, level, said, element, tagged=tagged)
        if tagged:
            # the rows below a heading are a table of their own
            self.table = self._document.element(b"Table", self.section)
            for slot, text in zip(sheet.slots, sheet.texts, strict=True):
                text.append(b"/Table <</MCID %d>> BDC\n" % slot.mark(self.table))

    def _put_heading(
        self,
        sheet: _Sheet,
        level: int,
        said: str,
        element: Element | None,
        *,
        tagged: bool = False,
    ) -> None:
        layout = self.layout
        height = self.heading_height
        size = self._heading_size(level)
        y = sheet.y - height + layout.row_height - self.baseline
        for i, (slot, band) in enumerate(zip(sheet.slots, layout.bands, strict=True)):
            left, room = self._heading_place(level, band)
            shown = self.pen.at(said, left, y, size, bold=True, room=room)
            begin = end = b""
            if tagged:
                begin, end = b"/Artifact BMC\n", b"\nEMC\n"
                if element is not None and i == 0:
                    begin = b"/%s <</MCID %d>> BDC\n" % (element.type, slot.mark(element))
            ink = color(self._options.accent)
            sheet.texts[i] += [b"\n", begin, ink, shown, self._ink, self._regular.font, end, b"\n"]
            below = sheet.y - height
            sheet.shapes[i].append(hairline(self._options.accent, band.left, band.right, below))
        sheet.y -= height
        sheet.banded = 0

    def totals(
        self, label: str, level: int, values: Sequence[tuple[int, str, str]], *, strong: bool
    ) -> Iterator[Page]:
        """Put a line of totals: (index of the column, text, what it is: nothing for a sum)."""
        layout = self.layout
        if self.sheet.y - layout.row_height * 1.15 < layout.bottom and not self.sheet.empty:
            yield from self.closed()
        sheet = self.sheet
        by_column = {index: (text, what) for index, text, what in values}
        for i, band in enumerate(layout.bands):
            shown = self._totals_of(band, label, level, by_column, sheet.y - self.baseline - 1.0)
            sheet.texts[i] += [b"\n", shown, self._regular.font, b"\n"]
            ink = self._options.accent if strong else self._options.line_color
            width = 0.9 if strong else 0.6
            sheet.shapes[i].append(hairline(ink, band.left, band.right, sheet.y, width))
        sheet.y -= layout.row_height * 1.15
        sheet.banded = 0
        sheet.empty = False

    def _totals_of(
        self, band: Band, label: str, level: int, values: dict[int, tuple[str, str]], y: float
    ) -> bytes:
        out = b""
        size, gap = self.layout.size, self.layout.gap
        small = size * 0.8
        free = band.left + gap / 2 + level * size
        spaces: list[tuple[float, float]] = []
        for column in band.columns:
            text, what = values.get(column.index, ("", ""))
            if not text:
                continue
            width = self.pen.width(text, size, True)
            named = self.pen.width(f"{what} ", small) if what else 0.0
            if column.align == "left":
                # the name of the function pushes the value aside, if there is room for both
                fits = named + width <= column.width
                start = column.left + (named if fits else 0.0)
                named = named if fits else 0.0
            else:
                # a total wider than its column reaches into the one before it
                start = column.anchor - width / (1 if column.align == "right" else 2)
                named = named if start - named - gap / 2 >= free else 0.0
            if named:
                out += self.pen.at(what, start - named, y, small)
            out += self.pen.at(text, start, y, size, bold=True)
            spaces.append((free, start - named - gap / 2))
            free = max(free, start + width + gap)
        spaces.append((free, band.right - gap / 2))
        wanted = self.pen.width(label, size, True)
        left, right = next(
            (each for each in spaces if each[1] - each[0] >= wanted),
            max(spaces, key=lambda each: each[1] - each[0]),
        )
        if right - left > 2 * size:
            out += self.pen.at(label, left, y, size, bold=True, room=right - left)
        return out
