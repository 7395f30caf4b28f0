"""What stands around the rows: headers and footers, headings, column heads, the title page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ...losses import example
from ...registry import Loss, LossLedger
from .layout import MOST_HEAD_LINES, Band, Layout, leading_of
from .objects import number
from .options import MILLIMETRE, PdfOptions, TitlePage
from .typesetting import Typesetter

if TYPE_CHECKING:
    from .fonts import Faces

SMALL = 7.5
"""Points: headers and footers."""
HEADING = 15.0
AREA = 16.0
"""The height that a header or a footer takes from the rows."""
_UNNAMED = "data"
"""The name of a dataset that was given none."""
_MOST_FACTS = 12
"""Datasets that a title page names."""
_FOOT_LEADING = 13.0


@cache
def color(given: str, operator: bytes = b"rg") -> bytes:
    """Return the operator that sets a colour ``#RRGGBB`` (``rg`` fills, ``RG`` strokes)."""
    parts = [number(round(int(given[i : i + 2], 16) / 255, 3)) for i in (1, 3, 5)]
    return b" ".join([*parts, operator]) + b"\n"


def code_points(missing: str) -> str:
    """Return the code points of some characters, for a sentence."""
    return ", ".join(f"U+{ord(char):04X}" for char in sorted(set(missing))[:5])


class Pen:
    """Single lines of text at given places, in any size, with what no font has reported once."""

    def __init__(self, faces: Faces, losses: LossLedger) -> None:
        self._faces = faces
        self._losses = losses
        self._setters: dict[tuple[float, bool], Typesetter] = {}

    def setter(self, size: float, bold: bool = False) -> Typesetter:
        key = (size, bold)
        if key not in self._setters:
            self._setters[key] = Typesetter(self._faces, size, leading_of(size), bold=bold)
        return self._setters[key]

    def width(self, text: str, size: float, bold: bool = False) -> float:
        """Points."""
        return self.setter(size, bold).line(text)[1] * size / 1000

    def is_rtl(self, text: str) -> bool:
        """Tell whether a text runs from right to left as a whole."""
        return not text.isascii() and self._faces.runs(text).rtl

    def at(
        self,
        text: str,
        x: float,
        y: float,
        size: float,
        *,
        bold: bool = False,
        align: str = "left",
        room: float | None = None,
        what: str | None = None,
    ) -> bytes:
        """Return the operators (inside BT … ET) that show ``text`` with its baseline at ``y``.

        Characters that no font has are reported in the name of ``what``; None: elsewhere.
        """
        setter = self.setter(size, bold)
        if room is None:
            operators, width, missing = setter.line(text)
        else:
            operators, width, missing, _ = setter.fitted(text, max(room, 0) / size * 1000)
        if missing and what is not None:
            self.lacks(what, missing, text, 1)
        x -= {"left": 0.0, "center": 0.5, "right": 1.0}[align] * width * size / 1000
        return b"1 0 0 1 %s %s Tm %s\n" % (number(round(x, 2)), number(round(y, 2)), operators)

    def lacks(
        self, what: str, missing: str, text: str, count: int, losses: LossLedger | None = None
    ) -> None:
        """Report characters that no font has, in ``count`` cells."""
        message = f"no font at hand has {code_points(missing)}"
        loss = Loss("glyph", what, count, message, "font=…", example(text))
        (self._losses if losses is None else losses).add(loss)

    def lines(self, text: str, room: float, size: float, bold: bool = False) -> list[str]:
        """Return the lines of ``text`` in a column of ``room`` points."""
        return self._faces.lines(text, room / size * 1000, bold)


# ------------------------------------------------------------------ headers and footers


class Edge:
    """A header or a footer: up to three parts, whose placeholders are filled in for each page."""

    def __init__(self, given: str, pen: Pen, options: PdfOptions) -> None:
        parts = given.split("|")
        aligns = ("left", "center", "right")
        said = [(p.strip(), a) for p, a in zip(parts, aligns, strict=False) if p.strip()]
        self._late = [part for part in said if "{pages}" in part[0]]
        self._early = [part for part in said if "{pages}" not in part[0]]
        self._pen = pen
        self._ink = color("#6B7680")
        self._kept: dict[tuple[str, str, float, float], bytes] = {}

    def __bool__(self) -> bool:
        return bool(self._late or self._early)

    def shown(
        self, values: Mapping[str, str], left: float, right: float, y: float, *, with_total: bool
    ) -> bytes:
        """Return the parts that tell (or do not tell) the number of pages."""
        out = b""
        for text, align in self._late if with_total else self._early:
            filled = re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], ""), text)
            x = {"left": left, "center": (left + right) / 2, "right": right}[align]
            key = (filled, align, x, y)
            if key in self._kept:
                out += self._kept[key]
                continue
            shown = self._pen.at(
                filled, x, y, SMALL, align=align, room=right - left, what="header or footer"
            )
            if "{page}" not in text:
                self._kept[key] = shown
            out += shown
        return b"/Artifact BMC\nBT\n%s%sET\nEMC\n" % (self._ink, out) if out else b""

    @property
    def tells_total(self) -> bool:
        return bool(self._late)


class Edges:
    """Header and footer of every page."""

    def __init__(self, options: PdfOptions, pen: Pen, values: Mapping[str, str]) -> None:
        self._header = Edge(options.header, pen, options)
        self._footer = Edge(options.footer, pen, options)
        self._values = values
        self._sides = options.sides

    @property
    def areas(self) -> tuple[float, float]:
        """Heights of header and footer, in points."""
        return (AREA if self._header else 0.0, AREA if self._footer else 0.0)

    @property
    def tells_total(self) -> bool:
        return self._header.tells_total or self._footer.tells_total

    def shown(
        self, page: int, dataset: str, paper: tuple[float, float], total: int | None = None
    ) -> bytes:
        """Return what can be said of a page while it is made; with ``total``, only the rest."""
        values = {**self._values, "page": f"{page:,}", "dataset": dataset}
        if total is not None:
            values["pages"] = f"{total:,}"
        left = self._sides.left * MILLIMETRE
        right = paper[0] - self._sides.right * MILLIMETRE
        out = b""
        for edge, y in (
            (self._header, paper[1] - self._sides.top * MILLIMETRE - SMALL * 0.8),
            (self._footer, self._sides.bottom * MILLIMETRE + 1.0),
        ):
            out += edge.shown(values, left, right, y, with_total=total is not None)
        return out


# ------------------------------------------------------------------ column heads


@dataclass(frozen=True)
class Heads:
    """The names of the columns of a band, on as many lines as they need."""

    band: Band
    lines: tuple[tuple[str, ...], ...]
    height: float


def heads(layout: Layout, pen: Pen, losses: LossLedger) -> list[Heads]:
    """Return the heads of each band; all are as tall as the tallest."""
    leading = layout.leading
    all_lines = []
    for i, band in enumerate(layout.bands):
        of_band = []
        for column in band.columns:
            # breakable where programmers break words
            lines = pen.lines(
                re.sub(r"_(?=.)", "_\u200b", column.name), column.width, layout.size, True
            )
            lines = [line.replace("\u200b", "") for line in lines] or [""]
            room = column.width + 0.5
            missing = pen.setter(layout.size, True).line(column.name)[2]
            if missing:
                pen.lacks(column.name, missing, column.name, 1, losses)
            whole = len(lines) <= MOST_HEAD_LINES and all(
                pen.width(line, layout.size, True) <= room for line in lines
            )
            if not whole:
                lines = [*lines[: MOST_HEAD_LINES - 1], "".join(lines[MOST_HEAD_LINES - 1 :])]
                lines = [line for line in lines if line]
                if i == 0 or column.name not in {c.name for c in layout.bands[0].columns}:
                    losses.add(
                        Loss(
                            "cut_off",
                            column.name,
                            1,
                            "the heading is wider than its column",
                            "widths=…",
                            column.name[:80],
                        )
                    )
            of_band.append(tuple(lines))
        all_lines.append(tuple(of_band))
    most = max((len(lines) for band in all_lines for lines in band), default=1)
    height = leading * most + layout.padding * 1.6
    return [Heads(band, lines, height) for band, lines in zip(layout.bands, all_lines, strict=True)]


def shown_heads(
    given: Heads, layout: Layout, pen: Pen, options: PdfOptions, y: float
) -> tuple[bytes, bytes]:
    """Return ground and text operators of heads whose upper edge is at ``y``."""
    band = given.band
    width = band.right - band.left
    ground = color(options.header_background) + b"%s %s %s %s re f\n" % tuple(
        number(round(v, 2)) for v in (band.left, y - given.height, width, given.height)
    )
    text = color(options.header_color)
    space = b"%s( )Tj\n" % pen.setter(layout.size, True).font
    most = max((len(lines) for lines in given.lines), default=1)
    first = y - layout.padding * 0.8 - layout.size * 0.95
    for column, lines in zip(band.columns, given.lines, strict=True):
        # one line below the other, the last ones in one line
        at = first - layout.leading * (most - len(lines))
        for line in lines:
            anchor, align = column.anchor, column.align
            if align == "left" and pen.is_rtl(line):
                # at the side where cells that run to the left begin
                anchor, align = column.left + column.width, "right"
            text += pen.at(
                line,
                anchor,
                at,
                layout.size,
                bold=True,
                align=align,
                room=column.width + 0.5,
            )
            text += space
            at -= layout.leading
    return ground, text


# ------------------------------------------------------------------ title page


def title_page(
    pen: Pen,
    options: PdfOptions,
    title: str,
    date: str,
    facts: Sequence[str],
    paper: tuple[float, float],
    logo: tuple[bytes, float, float] | None,
) -> bytes:
    """Return the content of the title page: logo, title, subtitle, text, and what is inside."""
    given = options.title_page if isinstance(options.title_page, TitlePage) else None
    left = options.sides.left * MILLIMETRE
    right = paper[0] - options.sides.right * MILLIMETRE
    room = right - left
    y = paper[1] * 0.70
    out = b""
    if logo is not None:
        name, wide, tall = logo
        scale = min(room * 0.4 / wide, 60 / tall)
        out += b"/Artifact BMC q %s 0 0 %s %s %s cm /%s Do Q EMC\n" % (
            number(wide * scale),
            number(tall * scale),
            number(left),
            number(y + 64),
            name,
        )
    out += b"/Artifact BMC q %s%s %s 42 2.5 re f Q EMC\n" % (
        color(options.accent),
        number(left),
        number(y + 40),
    )
    out += b"/H1 <</MCID 0>> BDC\nBT\n" + color(options.color)
    for line in pen.lines(title, room, 26, True)[:4]:
        out += pen.at(line, left, y, 26, bold=True, what="title")
        y -= 32
    out += b"ET\nEMC\n/P <</MCID 1>> BDC\nBT\n"
    if given is not None and given.subtitle:
        out += color("#4A5561")
        for line in pen.lines(given.subtitle, room, 14)[:4]:
            out += pen.at(line, left, y, 14, what="title_page")
            y -= 19
    y -= 18
    foot = _foot(date, facts)
    top_of_foot = options.sides.bottom * MILLIMETRE + _FOOT_LEADING * len(foot) + 6
    size, lines = _fitted(pen, given.text if given is not None else "", room, y - top_of_foot - 18)
    out += color(options.color)
    for line in lines:
        out += pen.at(line, left, y, size, what="title_page")
        y -= size * (1.48 if line else 0.6)
    out += color("#6B7680")
    for i, line in enumerate(foot):
        at = top_of_foot - 8 - _FOOT_LEADING * (i + 1) + 3
        out += pen.at(line, left, at, 8.5, room=room)
    rule = (number(left), number(round(top_of_foot, 2)), number(room))
    line_above = color(options.line_color) + b"%s %s %s 0.5 re f" % rule
    return out + b"ET\nEMC\n/Artifact BMC q %s Q EMC\n" % line_above


def _foot(date: str, facts: Sequence[str]) -> list[str]:
    """Return what stands at the foot of a title page: the date, and how many rows there are."""
    if len(facts) == 1:
        # what has no name of its own needs none
        facts = [facts[0].removeprefix(f"{_UNNAMED}: ")]
    if len(facts) > _MOST_FACTS:
        facts = [*facts[: _MOST_FACTS - 1], f"and {len(facts) - _MOST_FACTS + 1} more"]
    return [date, *facts]


def _fitted(pen: Pen, text: str, room: float, height: float) -> tuple[float, list[str]]:
    """Return a size in which a text fits, if there is one, and its lines; "" ends a paragraph."""
    for size in (10.5, 9.5, 8.5, 7.5, 6.5):
        lines = []
        for paragraph in text.splitlines():
            # lines of about eighty characters are read best
            lines += [*pen.lines(paragraph, min(room, size * 40), size), ""]
        most, tall = 0, 0.0
        for line in lines:
            tall += size * (1.48 if line else 0.6)
            most += tall <= height
        if most >= len(lines) - 1:
            break
    return size, lines[:most]
